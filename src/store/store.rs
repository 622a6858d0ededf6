use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rusqlite::{Connection, OpenFlags};

use super::content::Done;
use super::query::{Answer, Query};
use super::readers::{self, Readers};
use super::request::{self, Request};
use super::stats::{self, Stats};
use super::watch::Watch;
use super::writer::Writer;
use super::{
    HandoffSummary, Part, SpansPrint, StoreError, StoreExporter, StoreOptions, WorkflowSummary, lookup, overview, row,
    schema, traffic,
};
use crate::model::{Span, Timestamp};

/// A trace store. Cloning it gives another handle to the same one; the last one that goes waits until all that was
/// taken is written.
///
/// Functions that read block for as long as the disk needs; asynchronous code calls them from
/// `tokio::task::spawn_blocking`.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    writer: Writer,
    readers: Readers,
    options: StoreOptions,
    path: Option<PathBuf>,
}

/// What became of the spans of one request: all of them are on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    /// Spans that are new.
    pub spans: u64,
    /// Spans that were there already.
    pub duplicates: u64,
}

/// What a store did since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Spans written.
    pub spans: u64,
    /// Spans that were there already.
    pub duplicates: u64,
    /// Commits.
    pub commits: u64,
    /// Requests refused because too much was waiting.
    pub refused: u64,
    /// Requests that could not be written.
    pub failed: u64,
    /// Workflows forgotten.
    pub forgotten: u64,
    /// Attributes with content of which only size and hash are kept.
    pub content_left_out: u64,
    /// Attributes with content that are kept, but not to the end.
    pub content_cut: u64,
    /// Bytes of spans that wait to be written, now.
    pub waiting_bytes: u64,
}

