//! The words of the domain, as plain types: names and ids, what is handed over, how far it got, what did not agree.
//!
//! Nothing here does I/O, and nothing here knows how a fact rides on a message ([`crate::wire`]) or how it is
//! judged ([`crate::verify`]).

mod boundary;
mod clock;
mod context;
mod hash;
mod id;
mod intent;
mod kind;
mod mismatch;
mod name;
pub(crate) mod names;
mod quality;
mod refusal;
mod rung;
mod span;
mod verdict;

pub use boundary::Boundary;
pub use clock::{Clock, FakeClock, Timestamp};
pub use context::Context;
pub use hash::{ContentHash, ParseHashError, ShortHash};
pub use id::{HandoffId, InstanceId, ParseIdError};
pub use intent::{Intent, IntentError, Slot};
pub use kind::HandoffKind;
pub use mismatch::{Mismatch, MismatchKind};
pub use name::{AgentName, ChannelName, InvalidName, WorkflowId};
pub use quality::{InvalidQuality, Quality};
pub use refusal::Refusal;
pub use rung::{Climb, Evidence, Rung};
pub use span::{AttributeValue, Attributes, Dropped, Resource, Scope, Span, SpanEvent, SpanKind, SpanLink, SpanStatus};
pub use verdict::Verdict;
