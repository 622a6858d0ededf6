use super::matcher::{IntentMatcher, TextMatch};

/// Texts with this similarity or more are similar, if nothing else speaks against it; 0..=1.
pub const SIMILAR: f64 = 0.8;

/// The default matcher.
#[derive(Clone, Debug)]
pub struct AnchoredNgrams {
    similar: f64,
}

impl Default for AnchoredNgrams {
    fn default() -> Self {
        Self { similar: SIMILAR }
    }
}

impl AnchoredNgrams {
    /// With the threshold [`SIMILAR`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Another threshold, 0..=1; over 1, nothing is similar.
    #[must_use]
    pub fn similar_from(mut self, score: f64) -> Self {
        self.similar = score;
        self
    }
}

impl IntentMatcher for AnchoredNgrams {
    fn compare_text(&self, sent: &str, read_back: &str) -> TextMatch {
        let score = f64::from(u8::from(sent == read_back));
        if score >= self.similar { TextMatch::Similar { score } } else { TextMatch::Unknown { score } }
    }
}
