//! `missing_context`: the receiver required a context item that did not come, or came with another content.
//!
//! **Evidence.** A side declares it; what a receiver requires is on no span. **Mimics.** Bytes that were lost on the way
//! and took the item with them: then the hash says so, which weighs more. **Leads to** refusals and guesses.

use super::super::finding::Finding;
use super::super::handoff::Handoff;
use super::super::view::View;
use crate::model::MismatchKind;

pub(super) fn find(_: &View<'_, '_>, at: usize, handoff: &Handoff<'_>, found: &mut Vec<Finding>) {
    if handoff.declares(MismatchKind::MissingContext) {
        let words = "the receiver required a context item that did not come";
        found.push(Finding::task(at, MismatchKind::MissingContext, 0.88).says(words).shown_by(handoff.span_ids()));
    }
}
