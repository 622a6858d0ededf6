use std::sync::{Arc, Weak};
use std::time::Duration;

use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Temporality};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::measure::{Between, HandoffMeasure, Measure, ProcessMeasure};
use super::names;
use super::numbers::NUMBERS;
use super::queue::Queue;
use super::settings::Limits;
use super::sink::MetricSink;
use super::stats::DropReason;
use crate::model::{AgentName, MismatchKind};

/// Counts records on the exporter thread, and sends the sums from time to time in a task of its runtime.
///
/// Dimensions are names of agents, kinds and templates; never an id or a raw subject. The SDK folds what is over 2,000
/// combinations into one, so that a peer that invents names costs no memory without bound.
#[derive(Debug)]
pub(super) struct Metrics {
    instruments: Instruments,
    reader: SharedReader,
    // Holds the pipeline that the reader reads.
    _provider: SdkMeterProvider,
    sink: Arc<dyn MetricSink>,
    interval: Duration,
    timeout: Duration,
    due: Instant,
    sending: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Instruments {
    sent: Counter<u64>,
    consumed: Counter<u64>,
    mismatches: Counter<u64>,
    operation_duration: Histogram<f64>,
    process_duration: Histogram<f64>,
    workflow_duration: Histogram<f64>,
    handoff_duration: Histogram<f64>,
    payload_size: Histogram<u64>,
    context_age: Histogram<f64>,
    quality: Histogram<f64>,
}

// As the messaging conventions ask for durations.
const MESSAGING_SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
// As the GenAI conventions ask for `gen_ai.workflow.duration`.
const WORKFLOW_SECONDS: [f64; 11] = [1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0];
// As the GenAI conventions ask for operations of agents, which wait for models; begun lower, since a bus is fast.
const HANDOFF_SECONDS: [f64; 16] =
    [0.001, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const AGE_SECONDS: [f64; 13] = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0];
const BYTES: [f64; 12] =
    [64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 67_108_864.0];
const SCORES: [f64; 10] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

impl Metrics {
    pub(super) fn new(sink: Arc<dyn MetricSink>, resource: &Resource, queue: &Arc<Queue>, limits: Limits) -> Self {
        let reader = SharedReader(Arc::new(ManualReader::builder().with_temporality(sink.temporality_boxed()).build()));
        let provider = SdkMeterProvider::builder().with_reader(reader.clone()).with_resource(resource.clone()).build();
        let scope = InstrumentationScope::builder(names::SCOPE)
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(names::SCHEMA_URL)
            .build();
        let meter = provider.meter_with_scope(scope);
        observe(&meter, queue);
        let (interval, timeout) = (limits.metrics_interval, limits.export_timeout);
        let instruments = Instruments::new(&meter);
        let due = Instant::now() + interval;
        Self { instruments, reader, _provider: provider, sink, interval, timeout, due, sending: None }
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn count(&mut self, measure: &Measure) {
        match measure {
            Measure::Handoff(handoff) => self.instruments.handoff(handoff),
            Measure::Process(process) => self.instruments.process(process),
            Measure::Workflow { name, failed, seconds } => self.instruments.workflow(name, *failed, *seconds),
            Measure::Step { agent, mismatches } => {
                let agent = agent.as_ref().map(|agent| KeyValue::new(names::GEN_AI_AGENT_NAME, agent.shared()));
                self.instruments.mismatches(mismatches, agent.as_slice());
            }
        }
    }

    /// Begins an export where one is due or wanted now, unless one is under way still.
    pub(super) fn export_if_due(&mut self, now: bool) {
        if !now && Instant::now() < self.due || self.sending.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        self.due = Instant::now() + self.interval;
        let mut metrics = ResourceMetrics::default();
        if let Err(error) = self.reader.0.collect(&mut metrics) {
            tracing::warn!(%error, "the metrics could not be collected");
            return;
        }
        let (sink, timeout) = (self.sink.clone(), self.timeout);
        self.sending = Some(tokio::spawn(async move {
            let reason = match tokio::time::timeout(timeout, sink.export_boxed(&metrics)).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {timeout:?}"),
            };
            tracing::debug!(reason, "the metrics could not be sent");
        }));
    }

