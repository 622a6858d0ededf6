//! OTLP in over HTTP and gRPC; pages and a JSON API over a store.
//!
//! | path | gives |
//! |---|---|
//! | `POST /v1/traces` | takes spans: OTLP/HTTP, protobuf or JSON, plain or gzip. Answered when they are on the disk |
//! | `/`, `/workflows/...`, `/handoffs/...`, `/agents`, `/stats` | pages for people; with `.json` behind the path, the same for programs |
//! | `/api/...` | workflows, handoffs, queries, numbers and live events as JSON: see `openapi.json`, which is served at `/api/openapi.json` |
//! | `GET /healthz`, `GET /metrics` | whether it is well, and its numbers in Prometheus' text form |
//!
//! gRPC has a port of its own and takes `opentelemetry.proto.collector.trace.v1.TraceService/Export`.

mod api;
mod attempts;
mod auth;
mod error;
mod events;
mod gate;
mod grpc;
mod metrics;
mod options;
mod otlp_http;
pub(crate) mod pages;
#[allow(clippy::module_inception, reason = "the noun that the folder is about")]
mod server;
mod session;

pub use error::ServerError;
pub use options::{ServerOptions, Token};
pub(crate) use server::Listening;
pub use server::{Addresses, Server};
