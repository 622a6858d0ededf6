//! `failed` and `refused`: the receiver gave up, or would not, and said so.
//!
//! **Evidence.** The rung, or the mismatch, on the last attempt. **Mimics.** An attempt that was made good by a later
//! one. Mostly a knock-on: a receiver that cannot work with what it was given is honest, and the fault is above it; so
//! this weighs little by itself. **Leads to** fallback values, short joins.

use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::view::{MADE_GOOD, View};
use crate::model::{MismatchKind, Rung, SpanStatus};

pub(super) fn find(view: &View<'_, '_>, at: usize, handoff: &Handoff<'_>, found: &mut Vec<Finding>) {
    let reached = |rung| {
        handoff.sent().is_some_and(|sent| sent.reached(rung)) || handoff.taken().any(|taken| taken.reached(rung))
    };
    let kind = if reached(Rung::Refused) || handoff.declares(MismatchKind::Refused) {
        MismatchKind::Refused
    } else if reached(Rung::Failed) && handoff.declares(MismatchKind::Abandoned) {
        // An agent that drops its task has its library say `failed`, and gave no reason of its own.
        MismatchKind::Abandoned
    } else if reached(Rung::Failed) || handoff.declares(MismatchKind::Failed) {
        MismatchKind::Failed
    } else {
        return;
    };
    // An attempt is only known to be the last where the sender's record of it is there.
    let weight = if handoff.sent().is_some() { 0.55 } else { 0.3 };
    let weight = if view.may_be_made_good(at) { weight * MADE_GOOD } else { weight };
    let said = handoff.taken().map(|taken| taken.span).chain(handoff.sent().map(|sent| sent.span));
    let said = said.filter_map(|span| match &span.status {
        SpanStatus::Error(message) if !message.is_empty() => Some(message.as_str()),
        _ => None,
    });
    let words = said.into_iter().next().unwrap_or("its receiver said so");
    let words =
        words.strip_prefix(kind.as_str()).and_then(|words| words.strip_prefix(": ")).unwrap_or(words).to_owned();
    found.push(Finding::task(at, kind, weight).says(words).shown_by(handoff.span_ids()));
}
