use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::intake::{Intake, Taken};
use super::numbers::Numbers;
use super::record::RecordRef;
use super::stats::{DropReason, Dropped, Flushed, Stats};

/// What the data path and the exporter thread share: what was recorded, up to a bound, and the counters.
///
/// One lock guards both, so that the counters add up at every moment. Whoever records writes the span under it, which
/// is some hundred nanoseconds; the exporter holds it only to take what there is, and is woken only when a batch is full.
#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    state: Mutex<State>,
    active: AtomicI64,
    // Weak, as who counts there may hold telemetry.
    numbers: OnceLock<Weak<dyn Numbers>>,
    wake: Notify,
    closing: Notify,
    // The exporter dealt with something: once for threads that block, once for tasks.
    progress: Condvar,
    progress_async: Notify,
}

#[derive(Debug)]
struct State {
    intake: Intake,
    in_flight: u64,
    recorded: u64,
    exported: u64,
    sampled_out: u64,
    dropped: Dropped,
    // Flushes are numbered; the exporter reports up to which one it has dealt with everything.
    flush_asked: u64,
    flush_done: u64,
    close_by: Option<Instant>,
    closed: bool,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settled {
    pub(super) exported: u64,
    pub(super) dropped: Option<(DropReason, u64)>,
}

impl Queue {
    pub(super) fn new(capacity: usize, intake: Intake) -> Self {
        Self {
            capacity,
            state: Mutex::new(State::new(intake)),
            active: AtomicI64::new(0),
            numbers: OnceLock::new(),
            wake: Notify::new(),
            closing: Notify::new(),
            progress: Condvar::new(),
            progress_async: Notify::new(),
        }
    }

    /// Takes in what is to be known of a record.
    pub(super) fn push(&self, record: &RecordRef<'_>) {
        let mut state = self.lock();
        let had_batch = state.intake.has_batch();
        state.push(record, self.capacity);
        let wakes = !had_batch && state.intake.has_batch();
        drop(state);
        if wakes {
            self.wake.notify_one();
        }
    }

    #[cfg(feature = "proxy")]
    pub(super) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.lock().queued() as usize)
    }

    pub(super) fn opened(&self, n: i64) {
        self.active.fetch_add(n, Ordering::Relaxed);
    }

    /// Whose numbers are sent along, if anybody's.
    pub(super) fn numbers(&self) -> Option<std::sync::Arc<dyn Numbers>> {
        self.numbers.get().and_then(Weak::upgrade)
    }

    #[cfg(feature = "proxy")]
    pub(super) fn set_numbers(&self, numbers: Weak<dyn Numbers>) {
        // The first stays: two proxies of one process share the telemetry, and a sum of both is nobody's.
        let _ = self.numbers.set(numbers);
    }

    pub(super) fn active(&self) -> i64 {
        self.active.load(Ordering::Relaxed)
    }

    pub(super) fn stats(&self) -> Stats {
        self.lock().stats()
    }
}

/// The exporter's side.
impl Queue {
    /// Returns when a batch is full, a flush or the shutdown is asked for, or at `tick`.
    pub(super) async fn due(&self, tick: tokio::time::Instant) {
        let _ = tokio::time::timeout_at(tick, self.wake.notified()).await;
    }

    /// Takes all that waits into `taken`, which is empty, and says which flush it belongs to.
    pub(super) fn take(&self, taken: &mut Taken) -> u64 {
        let mut state = self.lock();
        state.in_flight += state.intake.spans() as u64;
        state.intake.take(taken);
        state.flush_asked
    }

    /// Gives a buffer back that is done with.
    pub(super) fn reuse(&self, room: Vec<u8>) {
        self.lock().intake.reuse(room);
    }

    pub(super) fn has_batch(&self) -> bool {
        let state = self.lock();
        state.intake.has_batch() || state.flush_asked > state.flush_done || state.close_by.is_some()
    }

    pub(super) fn flush_is_asked(&self) -> bool {
        let state = self.lock();
        state.flush_asked > state.flush_done
    }

    pub(super) fn is_full(&self) -> bool {
        self.lock().queued() >= self.capacity as u64
    }

    pub(super) fn settle(&self, settled: Settled) {
        let (reason, dropped) = settled.dropped.unwrap_or((DropReason::ExportFailed, 0));
        let mut state = self.lock();
        state.exported += settled.exported;
        state.dropped.add(reason, dropped);
        state.in_flight -= settled.exported + dropped;
    }

