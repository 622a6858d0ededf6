use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::SpanExporter;

use super::exporter::{self, MetricPlan, Plan, SpanPlan};
use super::intake::{Form, Intake};
use super::queue::Queue;
use super::settings::Settings;
use super::sink::MetricSink;
use super::span::SpanEncoder;
use super::{OtlpConfig, OtlpTransport, Sampling, Telemetry, TelemetryError, env, names};

/// Says what [`Telemetry`] records and where it sends it.
///
/// What is said here overrides the environment, whose variables are read only after [`TelemetryBuilder::from_env`].
#[derive(Default)]
#[must_use = "nothing is recorded before build()"]
pub struct TelemetryBuilder {
    settings: Settings,
    from_env: bool,
    session_attributes: bool,
    spans: Option<SpanPlan>,
    also_to: Option<Box<dyn OtlpTransport>>,
    metric_exporter: Option<Arc<dyn MetricSink>>,
}

impl TelemetryBuilder {
    /// Takes whatever is not said in code from the standard environment variables:
    /// `OTEL_SDK_DISABLED`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_EXPORTER` and
    /// `OTEL_METRICS_EXPORTER` (`otlp` or `none`), `OTEL_EXPORTER_OTLP_ENDPOINT`, `_HEADERS`, `_TIMEOUT` and `_PROTOCOL`
    /// (`http/protobuf` or `grpc`) and `_INSECURE` (for an endpoint of gRPC without a scheme, which is spoken to over TLS
    /// otherwise) with their `_TRACES_` and `_METRICS_` variants,
    /// `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`, `OTEL_METRIC_EXPORT_INTERVAL`, `OTEL_TRACES_SAMPLER` and
    /// `_ARG`, `OTEL_BSP_MAX_QUEUE_SIZE`, `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, `OTEL_BSP_SCHEDULE_DELAY` and
    /// `OTEL_BSP_EXPORT_TIMEOUT`.
    pub fn from_env(mut self) -> Self {
        self.from_env = true;
        self
    }