    /// Waits for the export under way, no longer than a shutdown allows.
    pub(super) async fn sent(&mut self, queue: &Queue) {
        let Some(mut task) = self.sending.take() else { return };
        tokio::select! {
            _ = &mut task => {}
            () = queue.out_of_time() => task.abort(),
        }
    }

    pub(super) fn shutdown(&self) {
        if let Err(error) = self.sink.shutdown_boxed(Duration::from_millis(500)) {
            tracing::warn!(%error, "the metrics exporter did not shut down");
        }
    }
}

/// What is read only when an export is due.
fn observe(meter: &Meter, queue: &Arc<Queue>) {
    let seen = Arc::clone(queue);
    meter
        .i64_observable_up_down_counter("wilco.handoff.active")
        .with_unit("{handoff}")
        .with_description("Handoffs that are under way.")
        .with_callback(move |observer| observer.observe(seen.active(), &[]))
        .build();
    let seen = Arc::clone(queue);
    meter
        .u64_observable_counter("wilco.spans.exported")
        .with_unit("{span}")
        .with_description("Spans that the collector accepted.")
        .with_callback(move |observer| observer.observe(seen.stats().exported, &[]))
        .build();
    let seen = Arc::clone(queue);
    meter
        .u64_observable_counter("wilco.spans.dropped")
        .with_unit("{span}")
        .with_description("Spans that were lost, by reason.")
        .with_callback(move |observer| {
            let dropped = seen.stats().dropped;
            for reason in DropReason::ALL {
                observer.observe(dropped.of(reason), &[KeyValue::new("reason", reason.as_str())]);
            }
        })
        .build();
    for (name, unit, about) in NUMBERS {
        let seen = Arc::clone(queue);
        meter
            .u64_observable_counter(name)
            .with_unit(unit)
            .with_description(about)
            .with_callback(move |observer| {
                let numbers = seen.numbers().map(|numbers| numbers.of(name)).unwrap_or_default();
                for (dimension, value) in numbers {
                    let dimension = dimension.map(|(key, value)| KeyValue::new(key, value));
                    observer.observe(value, dimension.as_slice());
                }
            })
            .build();
    }
}

impl Instruments {
    fn new(meter: &Meter) -> Self {
        let seconds = |name: &'static str, about: &'static str, boundaries: &[f64]| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(about);
            histogram.with_boundaries(boundaries.to_vec()).build()
        };
        let count = |name: &'static str, unit: &'static str, about: &'static str| {
            meter.u64_counter(name).with_unit(unit).with_description(about).build()
        };
        Self {
            sent: count(
                "messaging.client.sent.messages",
                "{message}",
                "Number of messages producer attempted to send to the broker.",
            ),
            consumed: count(
                "messaging.client.consumed.messages",
                "{message}",
                "Number of messages that were delivered to the application.",
            ),
            mismatches: count("wilco.handoff.mismatches", "{mismatch}", "What did not agree about handoffs, by kind."),
            operation_duration: seconds(
                "messaging.client.operation.duration",
                "Duration of messaging operation initiated by a producer or consumer client.",
                &MESSAGING_SECONDS,
            ),
            process_duration: seconds(
                "messaging.process.duration",
                "Duration of processing operation.",
                &MESSAGING_SECONDS,
            ),
            workflow_duration: seconds("gen_ai.workflow.duration", "GenAI workflow duration.", &WORKFLOW_SECONDS),
            handoff_duration: seconds(
                "wilco.handoff.duration",
                "From sending a task until its handoff is settled.",
                &HANDOFF_SECONDS,
            ),
            payload_size: meter
                .u64_histogram("wilco.handoff.payload.size")
                .with_unit("By")
                .with_description("Size of the payloads that are handed over.")
                .with_boundaries(BYTES.to_vec())
                .build(),
            context_age: seconds(
                "wilco.handoff.context.age",
                "Age of the oldest context item of a task when it was used.",
                &AGE_SECONDS,
            ),
            quality: meter
                .f64_histogram("wilco.handoff.quality")
                .with_unit("1")
                .with_description("Quality scores of results, from 0 to 1.")
                .with_boundaries(SCORES.to_vec())
                .build(),
        }
    }

    fn handoff(&self, handoff: &HandoffMeasure) {
        let messaging = messaging("publish", "send", &handoff.between, None);
        self.sent.add(1, &messaging);
        if let Some(seconds) = handoff.operation_seconds {
            self.operation_duration.record(seconds, &messaging);
        }
        let mut boundary = boundary(&handoff.between);
        if let Some(size) = handoff.size {
            self.payload_size.record(size, &boundary);
        }
        if let Some(age_ms) = handoff.context_age_ms {
            // Clocks that disagree can make an age negative, which a histogram cannot hold.
            self.context_age.record((age_ms / 1e3).max(0.0), &boundary);
        }
        if let Some(score) = handoff.quality {
            self.quality.record(score, &boundary);
        }
        self.mismatches(&handoff.mismatches, &boundary);
        boundary.push(KeyValue::new(names::VERDICT, handoff.verdict));
        self.handoff_duration.record(handoff.seconds, &boundary);
    }

    fn process(&self, process: &ProcessMeasure) {
        let mut messaging = messaging("process", "process", &process.between, process.queue_group.as_ref());
        self.consumed.add(1, &messaging);
        if let Some(first) = process.mismatches.first() {
            messaging.push(KeyValue::new(names::ERROR_TYPE, first.as_str()));
        }
        self.process_duration.record(process.seconds, &messaging);
        self.mismatches(&process.mismatches, &boundary(&process.between));
    }

    fn workflow(&self, name: &Arc<str>, failed: bool, seconds: f64) {
        let mut about = vec![KeyValue::new(names::GEN_AI_WORKFLOW_NAME, name.clone())];
        if failed {
            about.push(KeyValue::new(names::ERROR_TYPE, "_OTHER"));
        }
        self.workflow_duration.record(seconds, &about);
    }

    fn mismatches(&self, found: &[MismatchKind], about: &[KeyValue]) {
        for kind in found {
            let mut about = about.to_vec();
            about.push(KeyValue::new("kind", kind.as_str()));
            self.mismatches.add(1, &about);
        }
    }
}

