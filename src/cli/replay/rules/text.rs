//! Texts made comparable.

use unicode_normalization::UnicodeNormalization;

/// The text without differences of case, spacing and Unicode form.
pub(super) fn normalised(text: &str) -> String {
    let text = text.nfkc().collect::<String>().to_lowercase();
    let mut result = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !result.is_empty() {
            result.push(' ');
        }
        result.push_str(word);
    }
    result
}

/// The words of a text that [`normalised`] made: letters and digits, and what joins them inside a word, as in
/// `example.com/a` or `3.14`. A number is the same with and without commas between its thousands.
pub(super) fn words(normalised: &str) -> Vec<String> {
    let words = normalised.split(' ').map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    words.filter(|word| !word.is_empty()).map(without_grouping).collect()
}

fn without_grouping(word: &str) -> String {
    let is_number = word.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '.'));
    if is_number { word.replace(',', "") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_spacing_and_unicode_form_make_no_difference() {
        assert_eq!(normalised("  The\u{a0}Cafe\u{301} \n\t IS open "), normalised("the café is  OPEN"));
        assert_ne!(normalised("5 files"), normalised("50 files"));
        assert_eq!(normalised(" \n"), "");
    }

    #[test]
    fn words_keep_what_joins_them_and_lose_what_surrounds_them() {
        assert_eq!(
            words(&normalised("**Total**: $1,080.50, see (https://a.b/c)!")),
            ["total", "1080.50", "see", "https://a.b/c"]
        );
    }
}
