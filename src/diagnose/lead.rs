//! How long a newer version was there before the old one was used.
//!
//! No clocks of two hosts are compared: both versions carry when they were observed, by the clock of the one agent that
//! handed both over, and the age of the old one at its use is measured with the clocks' offset taken out.

use std::time::Duration;

use super::handoff::Handoff;
use super::versions::is_behind;
use super::view::View;
use crate::model::names;

/// What `wilco why` says first where a context was superseded, with the time by which that was too late. `None` where the
/// records do not tell it.
pub(super) fn superseded(view: &View<'_, '_>, at: usize) -> Option<String> {
    let handoff = &view.graph.handoffs[at];
    let taken = handoff.taken().find(|taken| taken.told.context_read.is_some())?;
    // The age on the span is that of the worst item: of this one only where it is the only one.
    let mut read = taken.told.context_read?.versions();
    let ((name, old), None) = (read.next()?, read.next()) else { return None };
    let (_, new) = taken.told.context_latest.versions().find(|(other, new)| *other == name && is_behind(old, new))?;
    let age = taken.span.attributes.number(names::CONTEXT_AGE)?;
    let uncertainty = taken.span.attributes.number(names::CONTEXT_AGE_UNCERTAINTY).unwrap_or(0.0);
    let seen = |handoff: &Handoff<'_>, version: &str| {
        handoff.attempts.iter().find_map(|attempt| attempt.told.context.observed(name, version))
    };
    let from_old = seen(handoff, old)?;
    let same_clock = view.graph.handoffs.iter().filter(|other| other.from.is_some() && other.from == handoff.from);
    let from_new = same_clock.filter_map(|other| seen(other, new)).min()?;
    let lead_ms = age - (from_new.checked_sub(from_old)? as f64) / 1e6;
    (lead_ms > uncertainty).then(|| format!("{name}@{old} was superseded by {name}@{new} {} before use", text(lead_ms)))
}

fn text(ms: f64) -> String {
    let lead = Duration::from_secs_f64(ms / 1e3);
    if lead >= Duration::from_secs(1) {
        format!("{:.1} s", lead.as_secs_f64())
    } else {
        format!("{} ms", lead.as_millis())
    }
}
