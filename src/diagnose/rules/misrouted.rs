//! `misrouted`: another agent took it than the one it was addressed to.
//!
//! **Evidence.** The agent of a receiver's span, or whoever signed a rung of the sender's ladder, is neither the
//! addressee, nor the sender, nor the bus. **Mimics.** Instances of one agent share its name, so these do not look so.
//! **Leads to** results that are valid in form and poor or odd in content.

use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::view::View;
use crate::model::MismatchKind;

/// Who signs what the bus saw.
const BUS: [&str; 2] = ["nats", "bus"];

pub(super) fn find(_: &View<'_, '_>, at: usize, handoff: &Handoff<'_>, found: &mut Vec<Finding>) {
    let Some(to) = handoff.to else { return };
    let takers = handoff.taken().filter_map(|taken| taken.agent().map(|agent| (agent, taken.span.span_id)));
    let signers = handoff.sent().into_iter().flat_map(|sent| sent.told.signers().map(|by| (by, sent.span.span_id)));
    let foreign = |agent: &str| agent != to && handoff.from != Some(agent) && !BUS.contains(&agent);
    let taker = takers.filter(|(agent, _)| *agent != to).chain(signers.filter(|(agent, _)| foreign(agent))).next();
    if let Some((agent, span)) = taker {
        let words = format!("addressed to {to}, taken by {agent}");
        found.push(Finding::task(at, MismatchKind::Misrouted, 0.95).says(words).shown_by([span]));
    } else if handoff.declares(MismatchKind::Misrouted) {
        let words = "a side says that another agent took it";
        found.push(Finding::task(at, MismatchKind::Misrouted, 0.9).says(words).shown_by(handoff.span_ids()));
    }
}
