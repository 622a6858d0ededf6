//! OTLP, the OpenTelemetry protocol (version 1), over HTTP with protobuf bodies and over gRPC, by the exporters of
//! `opentelemetry-otlp`. Ours is what is said of them: where to, with what, and for how long.

mod attempts;
mod config;
mod exporters;
mod grpc;
mod http;
mod signal;

pub(super) use attempts::Attempts;
pub use config::{OtlpConfig, Protocol};
pub(super) use exporters::{metric_exporter, span_exporter};
pub(super) use signal::{Endpoint, Signal};
