use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use tokio::time::Instant;

use super::TelemetryError;
use super::metrics::Metrics;
use super::otlp::{Failure, Retry, Signal, SignalKind, Transport};
use super::queue::{Queue, Settled};
use super::record::Record;
use super::settings::Limits;
use super::sink::{MetricSink, OwnMetrics, OwnSpans, SpanSink};
use super::span::SpanBuilder;
use super::stats::DropReason;

/// What the exporter thread is given to begin with.
pub(super) struct Plan {
    pub(super) limits: Limits,
    pub(super) resource: Resource,
    pub(super) spans: SpanPlan,
    pub(super) metrics: Option<MetricPlan>,
    pub(super) session_attributes: bool,
}

pub(super) enum SpanPlan {
    Otlp(Signal),
    Own(Box<dyn OwnSpans>),
    Nowhere,
}

pub(super) enum MetricPlan {
    Otlp(Signal, opentelemetry_sdk::metrics::Temporality),
    Own(Arc<dyn OwnMetrics>),
}

/// Turns records into spans and metrics and sends them, on a thread and a runtime of its own.
struct Exporter {
    queue: Arc<Queue>,
    limits: Limits,
    spans: SpanSink,
    builder: SpanBuilder,
    metrics: Option<Metrics>,
    failing: bool,
}

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

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
        let resource = plan.resource;
        let spans = match plan.spans {
            SpanPlan::Otlp(signal) => SpanSink::otlp(Transport::new(&signal, SignalKind::Traces)?, &resource),
            SpanPlan::Own(mut own) => {
                own.set_resource_boxed(&resource);
                SpanSink::Own(own)
            }
            SpanPlan::Nowhere => SpanSink::Nowhere,
        };
        let metrics = match plan.metrics {
            Some(MetricPlan::Otlp(signal, temporality)) => {
                Some(MetricSink::Otlp(Transport::new(&signal, SignalKind::Metrics)?, temporality))
            }
            Some(MetricPlan::Own(own)) => Some(MetricSink::Own(own)),
            None => None,
        };
        let metrics = metrics.map(|sink| Metrics::new(sink, &resource, &queue, plan.limits));
        let builder = SpanBuilder::new(plan.session_attributes);
        Ok(Self { queue, limits: plan.limits, spans, builder, metrics, failing: false })
    }

    async fn run(mut self) {
        let mut records = Vec::new();
        while !(self.queue.is_closing() && self.queue.is_idle()) {
            if !self.queue.has_batch() {
                let metrics_due = self.metrics.as_ref().map(Metrics::due);
                let tick = Instant::now() + self.limits.delay;
                self.queue.due(metrics_due.map_or(tick, |due| due.min(tick))).await;
            }
            let flush = self.queue.flush_is_asked();
            let ticket = self.queue.take(&mut records);
            self.export_all(&mut records).await;
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
        self.spans.shutdown(Duration::from_millis(500));
    }

    async fn export_all(&mut self, records: &mut Vec<Record>) {
        let mut left = records.drain(..);
        loop {
            if self.queue.is_out_of_time() {
                let lost = left.len() as u64;
                self.queue.settle(Settled { dropped: Some((DropReason::Shutdown, lost)), ..Settled::default() });
                return;
            }
            let mut sampled_out = 0;
            let mut spans = Vec::with_capacity(left.len().min(self.limits.batch));
            for record in left.by_ref().take(self.limits.batch) {
                if let Some(metrics) = &mut self.metrics {
                    metrics.count(&record);
                }
                if record.is_due() && !matches!(self.spans, SpanSink::Nowhere) {
                    spans.push(self.builder.span(record));
                } else {
                    sampled_out += 1;
                }
            }
            if spans.is_empty() && sampled_out == 0 {
                return;
            }
            self.queue.settle(Settled { sampled_out, ..Settled::default() });
            if !spans.is_empty() {
                let settled = send(&self.queue, &self.spans, self.limits, spans, &mut self.failing).await;
                self.queue.settle(settled);
            }
        }
    }
}

/// Sends a batch, again and again while there is reason to hope, time and room in the queue.
async fn send(queue: &Queue, sink: &SpanSink, limits: Limits, spans: Vec<SpanData>, failing: &mut bool) -> Settled {
    let count = spans.len() as u64;
    let give_up = Instant::now() + limits.export_timeout;
    // Time that runs out between two refusals is the refusals' fault.
    let mut last = None;
    let attempts = async {
        let mut batch = sink.prepare(spans);
        let mut delay = FIRST_DELAY;
        loop {
            let failure = match sink.send(&mut batch).await {
                Ok(rejected) => return Ok(rejected.min(count)),
                Err(failure) => failure,
            };
            let retry = failure.retry;
            last = Some(failure);
            let wait = match retry {
                Retry::Never => return Err(()),
                // Spread, so that many processes do not come back to a collector at the same moment.
                Retry::Later => delay.mul_f64(0.5 + fastrand::f64() / 2.0),
                Retry::After(wait) => wait.max(delay),
            };
            // A batch that cannot be sent must not cost those that wait behind it.
            if queue.is_full() || Instant::now() + wait >= give_up {
                return Err(());
            }
            tokio::time::sleep(wait).await;
            delay = (delay * 2).min(LONGEST_DELAY);
        }
    };
    let result = tokio::select! {
        biased;
        () = queue.out_of_time() => {
            return Settled { dropped: Some((DropReason::Shutdown, count)), ..Settled::default() };
        }
        result = tokio::time::timeout_at(give_up, attempts) => result,
    };
    if let Ok(Ok(rejected)) = result {
        *failing = false;
        let dropped = (rejected > 0).then_some((DropReason::ExportFailed, rejected));
        return Settled { exported: count - rejected, dropped, ..Settled::default() };
    }
    let failure = last.unwrap_or_else(|| Failure::timed_out(limits.export_timeout));
    let reason = if failure.timed_out { DropReason::Timeout } else { DropReason::ExportFailed };
    let message = failure.message;
    // Once an outage: a log line a batch would only add to the trouble.
    if !std::mem::replace(failing, true) {
        tracing::warn!(%reason, message, spans = count, "spans are being dropped");
    }
    Settled { dropped: Some((reason, count)), ..Settled::default() }
}
