//! `drifted`: a constraint of the workflow was changed or lost on the way down, and nobody said why.
//!
//! **Evidence.** A handoff's intent has another value in a slot than the handoff that its sender was working on, or lacks
//! it. That only means something for slots that *are* handed down in this workflow: how many hops kept the slot is held
//! against how many did not. **Mimics.** Slots that each sub-task sets for itself; a change for a stated reason (the
//! handoff's own, or a decision of its sender that names the slot); a receiver that misread the slot and handed on what
//! it read (`misunderstood`, one hop above). **Leads to** everything below agreeing with the wrong value.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::view::View;
use crate::model::{Intent, MismatchKind, Slot, names};
use crate::verify::intent::{Comparer, Comparison, compare};

/// How much one hop that keeps a slot speaks for its being handed down, and one that does not against it: logarithms of
/// how much likelier each is then.
const KEPT: f64 = 1.5;
const CHANGED: f64 = -3.0;
/// Words by which a sender says that a change is meant.
const MEANT: [&str; 4] = ["on purpose", "deliberate", "intentional", "as agreed"];

/// The most hops without a record that a slot is followed over.
const HOPS_UP: usize = 8;

type Slots = BTreeMap<String, Value>;

/// One hop at which a slot has another value than above.
struct Change {
    at: usize,
    slot: String,
    words: String,
}

pub(super) fn find(view: &View<'_, '_>, found: &mut Vec<Finding>) {
    let handoffs = &view.graph.handoffs;
    let slots: Vec<Option<Slots>> = handoffs.iter().map(slots_of).collect();
    let mut kept: HashMap<&str, (usize, usize)> = HashMap::new();
    let mut changes = Vec::new();
    let comparer = Comparer::new();
    count_tops(view, &slots, &mut kept);
    for (at, above) in pairs(view, &slots) {
        let (Some(above_slots), Some(own)) = (&slots[above], &slots[at]) else { continue };
        for (slot, value) in above_slots {
            let counts = kept.entry(slot).or_default();
            if own.get(slot).is_some_and(|other| same(value, other, &comparer)) {
                counts.0 += 1;
            } else if !is_meant(view, at, slot) {
                counts.1 += 1;
                let now = own.get(slot).map_or_else(|| "(lost)".to_owned(), Value::to_string);
                changes.push(Change { at, slot: slot.clone(), words: format!("{slot}: {value} -> {now}") });
            }
        }
    }
    let mut of_handoff: BTreeMap<usize, (f64, Vec<String>)> = BTreeMap::new();
    for Change { at, slot, words } in changes {
        let (kept, changed) = kept.get(slot.as_str()).copied().unwrap_or_default();
        let odds = KEPT * kept as f64 + CHANGED * changed as f64;
        let handed_down = 1.0 / (1.0 + (-odds).exp());
        let entry = of_handoff.entry(at).or_default();
        entry.0 = entry.0.max(handed_down);
        if handed_down > 0.1 {
            entry.1.push(words);
        }
    }
    for (at, (handed_down, words)) in of_handoff {
        let handoff = &handoffs[at];
        // A readback shows what was read, not what was sent.
        let sureness = if handoff.intent_sent().is_some() { 0.92 } else { 0.42 };
        let spans = handoff
            .span_ids()
            .into_iter()
            .chain(handoff.parent.into_iter().flat_map(|above| handoffs[above].span_ids()));
        let words = words.join("; ");
        found.push(Finding::task(at, MismatchKind::Drifted, sureness * handed_down).says(words).shown_by(spans));
    }
}

/// Each handoff with the nearest one above it whose slots are known.
fn pairs<'v>(view: &'v View<'_, '_>, slots: &'v [Option<Slots>]) -> impl Iterator<Item = (usize, usize)> + 'v {
    let parent = |at: usize| view.graph.handoffs[at].parent;
    view.handoffs().filter_map(move |(at, _)| {
        let above = std::iter::successors(parent(at), move |above| parent(*above)).take(HOPS_UP);
        above.into_iter().find(|above| slots[*above].is_some()).map(|above| (at, above))
    })
}

/// What the handoffs that begin the workflow agree on was given to all of them: each that shares the most common value
/// of a slot is one more hop that keeps it, each other one is one that does not.
fn count_tops<'s>(view: &View<'_, '_>, slots: &'s [Option<Slots>], kept: &mut HashMap<&'s str, (usize, usize)>) {
    let mut values: HashMap<&str, HashMap<String, usize>> = HashMap::new();
    let tops = view.handoffs().filter(|(_, handoff)| handoff.parent.is_none() && handoff.intent_sent().is_some());
    for (slot, value) in tops.filter_map(|(at, _)| slots[at].as_ref()).flatten() {
        *values.entry(slot).or_default().entry(value.to_string()).or_default() += 1;
    }
    for (slot, values) in values {
        let most = values.values().max().copied().unwrap_or_default();
        let counts = kept.entry(slot).or_default();
        counts.0 += most.saturating_sub(1);
        counts.1 += values.values().sum::<usize>() - most;
    }
}

/// What can be handed down: constraints and prohibitions. Goal and object are each hop's own.
fn slots_of(handoff: &Handoff<'_>) -> Option<Slots> {
    let text = handoff.intent_sent().or_else(|| handoff.intent_read_back())?;
    let intent = Intent::from_json(text.as_bytes()).ok()?;
    let slots = intent.slots().filter(|(slot, _)| matches!(slot, Slot::Constraint(_) | Slot::Prohibitions));
    Some(slots.map(|(slot, value)| (slot.to_string(), value)).collect())
}

fn same(value: &Value, other: &Value, comparer: &Comparer) -> bool {
    let intent = |value: &Value| Intent::new("same").constraint("slot", value.clone());
    if value == other {
        return true;
    }
    // What needs no rule is decided here, since every hop is compared: numbers, and words without a digit.
    match (value, other) {
        (Value::Number(value), Value::Number(other)) => return value.as_f64() == other.as_f64(),
        (Value::String(value), Value::String(other)) if is_word(value) && is_word(other) => {
            return value.eq_ignore_ascii_case(other);
        }
        _ => {}
    }
    !matches!(compare(&intent(value), &intent(other), comparer), Comparison::Differs(_))
}

/// One plain word: nothing in it can be a number, a unit or free text.
fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
}

/// Whether the sender said why: in its reason, or in a decision that it made there.
fn is_meant(view: &View<'_, '_>, at: usize, slot: &str) -> bool {
    let handoff = &view.graph.handoffs[at];
    let name = slot.rsplit('.').next().unwrap_or(slot).to_ascii_lowercase();
    let reason = handoff.reason().to_ascii_lowercase();
    if names_word(&reason, &name) || MEANT.iter().any(|words| reason.contains(words)) {
        return true;
    }
    view.graph.decisions_within(handoff.parent).any(|span| {
        let by = span.attributes.text(names::GEN_AI_AGENT_NAME).or_else(|| span.service());
        let texts = [names::DECISION_CHOICE, names::DECISION_REASON, names::DECISION_TYPE];
        let texts = texts.into_iter().filter_map(|key| span.attributes.text(key));
        by == handoff.from && texts.into_iter().any(|text| names_word(&text.to_ascii_lowercase(), &name))
    })
}

fn names_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|other| other == word)
}
