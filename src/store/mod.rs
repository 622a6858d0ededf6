//! Spans of any origin in SQLite: one file, or memory. What is acknowledged is on the disk.
//!
//! A [`Store`] keeps every span whole, joins the two sides of each handoff by its id in whatever order they arrive, and
//! groups by workflow. One thread writes; requests that come while it waits for the disk share the next commit.
//! [`Store::query`] understands a small language, see [`query`].

mod arrivals;
mod batch;
mod body;
mod content;
mod error;
mod exporter;
mod fields;
mod functions;
mod handoff_row;
mod lookup;
mod migrate;
mod options;
mod overview;
mod pack;
pub mod query;
mod readers;
mod request;
mod retention;
mod row;
#[cfg(test)]
mod samples;
mod scan;
mod schema;
mod span_key;
mod stats;
#[allow(clippy::module_inception, reason = "the noun that the folder is about")]
mod store;
mod summary;
mod traffic;
mod watch;
mod words;
mod workflow_row;
mod writer;

pub use content::{DEFAULT_CONTENT_BYTES, Redact};
pub use error::StoreError;
pub use exporter::StoreExporter;
pub use lookup::SpansPrint;
pub use options::StoreOptions;
pub use request::Request;
pub use stats::{AgentStats, BoundaryStats, DecisionStats, Stats};
pub use store::{Counts, Inserted, Store};
pub use summary::{HandoffSummary, SpanSummary, WorkflowSummary};
pub use traffic::Part;
pub use watch::{Lagged, Watch};
