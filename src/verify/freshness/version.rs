use std::cmp::Ordering;

/// Which of two versions is the newer one; `None` where that cannot be told from their texts.
///
/// - Two whole numbers of any length compare as numbers: `9` before `41`, `007` the same as `7`.
/// - Otherwise the texts must be alike but for their numbers, and compare number by number: `v41` before `v42`,
///   `1.9.0` before `1.10.0`, `2025-01-01` before `2025-01-02`.
/// - Anything else (hashes, etags, `v1` against `1`) has no order. Equal texts are equal always.
///
/// ```
/// use std::cmp::Ordering;
/// use wilco::verify::freshness::compare_versions;
/// assert_eq!(compare_versions("v9", "v41"), Some(Ordering::Less));
/// assert_eq!(compare_versions("8f14e45f", "c9f0f895"), None);
/// ```
pub fn compare_versions(a: &str, b: &str) -> Option<Ordering> {
    if a == b {
        return Some(Ordering::Equal);
    }
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    let mut order = Ordering::Equal;
    while !a.is_empty() || !b.is_empty() {
        let (text_a, text_b) = (leading(&mut a, false), leading(&mut b, false));
        let (digits_a, digits_b) = (leading(&mut a, true), leading(&mut b, true));
        if text_a != text_b || digits_a.is_empty() != digits_b.is_empty() {
            return None;
        }
        order = order.then_with(|| by_value(digits_a, digits_b));
    }
    Some(order)
}

/// Takes the digits, or what is not digits, off the beginning.
fn leading<'a>(text: &mut &'a [u8], digits: bool) -> &'a [u8] {
    let end = text.iter().position(|b| b.is_ascii_digit() != digits).unwrap_or(text.len());
    let (taken, rest) = text.split_at(end);
    *text = rest;
    taken
}

fn by_value(a: &[u8], b: &[u8]) -> Ordering {
    let strip = |digits: &mut &[u8]| {
        while let [b'0', rest @ ..] = *digits {
            *digits = rest;
        }
    };
    let (mut a, mut b) = (a, b);
    strip(&mut a);
    strip(&mut b);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Ordering::{Equal, Less};

    #[test]
    fn versions_that_are_alike_but_for_their_numbers_have_an_order() {
        for (a, b, expected) in [
            ("41", "42", Some(Less)),
            ("9", "41", Some(Less)),
            ("007", "7", Some(Equal)),
            ("99999999999999999999999999999999999998", "99999999999999999999999999999999999999", Some(Less)),
            ("v41", "v42", Some(Less)),
            ("v9", "v10", Some(Less)),
            ("1.9.0", "1.10.0", Some(Less)),
            ("2025-01-01", "2025-01-02", Some(Less)),
            ("2025-01-01T10:00:00Z", "2025-01-01T10:00:01Z", Some(Less)),
            ("r1-2", "r1-10", Some(Less)),
            ("", "", Some(Equal)),
            ("draft", "draft", Some(Equal)),
            ("draft", "final", None),
            ("v1", "1", None),
            ("1.0", "1.0.0", None),
            ("v1", "v", None),
            ("", "1", None),
            ("a1b", "a1c", None),
            ("8f14e45f", "c9f0f895", None),
        ] {
            assert_eq!(compare_versions(a, b), expected, "{a} {b}");
            assert_eq!(compare_versions(b, a), expected.map(Ordering::reverse), "{b} {a}");
        }
    }
}
