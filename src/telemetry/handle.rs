use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::trace::TraceId;

use super::queue::Queue;
use super::record::{Record, RecordRef};
use super::{Flushed, Sampling, Stats, TelemetryBuilder, TelemetryError};

/// Takes records of handoffs and sends them away as spans and metrics. Cloning it is cheap, and clones share all.
///
/// The default is [`Telemetry::off`], which costs a branch a call.
///
/// When the last clone is dropped, what is queued is still sent, for at most two seconds, during which the dropping
/// thread waits; a program that cares calls [`Telemetry::shutdown`] before.
///
/// ```no_run
/// use std::time::Duration;
/// use wilco::telemetry::Telemetry;
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let telemetry = Telemetry::builder().service_name("newsroom").otlp_http("http://localhost:4318").build()?;
/// // ... agents work ...
/// let end = telemetry.shutdown(Duration::from_secs(5)).await;
/// eprintln!("{} spans exported, {} dropped", end.stats.exported, end.stats.dropped.total());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Telemetry(Option<Arc<Handle>>);

#[derive(Debug)]
struct Handle {
    queue: Arc<Queue>,
    sampling: Sampling,
}

const ON_DROP: Duration = Duration::from_secs(2);

impl Telemetry {
    /// Telemetry that records nothing.
    pub const fn off() -> Self {
        Self(None)
    }

    /// Telemetry as said in code.
    pub fn builder() -> TelemetryBuilder {
        TelemetryBuilder::default()
    }

    /// Telemetry as the `OTEL_*` environment variables say ([`TelemetryBuilder::from_env`] lists them): without any of
    /// them, OTLP over HTTP to `http://localhost:4318`. Off, if they say so.
    ///
    /// # Errors
    /// As [`TelemetryBuilder::build`].
    pub fn from_env() -> Result<Self, TelemetryError> {
        Self::builder().from_env().build()
    }

    pub(super) fn on(queue: Arc<Queue>, sampling: Sampling) -> Self {
        Self(Some(Arc::new(Handle { queue, sampling })))
    }

    /// Whether anything is recorded.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Takes a record. Never blocks, waits or fails: a record for which there is no room is dropped and counted.
    ///
    /// A record that is not sampled is left out, unless it has a mismatch.
    #[inline]
    pub fn record(&self, record: Record) {
        if let Some(handle) = &self.0 {
            handle.queue.push(&record.lent());
        }
    }

    /// As [`Telemetry::record`], one after the other.
    pub fn record_all(&self, records: impl IntoIterator<Item = Record>) {
        records.into_iter().for_each(|record| self.record(record));
    }

    /// As [`Telemetry::record`], for a record that stays where it is.
    #[inline]
    pub(crate) fn record_lent(&self, record: &RecordRef<'_>) {
        if let Some(handle) = &self.0 {
            handle.queue.push(record);
        }
    }

    /// How many records there is room for now; endless when off. For who would rather not fill a record in vain.
    #[cfg(feature = "proxy")]
    pub(crate) fn room(&self) -> usize {
        self.0.as_ref().map_or(usize::MAX, |handle| handle.queue.room())
    }

    /// Sends these numbers along with the metrics, for as long as they are there.
    #[cfg(feature = "proxy")]
    pub(crate) fn send_along(&self, numbers: std::sync::Weak<dyn super::Numbers>) {
        if let Some(handle) = &self.0 {
            handle.queue.set_numbers(numbers);
        }
    }

    /// The sampled flag for a new span; `parent` is the flag of its parent, `None` for a root.
    #[inline]
    pub fn sample(&self, trace_id: TraceId, parent: Option<bool>) -> bool {
        match &self.0 {
            Some(handle) => handle.sampling.decide(trace_id, parent),
            // Nothing is recorded here, which is no reason for others not to.
            None => parent.unwrap_or(true),
        }
    }

    /// One more handoff is under way, for the metric `wilco.handoff.active`.
    #[inline]
    pub fn handoff_opened(&self) {
        if let Some(handle) = &self.0 {
            handle.queue.opened(1);
        }
    }

    /// A handoff that was under way is settled.
    #[inline]
    pub fn handoff_settled(&self) {
        if let Some(handle) = &self.0 {
            handle.queue.opened(-1);
        }
    }

    /// What became of the records so far. All zero when off.
    pub fn stats(&self) -> Stats {
        self.0.as_ref().map_or_else(Stats::default, |handle| handle.queue.stats())
    }

    /// Sends what was recorded before this call, metrics included, and waits for it, at most for `timeout`.
    ///
    /// Outside a tokio runtime with time it blocks the thread instead.
    ///
    /// # Cancel safety
    /// Safe: when dropped, the flush goes on, and nobody waits for it.
    pub async fn flush(&self, timeout: Duration) -> Flushed {
        let Some(handle) = &self.0 else { return Flushed { complete: true, stats: Stats::default() } };
        let ticket = handle.queue.ask_flush();
        handle.wait(Some(ticket), timeout).await
    }

    /// As [`Telemetry::flush`], blocking the thread.
    pub fn flush_blocking(&self, timeout: Duration) -> Flushed {
        let Some(handle) = &self.0 else { return Flushed { complete: true, stats: Stats::default() } };
        let ticket = handle.queue.ask_flush();
        handle.queue.wait(Some(ticket), timeout)
    }

    /// Sends what is queued, for at most `timeout`, then ends the exporter thread. What could not be sent in time, and
    /// whatever is recorded from now on, is dropped with reason `shutdown`. May be called again.
    ///
    /// Outside a tokio runtime with time it blocks the thread instead.
    ///
    /// # Cancel safety
    /// Safe: when dropped, the shutdown goes on, and nobody waits for it.
    pub async fn shutdown(&self, timeout: Duration) -> Flushed {
        let Some(handle) = &self.0 else { return Flushed { complete: true, stats: Stats::default() } };
        handle.ask_close(timeout);
        handle.wait(None, timeout).await
    }

    /// As [`Telemetry::shutdown`], blocking the thread.
    pub fn shutdown_blocking(&self, timeout: Duration) -> Flushed {
        let Some(handle) = &self.0 else { return Flushed { complete: true, stats: Stats::default() } };
        handle.ask_close(timeout);
        handle.queue.wait(None, timeout)
    }
}

impl Handle {
    async fn wait(&self, ticket: Option<u64>, timeout: Duration) -> Flushed {
        if tokio::runtime::Handle::try_current().is_ok() {
            self.queue.wait_async(ticket, timeout).await
        } else {
            self.queue.wait(ticket, timeout)
        }
    }

    fn ask_close(&self, timeout: Duration) {
        // The exporter stops a little before its owner does, so that the owner sees the final counters.
        let margin = (timeout / 10).min(Duration::from_millis(50));
        self.queue.ask_close(Instant::now() + (timeout - margin));
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.ask_close(ON_DROP);
        let _ = self.queue.wait(None, ON_DROP);
    }
}
