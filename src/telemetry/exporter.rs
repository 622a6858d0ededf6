use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use tokio::time::Instant;

use super::TelemetryError;
use super::intake::{Load, Taken};
use super::metrics::Metrics;
use super::otlp::{Attempts, Both, OtlpTransport, Signal, metric_exporter, span_transport};
use super::outlet::Outlet;
use super::queue::{Queue, Settled};
use super::settings::Limits;
use super::sink::{MetricSink, SpanSink};
use super::stats::DropReason;

/// What the exporter thread is given to begin with.
pub(super) struct Plan {
    pub(super) limits: Limits,
    pub(super) resource: Resource,
    pub(super) spans: SpanPlan,
    /// Who gets each batch as well.
    pub(super) also_to: Option<Box<dyn OtlpTransport>>,
    pub(super) metrics: Option<MetricPlan>,
    pub(super) session_attributes: bool,
}

pub(super) enum SpanPlan {
    Otlp(Signal),
    Transport(Box<dyn OtlpTransport>),
    Own(Box<dyn SpanSink>),
    Nowhere,
}

pub(super) enum MetricPlan {
    Otlp(Signal, opentelemetry_sdk::metrics::Temporality),
    Own(Arc<dyn MetricSink>),
}

/// Sends spans and metrics, on a thread and a runtime of its own.
struct Exporter {
    queue: Arc<Queue>,
    limits: Limits,
    // `None` where only metrics are wanted.
    spans: Option<Outlet>,
    attempts: Attempts,
    metrics: Option<Metrics>,
    failing: bool,
}

// How often a batch under way is asked whether it still may be retried.
const GLANCE: Duration = Duration::from_millis(50);
// The runtime's timers are this coarse, with room for a busy machine.
const TICK: Duration = Duration::from_millis(5);
const SINK_SHUTDOWN: Duration = Duration::from_millis(500);

