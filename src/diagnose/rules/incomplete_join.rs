//! `incomplete_join`: a join went on with fewer parts than it was owed.
//!
//! **Evidence.** A task that was owed more inputs than it has; or a join on record that had fewer parts than it expected.
//! **Mimics.** A part that never came, because its own handoff broke: then that is the root, and the join rests on it.
//! **Leads to** totals that are too small, and a result that comes too late to count.

use super::super::finding::Finding;
use super::super::join::Join;
use super::super::view::View;
use crate::model::MismatchKind;

pub(super) fn find(view: &View<'_, '_>, found: &mut Vec<Finding>) {
    for (at, handoff) in view.handoffs() {
        let Some(sent) = handoff.sent() else { continue };
        let (expected, arrived) = (sent.expected_inputs(), sent.inputs().count());
        if expected > arrived {
            let words = format!("sent with {arrived} of {expected} parts");
            found.push(Finding::task(at, MismatchKind::IncompleteJoin, 0.82).says(words).shown_by([sent.span.span_id]));
        }
    }
    let mut seen = Vec::new();
    for join in view.graph.joins.iter().filter(|join| join.arrived < join.expected) {
        let Some(at) = join.within.filter(|at| !belongs_to_a_child(view, *at, join)) else { continue };
        if view.graph.handoffs[at].to == join.agent() || join.agent().is_none() {
            let words = format!("the work went on with {} of {} parts", join.arrived, join.expected);
            seen.push(at);
            found.push(
                Finding::result(at, MismatchKind::IncompleteJoin, 0.82).says(words).shown_by([join.span.span_id]),
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

/// Whether the join collected the inputs of a task that its maker sent next, which is then what is incomplete.
fn belongs_to_a_child(view: &View<'_, '_>, at: usize, join: &Join<'_>) -> bool {
    let children = view.graph.handoffs[at].children.iter().filter_map(|child| view.graph.handoffs[*child].sent());
    let mut sends = children.filter(|sent| sent.expected_inputs() == join.expected);
    sends.any(|sent| sent.inputs().count() == join.arrived)
}
