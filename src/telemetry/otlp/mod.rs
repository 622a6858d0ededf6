//! OTLP, the OpenTelemetry protocol (version 1), over HTTP with protobuf bodies and over gRPC. Metrics go by the
//! exporter of `opentelemetry-otlp`; spans, which come encoded, by transports of our own over the same clients.

mod attempts;
mod both;
mod compression;
mod config;
mod exporters;
mod grpc;
mod grpc_spans;
mod http;
mod http_spans;
mod signal;
mod transport;

pub(super) use attempts::Attempts;
pub(super) use both::Both;
pub use config::{OtlpConfig, Protocol};
pub(super) use exporters::{metric_exporter, span_transport};
pub(super) use signal::{Endpoint, Signal};
pub use transport::{OtlpTransport, Sending};
