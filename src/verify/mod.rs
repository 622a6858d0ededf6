//! Pure checks: what was sent, what arrived, and now, give mismatches.
//!
//! | check | question | may find |
//! |---|---|---|
//! | [`content`] | are these the bytes that were sent? | `corrupted`, `truncated` |
//! | [`intent`] | does the readback say what the intent says? | `misunderstood` |
//! | [`freshness`] | was the context young enough when it was used? | `stale_context` |
//! | [`order`] | did handoffs arrive once, and in order? | `reordered`, `duplicated` |
//! | [`quality`] | was the result good, and what became of it? | `low_quality`, `unverified_use`, `ignored_result` |
//!
//! [`offset`] bounds how far two clocks are apart, which is what freshness needs.
//!
//! Nothing here reads a clock, does I/O or keeps global state: the time is an argument, and memory is in a value that
//! the caller owns. Every table is bounded. What cannot be decided is said to be unknown, never guessed.

mod bounded;
mod content;
pub mod freshness;
pub mod intent;
#[cfg(any(feature = "channel", feature = "proxy"))]
pub(crate) mod lanes;
pub mod offset;
pub mod order;
pub mod quality;

pub use content::content;
