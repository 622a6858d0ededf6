//! OTLP, the OpenTelemetry protocol (version 1), over HTTP with protobuf bodies and over gRPC.

mod config;
mod failure;
mod grpc;
mod http;
mod signal;
mod transport;

pub use config::{OtlpConfig, Protocol};
pub(super) use failure::{Failure, Retry};
pub(super) use signal::{Endpoint, Signal, SignalKind};
pub(super) use transport::Transport;
