//! `unverified_use` and `low_quality`: a poor result was built upon without a check.
//!
//! **Evidence.** The sender's score is under the threshold, the result was used, and nobody checked it. Where the
//! receiver itself had scored it well, the score was wrong: `low_quality`, and only suspected, since scores are
//! opinions. **Mimics.** A poor result that was checked, or set aside and redone; two sides that score a good result
//! differently. Poor results of tasks that were broken already. **Leads to** quality that falls downstream.

use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::view::View;
use crate::model::MismatchKind;

/// A poor result that was set aside did no harm by itself, but the work went on without one.
const SET_ASIDE: f64 = 0.5;

pub(super) fn find(view: &View<'_, '_>, at: usize, handoff: &Handoff<'_>, found: &mut Vec<Finding>) {
    let own = handoff.taken().find_map(|taken| taken.quality());
    let Some(sent) = handoff.sent() else {
        if let Some((score, threshold)) = own.filter(|(score, threshold)| score < threshold) {
            let words =
                format!("scored {score} by its receiver, under {threshold}; what its sender did with it is not known");
            found.push(Finding::result(at, MismatchKind::UnverifiedUse, 0.35).says(words).shown_by(handoff.span_ids()));
        }
        return;
    };
    let used = view.is_used(at) && !sent.checked();
    let finding = match (sent.quality(), own) {
        (Some((score, threshold)), Some((claimed, _))) if used && score < threshold && claimed >= threshold => {
            let words =
                format!("its receiver scored it {claimed}, a later check {score}, under {threshold}; used before");
            Finding::result(at, MismatchKind::LowQuality, 0.8).says(words)
        }
        (Some((score, threshold)), _) if used && score < threshold => {
            let words = format!("scored {score}, under {threshold}, and used without a check");
            Finding::result(at, MismatchKind::UnverifiedUse, 0.8).says(words)
        }
        (None, Some((score, threshold))) if used && score < threshold => {
            let words = format!("scored {score} by its receiver, under {threshold}, and used without a check");
            Finding::result(at, MismatchKind::UnverifiedUse, 0.7).says(words)
        }
        // A retry would have made it good.
        (Some((score, threshold)), _)
            if sent.used() == Some(false) && score < threshold && !view.may_be_made_good(at) =>
        {
            let words = format!("scored {score}, under {threshold}, and set aside; nothing came in its place");
            Finding::result(at, MismatchKind::LowQuality, SET_ASIDE).says(words)
        }
        (None, None) if sent.declares(MismatchKind::UnverifiedUse) => {
            Finding::result(at, MismatchKind::UnverifiedUse, 0.7).says("used, although no score came that was demanded")
        }
        _ => return,
    };
    found.push(finding.shown_by(handoff.span_ids()));
}
