//! Handoff records become spans and metrics, and leave over OTLP.
//!
//! The data path calls [`Telemetry::record`], which writes the span into a bounded queue and returns: it never waits for
//! a collector, and never fails. Sending is done on one thread of its own:
//!
//! ```text
//! record() -> span, as protobuf -> queue (bounded) -> [exporter thread: metrics; HTTP or gRPC] -> collector
//!                                    \-> dropped, counted by reason
//! ```
//!
//! Ids of spans are chosen by whoever fills a [`record::Record`] (a trace id follows from the workflow id), which a span
//! builder of the OpenTelemetry API no longer allows; so a record is plain data, and becomes a finished span at once.
//!
//! It is written as OTLP/protobuf, into one buffer a batch, without a span of the SDK's in between: what all spans of a
//! boundary, or of a workflow, have in common is copied from the last one. The request goes to an
//! [`OtlpTransport`]: over HTTP (reqwest's asynchronous client with rustls and `ring`), over gRPC (tonic), or over
//! something of the user's own. What may be tried again, and what not, is as OTLP's specification has it. An exporter of
//! the user's own gets [`SpanData`] instead ([`TelemetryBuilder::exporter`]), made on the exporter thread, which say the same: a test compares the two,
//! as `opentelemetry-proto` reads them.
//!
//! The queue, the time an export is given (its future is dropped at the export timeout, at the end of a shutdown's time,
//! or when a batch is being retried while the queue is full) and the counters ([`Stats`]) are the same for all.
//!
//! All of it runs on one thread of its own, which drives a single-threaded tokio runtime. It needs no runtime of the
//! caller's, and a collector that hangs, refuses or is absent costs an agent nothing but counted drops.
//!
//! Two things to know. Spans that a collector rejects out of a batch that it takes are only logged (as a warning, through
//! `tracing`), and count as exported. And `OTEL_EXPORTER_OTLP_COMPRESSION` (`gzip` or `none`, with its `_TRACES_` and
//! `_METRICS_` variants) is always read from the environment, as `opentelemetry-otlp`, which sends the metrics, does. Its
//! headers are not: it would put those of the environment over those given in code, so that each request is given ours
//! instead, where variables count only after [`TelemetryBuilder::from_env`], and what is said in code overrides them.
//!
//! Metrics are read with the SDK's `ManualReader` by the same thread and sent from a task of the same runtime. The
//! SDK's `PeriodicReader` is not used: its thread has no tokio runtime, and its shutdown blocks.
//!
//! [`SpanData`]: opentelemetry_sdk::trace::SpanData

mod builder;
mod env;
mod error;
mod exporter;
mod handle;
mod intake;
mod measure;
mod metrics;
mod numbers;
mod otlp;
mod outlet;
mod queue;
pub mod record;
mod sampling;
mod settings;
mod sink;
mod span;
mod stats;
mod tls;

pub(crate) use crate::model::names;
pub use builder::TelemetryBuilder;
#[cfg(feature = "cli")]
pub(crate) use env::pair;
pub use error::TelemetryError;
pub use handle::Telemetry;
#[cfg(feature = "proxy")]
pub(crate) use numbers::Numbers;
pub use otlp::{OtlpConfig, OtlpTransport, Protocol, Sending};
pub use sampling::Sampling;
pub use stats::{DropReason, Dropped, Flushed, Stats};
pub(crate) use tls::client_config as tls_config;
