use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfkc};

/// Text as it is compared: Unicode form NFKC, lower case, runs of blanks as one, no blanks or punctuation at the ends.
///
/// Typographic quotes and dashes become plain ones. `_` and `-` between two letters count as a blank, so that
/// `find_sources`, `find-sources` and `Find sources` are the same; between digits they stay. A text of nothing but
/// punctuation keeps it.
pub(super) fn normalise(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let folded: Cow<'_, str> = if text.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(fold(text)) };
    let mut out = String::with_capacity(folded.len());
    let mut characters = folded.chars().peekable();
    let mut before = ' ';
    while let Some(c) = characters.next() {
        let joint = matches!(c, '_' | '-')
            && before.is_alphabetic()
            && characters.peek().is_some_and(|next| next.is_alphabetic());
        if joint || c.is_whitespace() || c.is_control() {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else {
            out.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    let trimmed = out.trim_end().trim_start_matches(opening).trim_end_matches(closing).trim();
    if trimmed.is_empty() { Cow::Owned(out.trim().to_owned()) } else { Cow::Owned(trimmed.to_owned()) }
}

/// Whether normalising would change nothing: the common case for slot values and worth a scan.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return true };
    inner(first)
        && inner(last)
        && bytes.iter().zip(&bytes[1..]).all(|(&b, &next)| inner(b) || (b == b' ' && next != b' ') || b == b'.')
}

fn fold(text: &str) -> String {
    // Lower case can undo composition ("İ"), so the form is restored after it.
    let compose = |text: &str| if is_nfkc(text) { text.to_owned() } else { text.nfkc().collect() };
    let lower: String = compose(text).chars().map(plain).flat_map(char::to_lowercase).collect();
    compose(&lower).replace('ß', "ss").replace('ς', "σ")
}

pub(super) fn plain(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' => '\'',
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' | '\u{ab}' | '\u{bb}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        _ => c,
    }
}

fn opening(c: char) -> bool {
    matches!(c, ' ' | '"' | '\'' | '`' | '(' | '[' | '¿' | '¡' | ',' | ';' | ':' | '!' | '?')
}

fn closing(c: char) -> bool {
    matches!(c, ' ' | '"' | '\'' | '`' | ')' | ']' | '.' | ',' | ';' | ':' | '!' | '?' | '…' | '。' | '、')
}

/// How many words a text has: runs of non-blanks, and each character of a script that writes no blanks.
pub(super) fn words(text: &str) -> usize {
    let (mut count, mut inside) = (0, false);
    for c in text.chars() {
        if is_word_alone(c) {
            (count, inside) = (count + 1, false);
        } else if c.is_whitespace() {
            inside = false;
        } else if !inside {
            (count, inside) = (count + 1, true);
        }
    }
    count
}

/// Whether a character is of a script written without blanks: Han, Kana, Thai, Lao, Khmer.
pub(super) fn is_word_alone(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_blanks_unicode_form_and_punctuation_at_the_ends_do_not_matter() {
        for (a, b) in [
            ("find_sources", "Find sources"),
            ("find-sources", "  FIND   SOURCES. "),
            ("find sources", "find\tsources\n"),
            ("caf\u{e9}", "CAFE\u{301}"),
            ("ﬁnd", "find"),
            ("straße", "STRASSE"),
            ("don’t", "don't"),
            ("５", "5"),
            ("\"quoted\"", "quoted"),
            ("(x)", "x"),
            ("e\u{2011}mail", "e-mail"),
            ("ΟΔΟΣ", "οδος"),
        ] {
            assert_eq!(normalise(a), normalise(b), "{a} {b}");
        }
    }

    #[test]
    fn what_carries_meaning_stays() {
        for (a, b) in [
            ("C++", "C"),
            ("C#", "C"),
            (".net", "net"),
            ("-5", "5"),
            ("!!!", "???"),
            ("a b", "ab"),
            ("1-2", "1 2"),
            ("50%", "50"),
            ("1.5", "15"),
        ] {
            assert_ne!(normalise(a), normalise(b), "{a} {b}");
        }
        assert_eq!(normalise(""), "");
    }

    #[test]
    fn words_are_counted_in_scripts_without_blanks_too() {
        assert_eq!(words(" find  sources\tnow "), 3);
        assert_eq!(words("查找来源"), 4);
        assert_eq!(words(""), 0);
    }
}