/// Starts the thread. Returns once the exporters are set up, or could not be.
pub(super) fn start(plan: Plan, queue: Arc<Queue>) -> Result<(), TelemetryError> {
    let (ready, set_up) = mpsc::sync_channel(1);
    thread::Builder::new().name("wilco-telemetry".to_owned()).spawn(move || {
        // Clients of both transports must be made within the runtime that is to drive them.
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(error.into()))),
        };
        let _closer = CloseOnExit(Arc::clone(&queue));
        runtime.block_on(async {
            match Exporter::new(plan, queue) {
                Ok(exporter) => {
                    let _ = ready.send(Ok(()));
                    exporter.run().await;
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
        // A name lookup that hangs must not hold the end of the thread up.
        runtime.shutdown_background();
    })?;
    set_up.recv().unwrap_or_else(|_| Err(io::Error::other("it ended while it was being set up").into()))
}

/// Closes the queue however the thread ends: an exporter of the user's own may panic.
struct CloseOnExit(Arc<Queue>);

impl Drop for CloseOnExit {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Exporter {
    fn new(plan: Plan, queue: Arc<Queue>) -> Result<Self, TelemetryError> {
        let (limits, resource) = (plan.limits, plan.resource);
        let attempts = Attempts::default();
        let session = plan.session_attributes;
        let spans = match plan.spans {
            SpanPlan::Otlp(signal) => {
                let transport = span_transport(&signal, limits.export_timeout, &attempts)?;
                Some(Outlet::transport(Both::of(plan.also_to, transport), &resource))
            }
            SpanPlan::Transport(own) => Some(Outlet::transport(Both::of(plan.also_to, own), &resource)),
            SpanPlan::Own(own) => Some(Outlet::sink(own, &resource, session)),
            SpanPlan::Nowhere => None,
        };
        let metrics: Option<Arc<dyn MetricSink>> = match plan.metrics {
            Some(MetricPlan::Otlp(signal, temporality)) => {
                Some(Arc::new(metric_exporter(&signal, limits.export_timeout, temporality)?))
            }
            Some(MetricPlan::Own(own)) => Some(own),
            None => None,
        };
        let metrics = metrics.map(|sink| Metrics::new(sink, &resource, &queue, limits));
        Ok(Self { queue, limits, spans, attempts, metrics, failing: false })
    }

    async fn run(mut self) {
        let mut taken = Taken::default();
        while !(self.queue.is_closing() && self.queue.is_idle()) {
            if !self.queue.has_batch() {
                let metrics_due = self.metrics.as_ref().map(Metrics::due);
                let tick = Instant::now() + self.limits.delay;
                self.queue.due(metrics_due.map_or(tick, |due| due.min(tick))).await;
            }
            let flush = self.queue.flush_is_asked();
            let ticket = self.queue.take(&mut taken);
            if let Some(metrics) = &mut self.metrics {
                taken.measures.drain(..).for_each(|measure| metrics.count(&measure));
                // While spans could not be sent, more of them came than one batch.
                taken.measures.shrink_to(self.limits.batch);
            }
            self.export_all(&mut taken.loads).await;
            if let Some(metrics) = &mut self.metrics {
                metrics.export_if_due(flush);
                if flush {
                    metrics.sent(&self.queue).await;
                }
            }
            if flush {
                self.queue.flushed(ticket);
            }
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.sent(&self.queue).await;
            metrics.export_if_due(true);
            metrics.sent(&self.queue).await;
            metrics.shutdown();
        }
        if let Some(spans) = &self.spans
            && let Err(error) = spans.shut_down(SINK_SHUTDOWN)
        {
            tracing::warn!(%error, "the span exporter did not shut down");
        }
    }

    async fn export_all(&mut self, loads: &mut Vec<Load>) {
        for load in loads.drain(..) {
            let settled = if self.queue.is_out_of_time() {
                Settled { dropped: Some((DropReason::Shutdown, load.spans as u64)), ..Settled::default() }
            } else {
                self.send(load).await
            };
            self.queue.settle(settled);
        }
    }

    /// Sends the spans of a load. It retries; how long it may go on is decided here, by dropping its future.
    async fn send(&mut self, load: Load) -> Settled {
        let count = load.spans as u64;
        let Some(spans) = &mut self.spans else { return Settled { exported: count, ..Settled::default() } };
        let timeout = self.limits.export_timeout;
        let begun = Instant::now();
        self.attempts.restart();
        let result = tokio::select! {
            biased;
            () = self.queue.out_of_time() => {
                return Settled { dropped: Some((DropReason::Shutdown, count)), ..Settled::default() };
            }
            (result, room) = spans.send(load) => {
                room.into_iter().for_each(|room| self.queue.reuse(room));
                result
            }
            () = tokio::time::sleep_until(begun + timeout) => Err(OTelSdkError::Timeout(timeout)),
            () = overtaken(&self.queue, &self.attempts) => {
                Err(OTelSdkError::InternalFailure("the queue is full, so it was not tried again".to_owned()))
            }
        };
        let Err(error) = result else {
            self.failing = false;
            return Settled { exported: count, ..Settled::default() };
        };
        let out_of_time = matches!(error, OTelSdkError::Timeout(_)) || begun.elapsed() + TICK >= timeout;
        // A last attempt that had hardly any time is not to blame, but those before it, and they were refused.
        let refused = self.attempts.is_retrying() && self.attempts.last_is_younger_than(timeout / 10);
        let reason = if out_of_time && !refused { DropReason::Timeout } else { DropReason::ExportFailed };
        // Once an outage: a log line a batch would only add to the trouble.
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(%reason, %error, spans = count, "spans are being dropped");
        }
        Settled { dropped: Some((reason, count)), ..Settled::default() }
    }
}

/// Returns once a batch is being sent again while the queue is full: a batch that cannot be sent must not cost those
/// that wait behind it.
async fn overtaken(queue: &Queue, attempts: &Attempts) {
    loop {
        tokio::time::sleep(GLANCE).await;
        if attempts.is_retrying() && queue.is_full() {
            return;
        }
    }
}
