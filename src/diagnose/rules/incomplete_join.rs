//! `incomplete_join`: a join went on with fewer parts than it was owed.
//!
//! **Evidence.** A task that was owed more inputs than it has; or a join on record that had fewer parts than it expected.
//! **Mimics.** A part that never came, because its own handoff broke: then that is the root, and the join rests on it.
//! **Leads to** totals that are too small, and a result that comes too late to count.

use std::collections::HashSet;

use super::super::finding::Finding;
use super::super::join::Join;
use super::super::view::{Missing, View};
use crate::model::MismatchKind;

pub(super) fn find(view: &View<'_, '_>, found: &mut Vec<Finding>) {
    for (at, handoff) in view.handoffs() {
        let Some(sent) = handoff.sent() else { continue };
        let (expected, arrived) = (sent.expected_inputs(), sent.inputs().count());
        if expected > arrived {
            let (weight, where_from) = match view.missing_parts(at) {
                Missing::CameLater => (0.92, "; what it lacks came later"),
                Missing::Made => (0.82, "; what it lacks was made elsewhere"),
                Missing::NeverMade => (0.55, ""),
                Missing::Nowhere => (0.75, "; nothing that was owed is missing elsewhere"),
                Missing::None | Missing::Unknown => (0.45, "; nothing on record tells where it should have come from"),
            };
            let words = format!("sent with {arrived} of {expected} parts{where_from}");
            found.push(
                Finding::task(at, MismatchKind::IncompleteJoin, weight).says(words).shown_by([sent.span.span_id]),
            );
        }
    }
    let mut seen = HashSet::new();
    let sent = sent_below(view);
    for join in view.graph.joins.iter().filter(|join| join.arrived < join.expected) {
        let Some(at) = join.within.filter(|at| !sent.contains(&(*at, join.expected, join.arrived))) else { continue };
        if view.graph.handoffs[at].to == join.agent() || join.agent().is_none() {
            let words = format!("the work went on with {} of {} parts", join.arrived, join.expected);
            seen.insert(at);
            found.push(
                Finding::result(at, MismatchKind::IncompleteJoin, nested_weight(view, at, join))
                    .says(words)
                    .shown_by([join.span.span_id]),
            );
        }
    }
    for (at, handoff) in view.handoffs().filter(|(at, _)| !seen.contains(at)) {
        if handoff.taken().any(|taken| taken.declares(MismatchKind::IncompleteJoin)) {
            let words = "its receiver says that it went on without all parts";
            found
                .push(Finding::result(at, MismatchKind::IncompleteJoin, 0.75).says(words).shown_by(handoff.span_ids()));
        }
    }
}

/// Who, working on what, sent on how many parts, of how many that were owed. A join that collected these shows in what was
/// sent next, which is then what is incomplete.
fn sent_below(view: &View<'_, '_>) -> HashSet<(usize, usize, usize)> {
    let handoffs = view.graph.handoffs.iter();
    let sent = handoffs.filter_map(|handoff| Some((handoff.parent?, handoff.sent()?)));
    sent.map(|(above, sent)| (above, sent.expected_inputs(), sent.inputs().count())).collect()
}

/// How much a short join of one's own delegations weighs: much if all parts were made after all, little if some are not
/// even on record.
fn nested_weight(view: &View<'_, '_>, at: usize, join: &Join<'_>) -> f64 {
    let (mut made, mut broken) = (0, 0);
    for child in view.graph.handoffs[at].children.iter().map(|child| &view.graph.handoffs[*child]) {
        match child.sent() {
            Some(sent) if sent.has_result() => made += 1,
            Some(_) => broken += 1,
            None if child.has_result() => made += 1,
            None => {}
        }
    }
    match (made >= join.expected, broken) {
        (true, _) => 0.88,
        (false, 0) => 0.5,
        (false, _) => 0.6,
    }
}
