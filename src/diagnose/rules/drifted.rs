//! `drifted`: a constraint of the workflow was changed or lost on the way down, and nobody said why.
//!
//! **Evidence.** A handoff's intent has another value in a slot than the handoff that its sender was working on, or lacks
//! it. That only means something for slots that *are* handed down in this workflow: how many hops kept the slot is held
//! against how many did not. **Mimics.** A bound that a sub-task draws closer: it keeps to the wider one, too. Slots that each sub-task sets for itself; a change for a stated reason (the
//! handoff's own, or a decision of its sender that names the slot); a receiver that misread the slot and handed on what
//! it read (`misunderstood`, one hop above). **Leads to** everything below agreeing with the wrong value.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use serde_json::Value;

use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::view::View;
use crate::model::{Intent, MismatchKind, names};
use crate::verify::intent::{Comparer, Comparison, compare};

/// How much one hop that keeps a slot speaks for its being handed down, and one that does not against it: logarithms of
/// how much likelier each is then. Two hops that set a small number each for itself often set the same.
const KEPT: f64 = 2.5;
const KEPT_SMALL: f64 = 1.5;
const CHANGED: f64 = -3.0;
/// What is left of the weight of a change that stays within what was asked.
const TIGHTER: f64 = 0.5;
/// Words in the names of slots that bound something from above, and from below.
const MOST: [&str; 6] = ["max", "limit", "most", "budget", "ceiling", "cap"];
const LEAST: [&str; 4] = ["min", "least", "floor", "threshold"];
/// Words by which a sender says that a change is meant.
const MEANT: [&str; 4] = ["on purpose", "deliberate", "intentional", "as agreed"];

/// The most hops without a record that a slot is followed over.
const HOPS_UP: usize = 8;

type Slots<'a> = BTreeMap<Slot<'a>, Value>;

/// A slot that can be handed down. Goal and object are each hop's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Slot<'a> {
    Constraint(Cow<'a, str>),
    Prohibitions,
}

/// As much of an intent as matters here; what is no intent has none of it.
#[derive(serde::Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    goal: Cow<'a, str>,
    #[serde(default, borrow)]
    constraints: BTreeMap<Cow<'a, str>, Value>,
    #[serde(default)]
    prohibitions: BTreeSet<String>,
}

/// One hop at which a slot has another value than above.
struct Change<'s> {
    at: usize,
    slot: &'s Slot<'s>,
    weight: f64,
    words: String,
}

/// What was decided where: who, working on what, with the words of it.
type Decided<'a> = HashMap<(Option<usize>, Option<&'a str>), HashSet<String>>;

pub(super) fn find(view: &View<'_, '_>, found: &mut Vec<Finding>) {
    let handoffs = &view.graph.handoffs;
    let slots: Vec<Option<Slots<'_>>> = handoffs.iter().map(slots_of).collect();
    let mut handed_down: HashMap<&Slot<'_>, f64> = HashMap::new();
    let mut changes = Vec::new();
    let decided = decided(view);
    count_tops(view, &slots, &mut handed_down);
    for (at, above) in pairs(view, &slots) {
        let (Some(above_slots), Some(own)) = (&slots[above], &slots[at]) else { continue };
        for (slot, value) in above_slots {
            let odds = handed_down.entry(slot).or_default();
            if own.get(slot).is_some_and(|other| same(value, other, &view.comparer)) {
                *odds += kept(value);
            } else if !is_meant(view, &decided, at, slot) {
                *odds += CHANGED;
                let now = own.get(slot);
                let weight = if now.is_some_and(|now| is_tighter(slot, value, now)) { TIGHTER } else { 1.0 };
                let now = now.map_or_else(|| "(lost)".to_owned(), Value::to_string);
                changes.push(Change { at, slot, weight, words: format!("{slot}: {value} -> {now}") });
            }
        }
    }
    let mut of_handoff: BTreeMap<usize, (f64, Vec<String>)> = BTreeMap::new();
    for Change { at, slot, weight, words } in changes {
        let odds = handed_down.get(slot).copied().unwrap_or_default();
        let handed_down = 1.0 / (1.0 + (-odds).exp());
        let entry = of_handoff.entry(at).or_default();
        entry.0 = entry.0.max(weight * handed_down);
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
        let words = match words.join("; ") {
            none if none.is_empty() => "a constraint changed on the way, perhaps on purpose".to_owned(),
            all => format!("handed on otherwise than it came, and nobody said why: {all}"),
        };
        found.push(Finding::task(at, MismatchKind::Drifted, sureness * handed_down).says(words).shown_by(spans));
    }
}

