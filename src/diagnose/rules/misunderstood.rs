//! `misunderstood`: the receiver read another task into it.
//!
//! **Evidence.** The readback differs from the intent in a slot, by the comparison that the channel uses; where one record
//! is missing, the diff that the other side kept, or the rung `misunderstood`. **Mimics.** The same in other words
//! (case, blanks, `5` and `5.0`): the comparison knows them. Slots that are absent because bytes were: truncation
//! weighs more. **Leads to** results that are valid and wrong.

use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::view::View;
use crate::model::{Intent, MismatchKind, Rung, names};
use crate::verify::intent::{Comparer, compare};

pub(super) fn find(view: &View<'_, '_>, at: usize, handoff: &Handoff<'_>, found: &mut Vec<Finding>) {
    let (weight, words) = match differs(handoff, &view.comparer) {
        Some(Some(words)) => (0.92, words),
        Some(None) => return,
        None => match declared(handoff) {
            Some(words) => (0.9, words),
            None => return,
        },
    };
    found.push(Finding::task(at, MismatchKind::Misunderstood, weight).says(words).shown_by(handoff.span_ids()));
}

/// `None` where it cannot be compared, `Some(None)` where both agree.
fn differs(handoff: &Handoff<'_>, comparer: &Comparer) -> Option<Option<String>> {
    let sent = handoff.sent()?.told.intent_sent?;
    let read_back = handoff.intent_read_back()?;
    if sent == read_back {
        return Some(None);
    }
    let sent = Intent::from_json(sent.as_bytes()).ok()?;
    let read_back = Intent::from_json(read_back.as_bytes()).ok()?;
    Some(compare(&sent, &read_back, comparer).mismatch().map(|mismatch| differently(&mismatch.evidence)))
}

fn declared(handoff: &Handoff<'_>) -> Option<String> {
    let diff: Vec<&str> =
        handoff.sent().into_iter().flat_map(|sent| sent.span.attributes.texts(names::INTENT_DIFF)).collect();
    if !diff.is_empty() {
        return Some(differently(&diff.join("; ")));
    }
    let said = handoff.declares(MismatchKind::Misunderstood)
        || handoff.sent().is_some_and(|sent| sent.reached(Rung::Misunderstood));
    said.then(|| "a side says that the readback differs from the intent".to_owned())
}

fn differently(diff: &str) -> String {
    format!("its reader understood another task than was sent: {diff}")
}
