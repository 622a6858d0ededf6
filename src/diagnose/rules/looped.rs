//! `looped`: the same task came back to an agent that had it before, three rounds or more.
//!
//! **Evidence.** One content hash on three or more handoffs whose agents form a circle (a pair or a ring), or that one
//! agent received three times. **Mimics.** A task that is sent to many at once: nobody gets it twice. A review, whose
//! drafts differ. Attempts of one handoff. Runs of one name, each begun anew. **Leads to** a budget that is gone, a caller that times out.

use std::collections::{HashMap, HashSet};

use super::super::causality::{Part, node};
use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::view::View;
use crate::model::MismatchKind;

/// How often the same content is handed over before it is a loop.
const ROUNDS: usize = 3;
/// How sure it is where nothing ties the rounds to each other: worth a look, and no accusation by itself.
const ANEW: f64 = 0.1;
/// The most rounds that are shown.
const SHOWN: usize = 64;

pub(super) fn find(view: &View<'_, '_>, found: &mut Vec<Finding>) {
    let mut same: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, handoff) in view.handoffs() {
        let size = handoff.attempts.last().and_then(|sent| sent.told.content_size);
        if let Some(hash) = handoff.content_hash().filter(|_| size != Some(0)) {
            same.entry(hash).or_default().push(at);
        }
    }
    let (mut depths, mut shown) = (None, HashSet::new());
    for group in same.values().filter(|group| group.len() >= ROUNDS && came_back(view, group)) {
        // The rounds are one root: the one that the others rest on stands for all.
        let depths = depths.get_or_insert_with(|| view.causality.depths());
        let depth = |at: usize| depths[node(at, Part::Task).index()];
        let first = group.iter().map(|at| depth(*at)).min();
        let (weight, how) = if goes_on(view, group) { (0.98, " in a circle") } else { (ANEW, ", each time anew") };
        for at in group.iter().filter(|at| Some(depth(**at)) == first) {
            let words = format!("the same content was handed over {} times{how}", group.len());
            let spans = group.iter().take(SHOWN).flat_map(|at| view.graph.handoffs[*at].span_ids());
            shown.insert(*at);
            found.push(Finding::task(*at, MismatchKind::Looped, weight).says(words).shown_by(spans));
        }
    }
    for (at, handoff) in view.handoffs().filter(|(_, handoff)| handoff.declares(MismatchKind::Looped)) {
        if !shown.contains(&at) {
            let words = "a side says that the same task came back";
            found.push(Finding::task(at, MismatchKind::Looped, 0.9).says(words).shown_by(handoff.span_ids()));
        }
    }
}

/// Whether somebody had it before: a receiver for the third time, or an agent that also sent it on.
fn came_back(view: &View<'_, '_>, group: &[usize]) -> bool {
    let handoffs = || group.iter().map(|at| &view.graph.handoffs[*at]);
    let mut times: HashMap<&str, usize> = HashMap::new();
    for to in handoffs().filter_map(|handoff| handoff.to) {
        *times.entry(to).or_default() += 1;
    }
    let passed = handoffs().filter_map(|handoff| Some((handoff.from?, handoff.to?)));
    has_circle(passed.collect()) || times.values().any(|times| *times >= ROUNDS)
}

/// Whether one round comes of another, or of anything else. Rounds of which each begins of itself may be runs that happen
/// to have one name.
fn goes_on(view: &View<'_, '_>, group: &[usize]) -> bool {
    let handoffs = || group.iter().map(|at| &view.graph.handoffs[*at]);
    let begins = |handoff: &Handoff<'_>| {
        handoff.parent_id.is_none() && handoff.sent().is_none_or(|sent| sent.inputs().next().is_none())
    };
    !handoffs().all(begins) || has_circle(handoffs().filter_map(|handoff| Some((handoff.from?, handoff.to?))).collect())
}

/// Whether there is a way back to anybody. Who passes a task on as it is, along a chain, goes in no circle.
fn has_circle(mut passed: HashSet<(&str, &str)>) -> bool {
    passed.retain(|(from, to)| from != to);
    loop {
        let before = passed.len();
        let (from, to): (HashSet<&str>, HashSet<&str>) = passed.iter().copied().unzip();
        // Nobody hands it to the first of a chain, and the last hands it to nobody.
        passed.retain(|(sender, receiver)| to.contains(sender) && from.contains(receiver));
        if passed.len() == before {
            return before > 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_no_circle_and_a_pair_and_a_ring_are() {
        let passed = |handoffs: &[(&'static str, &'static str)]| has_circle(handoffs.iter().copied().collect());
        assert!(!passed(&[("write", "review"), ("review", "editor"), ("editor", "facts")]));
        assert!(!passed(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "a")]));
        assert!(passed(&[("a", "b"), ("b", "a")]));
        assert!(passed(&[("x", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "y")]));
    }
}
