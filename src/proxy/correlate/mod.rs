//! One thread joins what all sessions saw into handoffs, and gives their records to telemetry.
//!
//! ```text
//! worker: Batch --try_send--> [queue of 12] --> Ledger: join by id, by reply subject, by content --> Telemetry::record
//!           ^                                     |
//!           '---- recycled <----------------------'   Load: record fewer, where there are more than can be
//! ```
//!
//! No message waits for it: a batch for which there is no room is dropped and its records are counted.

mod counters;
mod ledger;
mod open;
mod overdue;
mod spans;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

pub(crate) use counters::{CorrelatorCounters, Counted};

use self::ledger::Ledger;
use super::observer::Rules;
use super::record::Batch;
use crate::model::Timestamp;
use crate::telemetry::{DropReason, Stats};

/// Batches that wait: for as long as the thread may have to wait for a core. What is recorded of a burst before its load
/// is known is what is in here, and all of it is open at once.
const QUEUE: usize = 12;

/// Empty batches that are kept.
const SPARE: usize = 4;

/// Records of spans for which room is kept.
const KEPT_RECORDS: usize = 256;

/// How often what is due is looked for.
const TICK: Duration = Duration::from_millis(50);

/// How long the thread sleeps where nothing is open.
const IDLE: Duration = Duration::from_secs(1);

/// How often the load is weighed.
const WEIGHED: Duration = Duration::from_millis(100);

/// Handoffs recorded in a second while a collector takes nothing and spans are being lost: enough to find out when it is
/// back, and next to no work for what nobody will see.
const PROBES: u32 = 50;

/// The thread, and the way to it.
#[derive(Debug)]
pub(crate) struct Correlator {
    outlet: Outlet,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// Takes the batches of one worker. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Outlet {
    queue: SyncSender<Message>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    counters: Arc<CorrelatorCounters>,
    spare: Mutex<Vec<Batch>>,
}

#[derive(Debug)]
enum Message {
    Batch(Batch),
    Drain(SyncSender<()>),
    Owed(oneshot::Sender<usize>),
}

impl Correlator {
    /// Starts the thread. It ends when this and all outlets are gone.
    ///
    /// # Errors
    /// If there can be no further thread.
    pub(crate) fn start(rules: Arc<Rules>) -> io::Result<Self> {
        let (queue, received) = sync_channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let run = {
            let shared = Arc::clone(&shared);
            move || {
                Run {
                    ledger: Ledger::new(Arc::clone(&rules)),
                    rules,
                    shared,
                    weighed: Instant::now(),
                    opened: 0,
                    calm: 0,
                    collector: Collector::default(),
                }
                .run(&received)
            }
        };
        let thread = std::thread::Builder::new().name("proxy-correlator".to_owned()).spawn(run)?;
        Ok(Self { outlet: Outlet { queue, shared: Arc::clone(&shared) }, shared, thread })
    }

    /// A way for one worker's batches.
    pub(crate) fn outlet(&self) -> Outlet {
        self.outlet.clone()
    }

    pub(crate) fn counters(&self) -> Arc<CorrelatorCounters> {
        Arc::clone(&self.shared.counters)
    }

    /// Handoffs of which an answer or an acknowledgement is owed, and was not seen so far. `None`: there is no time to count.
    ///
    /// # Cancel safety
    /// When dropped, nothing is lost.
    pub(crate) async fn owed_handoffs(&self) -> Option<usize> {
        let (count, counted) = oneshot::channel();
        self.outlet.queue.try_send(Message::Owed(count)).ok()?;
        counted.await.ok()
    }

    /// Settles everything with what is known, within that time. `false`: it took longer, and goes on.
    pub(crate) fn drain(&self, within: Duration) -> bool {
        let (done, is_done) = sync_channel(1);
        let until = Instant::now() + within;
        let mut message = Message::Drain(done);
        // The queue is short, and the thread empties it in milliseconds.
        while let Err(TrySendError::Full(again)) = self.outlet.queue.try_send(message) {
            if Instant::now() >= until {
                return false;
            }
            message = again;
            std::thread::sleep(Duration::from_millis(1));
        }
        is_done.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok()
    }

    /// Settles everything and ends the thread. All outlets must be gone.
    pub(crate) fn finish(self) {
        let Self { outlet, thread, .. } = self;
        drop(outlet);
        if thread.join().is_err() {
            tracing::error!("the correlator has panicked; spans were lost");
        }
    }
}

