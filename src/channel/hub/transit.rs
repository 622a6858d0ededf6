use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Hub, InboxPart, Outgoing, PASSED_WITHIN};
use crate::channel::entry::Entry;
use crate::channel::lock::lock;
use crate::channel::timers::Timer;

/// Handoffs that left without receipts, until the server is known to have taken them.
///
/// The server answers "no responders" in the order of publishing, so a message to ourselves that comes back proves
/// that everything sent before it passed. One such marker is under way at a time, whatever the rate.
#[derive(Default)]
pub(super) struct Transit {
    waiting: VecDeque<Arc<Entry>>,
    /// How many were ever put in line.
    queued: u64,
    /// The marker under way covers the handoffs up to this number.
    pub(super) marked: Option<u64>,
}

impl Hub {
    /// Puts a handoff in line for the server's word; the message was published before.
    pub(crate) fn await_passage(&self, entry: &Arc<Entry>) {
        let mut transit = lock(&self.transit);
        transit.waiting.push_back(entry.clone());
        transit.queued += 1;
        if transit.marked.is_none() {
            self.send_marker(&mut transit);
        }
    }

    /// A marker came back: all that it covers passed.
    pub(crate) fn on_marker(&self, marked: u64) {
        let passed = {
            let mut transit = lock(&self.transit);
            if transit.marked != Some(marked) {
                return; // one that had been given up
            }
            let passed = transit.take_up_to(marked);
            if transit.waiting.is_empty() {
                transit.marked = None;
            } else {
                self.send_marker(&mut transit);
            }
            passed
        };
        let now = self.clock.now();
        // Forgotten all at once: a lock for each of them would cost more than the rest.
        let mut gone = Vec::with_capacity(passed.len());
        for entry in &passed {
            let effects = entry.on_passed(now);
            if effects.settled {
                self.on_settled(entry, effects.export);
            }
            entry.announce();
            if effects.export {
                entry.export(self);
                gone.push(entry.sent.token);
            }
        }
        let mut entries = lock(&self.entries);
        for token in gone {
            entries.remove(&token);
        }
        drop(entries);
        self.spare.put(passed);
    }

    /// No marker came back in time: the connection was lost, and with it the server's word.
    pub(crate) fn on_marker_lost(&self, marked: u64) {
        let left = {
            let mut transit = lock(&self.transit);
            if transit.marked != Some(marked) {
                return;
            }
            let left = transit.take_up_to(marked);
            transit.marked = None;
            if !transit.waiting.is_empty() {
                self.send_marker(&mut transit);
            }
            left
        };
        let now = self.clock.now();
        for entry in left {
            let effects = entry.on_not_passed(now);
            self.apply(&entry, effects);
        }
    }

    fn send_marker(&self, transit: &mut Transit) {
        transit.marked = Some(transit.queued);
        self.timers.add(Instant::now() + PASSED_WITHIN, Timer::MarkerLost(transit.queued));
        self.send_later(Outgoing {
            subject: self.inbox_subject(InboxPart::Marker, transit.queued).into(),
            reply: None,
            headers: None,
            payload: Bytes::new(),
        });
    }
}

impl Transit {
    fn take_up_to(&mut self, marked: u64) -> Vec<Arc<Entry>> {
        let first = self.queued - self.waiting.len() as u64;
        let count = usize::try_from(marked.saturating_sub(first)).unwrap_or(usize::MAX).min(self.waiting.len());
        self.waiting.drain(..count).collect()
    }
}
