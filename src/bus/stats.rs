use std::sync::atomic::{AtomicU64, Ordering};

/// What a bus has done since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusStats {
    /// Connections that are open.
    pub connections: usize,
    /// Connections that there ever were, those that were refused among them.
    pub connections_total: u64,
    /// Subscriptions that there are.
    pub subscriptions: usize,
    /// Messages that clients published.
    pub messages_in: u64,
    /// Messages that were put down for subscribers; one message to three of them counts three times.
    pub messages_out: u64,
    /// Bytes of headers and payload that clients published.
    pub bytes_in: u64,
    /// Connections that were cut off because they read too slowly.
    pub slow_consumers: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) connections: AtomicU64,
    pub(super) messages_in: AtomicU64,
    pub(super) messages_out: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) slow_consumers: AtomicU64,
}

/// Adds without ordering: counters guard nothing.
pub(super) fn add(counter: &AtomicU64, value: u64) {
    counter.fetch_add(value, Ordering::Relaxed);
}

pub(super) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
