use std::time::Duration;

use ::http::Uri;
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, RetryPolicy, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::metrics::Temporality;

use super::grpc_spans::grpc_spans;
use super::http_spans::HttpSpans;
use super::signal::SignalKind;
use super::{Attempts, OtlpTransport, Protocol, Signal, grpc, http};
use crate::telemetry::TelemetryError;

/// What carries spans. It retries what OTLP says may be retried, for as long as `budget`.
///
/// Must be called within the tokio runtime that is to drive it; does not connect yet.
pub(in crate::telemetry) fn span_transport(
    signal: &Signal,
    budget: Duration,
    attempts: &Attempts,
) -> Result<Box<dyn OtlpTransport>, TelemetryError> {
    let url = signal.url(SignalKind::Traces)?;
    Ok(match signal.protocol() {
        Protocol::Http => Box::new(HttpSpans::new(url, signal, budget, attempts)?),
        Protocol::Grpc => Box::new(grpc_spans(&url, signal, budget, attempts)?),
    })
}

/// The exporter of metrics; does not retry, for sums go on growing: what is lost now is in the next export.
///
/// Must be called within the tokio runtime that is to drive it; does not connect yet.
pub(in crate::telemetry) fn metric_exporter(
    signal: &Signal,
    budget: Duration,
    temporality: Temporality,
) -> Result<MetricExporter, TelemetryError> {
    let url = signal.url(SignalKind::Metrics)?;
    let attempts = Attempts::default();
    let builder = MetricExporter::builder().with_temporality(temporality);
    let built = match signal.protocol() {
        Protocol::Http => {
            let client = http::Client::new(&url, signal, &attempts)?;
            let builder = builder.with_http().with_http_client(client).with_retry_policy(RetryPolicy::disabled());
            builder.with_endpoint(url.to_string()).with_timeout(budget).build()
        }
        Protocol::Grpc => {
            let stamp = grpc::stamp(signal, &attempts)?;
            let builder = grpc::secured(builder.with_tonic(), &url).with_interceptor(stamp);
            let builder = builder.with_retry_policy(RetryPolicy::disabled());
            builder.with_endpoint(url.to_string()).with_timeout(budget).build()
        }
    };
    built.map_err(|error| refused(&url, error))
}

fn refused(url: &Uri, error: ExporterBuildError) -> TelemetryError {
    TelemetryError::Endpoint { url: url.to_string(), reason: error.to_string() }
}
