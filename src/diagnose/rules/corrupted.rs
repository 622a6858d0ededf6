//! `corrupted` and `truncated`: other bytes arrived than were sent; fewer of them.
//!
//! **Evidence.** The content hash of the receiver's span is not that of the sender's; the size says which of the two it
//! is. Where one record is missing, what the other side declares. **Mimics.** None known: a hash is exact. **Leads to**
//! missing slots, poor scores, validation errors further on.

use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::view::View;
use crate::model::MismatchKind;

pub(super) fn find(_: &View<'_, '_>, at: usize, handoff: &Handoff<'_>, found: &mut Vec<Finding>) {
    let sent = handoff.sent().map(|sent| &sent.told);
    let hash = sent.and_then(|sent| sent.content_hash);
    let other = hash.and_then(|hash| handoff.taken().find(|taken| taken.received_other(hash)));
    let finding = if let Some(taken) = other {
        let size = sent.and_then(|sent| sent.content_size);
        let arrived = taken.told.size_received;
        match (size, arrived) {
            (Some(size), Some(arrived)) if arrived < size => {
                let words = format!("{arrived} bytes of {size} arrived, and their hash differs");
                Finding::task(at, MismatchKind::Truncated, 0.97).says(words)
            }
            _ => {
                let (sent, arrived) = (short(hash), short(taken.told.hash_received));
                let words = format!("other bytes arrived ({arrived}) than were sent ({sent})");
                Finding::task(at, MismatchKind::Corrupted, 0.97).says(words)
            }
        }
    } else if let Some(kind) =
        [MismatchKind::Truncated, MismatchKind::Corrupted].into_iter().find(|k| handoff.declares(*k))
    {
        let side = if handoff.sent().is_some_and(|sent| sent.declares(kind)) { "sender" } else { "receiver" };
        let words = format!("the {side}'s record says that the bytes that arrived are not those that were sent");
        Finding::task(at, kind, 0.95).says(words)
    } else {
        return;
    };
    found.push(finding.shown_by(handoff.span_ids()));
}

/// As much of a hash as tells it from others: `blake3:af1349b9`.
fn short(hash: Option<&str>) -> &str {
    hash.map_or("?", |hash| hash.get(..15).unwrap_or(hash))
}
