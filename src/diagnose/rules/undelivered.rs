//! `undelivered`: nobody took it.
//!
//! **Evidence.** The server said "no responders" to the last attempt; or the ladder stands at `sent`, no result came,
//! and no receiver has a record of it. **Mimics.** A first attempt that found nobody, when a later one did (not the last
//! attempt); a receiver whose records are lost (then the sender heard its receipts, or the bus saw the delivery); an
//! optional task. **Leads to** fallback values, short joins, callers that time out.

use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::view::{MADE_GOOD, View};
use crate::model::{MismatchKind, Rung, names};

pub(super) fn find(view: &View<'_, '_>, at: usize, handoff: &Handoff<'_>, found: &mut Vec<Finding>) {
    let Some(sent) = handoff.sent() else { return };
    if handoff.was_worked_on() || handoff.taken().next().is_some() || sent.was_taken() {
        return;
    }
    let spans = [sent.span.span_id];
    let made_good = |weight: f64| if view.may_be_made_good(at) { weight * MADE_GOOD } else { weight };
    let subject = sent.span.attributes.text(names::MESSAGING_DESTINATION_NAME);
    if sent.had_no_responders() {
        let to = subject.map(|subject| format!(" for {subject}")).unwrap_or_default();
        let attempt = if sent.number > 1 { format!(", to attempt {}, the last", sent.number) } else { String::new() };
        let words = format!("the server said \"no responders\"{to}{attempt}");
        found.push(Finding::task(at, MismatchKind::Undelivered, made_good(0.97)).says(words).shown_by(spans));
    } else if sent.tells_rungs() && (sent.reached(Rung::Sent) || sent.reached(Rung::Stored)) {
        let it = subject.unwrap_or("it");
        let words =
            format!("it was sent, and nobody is known to have received {it}: no receipt, no delivery, no result");
        found.push(Finding::task(at, MismatchKind::Undelivered, made_good(0.95)).says(words).shown_by(spans));
    }
}
