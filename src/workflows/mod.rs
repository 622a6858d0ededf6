//! Workflows that were traced: on a running server, or in a database file.
//!
//! ```no_run
//! use wilco::workflows::Workflows;
//!
//! # async fn f() -> Result<(), wilco::workflows::WorkflowsError> {
//! let workflows = Workflows::open("http://127.0.0.1:4480").await?; // or "wilco.db"
//! if let Some(failure) = workflows.get_trace("abc-123").await?.find_failure() {
//!     println!("{} at {}: {}", failure.cause.kind, failure.cause.boundary, failure.cause.words);
//! }
//! # Ok(())
//! # }
//! ```

mod error;
#[allow(clippy::module_inception, reason = "the noun that the folder is about")]
mod workflows;

pub use error::WorkflowsError;
pub use workflows::Workflows;
