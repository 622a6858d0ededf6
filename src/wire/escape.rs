//! Percent escapes: `%XX` for what would end a value, break a line, or be trimmed.

use std::borrow::Cow;

/// Where a value stands, which decides what must be escaped in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A whole value: `%`, `;`, control characters, line separators, blanks at the ends.
    Value,
    /// A part of a list item: also `,`, `/` and `@`.
    ListPart,
}

/// Appends `text`, escaped for its place.
#[inline]
pub(super) fn push(text: &str, place: Place, out: &mut String) {
    let safe = if place == Place::Value { SAFE_VALUE } else { SAFE_LIST_PART };
    let (Some(first), Some(last)) = (text.as_bytes().first(), text.as_bytes().last()) else { return };
    if *first != b' ' && *last != b' ' && text.bytes().all(|b| TABLE[usize::from(b)] & safe != 0) {
        out.push_str(text);
    } else {
        push_escaped(text, safe, out);
    }
}

/// As [`push`], to bytes.
#[cfg(feature = "proxy")]
pub(super) fn push_bytes(text: &str, place: Place, out: &mut Vec<u8>) {
    let safe = if place == Place::Value { SAFE_VALUE } else { SAFE_LIST_PART };
    let (Some(first), Some(last)) = (text.as_bytes().first(), text.as_bytes().last()) else { return };
    if *first != b' ' && *last != b' ' && text.bytes().all(|b| TABLE[usize::from(b)] & safe != 0) {
        out.extend_from_slice(text.as_bytes());
    } else {
        let mut escaped = String::new();
        push_escaped(text, safe, &mut escaped);
        out.extend_from_slice(escaped.as_bytes());
    }
}

/// The text that `value` stands for.
///
/// # Errors
/// A reason if an escape is cut or is not hex, or the bytes are not UTF-8.
#[inline]
pub(super) fn decode(value: &str) -> Result<Cow<'_, str>, &'static str> {
    if memchr::memchr(b'%', value.as_bytes()).is_some() {
        decode_escaped(value).map(Cow::Owned)
    } else {
        Ok(Cow::Borrowed(value))
    }
}

const SAFE_VALUE: u8 = 1;
const SAFE_LIST_PART: u8 = 2;

/// For each byte, in which places it needs no second look. Bytes of non-ASCII characters do: some are line breaks.
static TABLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut b = 0x20;
    while b < 0x7f {
        table[b as usize] = match b {
            b'%' | b';' => 0,
            b',' | b'/' | b'@' => SAFE_VALUE,
            _ => SAFE_VALUE | SAFE_LIST_PART,
        };
        b += 1;
    }
    table
};

#[cold]
fn push_escaped(text: &str, safe: u8, out: &mut String) {
    let end = text.trim_end().len();
    let start = text.len() - text.trim_start().len();
    for (i, c) in text.char_indices() {
        // Readers trim blanks, of Unicode's kinds too in some languages, and some split lines at more than CR and LF.
        let kept = if c.is_ascii() {
            TABLE[c as usize] & safe != 0
        } else {
            !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}')
        };
        if kept && i >= start && i < end {
            out.push(c);
        } else {
            for b in c.encode_utf8(&mut [0; 4]).bytes() {
                out.push('%');
                out.push(char::from(b"0123456789ABCDEF"[usize::from(b >> 4)]));
                out.push(char::from(b"0123456789ABCDEF"[usize::from(b & 15)]));
            }
        }
    }
}

#[cold]
fn decode_escaped(value: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        if b != b'%' {
            bytes.push(b);
            continue;
        }
        let Some((pair, after)) = rest.split_at_checked(2) else { return Err("ends within an escape") };
        let digit = |b: u8| char::from(b).to_digit(16);
        let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
            return Err("has a `%` without two hex digits after it");
        };
        bytes.push((high << 4 | low) as u8);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 after unescaping")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str, place: Place) -> String {
        let mut out = String::new();
        push(text, place, &mut out);
        out
    }

    #[test]
    fn only_what_must_be_is_escaped() {
        assert_eq!(escaped("a,b/c@d e", Place::Value), "a,b/c@d e");
        assert_eq!(escaped("a,b/c@d e", Place::ListPart), "a%2Cb%2Fc%40d e");
        assert_eq!(escaped("100%;", Place::Value), "100%25%3B");
        assert_eq!(escaped(" a b ", Place::Value), "%20a b%20");
        assert_eq!(escaped("  ", Place::Value), "%20%20");
        assert_eq!(escaped("a\r\nb\u{85}\u{2028}\u{7f}", Place::Value), "a%0D%0Ab%C2%85%E2%80%A8%7F");
        assert_eq!(escaped("\u{a0}übersetzer", Place::Value), "%C2%A0übersetzer");
        assert_eq!(escaped("", Place::Value), "");
    }

    #[test]
    fn broken_escapes_are_named() {
        assert_eq!(decode("100%"), Err("ends within an escape"));
        assert_eq!(decode("100%2"), Err("ends within an escape"));
        assert_eq!(decode("%zz"), Err("has a `%` without two hex digits after it"));
        assert_eq!(decode("%é"), Err("has a `%` without two hex digits after it"));
        assert_eq!(decode("%ff"), Err("is not UTF-8 after unescaping"));
        assert_eq!(decode("%c3%A9").as_deref(), Ok("é"));
        assert!(matches!(decode("plain"), Ok(Cow::Borrowed("plain"))));
    }

    proptest! {
        #[test]
        fn any_text_survives_and_nothing_special_is_left(text in any::<String>()) {
            for (place, special) in [(Place::Value, &[';'][..]), (Place::ListPart, &[';', ',', '/', '@'])] {
                let value = escaped(&text, place);
                prop_assert_eq!(&*decode(&value).unwrap(), &*text);
                prop_assert_eq!(value.trim(), &*value);
                prop_assert!(!value.contains(special) && !value.contains(char::is_control), "{}", value);
                prop_assert!(value.lines().count() <= 1);
            }
        }

        #[test]
        fn decoding_anything_does_not_panic(value in any::<String>()) {
            let _ = decode(&value);
        }
    }
}
