//! `stale_context`: knowledge was used past its age, or behind a version that its user could have known.
//!
//! **Evidence.** What the receiver read is behind what was newest on the bus, or behind what the sender handed over; or
//! the least possible age is over the longest one. **Mimics.** An old version that was handed over and never read; an
//! age that is over its limit only within the clocks' uncertainty. **Leads to** contradictions at a join, wrong values
//! that pass every check.

use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::sides::Delivery;
use super::super::versions::is_behind;
use super::super::view::View;
use crate::model::{MismatchKind, names};
use crate::verify::freshness::age_text;

pub(super) fn find(_: &View<'_, '_>, at: usize, handoff: &Handoff<'_>, found: &mut Vec<Finding>) {
    if let Some((words, span)) = handoff.taken().find_map(|taken| {
        let words = behind(handoff, taken).or_else(|| too_old(taken))?;
        Some((words, taken.span.span_id))
    }) {
        found.push(Finding::task(at, MismatchKind::StaleContext, 0.92).says(words).shown_by([span]));
    } else if let Some(words) = declared(handoff) {
        found.push(Finding::task(at, MismatchKind::StaleContext, 0.6).says(words).shown_by(handoff.span_ids()));
    }
}

fn behind(handoff: &Handoff<'_>, taken: &Delivery<'_>) -> Option<String> {
    let sent = handoff.sent().map(|sent| sent.told);
    taken.told.context_read?.versions().find_map(|(name, read)| {
        let known = taken.told.context_latest.versions();
        let told = sent.into_iter().flat_map(|sent| sent.context_latest.versions().chain(sent.context.versions()));
        let newer = known.chain(told).find(|(other, version)| *other == name && is_behind(read, version))?.1;
        Some(format!("{name}@{read} was superseded by {name}@{newer} before use"))
    })
}

fn too_old(taken: &Delivery<'_>) -> Option<String> {
    let attributes = &taken.span.attributes;
    let (age, most) = (attributes.number(names::CONTEXT_AGE)?, attributes.number(names::CONTEXT_MAX_AGE)?);
    let uncertainty = attributes.number(names::CONTEXT_AGE_UNCERTAINTY).unwrap_or(0.0);
    let item = attributes.texts(names::CONTEXT_READ).next().unwrap_or("context");
    (age - uncertainty > most)
        .then(|| format!("{item} was {} old when used, over its longest age of {most} ms", age_text(age, uncertainty)))
}

/// What a side says where nothing of it can be checked: no receiver's record tells what was read.
fn declared(handoff: &Handoff<'_>) -> Option<String> {
    if handoff.taken().any(|taken| taken.told.context_read.is_some() && !taken.declares(MismatchKind::StaleContext)) {
        return None;
    }
    handoff.declares(MismatchKind::StaleContext).then(|| "a side says that the context was out of date".to_owned())
}
