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
/// `example.com/a` or `3.14`.
pub(super) fn words(normalised: &str) -> Vec<&str> {
    normalised
        .split(' ')
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .collect()
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
            ["total", "1,080.50", "see", "https://a.b/c"]
        );
    }
}
