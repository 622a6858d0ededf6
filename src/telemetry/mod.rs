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
//! exporter as is. That also lets a record wait as plain data, and costs the data path no span of the SDK's.
//!
//! The exporter is a [`SpanExporter`]: the one of `opentelemetry-otlp`, or one of the user's own, which sees the same
//! data and is driven the same way. The library encodes, compresses, sends, tells what may be retried from what may
//! not, and retries. Ours is the rest: the queue before it, the time it is given (its future is dropped at the export
//! timeout, at the end of a shutdown's time, or when a batch is being retried while the queue is full), the counters
//! ([`Stats`]), and the client of OTLP/HTTP, which is reqwest's asynchronous one with rustls and `ring`. gRPC is
//! tonic's, with the same.
//!
//! All of it runs on one thread of its own, which drives a single-threaded tokio runtime. It needs no runtime of the
//! caller's, and a collector that hangs, refuses or is absent costs an agent nothing but counted drops.
//!
//! Two things are as the library has them. Spans that a collector rejects out of a batch that it takes are only logged
//! (as a warning, through `tracing`), and count as exported. And `OTEL_EXPORTER_OTLP_COMPRESSION` (`gzip` or `none`,
//! with its `_TRACES_` and `_METRICS_` variants) is always read from the environment. Headers are not: the library
//! would put those of the environment over those given in code, so that each request is given ours instead, where
//! variables count only after [`TelemetryBuilder::from_env`], and what is said in code overrides them.
//!
//! Metrics are read with the SDK's `ManualReader` by the same thread and sent from a task of the same runtime. The
//! SDK's `PeriodicReader` is not used: its thread has no tokio runtime, and its shutdown blocks.
//!
//! [`SpanData`]: opentelemetry_sdk::trace::SpanData
//! [`SpanExporter`]: opentelemetry_sdk::trace::SpanExporter

mod builder;
mod env;
mod error;
mod exporter;
mod handle;
mod metrics;
mod numbers;
mod otlp;
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
pub use error::TelemetryError;
pub use handle::Telemetry;
#[cfg(feature = "proxy")]
pub(crate) use numbers::Numbers;
pub use otlp::{OtlpConfig, Protocol};
pub use sampling::Sampling;
pub use stats::{DropReason, Dropped, Flushed, Stats};
#[cfg(feature = "store")]
pub(crate) use tls::client_config as tls_config;
