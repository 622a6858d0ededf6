//! `ignored_result`: a good result came in time and was set aside.
//!
//! **Evidence.** The sender says that it did not use a result that is not known to be poor, and no later attempt replaced
//! it. **Mimics.** A poor result that was rejected; one without the score that was demanded; an optional task; an
//! input that is named by another hash although it was used. **Leads to** a consumer that rests on something older, or
//! on nothing.

use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::view::View;
use crate::model::MismatchKind;

pub(super) fn find(_: &View<'_, '_>, at: usize, handoff: &Handoff<'_>, found: &mut Vec<Finding>) {
    let Some(sent) = handoff.sent() else { return };
    let poor = sent.quality().is_some_and(|(score, threshold)| score < threshold);
    if sent.used() == Some(false) && sent.has_result() && !poor && !sent.lacks_score() {
        let words = "completed in time, good as far as is known, and not used";
        found.push(Finding::result(at, MismatchKind::IgnoredResult, 0.88).says(words).shown_by([sent.span.span_id]));
    }
}