/// Each handoff with the nearest one above it whose slots are known.
fn pairs<'v>(view: &'v View<'_, '_>, slots: &'v [Option<Slots<'_>>]) -> impl Iterator<Item = (usize, usize)> + 'v {
    let parent = |at: usize| view.graph.handoffs[at].parent;
    view.handoffs().filter_map(move |(at, _)| {
        let above = std::iter::successors(parent(at), move |above| parent(*above)).take(HOPS_UP);
        above.into_iter().find(|above| slots[*above].is_some()).map(|above| (at, above))
    })
}

/// What the handoffs that begin the workflow agree on was given to all of them: each that shares the most common value
/// of a slot is one more hop that keeps it, each other one is one that does not.
fn count_tops<'s>(view: &View<'_, '_>, slots: &'s [Option<Slots<'s>>], handed_down: &mut HashMap<&'s Slot<'s>, f64>) {
    let mut values: HashMap<&Slot<'_>, HashMap<String, (usize, f64)>> = HashMap::new();
    let tops = view.handoffs().filter(|(_, handoff)| handoff.parent.is_none() && handoff.intent_sent().is_some());
    for (slot, value) in tops.filter_map(|(at, _)| slots[at].as_ref()).flatten() {
        let count = values.entry(slot).or_default().entry(value.to_string()).or_insert((0, kept(value)));
        count.0 += 1;
    }
    for (slot, values) in values {
        // The largest odds, so that two values that are as common as each other give one answer.
        let all: usize = values.values().map(|(count, _)| count).sum();
        let odds = values.values().map(|(count, kept)| kept * (count - 1) as f64 + CHANGED * (all - count) as f64);
        *handed_down.entry(slot).or_default() += odds.fold(f64::NEG_INFINITY, f64::max);
    }
}

/// How much it says that a hop kept this value.
fn kept(value: &Value) -> f64 {
    let is_small = value.is_boolean() || value.as_f64().is_some_and(|number| number.abs() < 10.0);
    if is_small { KEPT_SMALL } else { KEPT }
}

/// Whether a bound was drawn closer: what keeps to it keeps to the one above, too.
fn is_tighter(slot: &Slot<'_>, above: &Value, here: &Value) -> bool {
    let (Slot::Constraint(name), Some(above), Some(here)) = (slot, above.as_f64(), here.as_f64()) else { return false };
    let name = name.to_ascii_lowercase();
    let names = |words: &[&str]| name.split(|c: char| !c.is_alphanumeric()).any(|part| words.contains(&part));
    (names(&MOST) && here < above) || (names(&LEAST) && here > above)
}

/// What can be handed down, as it was sent, else as it was read back.
fn slots_of<'a>(handoff: &Handoff<'a>) -> Option<Slots<'a>> {
    let text = handoff.intent_sent().or_else(|| handoff.intent_read_back())?;
    let told: Told<'_> = serde_json::from_str(text).ok()?;
    if told.goal.trim().is_empty() {
        return None;
    }
    let mut slots: Slots<'_> =
        told.constraints.into_iter().map(|(name, value)| (Slot::Constraint(name), value)).collect();
    if !told.prohibitions.is_empty() {
        slots.insert(Slot::Prohibitions, told.prohibitions.into_iter().map(Value::String).collect());
    }
    Some(slots)
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
fn is_meant(view: &View<'_, '_>, decided: &Decided<'_>, at: usize, slot: &Slot<'_>) -> bool {
    let handoff = &view.graph.handoffs[at];
    let name = slot.to_string();
    let name = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let reason = handoff.reason().to_ascii_lowercase();
    words(&reason).any(|word| word == name)
        || MEANT.iter().any(|words| reason.contains(words))
        || decided.get(&(handoff.parent, handoff.from)).is_some_and(|words| words.contains(&name))
}

fn decided<'a>(view: &View<'_, 'a>) -> Decided<'a> {
    let mut decided = Decided::new();
    for (span, within) in &view.graph.decisions {
        let by = span.attributes.text(names::GEN_AI_AGENT_NAME).or_else(|| span.service());
        let all = decided.entry((*within, by)).or_default();
        for key in [names::DECISION_CHOICE, names::DECISION_REASON, names::DECISION_TYPE] {
            let text = span.attributes.text(key).unwrap_or_default().to_ascii_lowercase();
            all.extend(words(&text).map(str::to_owned));
        }
    }
    decided
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

impl fmt::Display for Slot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constraint(name) => write!(f, "constraints.{name}"),
            Self::Prohibitions => f.write_str("prohibitions"),
        }
    }
}
