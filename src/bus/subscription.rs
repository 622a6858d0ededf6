use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::client::Client;

/// What one client wants to have delivered.
///
/// Its counters change only under the lock of its client's outbox; they are atomics so that they can be shared.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) client: Arc<Client>,
    pub(super) sid: Box<[u8]>,
    pub(super) subject: Box<[u8]>,
    pub(super) queue: Option<Box<[u8]>>,
    delivered: AtomicU64,
    /// After how many deliveries it ends; 0: never.
    max: AtomicU64,
    over: AtomicBool,
}

impl Subscription {
    pub(super) fn new(client: Arc<Client>, subject: &[u8], queue: Option<&[u8]>, sid: &[u8]) -> Self {
        Self {
            client,
            sid: sid.into(),
            subject: subject.into(),
            queue: queue.map(Into::into),
            delivered: AtomicU64::new(0),
            max: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Counts one delivery, and says whether it was the last.
    pub(super) fn count(&self) -> bool {
        let delivered = self.delivered.load(Ordering::Relaxed) + 1;
        self.delivered.store(delivered, Ordering::Relaxed);
        let last = delivered == self.max.load(Ordering::Relaxed);
        if last {
            self.end();
        }
        last
    }

    /// Sets after how many deliveries it ends, and says whether that is now.
    pub(super) fn limit(&self, max: u64) -> bool {
        let now = max == 0 || self.delivered.load(Ordering::Relaxed) >= max;
        if now {
            self.end();
        } else {
            self.max.store(max, Ordering::Relaxed);
        }
        now
    }
}
