//! Asks a running server of ours (`wilco serve`) what was traced, over HTTP; needs no database of its own.
//!
//! ```no_run
//! # async fn f() -> Result<(), wilco::client::ClientError> {
//! let client = wilco::client::Client::new("http://127.0.0.1:4480")?;
//! if let Some(failure) = client.get_trace("abc-123").await?.find_failure() {
//!     println!("{}", failure.cause);
//! }
//! # Ok(())
//! # }
//! ```

#[allow(clippy::module_inception, reason = "the noun that the folder is about")]
mod client;
mod error;

pub use client::{Client, Sent};
pub use error::ClientError;
