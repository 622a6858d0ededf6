use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::outbox::Outbox;
use super::parting::Parting;
use super::subscription::Subscription;

/// A connection, as others see it: where to put what is for it.
///
/// Locks are held for moments, one at a time, and never while waiting.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: u64,
    outbox: Mutex<Outbox>,
    subscriptions: Mutex<HashMap<Box<[u8]>, Arc<Subscription>>>,
    /// Wakes the connection's own task: something is left to be written, or it is to end.
    pub(super) attention: Notify,
    /// Tells senders who are held back that there is room again.
    pub(super) drained: Notify,
    /// It understands headers.
    pub(super) headers: AtomicBool,
    /// It does not want its own messages.
    pub(super) no_echo: AtomicBool,
    /// It may do more than `CONNECT`.
    pub(super) admitted: AtomicBool,
    pub(super) since: Instant,
    /// Something came since the keeper last looked.
    pub(super) heard: AtomicBool,
    pub(super) unanswered_pings: AtomicU32,
}

impl Client {
    pub(super) fn new(id: u64, stream: Arc<TcpStream>, max_pending: usize, admitted: bool) -> Self {
        Self {
            id,
            outbox: Mutex::new(Outbox::new(stream, max_pending)),
            subscriptions: Mutex::default(),
            attention: Notify::new(),
            drained: Notify::new(),
            headers: AtomicBool::new(false),
            no_echo: AtomicBool::new(false),
            admitted: AtomicBool::new(admitted),
            since: Instant::now(),
            heard: AtomicBool::new(true),
            unanswered_pings: AtomicU32::new(0),
        }
    }

    pub(super) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn subscriptions(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, Arc<Subscription>>> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a line down for it, to be flushed by its own task at the end of the batch.
    pub(super) fn say(&self, line: &[u8]) {
        let mut outbox = self.outbox();
        match outbox.room(line.len()) {
            Some(room) => room.extend_from_slice(line),
            None => self.attention.notify_one(),
        }
    }

    /// Says goodbye, and lets its own task do the rest.
    pub(super) fn part(&self, parting: Parting) {
        self.outbox().part(parting);
        self.attention.notify_one();
    }

    /// Writes what the socket takes now, and leaves the rest to its own task.
    pub(super) fn flush(&self) {
        let mut outbox = self.outbox();
        outbox.flush_due = false;
        match outbox.flush() {
            Ok(true) if outbox.parting.is_none() => {}
            Ok(_) => self.attention.notify_one(),
            Err(_) => {
                outbox.discard();
                outbox.part(Parting::Gone);
                self.attention.notify_one();
            }
        }
    }

    /// Whether it is to end, or has something to write: what its own task asks when it is woken.
    pub(super) fn state(&self) -> (Option<Parting>, bool) {
        let outbox = self.outbox();
        (outbox.parting, outbox.pending() > 0)
    }

    pub(super) fn has_headers(&self) -> bool {
        self.headers.load(Ordering::Relaxed)
    }
}
