use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where spans go: [`SpanExporter`] in a form that can be boxed.
pub(super) trait SpanSink: fmt::Debug + Send + Sync {
    fn export_boxed(&self, spans: Vec<SpanData>) -> BoxFuture<'_, OTelSdkResult>;
    fn shutdown_boxed(&self, timeout: Duration) -> OTelSdkResult;
    fn set_resource_boxed(&mut self, resource: &Resource);
}

impl<E: SpanExporter> SpanSink for E {
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

/// Where metrics go: [`PushMetricExporter`] in a form that can be boxed.
pub(super) trait MetricSink: Send + Sync {
    fn export_boxed<'a>(&'a self, metrics: &'a ResourceMetrics) -> BoxFuture<'a, OTelSdkResult>;
    fn shutdown_boxed(&self, timeout: Duration) -> OTelSdkResult;
    fn temporality_boxed(&self) -> Temporality;
}

impl<E: PushMetricExporter> MetricSink for E {
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

impl fmt::Debug for dyn MetricSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricSink")
    }
}