impl Store {
    /// Opens the file, or makes it. One with an older schema is brought up to date.
    ///
    /// # Errors
    /// [`StoreError`] says what is wrong with the file: not to be opened, damaged, of another program, of a newer wilco.
    pub fn open(path: impl AsRef<Path>, options: StoreOptions) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let mut connection = Connection::open_with_flags(path, flags).map_err(|error| schema::damage(path, error))?;
        // Another process may be at it.
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        schema::prepare(&mut connection, path)?;
        // Acknowledged means durable, also when the power goes.
        connection.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864",
        )?;
        let readers = Readers::of_file(path.to_owned());
        Self::start(connection, Some((path.to_owned(), readers)), options)
    }

    /// A store in memory, gone with its last handle.
    ///
    /// # Errors
    /// [`StoreError`] where there is no memory for it.
    pub fn in_memory(options: StoreOptions) -> Result<Self, StoreError> {
        let mut connection = Connection::open_in_memory()?;
        schema::prepare(&mut connection, Path::new(":memory:"))?;
        Self::start(connection, None, options)
    }

    fn start(
        connection: Connection,
        file: Option<(PathBuf, Readers)>,
        options: StoreOptions,
    ) -> Result<Self, StoreError> {
        readers::tune(&connection)?;
        connection.execute_batch("PRAGMA cache_size = -16384")?;
        if let Some(bytes) = options.most_bytes {
            let page: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
            let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
            let _: i64 =
                connection.query_row(&format!("PRAGMA max_page_count = {}", pages.max(1)), [], |row| row.get(0))?;
        }
        let connection = Arc::new(Mutex::new(connection));
        let (path, readers) = match file {
            Some((path, readers)) => (Some(path), readers),
            None => (None, Readers::Shared(Arc::clone(&connection))),
        };
        let writer = Writer::start(connection, &options)?;
        Ok(Self { inner: Arc::new(Inner { writer, readers, options, path }) })
    }

    /// The file, or `None` for a store in memory.
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    /// Takes spans in, and answers when they are on the disk. All or none are kept. A span that is there already (by
    /// trace and span id) is replaced only by one that ends later.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] and [`StoreError::Full`] mean that the same spans can be sent again later.
    /// [`StoreError::Unreadable`] means that they cannot.
    ///
    /// # Cancel safety
    /// The spans may or may not be kept; sending them again does no harm.
    pub async fn insert(&self, spans: Vec<Span>) -> Result<Inserted, StoreError> {
        self.insert_request(self.rows(spans)?).await
    }

    /// As [`Store::insert`], for code that may block.
    ///
    /// # Errors
    /// As for [`Store::insert`].
    pub fn insert_blocking(&self, spans: Vec<Span>) -> Result<Inserted, StoreError> {
        if spans.is_empty() {
            return Ok(Inserted::default());
        }
        let answer = self.inner.writer.submit(self.rows(spans)?)?;
        answer.blocking_recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Reads a request in OTLP/protobuf for [`Store::insert_request`]. This is the quickest way in: a span that is
    /// written as exporters do is kept as it came, without decoding it.
    ///
    /// # Errors
    /// [`StoreError::Otlp`] where it is no such request, or over one of the [limits](crate::otlp::limits).
    pub fn read(&self, request: &Bytes) -> Result<Request, StoreError> {
        request::read(request, &self.inner.options.content)
    }

    /// Takes a request in, as [`Store::insert`] does.
    ///
    /// # Errors
    /// As for [`Store::insert`].
    ///
    /// # Cancel safety
    /// As for [`Store::insert`].
    pub async fn insert_request(&self, request: Request) -> Result<Inserted, StoreError> {
        if request.is_empty() {
            return Ok(Inserted::default());
        }
        let answer = self.inner.writer.submit(request)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    fn rows(&self, spans: Vec<Span>) -> Result<Request, StoreError> {
        let mut content = Done::default();
        let rows = row::rows(spans, &self.inner.options.content, &mut content)?;
        Ok(Request::new(rows, content))
    }

    /// Takes the spans that this process makes itself, as an exporter of OpenTelemetry does.
    pub fn exporter(&self) -> StoreExporter {
        StoreExporter::new(self.clone())
    }

    /// Every span of a workflow, by start: those that name it, and those of other makers in the same traces. The id of
    /// a trace does as well. Empty where there are none.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn spans(&self, workflow: &str) -> Result<Vec<Span>, StoreError> {
        self.ask(|connection| lookup::spans(connection, workflow))
    }

    /// What tells the spans that [`Store::spans`] gives from those that it gives when something came of the workflow. Takes
    /// a fraction of the time, since nothing is decoded.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn spans_print(&self, workflow: &str) -> Result<SpansPrint, StoreError> {
        self.ask(|connection| lookup::print(connection, workflow))
    }

    /// Every span that tells of a handoff, by start. Empty where there are none.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn spans_of_handoff(&self, id: &str) -> Result<Vec<Span>, StoreError> {
        self.ask(|connection| lookup::spans_of_handoff(connection, id))
    }

    /// One workflow in a line, with its handoffs by start. `None` where no span named it.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn workflow(&self, id: &str) -> Result<Option<(WorkflowSummary, Vec<HandoffSummary>)>, StoreError> {
        self.ask(|connection| {
            let Some(summary) = lookup::workflow(connection, id)? else { return Ok(None) };
            Ok(Some((summary, lookup::handoffs_of(connection, id)?)))
        })
    }

    /// Workflows in lines, those first to which something came last; of these `limit` after the first `offset`.
    /// `mismatched_only` leaves out those without a mismatched handoff.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn workflows(
        &self,
        limit: usize,
        offset: usize,
        mismatched_only: bool,
    ) -> Result<Vec<WorkflowSummary>, StoreError> {
        self.ask(|connection| lookup::workflows(connection, limit, offset, mismatched_only))
    }

    /// As [`Store::workflows`], of those to which something came at `since` or later, by the store's own clock.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn heard_of(
        &self,
        since: Timestamp,
        limit: usize,
        offset: usize,
        mismatched_only: bool,
    ) -> Result<Vec<WorkflowSummary>, StoreError> {
        self.ask(|connection| overview::heard_of(connection, since, limit, offset, mismatched_only))
    }

    /// The workflows of these ids in lines, in this order. What is not known is left out.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn summaries(&self, ids: &[String]) -> Result<Vec<WorkflowSummary>, StoreError> {
        self.ask(|connection| overview::summaries(connection, ids))
    }

    /// How many mismatched handoffs began in each of `parts` equal parts of the time from `from` to `until`.
    ///
    /// # Errors
    /// [`StoreError::TooSlow`] where it takes longer than the store's limit.
    pub fn mismatched_over_time(
        &self,
        from: Timestamp,
        until: Timestamp,
        parts: usize,
    ) -> Result<Vec<u64>, StoreError> {
        self.ask(|connection| overview::mismatched_over_time(connection, from, until, parts))
    }

    /// When the first handoff began. `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn began(&self) -> Result<Option<Timestamp>, StoreError> {
        self.ask(overview::began)
    }

    /// The names of agents that take part in handoffs, in order; at most 500.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn agents(&self) -> Result<Vec<String>, StoreError> {
        self.ask(overview::agents)
    }

    /// One handoff in a line, by its id.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn handoff(&self, id: &str) -> Result<Option<HandoffSummary>, StoreError> {
        self.ask(|connection| lookup::handoff(connection, id))
    }

    /// The answer to a query; times such as `last 15m` end at `now`.
    ///
    /// # Errors
    /// [`StoreError::TooSlow`] where it takes longer than the store's limit.
    pub fn query(&self, query: &Query, now: Timestamp) -> Result<Answer, StoreError> {
        self.ask(|connection| query.run(connection, now))
    }

    /// Numbers per boundary, per agent and per type of decision, of the handoffs that began at `since` or later.
    ///
    /// # Errors
    /// [`StoreError::TooSlow`] where it takes longer than the store's limit.
    pub fn stats(&self, since: Timestamp) -> Result<Stats, StoreError> {
        self.stats_between(since, Timestamp::from_unix_nanos(u64::MAX))
    }

    /// As [`Store::stats`], of the handoffs that began from `from` up to `until`.
    ///
    /// # Errors
    /// [`StoreError::TooSlow`] where it takes longer than the store's limit.
    pub fn stats_between(&self, from: Timestamp, until: Timestamp) -> Result<Stats, StoreError> {
        self.ask(|connection| stats::stats(connection, from, until))
    }

    /// The handoffs of a boundary, given as (from, to) with an empty name for one that is not told, in each of `parts` equal
    /// parts of the time from `from` up to `until`.
    ///
    /// # Errors
    /// [`StoreError::TooSlow`] where it takes longer than the store's limit.
    pub fn traffic(
        &self,
        boundary: (&str, &str),
        from: Timestamp,
        until: Timestamp,
        parts: usize,
    ) -> Result<Vec<Part>, StoreError> {
        self.ask(|connection| traffic::over_time(connection, boundary, from, until, parts))
    }

    /// The mismatched handoffs of a boundary, given as (from, to), that began from `from` up to `until`: the last
    /// `limit`, last first.
    ///
    /// # Errors
    /// [`StoreError::TooSlow`] where it takes longer than the store's limit.
    pub fn mismatched(
        &self,
        boundary: (&str, &str),
        from: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<HandoffSummary>, StoreError> {
        self.ask(|connection| traffic::mismatched(connection, boundary, from, until, limit))
    }

    /// A page of all spans as an OTLP/protobuf request, in the order of their arrival: at most `most_spans` after the
    /// place `after` (0 for the first page), without those that ended before `since`. With it comes the place for the
    /// next page, and how many spans it has, which may be none on the way to those since `since`. `None` where there are no
    /// more.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn export(
        &self,
        after: i64,
        since: Timestamp,
        most_spans: usize,
    ) -> Result<Option<(Vec<u8>, i64, usize)>, StoreError> {
        let since = i64::try_from(since.unix_nanos()).unwrap_or(i64::MAX);
        self.ask(|connection| lookup::export(connection, after, since, most_spans))
    }

    /// Handoffs as they change from now on.
    pub fn watch(&self) -> Watch {
        Watch::new(self.clone(), self.inner.writer.shared().changes.subscribe())
    }

    /// What was done since the store was opened.
    pub fn counts(&self) -> Counts {
        let counts = &self.inner.writer.shared().counts;
        let get = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            spans: get(&counts.spans),
            duplicates: get(&counts.duplicates),
            commits: get(&counts.commits),
            refused: get(&counts.refused),
            failed: get(&counts.failed),
            forgotten: get(&counts.forgotten),
            content_left_out: get(&counts.content_left_out),
            content_cut: get(&counts.content_cut),
            waiting_bytes: self.inner.writer.waiting() as u64,
        }
    }

    pub(super) fn handoffs(&self, keys: &[i64]) -> Result<Vec<HandoffSummary>, StoreError> {
        self.ask(|connection| lookup::handoffs(connection, keys))
    }

    fn ask<T>(&self, question: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.inner.readers.ask(self.inner.options.answer_within, question)
    }
}
