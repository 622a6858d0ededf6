//! `duplicated`: one handoff and attempt was processed twice.
//!
//! **Evidence.** Two deliveries of one attempt that were both worked on; or the result that the sender holds is not the
//! one that a further delivery made; or a side declares it. **Mimics.** A redelivery that was suppressed: it has no
//! effect. A resend: another attempt. **Leads to** totals that are too large, effects that happened twice.

use std::collections::HashMap;

use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::view::View;
use crate::model::MismatchKind;

pub(super) fn find(_: &View<'_, '_>, at: usize, handoff: &Handoff<'_>, found: &mut Vec<Finding>) {
    let mut effects: HashMap<i64, usize> = HashMap::new();
    for delivery in handoff.deliveries.iter().filter(|delivery| delivery.had_effect()) {
        *effects.entry(delivery.attempt).or_default() += 1;
    }
    let held = handoff.sent().and_then(|sent| sent.told.result_hash);
    let other = handoff.taken().find(|taken| {
        taken.count() > 1 && held.is_some() && taken.result_hash().is_some_and(|made| Some(made) != held)
    });
    let (weight, words) = if let Some(times) = effects.values().max().filter(|times| **times > 1) {
        (0.95, format!("one attempt was processed {times} times"))
    } else if let Some(taken) = other {
        (0.9, format!("delivery {} made a result of its own beside the one that the sender holds", taken.count()))
    } else if handoff.declares(MismatchKind::Duplicated) {
        (0.9, "a side says that it was processed twice".to_owned())
    } else {
        return;
    };
    found.push(Finding::task(at, MismatchKind::Duplicated, weight).says(words).shown_by(handoff.span_ids()));
}
