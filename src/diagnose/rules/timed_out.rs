//! `timed_out` and `unacknowledged`: the sender waited in vain.
//!
//! **Evidence.** The sender ran out of time without a result, after somebody had taken the task. Where the receiver's
//! record shows that it was done within the time that the sender waited (durations, each in one clock), the answer was
//! lost on its way: `unacknowledged`. Where it shows that it was done later, it is slow and not dead, and is told by how
//! much. **Mimics.** A callee further down that was late, which makes every caller above it
//! late: the causal graph knows. Slow work within the deadline. **Leads to** results that nobody waits for, fallback values.

use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::sides::Attempt;
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
    let limit = limit(handoff, sent);
    let finding = match handoff.taken().find(|taken| taken.result_hash().is_some()) {
        Some(done) if done.span.nanos() <= limit && !done.declares(MismatchKind::TimedOut) => {
            let words = "done in time by its receiver, and the answer never came";
            Finding::result(at, MismatchKind::Unacknowledged, 0.9).says(words)
        }
        Some(done) => {
            let late = seconds(done.span.nanos() - limit);
            let words = format!("completed, {late} after the limit of {}", seconds(limit));
            Finding::result(at, MismatchKind::TimedOut, 0.85).says(words)
        }
        None => Finding::result(at, MismatchKind::TimedOut, 0.8).says("taken on, and no result by the deadline"),
    };
    found.push(finding.shown_by(handoff.span_ids()));
}

/// How long the sender waited. It is held against how long the work took: each is a difference in one clock, so clocks need
/// not agree.
fn limit(handoff: &Handoff<'_>, sent: &Attempt<'_>) -> i64 {
    let patience = handoff.attempts.first().unwrap_or(sent).patience_nanos();
    patience.unwrap_or_else(|| sent.span.nanos())
}

fn seconds(nanos: i64) -> String {
    format!("{:.1} s", nanos.max(0) as f64 / 1e9)
}
