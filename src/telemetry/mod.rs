//! Handoff records become spans and metrics, and leave over OTLP.
//!
//! The data path calls [`Telemetry::record`], which puts one pointer into a bounded queue and returns: it never waits,
//! never allocates more than the queue's own growth, and never fails. Everything else is done on one thread of its own:
//!
//! ```text
//! record() -> queue (bounded) -> [exporter thread: span + metrics -> protobuf -> HTTP or gRPC] -> collector
//!                 \-> dropped, counted by reason
//! ```
//!
//! Ids of spans are chosen by whoever fills a [`record::Record`] (a trace id follows from the workflow id), which a span
//! builder of the OpenTelemetry API no longer allows; so finished [`SpanData`] is built here instead, and given to the
//! exporter as is. A [`SpanExporter`] of the user's own sees the same data.
//!
//! The exporter thread drives a single-threaded tokio runtime of its own. It needs no runtime of the caller's, and a
//! collector that hangs, refuses or is absent costs an agent nothing but counted drops ([`Stats`]).
//!
//! Metrics are read with the SDK's `ManualReader` by the same thread and sent from a task of the same runtime. The
//! SDK's `PeriodicReader` is not used: its thread has no tokio runtime, and its shutdown blocks.
//!
//! OTLP itself is spoken by `opentelemetry-proto` messages over `reqwest` and `tonic`. The `opentelemetry-otlp`
//! exporter is not used, because it does not tell its caller whether a failure can be retried, nor how many spans of a
//! batch the collector rejected, and because headers in the environment override those given in code.
//!
//! [`SpanData`]: opentelemetry_sdk::trace::SpanData
//! [`SpanExporter`]: opentelemetry_sdk::trace::SpanExporter

mod builder;
mod env;
mod error;
mod exporter;
mod handle;
mod metrics;
pub(crate) mod names;
mod otlp;
mod queue;
pub mod record;
mod sampling;
mod settings;
mod sink;
mod span;
mod stats;
mod tls;

pub use builder::TelemetryBuilder;
pub use error::TelemetryError;
pub use handle::Telemetry;
pub use otlp::{OtlpConfig, Protocol};
pub use sampling::Sampling;
pub use stats::{DropReason, Dropped, Flushed, Stats};
