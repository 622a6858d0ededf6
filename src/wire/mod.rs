//! How facts ride on a message: the packed `Wilco` header, receipts, decisions, plain headers and W3C trace context.
//!
//! Pure: nothing here does I/O. What is written is checked ([`EncodeError`]); what is read is a peer's, so a malformed
//! part is a [`Problem`], never a panic, and the rest is still used. [`contract`] has all of it in words, for other
//! languages.

mod body;
#[doc = include_str!("../docs/wire.md")]
pub mod contract {}
mod decision;
mod decode;
mod encode;
mod envelope;
mod error;
mod escape;
mod key;
pub mod limits;
mod mac;
pub mod names;
mod offset;
mod plain;
mod problem;
mod receipt;
#[cfg(test)]
mod samples;
#[cfg(feature = "proxy")]
mod stamp;
pub mod subject;
pub mod trace;
mod value;

pub use decision::{Choice, Decision, DecodedDecision};
#[cfg(feature = "channel")]
pub(crate) use decode::Known;
#[cfg(feature = "telemetry")]
pub(crate) use encode::context_item;
pub(crate) use envelope::EnvelopeRef;
pub use envelope::{Decoded, Envelope};
pub use error::{DecodeError, EncodeError};
pub use mac::{MacCheck, MacKey};
pub use offset::OffsetBounds;
pub use plain::Plain;
pub use problem::Problem;
pub use receipt::{ContextAgeReport, DecodedReceipt, Receipt};
#[cfg(feature = "proxy")]
pub(crate) use stamp::stamp;