fn messaging(name: &'static str, kind: &'static str, between: &Between, group: Option<&Arc<str>>) -> Vec<KeyValue> {
    let mut about = Vec::with_capacity(8);
    about.push(KeyValue::new(names::MESSAGING_SYSTEM, "nats"));
    about.push(KeyValue::new(names::MESSAGING_OPERATION_NAME, name));
    about.push(KeyValue::new(names::MESSAGING_OPERATION_TYPE, kind));
    if let Some(template) = &between.subject_template {
        about.push(KeyValue::new(names::MESSAGING_DESTINATION_TEMPLATE, template.clone()));
    }
    if let Some(group) = group {
        about.push(KeyValue::new(names::MESSAGING_CONSUMER_GROUP, group.clone()));
    }
    if let Some(server) = &between.server {
        about.push(KeyValue::new(names::SERVER_ADDRESS, server.host.clone()));
        about.push(KeyValue::new(names::SERVER_PORT, i64::from(server.port)));
    }
    about
}

fn boundary(between: &Between) -> Vec<KeyValue> {
    let name = |key, agent: &Option<AgentName>| agent.as_ref().map(|agent| KeyValue::new(key, agent.shared()));
    let mut about = Vec::with_capacity(4);
    about.extend(name("from", &between.from));
    about.extend(name("to", &between.to));
    about
}

/// The meter provider wants a reader of its own, and the exporter thread wants to read it.
#[derive(Clone, Debug)]
struct SharedReader(Arc<ManualReader>);

impl MetricReader for SharedReader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}
