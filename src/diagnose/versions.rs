//! Versions of context items, as far as their order can be told.

/// Whether `version` is before `other`: numbers, or numbers between dots, perhaps after a `v`. Anything else has no order
/// that can be told.
pub(super) fn is_behind(version: &str, other: &str) -> bool {
    matches!((ordinal(version), ordinal(other)), (Some(version), Some(other)) if version < other)
}

/// A version that can be ordered; the parts of one that cannot are not guessed.
pub(super) fn ordinal(version: &str) -> Option<Vec<u64>> {
    version.trim_start_matches(['v', 'V']).split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_as_numbers_and_other_texts_not_at_all() {
        assert!(is_behind("9", "10") && is_behind("v1.9", "v1.10") && is_behind("2026.1", "2026.1.1"));
        assert!(!is_behind("10", "9") && !is_behind("7", "7"));
        assert!(!is_behind("3f2a", "9c01") && !is_behind("draft", "final") && !is_behind("", "1"));
    }
}
