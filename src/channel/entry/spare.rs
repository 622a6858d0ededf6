use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use super::{Entry, Sent, State, first_climb};
use crate::channel::handoff::Handoff;
use crate::channel::lock::lock;
use crate::model::Mismatch;

/// Entries of handoffs that are over, to be used again. Most live for less than a millisecond, and are so large that to
/// allocate and to free one costs more than to fill it.
#[derive(Debug, Default)]
pub(crate) struct Spare(Mutex<Vec<Arc<Entry>>>);

/// What is kept, some half a megabyte: as many as leave before the server's word on the first of them is there.
const MOST: usize = 512;

impl Spare {
    /// An entry for a handoff that is about to leave.
    pub(crate) fn entry(&self, sent: Sent, permit: OwnedSemaphorePermit, found: Option<Mismatch>) -> Arc<Entry> {
        let spare = lock(&self.0).pop();
        if let Some(mut entry) = spare
            && let Some(over) = Arc::get_mut(&mut entry)
        {
            over.begin(sent, permit, found);
            return entry;
        }
        Entry::new(sent, permit, found)
    }

    /// Takes entries back, but for those that somebody holds still.
    pub(crate) fn put(&self, entries: Vec<Arc<Entry>>) {
        let mut spare = lock(&self.0);
        for mut entry in entries {
            if spare.len() == MOST {
                return;
            }
            if let Some(over) = Arc::get_mut(&mut entry) {
                over.end();
                spare.push(entry);
            }
        }
    }
}

impl Entry {
    fn begin(&mut self, sent: Sent, permit: OwnedSemaphorePermit, found: Option<Mismatch>) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut climbs = std::mem::take(&mut state.climbs);
        climbs.push(first_climb(&sent));
        *state = State { climbs, found: found.into_iter().collect(), permit: Some(permit), ..State::default() };
        *self.waiting.get_mut() = 0;
        *self.handles.get_mut() = 1;
        self.sent = sent;
    }

    /// Lets go of what others could want to have freed.
    fn end(&mut self) {
        self.sent.handoff = Handoff::without_intent(bytes::Bytes::new());
        self.sent.within = None;
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut climbs = std::mem::take(&mut state.climbs);
        climbs.clear();
        *state = State { climbs, ..State::default() };
    }
}
