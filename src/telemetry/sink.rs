use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use prost::Message;

use super::otlp::{Failure, Retry, Transport};

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where spans go.
#[derive(Debug)]
pub(super) enum SpanSink {
    Otlp {
        transport: Transport,
        resource: Box<ResourceAttributesWithSchema>,
    },
    Own(Box<dyn OwnSpans>),
    /// Nowhere; only metrics are wanted.
    Nowhere,
}

/// A batch in the form in which its sink takes it; cheap to send again where a sink allows that.
#[derive(Debug)]
pub(super) enum Batch {
    Encoded(Bytes),
    Spans(Vec<SpanData>),
}

impl SpanSink {
    pub(super) fn otlp(transport: Transport, resource: &Resource) -> Self {
        Self::Otlp { transport, resource: Box::new(resource.into()) }
    }

    pub(super) fn prepare(&self, spans: Vec<SpanData>) -> Batch {
        match self {
            Self::Otlp { resource, .. } => {
                let resource_spans = group_spans_by_resource_and_scope(spans, resource);
                Batch::Encoded(ExportTraceServiceRequest { resource_spans }.encode_to_vec().into())
            }
            Self::Own(_) | Self::Nowhere => Batch::Spans(spans),
        }
    }

    /// One attempt. Says how many spans were rejected although the rest was taken.
    pub(super) async fn send(&self, batch: &mut Batch) -> Result<u64, Failure> {
        match (self, batch) {
            (Self::Otlp { transport, .. }, Batch::Encoded(body)) => transport.post(body.clone()).await.map(rejected),
            (Self::Own(own), Batch::Spans(spans)) => {
                // Retries are the business of such an exporter itself, as its trait says.
                own.export_boxed(std::mem::take(spans)).await.map(|()| 0).map_err(own_failure)
            }
            _ => Ok(0),
        }
    }

    pub(super) fn shutdown(&self, timeout: Duration) {
        if let Self::Own(own) = self
            && let Err(error) = own.shutdown_boxed(timeout)
        {
            tracing::warn!(%error, "the span exporter did not shut down");
        }
    }
}

fn rejected(answer: Bytes) -> u64 {
    // An answer that is no OTLP message comes from a collector that took the batch all the same: its status said so.
    let partial = ExportTraceServiceResponse::decode(answer).ok().and_then(|answer| answer.partial_success);
    let Some(partial) = partial else { return 0 };
    if partial.rejected_spans > 0 {
        tracing::warn!(
            rejected = partial.rejected_spans,
            reason = partial.error_message,
            "the collector rejected spans"
        );
    }
    u64::try_from(partial.rejected_spans).unwrap_or(0)
}

fn own_failure(error: OTelSdkError) -> Failure {
    let timed_out = matches!(error, OTelSdkError::Timeout(_));
    Failure { timed_out, ..Failure::new(Retry::Never, error.to_string()) }
}

/// Where metrics go.
#[derive(Clone)]
pub(super) enum MetricSink {
    Otlp(Transport, Temporality),
    Own(Arc<dyn OwnMetrics>),
}

impl MetricSink {
    pub(super) fn temporality(&self) -> Temporality {
        match self {
            Self::Otlp(_, temporality) => *temporality,
            Self::Own(own) => own.temporality_boxed(),
        }
    }

    pub(super) async fn send(&self, metrics: ResourceMetrics) -> Result<(), Failure> {
        match self {
            Self::Otlp(transport, _) => {
                let body = ExportMetricsServiceRequest::from(&metrics).encode_to_vec();
                transport.post(body.into()).await.map(drop)
            }
            Self::Own(own) => own.export_boxed(&metrics).await.map_err(own_failure),
        }
    }

    pub(super) fn shutdown(&self, timeout: Duration) {
        if let Self::Own(own) = self
            && let Err(error) = own.shutdown_boxed(timeout)
        {
            tracing::warn!(%error, "the metrics exporter did not shut down");
        }
    }
}

impl fmt::Debug for MetricSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Otlp(transport, _) => f.debug_tuple("Otlp").field(transport).finish(),
            Self::Own(_) => f.write_str("Own"),
        }
    }
}

/// [`SpanExporter`] in a form that can be boxed.
pub(super) trait OwnSpans: fmt::Debug + Send + Sync {
    fn export_boxed(&self, spans: Vec<SpanData>) -> BoxFuture<'_, OTelSdkResult>;
    fn shutdown_boxed(&self, timeout: Duration) -> OTelSdkResult;
    fn set_resource_boxed(&mut self, resource: &Resource);
}

impl<E: SpanExporter> OwnSpans for E {
    fn export_boxed(&self, spans: Vec<SpanData>) -> BoxFuture<'_, OTelSdkResult> {
        Box::pin(self.export(spans))
    }

    fn shutdown_boxed(&self, timeout: Duration) -> OTelSdkResult {
        self.shutdown_with_timeout(timeout)
    }

    fn set_resource_boxed(&mut self, resource: &Resource) {
        self.set_resource(resource);
    }
}

/// [`PushMetricExporter`] in a form that can be boxed.
pub(super) trait OwnMetrics: Send + Sync {
    fn export_boxed<'a>(&'a self, metrics: &'a ResourceMetrics) -> BoxFuture<'a, OTelSdkResult>;
    fn shutdown_boxed(&self, timeout: Duration) -> OTelSdkResult;
    fn temporality_boxed(&self) -> Temporality;
}

impl<E: PushMetricExporter> OwnMetrics for E {
    fn export_boxed<'a>(&'a self, metrics: &'a ResourceMetrics) -> BoxFuture<'a, OTelSdkResult> {
        Box::pin(self.export(metrics))
    }

    fn shutdown_boxed(&self, timeout: Duration) -> OTelSdkResult {
        self.shutdown_with_timeout(timeout)
    }

    fn temporality_boxed(&self) -> Temporality {
        self.temporality()
    }
}
