//! `reordered`: of two handoffs of one sender to one receiver, the later one took effect first.
//!
//! **Evidence.** Sequence numbers of one sending instance against the order in which one receiver began: both of its
//! stamps are in its own clock. **Mimics.** A resend, which comes late on purpose (only first attempts count); a
//! receiver of several processes, whose order is nobody's promise. **Leads to** an old state that wins.

use std::collections::HashMap;

use super::super::finding::Finding;
use super::super::view::View;
use crate::model::MismatchKind;

pub(super) fn find(view: &View<'_, '_>, found: &mut Vec<Finding>) {
    let mut lanes: HashMap<_, Vec<_>> = HashMap::new();
    for (at, handoff) in view.handoffs().filter(|(_, handoff)| handoff.last_attempt == 1) {
        let (Some(sent), Some(taken)) = (handoff.sent(), handoff.worked()) else { continue };
        let Some(seq) = sent.told.seq else { continue };
        if taken.count() > 1 || taken.agent() != handoff.to {
            continue;
        }
        let instance = sent.told.inst;
        let lane = (handoff.from, instance, handoff.to, taken.span.host());
        lanes.entry(lane).or_default().push((seq, taken.span.start, at, [sent.span.span_id, taken.span.span_id]));
    }
    for lane in lanes.values_mut() {
        lane.sort_by_key(|(seq, start, ..)| (*seq, *start));
        for pair in lane.windows(2) {
            let [(first, first_start, _, _), (second, second_start, at, spans)] = pair else { continue };
            if second_start < first_start && first < second {
                let words = format!("number {second} of its sender was begun before number {first}");
                found.push(Finding::task(*at, MismatchKind::Reordered, 0.93).says(words).shown_by(*spans));
            }
        }
    }
    for (at, handoff) in view.handoffs().filter(|(_, handoff)| handoff.declares(MismatchKind::Reordered)) {
        let words = "a side says that it came out of order";
        found.push(Finding::task(at, MismatchKind::Reordered, 0.8).says(words).shown_by(handoff.span_ids()));
    }
}
