//! `abandoned`: taken on, then dropped without a result.
//!
//! **Evidence.** The ladder stops at `accepted` (never begun); or it stops while the work went on, and the sender gave up
//! without its time being up. **Mimics.** A deadline that passed (`timed_out`); a transfer, which owes no result to its
//! sender; an optional task. **Leads to** callers that time out far away, and parts that are missing.

use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::view::View;
use crate::model::{MismatchKind, Rung};

/// What a sender finds when it is told what the receiver took the task for. It may take the task back then, and nobody
/// drops it.
const WITHHELD: [MismatchKind; 5] = [
    MismatchKind::Misunderstood,
    MismatchKind::Drifted,
    MismatchKind::StaleContext,
    MismatchKind::SupersededContext,
    MismatchKind::MissingContext,
];

pub(super) fn find(_: &View<'_, '_>, at: usize, handoff: &Handoff<'_>, found: &mut Vec<Finding>) {
    if let Some(sent) = handoff.sent() {
        let ended = [Rung::Failed, Rung::Refused].into_iter().any(|rung| sent.reached(rung)) || sent.has_result();
        let begun = sent.was_begun() || handoff.was_worked_on();
        if ended || !sent.was_taken() || was_taken_back(handoff) {
            return;
        }
        if sent.reached(Rung::Accepted) && !begun {
            let words = "accepted, and never begun";
            found.push(Finding::task(at, MismatchKind::Abandoned, 0.96).says(words).shown_by(handoff.span_ids()));
        } else if handoff.is_delegation && !sent.ran_out_of_time() && !sent.declares(MismatchKind::Looped) {
            let words = "closed by its sender while the work was going on";
            found.push(Finding::result(at, MismatchKind::Abandoned, 0.85).says(words).shown_by(handoff.span_ids()));
        }
    } else if let Some(taken) = handoff.taken().next() {
        let accepted = handoff.taken().any(|taken| taken.reached(Rung::Accepted));
        let ended =
            [Rung::Failed, Rung::Refused].into_iter().any(|rung| handoff.taken().any(|taken| taken.reached(rung)));
        if accepted && !ended && !handoff.was_worked_on() {
            let read_back = handoff.taken().any(|taken| taken.read_back());
            let words = if read_back { "read back, and then dropped" } else { "accepted, and never begun" };
            found.push(Finding::task(at, MismatchKind::Abandoned, 0.9).says(words).shown_by([taken.span.span_id]));
        }
    }
}

/// Whether the sender seems to have taken the task back for what it found. One that still waits until its time is up has
/// not, nor has one whose receiver goes on to the end.
fn was_taken_back(handoff: &Handoff<'_>) -> bool {
    let found = WITHHELD.iter().any(|kind| handoff.declares(*kind));
    let waited = handoff.sent().is_some_and(|sent| sent.declares(MismatchKind::TimedOut));
    found && !waited && !handoff.taken().any(|taken| taken.reached(Rung::Completed))
}
