use std::cmp::Ordering;

use super::anchors::{Guard, Reading};
use super::matcher::{IntentMatcher, TextMatch};
use super::text::normalise;

/// Texts with this similarity or more are similar, if nothing else speaks against it; 0..=1.
pub const SIMILAR: f64 = 0.7;

/// The default matcher: first a guard over what must not change, then character 3-grams.
///
/// **The guard** finds the anchors of both texts. Any that is on one side only is [`TextMatch::Different`]:
///
/// - numbers and quantities, by value (`five` is `5`, zero to twelve; `5 km` is `5000 m`; `one` may be a number or not),
/// - dates and instants that are written year first,
/// - ids: whatever mixes digits with letters or signs, URLs, mail addresses,
/// - names: capitalised words that do not begin a sentence, and acronyms. A name that the other side writes in lower
///   case is there. In German every noun counts as a name, which may report a paraphrase as a difference;
/// - the number of negations and exceptions (`not`, `n't`, `no`, `never`, `without`, `except`, `unless`, `avoid`, ...).
///
/// **Similar** are texts of which, moreover, the anchors come in the same order, the negations apply to the same words,
/// every word that carries meaning has a counterpart of the same stem (in the same order, where there are names or
/// words such as `from`, `to`, `instead`, `before`), and the Dice coefficient of the 3-grams is at least [`SIMILAR`].
/// One word exchanged in a long text hardly changes that coefficient, so it never decides alone.
///
/// Everything else is **unknown**. Likeness alone never makes a difference.
///
/// ```
/// use wilco::verify::intent::{AnchoredNgrams, IntentMatcher, TextMatch};
/// let matcher = AnchoredNgrams::new();
/// let sent = "Find five sources on solid-state batteries, without paywalls";
/// let score = |m| if let TextMatch::Similar { score } = m { score } else { 0.0 };
/// assert!(score(matcher.compare_text(sent, "find 5 sources without paywalls on solid-state batteries")) > 0.8);
/// assert_eq!(
///     matcher.compare_text(sent, "Find six sources on solid-state batteries, without paywalls"),
///     TextMatch::Different { anchor: "number five -> six".into() }
/// );
/// ```
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

    /// Another threshold, 0..=1; over 1, nothing is similar unless it is the same.
    #[must_use]
    pub fn similar_from(mut self, score: f64) -> Self {
        self.similar = score;
        self
    }
}

impl IntentMatcher for AnchoredNgrams {
    fn compare_text(&self, sent: &str, read_back: &str) -> TextMatch {
        if sent == read_back {
            return TextMatch::Similar { score: 1.0 };
        }
        match Reading::of(sent).guard(&Reading::of(read_back)) {
            Guard::Differs(anchor) => TextMatch::Different { anchor },
            Guard::Doubtful => TextMatch::Unknown { score: dice(sent, read_back) },
            Guard::Holds => match dice(sent, read_back) {
                score if score >= self.similar => TextMatch::Similar { score },
                score => TextMatch::Unknown { score },
            },
        }
    }
}

/// Twice the 3-grams in common over the 3-grams of both, 0..=1, counted with repeats.
fn dice(a: &str, b: &str) -> f64 {
    let (a, b) = (trigrams(a), trigrams(b));
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    let (mut i, mut j, mut common) = (0, 0, 0usize);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            Ordering::Less => i += 1,
            Ordering::Greater => j += 1,
            Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    (2 * common) as f64 / (a.len() + b.len()) as f64
}

/// The 3-grams of the normalised text with a blank before and after it, sorted; each packed into one number.
fn trigrams(text: &str) -> Vec<u64> {
    let text = normalise(text);
    let characters: Vec<u64> = format!(" {text} ").chars().map(|c| u64::from(u32::from(c))).collect();
    let mut grams: Vec<u64> = characters.windows(3).map(|w| w[0] << 42 | w[1] << 21 | w[2]).collect();
    grams.sort_unstable();
    grams
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(sent: &str, read_back: &str) -> TextMatch {
        AnchoredNgrams::new().compare_text(sent, read_back)
    }

    #[test]
    fn the_same_words_in_another_order_are_similar() {
        let found =
            compare("find sources on batteries without paywalls", "Find, without paywalls, sources on batteries");
        assert!(matches!(found, TextMatch::Similar { score } if score >= SIMILAR), "{found:?}");
    }

    #[test]
    fn one_word_exchanged_in_a_long_text_is_not_similar() {
        let text = |word: &str| {
            format!(
                "collect the {word} figures of every shop in the region and send them to the team as a table at the end of the week"
            )
        };
        let found = compare(&text("profit"), &text("visitor"));
        assert!(matches!(found, TextMatch::Unknown { score } if score > 0.85), "{found:?}");
    }

    #[test]
    fn unlike_texts_are_unknown_and_never_different() {
        let found = compare("tidy up the kitchen before the guests arrive", "look for papers about the history of tea");
        assert!(matches!(found, TextMatch::Unknown { score } if score < 0.3), "{found:?}");
    }

    #[test]
    fn empty_and_odd_texts_are_no_trouble() {
        for (a, b) in [("", ""), ("", "x"), ("...", "???"), ("-", "--"), ("€", "$"), ("\u{0}", "'s"), ("n't", "5")] {
            let _ = compare(a, b);
        }
        assert_eq!(dice("", ""), 1.0);
    }
}
