use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{broadcast, oneshot};

use super::batch::Batch;
use super::content::Done;
use super::request::Request;
use super::{Inserted, StoreError, StoreOptions, retention};
use crate::model::Timestamp;

/// The most spans of one commit, about: who waits longest waits for so many, and for the disk.
const MOST_SPANS: usize = 5_000;

/// The most requests that wait; their bytes are bounded besides.
const MOST_JOBS: usize = 4_096;

/// How long requests wait while something is forgotten, about.
const TIDY_FOR: Duration = Duration::from_millis(20);

/// Changes that nobody has looked at yet, before the oldest are passed over.
const CHANGES_KEPT: usize = 256;

/// The one thread that writes. Requests that arrive while it waits for the disk share the next commit.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    waiting_limit: usize,
}

/// What the writer and those around it share.
#[derive(Debug)]
pub(super) struct Shared {
    waiting: AtomicUsize,
    pub(super) counts: Counts,
    pub(super) changes: broadcast::Sender<Arc<[i64]>>,
    clock: SteadyClock,
}

/// What was done since the store was opened.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) spans: AtomicU64,
    pub(super) duplicates: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) forgotten: AtomicU64,
    pub(super) content_left_out: AtomicU64,
    pub(super) content_cut: AtomicU64,
}

#[derive(Debug)]
struct Job {
    request: Request,
    weight: usize,
    reply: oneshot::Sender<Result<Inserted, StoreError>>,
}

/// The clock as it was when the store was opened, and the time since: a clock that jumps meanwhile makes nothing older
/// than it is. One that was set back before goes on from the last arrival, so that new spans are the newest.
#[derive(Clone, Copy, Debug)]
struct SteadyClock {
    opened: Timestamp,
    since: Instant,
}

impl SteadyClock {
    fn now_ns(&self) -> i64 {
        i64::try_from((self.opened + self.since.elapsed()).unix_nanos()).unwrap_or(i64::MAX)
    }
}

impl Writer {
    pub(super) fn start(connection: Arc<Mutex<Connection>>, options: &StoreOptions) -> Result<Self, StoreError> {
        let (jobs, incoming) = sync_channel(MOST_JOBS);
        let last = last_arrival(&connection.lock().unwrap_or_else(PoisonError::into_inner))?;
        let shared = Arc::new(Shared {
            waiting: AtomicUsize::new(0),
            counts: Counts::default(),
            changes: broadcast::Sender::new(CHANGES_KEPT),
            clock: SteadyClock { opened: options.clock.now().max(last), since: Instant::now() },
        });
        let work = Work {
            connection,
            shared: Arc::clone(&shared),
            options: options.clone(),
            complained: None,
            over: false,
            swept: 0,
        };
        let thread = std::thread::Builder::new()
            .name("wilco-store".to_owned())
            .spawn(move || work.run(&incoming))
            .map_err(|error| StoreError::Database(format!("no thread for the writer: {error}")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), shared, waiting_limit: options.waiting_bytes })
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Bytes of spans that wait.
    pub(super) fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    /// Puts rows in line. The receiver hears when they are committed.
    pub(super) fn submit(
        &self,
        request: Request,
    ) -> Result<oneshot::Receiver<Result<Inserted, StoreError>>, StoreError> {
        let weight = request.weight();
        let waiting = self.shared.waiting.fetch_add(weight, Ordering::Relaxed);
        let overloaded = || {
            self.shared.waiting.fetch_sub(weight, Ordering::Relaxed);
            self.shared.counts.refused.fetch_add(1, Ordering::Relaxed);
            StoreError::Overloaded { waiting, limit: self.waiting_limit }
        };
        // Alone, even a request that is over the limit gets its turn.
        if waiting > 0 && waiting + weight > self.waiting_limit {
            return Err(overloaded());
        }
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        match jobs.try_send(Job { request, weight, reply }) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_)) => Err(overloaded()),
            Err(TrySendError::Disconnected(_)) => Err(StoreError::Closed),
        }
    }
}

impl Drop for Writer {
    /// Waits until all that is in line is written.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Work {
    connection: Arc<Mutex<Connection>>,
    shared: Arc<Shared>,
    options: StoreOptions,
    /// When it was last said that nothing can be written.
    complained: Option<Instant>,
    /// Whether the last commit left more in the file than is to be kept.
    over: bool,
    /// Where to go on forgetting the order of arrival.
    swept: i64,
}

