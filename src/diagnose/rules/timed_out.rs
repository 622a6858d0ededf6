//! `timed_out` and `unacknowledged`: the sender waited in vain.
//!
//! **Evidence.** The sender ran out of time without a result, after somebody had taken the task. Where the receiver's
//! record shows that it was done within the time that the sender waited (durations, each in one clock), the answer was
//! lost on its way: `unacknowledged`. **Mimics.** A callee further down that was late, which makes every caller above it
//! late: the causal graph knows. Slow work within the deadline. **Leads to** results that nobody waits for, fallback values.

use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::sides::{Attempt, Delivery};
use super::super::view::View;
use crate::model::{MismatchKind, Rung};

pub(super) fn find(_: &View<'_, '_>, at: usize, handoff: &Handoff<'_>, found: &mut Vec<Finding>) {
    let Some(sent) = handoff.sent() else { return };
    let ended = sent.has_result() || sent.reached(Rung::Failed) || sent.reached(Rung::Refused);
    let taken = sent.was_taken() || handoff.was_worked_on() || handoff.taken().next().is_some();
    let stuck = sent.reached(Rung::Accepted) && !sent.was_begun() && !handoff.was_worked_on();
    if ended || !taken || stuck || !sent.ran_out_of_time() {
        return;
    }
    let finding = match handoff.taken().find(|taken| taken.result_hash().is_some()) {
        Some(done) if within(handoff, sent, done) => {
            let words = "done in time by its receiver, and the answer never came";
            Finding::result(at, MismatchKind::Unacknowledged, 0.9).says(words)
        }
        Some(done) => {
            let words = format!("the work took {} ms, longer than its sender waited", done.span.nanos() / 1_000_000);
            Finding::result(at, MismatchKind::TimedOut, 0.85).says(words)
        }
        None => Finding::result(at, MismatchKind::TimedOut, 0.8).says("taken on, and no result by the deadline"),
    };
    found.push(finding.shown_by(handoff.span_ids()));
}

/// Whether the work took less time than the sender had. Each is a difference in one clock, so clocks need not agree.
fn within(handoff: &Handoff<'_>, sent: &Attempt<'_>, done: &Delivery<'_>) -> bool {
    let patience = handoff.attempts.first().unwrap_or(sent).patience_nanos();
    let waited = patience.unwrap_or_else(|| sent.span.nanos());
    done.span.nanos() <= waited
}