    /// Resource attribute `service.name`. Default: `unknown_service:` and the name of the program.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.settings.service_name = Some(name.into());
        self
    }

    /// Resource attribute `service.version`.
    pub fn service_version(mut self, version: impl Into<String>) -> Self {
        self.settings.service_version = Some(version.into());
        self
    }

    /// Any other resource attribute. Naming one again replaces it.
    pub fn resource_attribute(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.resource.push((key.into(), value.into()));
        self
    }

    /// Sends spans and metrics over OTLP.
    pub fn otlp(mut self, config: OtlpConfig) -> Self {
        let (traces, metrics) = config.signals();
        self.settings.traces = traces.or(self.settings.traces);
        self.settings.metrics = metrics.or(self.settings.metrics);
        self
    }

    /// Sends spans and metrics over OTLP/HTTP; `url` is the base, as in `http://localhost:4318`.
    pub fn otlp_http(self, url: impl Into<String>) -> Self {
        self.otlp(OtlpConfig::http(url))
    }

    /// Sends spans and metrics over OTLP/gRPC, as in `http://localhost:4317`.
    pub fn otlp_grpc(self, url: impl Into<String>) -> Self {
        self.otlp(OtlpConfig::grpc(url))
    }

    /// Adds a header (HTTP) or an entry of metadata (gRPC) to each OTLP request, over one of the same name from the
    /// environment.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let header = (name.into(), value.into());
        self.settings.traces.headers.push(header.clone());
        self.settings.metrics.headers.push(header);
        self
    }

    /// How long one attempt at an OTLP export may take, connecting included. Default: 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.traces.timeout = Some(timeout);
        self.settings.metrics.timeout = Some(timeout);
        self
    }

    /// How long one batch may take, all attempts included. Default: 30 s.
    pub fn export_timeout(mut self, timeout: Duration) -> Self {
        self.settings.export_timeout = Some(timeout);
        self
    }

    /// Gives spans to an exporter of one's own instead of OTLP, as the SDK has them; to encode them is its own affair
    /// ([`TelemetryBuilder::transport`] gets them encoded, which is cheaper). It is driven by a tokio runtime on the exporter's thread.
    pub fn exporter(mut self, exporter: impl SpanExporter + 'static) -> Self {
        self.spans = Some(SpanPlan::Own(Box::new(exporter)));
        self
    }

    /// Gives spans to a transport of one's own, encoded as OTLP, instead of sending them over HTTP or gRPC.
    pub fn transport(mut self, transport: impl OtlpTransport + 'static) -> Self {
        self.spans = Some(SpanPlan::Transport(Box::new(transport)));
        self
    }

    /// Gives spans to this transport as well, encoded as OTLP, before they leave for wherever else they go: to look at them
    /// in this process, say. What becomes of a batch is then told by the other one, if there is one. An exporter of one's
    /// own takes no OTLP, so that beside [`TelemetryBuilder::exporter`] this is of no effect.
    pub fn also_to(mut self, transport: impl OtlpTransport + 'static) -> Self {
        self.also_to = Some(Box::new(transport));
        self
    }

    /// Gives metrics to an exporter of one's own instead of OTLP.
    pub fn metrics_exporter(mut self, exporter: impl PushMetricExporter) -> Self {
        self.metric_exporter = Some(Arc::new(exporter));
        self
    }

    /// Sends no metrics. With OTLP they are sent unless this is called.
    pub fn without_metrics(mut self) -> Self {
        self.metric_exporter = None;
        self.settings.metrics.enabled = Some(false);
        self
    }

    /// How often metrics are sent. Default: 60 s; at least 10 ms.
    pub fn metrics_interval(mut self, interval: Duration) -> Self {
        self.settings.metrics_interval = Some(interval);
        self
    }

    /// How many records may wait or be on their way at once; more are dropped and counted. Default: 65,536; at least 1.
    ///
    /// A record takes 0.5 to 2 KiB.
    pub fn queue_capacity(mut self, records: usize) -> Self {
        self.settings.queue_capacity = Some(records);
        self
    }

    /// How many spans go into one export. Default: 512; at least 1, at most the queue's capacity.
    pub fn batch_size(mut self, spans: usize) -> Self {
        self.settings.batch_size = Some(spans);
        self
    }

    /// How long a record waits for its batch to fill. Default: 1 s, so that a live view stays live (OpenTelemetry's own
    /// default is 5 s).
    pub fn schedule_delay(mut self, delay: Duration) -> Self {
        self.settings.schedule_delay = Some(delay);
        self
    }

    /// Which traces are sampled. Default: [`Sampling::default`].
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.settings.sampling = Some(sampling);
        self
    }

    /// Whether spans also carry `session.id` and `openinference.span.kind`, by which Phoenix and MLflow group them by
    /// workflow. Default: no.
    pub fn session_attributes(mut self, on: bool) -> Self {
        self.session_attributes = on;
        self
    }

    /// Whether it was said in code where spans go.
    #[cfg(feature = "cli")]
    pub(crate) fn names_exporter(&self) -> bool {
        self.spans.is_some() || self.also_to.is_some()
    }

    /// Starts the exporter thread. Does not connect yet: an absent collector is no error.
    ///
    /// # Errors
    /// [`TelemetryError`] if no exporter was given, a setting or a variable has a value that it cannot have, or the
    /// thread cannot be started.
    pub fn build(self) -> Result<Telemetry, TelemetryError> {
        let mut settings = self.settings;
        if self.from_env {
            settings = settings.or(env::read(&|name| std::env::var(name).ok())?);
            if settings.disabled {
                return Ok(Telemetry::off());
            }
        }
        let enabled = |signal: &super::otlp::Signal| signal.enabled == Some(true);
        let spans = match self.spans {
            Some(own) => own,
            None if enabled(&settings.traces) => SpanPlan::Otlp(settings.traces.clone()),
            None => SpanPlan::Nowhere,
        };
        let (spans, also_to) = match (spans, self.also_to) {
            (SpanPlan::Nowhere, Some(only)) => (SpanPlan::Transport(only), None),
            both => both,
        };
        let metrics = match self.metric_exporter {
            Some(own) => Some(MetricPlan::Own(own)),
            None if enabled(&settings.metrics) => {
                let temporality = settings.temporality.unwrap_or(Temporality::Cumulative);
                Some(MetricPlan::Otlp(settings.metrics.clone(), temporality))
            }
            None => None,
        };
        if matches!(spans, SpanPlan::Nowhere) && metrics.is_none() {
            return if self.from_env { Ok(Telemetry::off()) } else { Err(TelemetryError::NoExporter) };
        }
        let limits = settings.limits()?;
        let resource = resource(&settings);
        let form = match spans {
            SpanPlan::Otlp(_) | SpanPlan::Transport(_) => {
                Form::Encoded(Box::new(SpanEncoder::new(&resource, self.session_attributes)))
            }
            SpanPlan::Own(_) => Form::Kept,
            SpanPlan::Nowhere => Form::None,
        };
        let intake = Intake::new(form, limits.batch, metrics.is_some());
        let queue = Arc::new(Queue::new(limits.capacity, intake));
        let sampling = settings.sampling.unwrap_or_default();
        let plan = Plan { limits, resource, spans, also_to, metrics, session_attributes: self.session_attributes };
        exporter::start(plan, Arc::clone(&queue))?;
        Ok(Telemetry::on(queue, sampling))
    }
}

impl std::fmt::Debug for TelemetryBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TelemetryBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn resource(settings: &Settings) -> Resource {
    let named = |key: &str| settings.resource.iter().any(|(name, _)| name == key);
    let mut attributes: Vec<KeyValue> = Vec::with_capacity(settings.resource.len() + 5);
    attributes.extend(settings.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())));
    if let Some(name) = &settings.service_name {
        attributes.push(KeyValue::new(names::SERVICE_NAME, name.clone()));
    } else if !named(names::SERVICE_NAME) {
        attributes.push(KeyValue::new(names::SERVICE_NAME, unknown_service()));
    }
    if let Some(version) = &settings.service_version {
        attributes.push(KeyValue::new(names::SERVICE_VERSION, version.clone()));
    }
    attributes.push(KeyValue::new("telemetry.sdk.name", "opentelemetry"));
    attributes.push(KeyValue::new("telemetry.sdk.language", "rust"));
    attributes.push(KeyValue::new("telemetry.sdk.version", opentelemetry_version()));
    Resource::builder_empty().with_schema_url(attributes, names::SCHEMA_URL).build()
}

/// What the resource conventions ask for where nobody named the service.
fn unknown_service() -> String {
    let program = std::env::current_exe().ok();
    match program.as_deref().and_then(|path| path.file_stem()).and_then(|name| name.to_str()) {
        Some(program) => format!("unknown_service:{program}"),
        None => "unknown_service".to_owned(),
    }
}

/// The SDK does not tell its version but in its own resource detector.
fn opentelemetry_version() -> opentelemetry::Value {
    use opentelemetry_sdk::resource::{ResourceDetector, TelemetryResourceDetector};
    let detected = TelemetryResourceDetector.detect();
    detected.get(&opentelemetry::Key::from_static_str("telemetry.sdk.version")).unwrap_or_else(|| "unknown".into())
}
