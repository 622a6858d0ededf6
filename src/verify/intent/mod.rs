//! Does the readback say what the intent says?
//!
//! Slot by slot, and typed: see [`Comparer::compare`] for the rules.

mod anchors;
mod comparison;
mod decimal;
mod matcher;
mod ngrams;
mod quantity;
mod scalar;
mod synonyms;
mod text;
mod unit;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

pub use comparison::{ABSENT, Change, Comparison, SHOWN_CHARACTERS, SlotDifference};
pub use matcher::{IntentMatcher, TextMatch};
pub use ngrams::{AnchoredNgrams, SIMILAR};
pub use synonyms::Synonyms;
pub use value::{FREE_TEXT_WORDS, LARGEST_VALUE, LONGEST_TEXT};

use crate::model::{Intent, Slot};
use value::{Judge, Judgement};

/// Compares a readback with the intent that was sent, by the rules of [`Comparer::compare`].
pub fn compare(sent: &Intent, read_back: &Intent, comparer: &Comparer) -> Comparison {
    comparer.compare(sent, read_back)
}

/// How readbacks are compared: with which synonyms, and with what for free text. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Comparer {
    synonyms: Arc<Synonyms>,
    matcher: Arc<dyn IntentMatcher>,
}

impl Default for Comparer {
    fn default() -> Self {
        Self { synonyms: Arc::default(), matcher: Arc::new(AnchoredNgrams::new()) }
    }
}

impl Comparer {
    /// No synonyms, and [`AnchoredNgrams`] for free text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds groups of words that mean the same.
    #[must_use]
    pub fn synonyms(mut self, synonyms: Synonyms) -> Self {
        self.synonyms = Arc::new(Arc::unwrap_or_clone(self.synonyms).and(synonyms));
        self
    }

    /// Compares free text with `matcher` instead.
    #[must_use]
    pub fn matcher(mut self, matcher: impl IntentMatcher + 'static) -> Self {
        self.matcher = Arc::new(matcher);
        self
    }

    /// Compares slot by slot; every slot counts, also those that this version has no word for.
    ///
    /// - **Numbers** by exact decimal value: `5`, `5.0`, `"5"`, `"1,000"` and `1000`, `"five"` (zero to twelve).
    /// - **Quantities**, numbers with a unit in text, by exact value in their dimension: `"5 km"` and `"5000 m"`,
    ///   `"1.5 h"` and `"90 min"`, `"€5"` and `"5 EUR"`; `"2 GB"` and `"2 GiB"` differ, and so do `"5 km"` and `5`, and
    ///   `"50%"` and `0.5`. A unit that is not known compares as text.
    /// - **Instants** as instants, whatever their zone; a date is a date, and not the midnight of any zone. A time
    ///   without a zone equals only itself.
    /// - **Arrays** of scalars as sets; other arrays in order; **objects** key by key.
    /// - **Prohibitions** as a set: one that is missing is a difference.
    /// - `null` is the same as a slot that is not there; `"true"` is the same as `true`.
    /// - **Text** without regard to case, blanks, Unicode form and punctuation at its ends, and with
    ///   [synonyms](Synonyms). Constraint names too, unless that makes two of them alike.
    /// - **Free text**, where either side has [`FREE_TEXT_WORDS`] words or more and the texts are not the same, goes to
    ///   the [`IntentMatcher`].
    ///
    /// A value over [`LARGEST_VALUE`] parts or a text over [`LONGEST_TEXT`] bytes is compared to the letter.
    /// Never panics, and the answer is symmetric if the matcher's is.
    pub fn compare(&self, sent: &Intent, read_back: &Intent) -> Comparison {
        let sent: Vec<_> = sent.slots().filter(|(_, value)| !value.is_null()).collect();
        let read_back: Vec<_> = read_back.slots().filter(|(_, value)| !value.is_null()).collect();
        // The common case. Equality of values is stricter than any rule below and costs no canonical form.
        if sent == read_back {
            return Comparison::Agrees;
        }
        let (mut differences, mut unknown) = (Vec::new(), Vec::new());
        for (slot, sent, read_back) in self.pair(sent, read_back) {
            match (sent, read_back) {
                (Some(sent), Some(read_back)) => {
                    let judge = Judge::new(&slot, &self.synonyms, &*self.matcher);
                    match judge.compare(&sent, &read_back) {
                        Judgement::Same => {}
                        Judgement::Unknown => unknown.push(slot),
                        Judgement::Different(why) => {
                            let change = Change::Changed { sent, read_back };
                            differences.push(SlotDifference { slot, change, why });
                        }
                    }
                }
                (Some(sent), None) => differences.push(SlotDifference::new(slot, Change::Missing { sent })),
                (None, Some(read_back)) => differences.push(SlotDifference::new(slot, Change::Added { read_back })),
                (None, None) => {}
            }
        }
        if !differences.is_empty() {
            Comparison::Differs(differences)
        } else if !unknown.is_empty() {
            Comparison::Unknown(unknown)
        } else {
            Comparison::Agrees
        }
    }

    /// Brings the slots of the two sides together, in the order of [`Slot`].
    fn pair(&self, sent: Slots, read_back: Slots) -> Vec<Pair> {
        let same_slots = sent.len() == read_back.len() && sent.iter().zip(&read_back).all(|(a, b)| a.0 == b.0);
        if same_slots {
            return sent.into_iter().zip(read_back).map(|((slot, a), (_, b))| (slot, Some(a), Some(b))).collect();
        }
        pair_by(&sent, &read_back, |slot| self.alike(slot))
            .or_else(|| pair_by(&sent, &read_back, Slot::clone))
            .unwrap_or_default()
    }

    /// The slot under the name that stands for all spellings of its own.
    fn alike(&self, slot: &Slot) -> Slot {
        let resolve = |name: &str| self.synonyms.resolve("constraints", &text::normalise(name)).to_owned();
        match slot {
            Slot::Constraint(name) => Slot::Constraint(resolve(name)),
            Slot::Other(name) => Slot::Other(resolve(name)),
            fixed => fixed.clone(),
        }
    }
}

type Slots = Vec<(Slot, Value)>;

/// A slot, and what either side says in it.
type Pair = (Slot, Option<Value>, Option<Value>);

/// `None` if two slots of one side have the same key.
fn pair_by(sent: &Slots, read_back: &Slots, key: impl Fn(&Slot) -> Slot) -> Option<Vec<Pair>> {
    let mut pairs: BTreeMap<Slot, Pair> = BTreeMap::new();
    for (slot, value) in sent {
        let before = pairs.insert(key(slot), (slot.clone(), Some(value.clone()), None));
        if before.is_some() {
            return None;
        }
    }
    for (slot, value) in read_back {
        let pair = pairs.entry(key(slot)).or_insert_with(|| (slot.clone(), None, None));
        if pair.2.replace(value.clone()).is_some() {
            return None;
        }
    }
    Some(pairs.into_values().collect())
}
