//! `superseded_context`: a newer version was in use elsewhere before this one was used.
//!
//! **Evidence.** Two handoffs read different versions of one item, and the one with the older version does not lead to the
//! one with the newer: so both ran on the state of the world as it was then, and disagree. Which came first is told by
//! the causal graph and by one sender's own order, never by clocks. **Mimics.** A new version that came out between two
//! steps of which one rests on the other, or that one sender takes in turn; an old version that was handed over and not
//! read. **Leads to** branches that contradict each other where they are merged.

use std::collections::BTreeMap;

use super::super::causality::{Part, node};
use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::versions::ordinal;
use super::super::view::View;
use crate::model::MismatchKind;

/// The most versions of one item that are looked at, newest first.
const VERSIONS: usize = 16;
/// The most readers of newer versions that one reader is held against.
const WITNESSES: usize = 64;

/// How sure it is where one sender had the old version's result back before it used the new one: a version may well come
/// out in between, and the two may yet be merged.
const IN_TURN: f64 = 0.3;

struct Reader<'a> {
    at: usize,
    text: &'a str,
    /// What the receiver says it read, not only what it was handed.
    sure: bool,
}

pub(super) fn find(view: &View<'_, '_>, found: &mut Vec<Finding>) {
    let mut items: BTreeMap<&str, BTreeMap<Vec<u64>, Vec<Reader<'_>>>> = BTreeMap::new();
    for (at, handoff) in view.handoffs() {
        for (name, text, sure) in read(handoff) {
            if let Some(version) = ordinal(text) {
                items.entry(name).or_default().entry(version).or_default().push(Reader { at, text, sure });
            }
        }
    }
    for (name, of_version) in items {
        let groups: Vec<Vec<Reader<'_>>> = of_version.into_values().collect();
        let oldest = groups.len().saturating_sub(VERSIONS);
        for older in oldest..groups.len().saturating_sub(1) {
            conflicts(view, name, &groups[older], &groups[older + 1..], found);
        }
    }
}

/// Versions that a handoff worked with: those that the receiver read, else those that it was handed, unless the sender
/// knew better and so handed them over for another purpose.
fn read<'a>(handoff: &Handoff<'a>) -> Vec<(&'a str, &'a str, bool)> {
    if let Some(read) = handoff.taken().find_map(|taken| taken.told.context_read) {
        return read.versions().map(|(name, version)| (name, version, true)).collect();
    }
    if handoff.taken().any(|taken| taken.had_effect()) {
        // The receiver worked, and says of nothing that it read it.
        return Vec::new();
    }
    let Some(sent) = handoff.sent() else { return Vec::new() };
    let known: Vec<_> = sent.told.context_latest.versions().collect();
    let handed = sent.told.context.versions().filter(|(name, _)| known.iter().all(|(other, _)| other != name));
    handed.map(|(name, version)| (name, version, false)).collect()
}

fn conflicts(
    view: &View<'_, '_>,
    name: &str,
    older: &[Reader<'_>],
    newer: &[Vec<Reader<'_>>],
    found: &mut Vec<Finding>,
) {
    // Only the first readers of something newer matter: whoever leads to one of these leads to what rests on it.
    let mut is_newer = vec![0.0; 2 * view.graph.handoffs.len()];
    for reader in newer.iter().flatten() {
        is_newer[node(reader.at, Part::Task).index()] = 1.0;
    }
    let inherited = view.causality.inherited(&is_newer);
    let leads_here = |at: usize| inherited[node(at, Part::Task).index()];
    let knew = |at: usize| leads_here(at) >= 1.0;
    let first: Vec<&Reader<'_>> =
        newer.iter().flatten().filter(|reader| leads_here(reader.at) == 0.0).take(WITNESSES).collect();
    let marked: Vec<_> = first.iter().map(|reader| node(reader.at, Part::Task)).collect();
    let leads = view.causality.leading_to(&marked);
    for reader in older {
        let reached = leads[node(reader.at, Part::Task).index()];
        // Others that use something newer beside it: apart from it, or only after one sender had this one back.
        let beside = first.iter().enumerate().filter(|(bit, _)| reached & (1 << bit) == 0).map(|(_, other)| other);
        let (in_turn, apart): (Vec<&&Reader<'_>>, Vec<&&Reader<'_>>) =
            beside.partition(|other| one_by_one(view, reader.at, other.at));
        let is_in_turn = apart.is_empty();
        let witnesses = if is_in_turn { in_turn } else { apart };
        let Some(witness) = witnesses.iter().find(|other| other.sure).or(witnesses.first()).copied() else { continue };
        let sure = reader.sure && witness.sure;
        let weight = match (knew(reader.at), sure) {
            _ if is_in_turn => IN_TURN,
            (true, true) => 0.85,
            // Only a guess says that the newer version came first.
            (false, _) if leads_here(reader.at) > 0.0 => 0.45,
            (_, true) => 0.62 + 0.04 * witnesses.len().min(4) as f64,
            (_, false) => 0.58 + 0.02 * witnesses.len().min(4) as f64,
        };
        let words = if knew(reader.at) {
            format!("{name}@{} was used after {name}@{} had been used on the way here", reader.text, witness.text)
        } else if is_in_turn {
            format!("{name}@{} was used here, and {name}@{} later, beside it", reader.text, witness.text)
        } else {
            format!("{name}@{} was used here while {name}@{} was used beside it", reader.text, witness.text)
        };
        let witness = view.graph.handoffs[witness.at].span_ids();
        let spans = view.graph.handoffs[reader.at].span_ids().into_iter().chain(witness);
        found.push(Finding::task(reader.at, MismatchKind::SupersededContext, weight).says(words).shown_by(spans));
    }
}

/// Whether one sender had the first one back before it sent the second: its own order, in its own clock.
fn one_by_one(view: &View<'_, '_>, first: usize, second: usize) -> bool {
    let (first, second) = (&view.graph.handoffs[first], &view.graph.handoffs[second]);
    match (first.attempts.last(), second.attempts.first()) {
        (Some(done), Some(sent)) => first.from == second.from && done.span.end <= sent.span.start,
        _ => false,
    }
}
