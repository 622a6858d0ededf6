use std::fmt::Debug;

/// Compares free text: the fallback where a slot holds sentences and no type applies.
///
/// [`AnchoredNgrams`](super::AnchoredNgrams) is the default. An embedding model can take its place through
/// [`Comparer::matcher`](super::Comparer::matcher), and should keep its anchor guard in front: with one constraint
/// swapped, text similarity of any kind rates the wrong readback closer than a right one in other words.
///
/// ```
/// use wilco::verify::intent::{AnchoredNgrams, Comparer, IntentMatcher, TextMatch};
///
/// #[derive(Debug)]
/// struct Embedded(AnchoredNgrams);
///
/// impl IntentMatcher for Embedded {
///     fn compare_text(&self, sent: &str, read_back: &str) -> TextMatch {
///         match self.0.compare_text(sent, read_back) {
///             // Only what neither differs in an anchor nor is plainly alike is worth asking a model about.
///             TextMatch::Unknown { score } if cosine(sent, read_back) > 0.95 => TextMatch::Similar { score },
///             decided => decided,
///         }
///     }
/// }
/// # fn cosine(_: &str, _: &str) -> f64 { 0.0 }
/// let comparer = Comparer::new().matcher(Embedded(AnchoredNgrams::new()));
/// ```
pub trait IntentMatcher: Send + Sync + Debug {
    /// Compares what was sent with what was read back; both as written. Should be symmetric, and must not block.
    fn compare_text(&self, sent: &str, read_back: &str) -> TextMatch;
}

/// What comparing two free texts gave.
#[derive(Clone, Debug, PartialEq)]
pub enum TextMatch {
    /// They do not say the same: something that must not change did.
    Different {
        /// What did, as in `number 5 -> 50`.
        anchor: String,
    },
    /// They say the same.
    Similar {
        /// How alike they are, 0..=1.
        score: f64,
    },
    /// It cannot be told.
    Unknown {
        /// How alike they are, 0..=1.
        score: f64,
    },
}