impl Outlet {
    /// Takes what is in a batch, and leaves it empty. Never waits: if there is no room, it is lost and counted.
    pub(crate) fn ship(&self, batch: &mut Batch) {
        if batch.is_empty() {
            return;
        }
        let spare = self.shared.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let full = std::mem::replace(batch, spare.unwrap_or_default());
        if let Err(TrySendError::Full(Message::Batch(lost)) | TrySendError::Disconnected(Message::Batch(lost))) =
            self.queue.try_send(Message::Batch(full))
        {
            self.shared.counters.add(Counted::QueueFull, lost.records().len() as u64);
            self.shared.recycle(lost);
        }
    }
}

impl Shared {
    fn recycle(&self, mut batch: Batch) {
        batch.clear();
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE {
            spare.push(batch);
        }
    }
}

struct Run {
    ledger: Ledger,
    rules: Arc<Rules>,
    shared: Arc<Shared>,
    weighed: Instant,
    /// Handoffs since the load was weighed.
    opened: u64,
    /// How many times in a row there was room for twice as many.
    calm: u32,
    collector: Collector,
}

/// Whether anybody takes the spans, as the numbers of telemetry say.
#[derive(Debug, Default)]
struct Collector {
    exported: u64,
    lost: u64,
    is_away: bool,
}

impl Collector {
    fn look(&mut self, stats: &Stats) {
        let lost = stats.dropped.of(DropReason::ExportFailed) + stats.dropped.of(DropReason::Timeout);
        if stats.exported > self.exported {
            self.is_away = false;
        } else if lost > self.lost {
            self.is_away = true;
        }
        (self.exported, self.lost) = (stats.exported, lost);
    }
}

impl Run {
    fn run(mut self, received: &Receiver<Message>) {
        loop {
            let wait = if self.ledger.open_count() > 0 || self.rules.load.level() > 0 { TICK } else { IDLE };
            match received.recv_timeout(wait) {
                Ok(Message::Batch(batch)) => {
                    self.ledger.take(&batch, Timestamp::now());
                    self.shared.recycle(batch);
                }
                Ok(Message::Drain(done)) => {
                    self.drain();
                    // Nobody waits any more if it took too long.
                    let _ = done.send(());
                }
                Ok(Message::Owed(count)) => {
                    // Nobody asks any more if the proxy was dropped.
                    let _ = count.send(self.ledger.owed_count());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while self.ledger.tick(Timestamp::now()) {
                self.give_away();
            }
            self.give_away();
            self.weigh();
        }
        self.drain();
    }

    fn drain(&mut self) {
        while self.ledger.drain(Timestamp::now()) {
            self.give_away();
        }
        self.give_away();
    }

    fn give_away(&mut self) {
        let records = self.ledger.records();
        if records.is_empty() {
            return;
        }
        let room = self.rules.telemetry.room();
        let lost = records.len().saturating_sub(room);
        self.shared.counters.add(Counted::Recorded, (records.len() - lost) as u64);
        self.shared.counters.add(Counted::TelemetryFull, lost as u64);
        // The oldest go; those that are lost are never given to telemetry, so that it does not count them again.
        records.truncate(room);
        self.rules.telemetry.record_all(records.drain(..));
        records.shrink_to(KEPT_RECORDS);
        if lost > 0 {
            self.rules.load.halve();
        }
    }

    /// Records fewer handoffs where there are more than can be, and more again where there is room.
    fn weigh(&mut self) {
        let (opened, evicted) = self.ledger.counts();
        self.shared.counters.add(Counted::Evicted, evicted);
        self.opened += opened;
        let most = if self.collector.is_away { PROBES } else { self.rules.handoffs_per_second };
        let most = (u64::from(most) * WEIGHED.as_millis() as u64 / 1000).max(1);
        if self.opened > most {
            self.rules.load.halve();
            self.calm = 0;
            self.begin();
        } else if self.weighed.elapsed() >= WEIGHED {
            self.calm = if self.opened < most / 3 { self.calm + 1 } else { 0 };
            if self.calm >= 10 {
                self.rules.load.double();
                self.calm = 0;
            }
            self.begin();
        }
    }

    fn begin(&mut self) {
        self.collector.look(&self.rules.telemetry.stats());
        self.weighed = Instant::now();
        self.opened = 0;
    }
}
