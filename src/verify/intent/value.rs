use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::matcher::{IntentMatcher, TextMatch};
use super::scalar::Scalar;
use super::synonyms::Synonyms;
use super::text;
use crate::model::Slot;

/// A text with this many words or more, on either side, is free text.
pub const FREE_TEXT_WORDS: usize = 5;

/// Values with more parts than this (scalars, arrays and objects, counted through) are compared to the letter.
pub const LARGEST_VALUE: usize = 4096;

/// Texts longer than this, in bytes, are compared to the letter.
pub const LONGEST_TEXT: usize = 16_384;

/// How many unlike texts of two sets are tried against each other, on each side.
const TEXTS_TO_PAIR: usize = 16;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    Same,
    Unknown,
    Different(Option<String>),
}

impl Judgement {
    /// The judgement on a whole from those on its parts.
    fn all(parts: impl Iterator<Item = Self>) -> Self {
        let mut whole = Self::Same;
        for part in parts {
            match part {
                Self::Same => {}
                Self::Unknown => whole = Self::Unknown,
                Self::Different(_) => return part,
            }
        }
        whole
    }
}

/// Judges the two values of one slot.
pub(super) struct Judge<'a> {
    slot: String,
    synonyms: &'a Synonyms,
    matcher: &'a dyn IntentMatcher,
}

impl<'a> Judge<'a> {
    pub(super) fn new(slot: &Slot, synonyms: &'a Synonyms, matcher: &'a dyn IntentMatcher) -> Self {
        // The name only matters for looking synonyms up.
        let slot = if synonyms.is_empty() { String::new() } else { slot.to_string() };
        Self { slot, synonyms, matcher }
    }

    pub(super) fn compare(&self, a: &Value, b: &Value) -> Judgement {
        if a == b {
            Judgement::Same
        } else if too_large(a) || too_large(b) {
            Judgement::Different(Some(format!("over {LARGEST_VALUE} parts, so compared to the letter")))
        } else {
            self.compare_parts(a, b)
        }
    }

    fn compare_parts(&self, a: &Value, b: &Value) -> Judgement {
        match (a, b) {
            (Value::Array(a), Value::Array(b)) if a.iter().chain(b).all(is_scalar) => self.compare_sets(a, b),
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                Judgement::all(a.iter().zip(b).map(|(a, b)| self.compare_parts(a, b)))
            }
            (Value::Object(a), Value::Object(b)) => {
                let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
                let value =
                    |object: &'_ serde_json::Map<String, Value>, key| object.get(key).cloned().unwrap_or_default();
                Judgement::all(keys.into_iter().map(|key| self.compare_parts(&value(a, key), &value(b, key))))
            }
            _ => self.compare_scalars(a, b),
        }
    }

    fn compare_scalars(&self, a: &Value, b: &Value) -> Judgement {
        match (self.read(a), self.read(b)) {
            (Some(x), Some(y)) if x == y => Judgement::Same,
            (Some(x), Some(y)) => self.compare_text(a, b, &x, &y),
            _ if a == b => Judgement::Same,
            _ => Judgement::Different(None),
        }
    }

    fn compare_text(&self, a: &Value, b: &Value, x: &Scalar, y: &Scalar) -> Judgement {
        let (Value::String(a), Value::String(b)) = (a, b) else { return Judgement::Different(None) };
        if matches!(x, Scalar::Raw(_)) || matches!(y, Scalar::Raw(_)) {
            return Judgement::Different(Some(format!("over {LONGEST_TEXT} bytes, so compared to the letter")));
        }
        if !is_free_text(a) && !is_free_text(b) {
            return Judgement::Different(None);
        }
        match self.matcher.compare_text(a, b) {
            TextMatch::Different { anchor } => Judgement::Different(Some(anchor)),
            TextMatch::Similar { .. } => Judgement::Same,
            TextMatch::Unknown { .. } => Judgement::Unknown,
        }
    }

    /// Sets: each value of one side needs one that says the same on the other. Free texts among what is left over are
    /// paired as well as they can be.
    fn compare_sets(&self, a: &[Value], b: &[Value]) -> Judgement {
        let (mut lost, mut added) = self.left_over(a, b);
        let mut unknown = false;
        if lost.len().max(added.len()) <= TEXTS_TO_PAIR {
            // First what is alike, so that an undecided pair does not take its place.
            for accepted in [Judgement::Same, Judgement::Unknown] {
                lost.retain(|a| {
                    let Some(at) = added.iter().position(|b| self.compare_scalars(a, b) == accepted) else {
                        return true;
                    };
                    added.remove(at);
                    unknown |= accepted == Judgement::Unknown;
                    false
                });
            }
        }
        match (lost.is_empty(), added.is_empty()) {
            (true, true) if unknown => Judgement::Unknown,
            (true, true) => Judgement::Same,
            _ => Judgement::Different(Some(left_over_text(&lost, &added))),
        }
    }

    fn left_over<'v>(&self, a: &'v [Value], b: &'v [Value]) -> (Vec<&'v Value>, Vec<&'v Value>) {
        let read = |values: &[Value]| values.iter().filter_map(|v| self.read(v)).collect::<Vec<_>>();
        let (in_a, in_b) = (read(a), read(b));
        (missing(a, &in_a, &in_b), missing(b, &in_b, &in_a))
    }

    fn read(&self, value: &Value) -> Option<Scalar> {
        Scalar::read(value, &self.slot, self.synonyms)
    }
}

/// The values of which `others` has no equal; `own` holds them as they were read, one for one.
fn missing<'v>(values: &'v [Value], own: &[Scalar], others: &[Scalar]) -> Vec<&'v Value> {
    // Hashing pays only beyond a handful.
    if others.len() <= 8 {
        return values.iter().zip(own).filter(|(_, own)| !others.contains(own)).map(|(value, _)| value).collect();
    }
    let others: HashSet<&Scalar> = others.iter().collect();
    values.iter().zip(own).filter(|(_, own)| !others.contains(own)).map(|(value, _)| value).collect()
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

fn is_free_text(text: &str) -> bool {
    text::words(&text::normalise(text)) >= FREE_TEXT_WORDS
}

fn left_over_text(lost: &[&Value], added: &[&Value]) -> String {
    let list = |what: &str, values: &[&Value]| match values {
        [] => None,
        values => {
            let shown: Vec<_> =
                values.iter().take(5).map(|v| v.to_string().chars().take(80).collect::<String>()).collect();
            let more = if values.len() > 5 { format!(" and {} more", values.len() - 5) } else { String::new() };
            Some(format!("{what}: {}{more}", shown.join(", ")))
        }
    };
    [list("missing", lost), list("added", added)].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Whether a value has more than [`LARGEST_VALUE`] parts. Counts without recursion and stops at the limit.
fn too_large(value: &Value) -> bool {
    let mut open = vec![value];
    let mut count = 0;
    while let Some(value) = open.pop() {
        count += 1;
        if count + open.len() > LARGEST_VALUE {
            return true;
        }
        match value {
            Value::Array(values) if values.len() > LARGEST_VALUE => return true,
            Value::Array(values) => open.extend(values),
            Value::Object(members) if members.len() > LARGEST_VALUE => return true,
            Value::Object(members) => open.extend(members.values()),
            _ => {}
        }
    }
    false
}
