use serde_json::Value;

use super::matcher::{IntentMatcher, TextMatch};
use super::synonyms::Synonyms;
use super::text;
use crate::model::Slot;

/// A text with this many words or more, on either side, is free text.
pub const FREE_TEXT_WORDS: usize = 5;

/// Values with more parts than this (scalars, arrays and objects, counted through) are compared to the letter.
pub const LARGEST_VALUE: usize = 4096;

/// Texts longer than this, in bytes, are compared to the letter.
pub const LONGEST_TEXT: usize = 16_384;

pub(super) enum Judgement {
    Same,
    Unknown,
    Different(Option<String>),
}

pub(super) struct Judge<'a> {
    slot: String,
    synonyms: &'a Synonyms,
    matcher: &'a dyn IntentMatcher,
}

impl<'a> Judge<'a> {
    pub(super) fn new(slot: &Slot, synonyms: &'a Synonyms, matcher: &'a dyn IntentMatcher) -> Self {
        Self { slot: slot.to_string(), synonyms, matcher }
    }

    pub(super) fn compare(&self, a: &Value, b: &Value) -> Judgement {
        if a == b {
            return Judgement::Same;
        }
        match (a, b) {
            (Value::String(a), Value::String(b)) => {
                let (na, nb) = (text::normalise(a), text::normalise(b));
                if self.synonyms.resolve(&self.slot, &na) == self.synonyms.resolve(&self.slot, &nb) {
                    return Judgement::Same;
                }
                if text::words(&na).max(text::words(&nb)) < FREE_TEXT_WORDS {
                    return Judgement::Different(None);
                }
                match self.matcher.compare_text(a, b) {
                    TextMatch::Different { anchor } => Judgement::Different(Some(anchor)),
                    TextMatch::Similar { .. } => Judgement::Same,
                    TextMatch::Unknown { .. } => Judgement::Unknown,
                }
            }
            _ => Judgement::Different(None),
        }
    }
}