impl Work {
    fn run(mut self, incoming: &Receiver<Job>) {
        let mut tidy_at = Instant::now() + self.options.tidy_every;
        loop {
            let job = match incoming.recv_timeout(tidy_at.saturating_duration_since(Instant::now())) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if let Some(job) = job {
                self.commit_group(job, incoming);
            }
            if Instant::now() >= tidy_at || self.over {
                // What is left to do is done after the next requests, so that they do not wait long.
                let more = self.tidy();
                tidy_at = Instant::now() + if more { Duration::from_millis(20) } else { self.options.tidy_every };
            }
        }
    }

    /// One commit for the first request and all that wait by then.
    fn commit_group(&mut self, first: Job, incoming: &Receiver<Job>) {
        let mut spans = first.request.len();
        let mut group = vec![first];
        while spans < MOST_SPANS
            && let Ok(job) = incoming.try_recv()
        {
            spans += job.request.len();
            group.push(job);
        }
        let outcome = self.write(&group);
        let weight: usize = group.iter().map(|job| job.weight).sum();
        let counts = &self.shared.counts;
        match outcome {
            Ok((fresh, changes)) => {
                counts.commits.fetch_add(1, Ordering::Relaxed);
                for (job, spans) in group.into_iter().zip(fresh) {
                    let inserted = Inserted { spans, duplicates: job.request.len() as u64 - spans };
                    counts.spans.fetch_add(inserted.spans, Ordering::Relaxed);
                    counts.duplicates.fetch_add(inserted.duplicates, Ordering::Relaxed);
                    self.count_content(job.request.content);
                    // Whoever asked may be gone.
                    let _ = job.reply.send(Ok(inserted));
                }
                self.complained = None;
                if !changes.is_empty() {
                    // Nobody may be watching.
                    let _ = self.shared.changes.send(changes.into());
                }
            }
            Err(error) => {
                counts.failed.fetch_add(group.len() as u64, Ordering::Relaxed);
                let error = StoreError::from(error);
                if self.complained.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
                    self.complained = Some(Instant::now());
                    tracing::error!(target: "wilco", "spans are refused: {error}");
                }
                for job in group {
                    let _ = job.reply.send(Err(again(&error)));
                }
            }
        }
        self.shared.waiting.fetch_sub(weight, Ordering::Relaxed);
    }

    /// One transaction over these requests. Gives of each how many spans are new, and the keys of the handoffs that
    /// changed.
    fn write(&mut self, group: &[Job]) -> rusqlite::Result<(Vec<u64>, Vec<i64>)> {
        let requests: Vec<&Request> = group.iter().map(|job| &job.request).collect();
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut batch = Batch::begin(&transaction, self.shared.clock.now_ns())?;
        let fresh = batch.add(&requests)?;
        let changes = batch.finish()?;
        transaction.commit()?;
        // Not only from time to time: what comes in one second may be more than all that is to be kept.
        self.over = retention::is_over(&connection, &self.options).unwrap_or(false);
        Ok((fresh, changes))
    }

    fn count_content(&self, content: Done) {
        let counts = &self.shared.counts;
        counts.content_cut.fetch_add(content.cut, Ordering::Relaxed);
        if counts.content_left_out.fetch_add(content.left_out, Ordering::Relaxed) == 0 && content.left_out > 0 {
            tracing::info!(
                target: "wilco",
                "spans came with what agents and models said: only its size and hash are kept (--keep-content keeps it)"
            );
        }
    }

    /// Forgets what is too old or too much, for a short time; whether there is more to do.
    fn tidy(&mut self) -> bool {
        let begun = Instant::now();
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        self.over = false;
        loop {
            match retention::step(&mut connection, &self.options, self.shared.clock.now_ns(), &mut self.swept) {
                Ok(step) => {
                    self.shared.counts.forgotten.fetch_add(step.workflows, Ordering::Relaxed);
                    if !step.more || begun.elapsed() > TIDY_FOR {
                        return step.more;
                    }
                }
                Err(error) => {
                    tracing::warn!(target: "wilco", "nothing could be forgotten: {error}");
                    return false;
                }
            }
        }
    }
}

fn last_arrival(connection: &Connection) -> rusqlite::Result<Timestamp> {
    let last: Option<i64> = connection.query_row("SELECT max(arrived_ns) FROM workflows", [], |row| row.get(0))?;
    Ok(Timestamp::from_unix_nanos(last.map_or(0, i64::unsigned_abs)))
}

/// One failure for each request of its group.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full => StoreError::Full,
        StoreError::Corrupt { reason } => StoreError::Corrupt { reason: reason.clone() },
        other => StoreError::Database(match other {
            StoreError::Database(why) => why.clone(),
            other => other.to_string(),
        }),
    }
}