    pub(super) fn flushed(&self, ticket: u64) {
        self.lock().flush_done = ticket;
        self.announce();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.lock().close_by.is_some()
    }

    pub(super) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.in_flight == 0 && state.intake.is_empty()
    }

    pub(super) fn is_out_of_time(&self) -> bool {
        self.lock().close_by.is_some_and(|by| by <= Instant::now())
    }

    /// Returns once a shutdown has run out of time; never without a shutdown.
    pub(super) async fn out_of_time(&self) {
        loop {
            let changed = self.closing.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let close_by = self.lock().close_by;
            match close_by {
                // A second shutdown may be in more of a hurry than the first.
                Some(by) => tokio::select! {
                    () = tokio::time::sleep_until(by.into()) => return,
                    () = changed => {}
                },
                None => changed.await,
            }
        }
    }

    /// The exporter ends; what is left is counted as lost.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        let lost = state.queued();
        state.intake.take(&mut Taken::default());
        state.dropped.shutdown += lost;
        state.in_flight = 0;
        state.close_by.get_or_insert_with(Instant::now);
        state.closed = true;
        drop(state);
        self.announce();
    }

    fn announce(&self) {
        self.progress.notify_all();
        self.progress_async.notify_waiters();
    }
}

/// The owner's side.
impl Queue {
    pub(super) fn ask_flush(&self) -> u64 {
        let mut state = self.lock();
        state.flush_asked += 1;
        let ticket = state.flush_asked;
        drop(state);
        self.wake.notify_one();
        ticket
    }

    pub(super) fn ask_close(&self, by: Instant) {
        let mut state = self.lock();
        state.close_by = Some(state.close_by.map_or(by, |sooner| sooner.min(by)));
        drop(state);
        self.closing.notify_waiters();
        self.wake.notify_one();
    }

    /// Waits until flush `ticket` is done, or without one until the exporter has ended.
    pub(super) fn wait(&self, ticket: Option<u64>, timeout: Duration) -> Flushed {
        let state = self.lock();
        let waited = self.progress.wait_timeout_while(state, timeout, |state| !state.is_done(ticket));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        Flushed { complete: state.is_done(ticket) && !state.was_cut(ticket), stats: state.stats() }
    }

    pub(super) async fn wait_async(&self, ticket: Option<u64>, timeout: Duration) -> Flushed {
        let by = tokio::time::Instant::now() + timeout;
        loop {
            let progress = self.progress_async.notified();
            tokio::pin!(progress);
            progress.as_mut().enable();
            let (done, answer) = {
                let state = self.lock();
                let done = state.is_done(ticket);
                (done, Flushed { complete: done && !state.was_cut(ticket), stats: state.stats() })
            };
            if done || tokio::time::Instant::now() >= by {
                return answer;
            }
            let _ = tokio::time::timeout_at(by, progress).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the counters stay sound even so.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(intake: Intake) -> Self {
        Self {
            intake,
            in_flight: 0,
            recorded: 0,
            exported: 0,
            sampled_out: 0,
            dropped: Dropped::default(),
            flush_asked: 0,
            flush_done: 0,
            close_by: None,
            closed: false,
        }
    }

    fn push(&mut self, record: &RecordRef<'_>, capacity: usize) {
        self.recorded += 1;
        let wanted = self.intake.wants(record);
        if self.close_by.is_some() {
            self.dropped.shutdown += 1;
        } else if (wanted && self.queued() >= capacity as u64) || self.intake.measures() >= capacity {
            self.dropped.queue_full += 1;
        } else {
            self.intake.measure(record);
            if wanted {
                self.intake.add(record);
            } else {
                self.sampled_out += 1;
            }
        }
    }

    fn queued(&self) -> u64 {
        self.intake.spans() as u64 + self.in_flight
    }

    fn is_done(&self, ticket: Option<u64>) -> bool {
        self.closed || ticket.is_some_and(|ticket| self.flush_done >= ticket)
    }

    /// A shutdown that had to give up on records was not complete, nor was a flush that it overtook.
    fn was_cut(&self, ticket: Option<u64>) -> bool {
        match ticket {
            Some(ticket) => self.flush_done < ticket && self.dropped.shutdown > 0,
            None => self.dropped.shutdown > 0,
        }
    }

    fn stats(&self) -> Stats {
        Stats {
            recorded: self.recorded,
            exported: self.exported,
            dropped: self.dropped,
            sampled_out: self.sampled_out,
            queued: self.queued(),
        }
    }
}
