//! What came for a handoff, taken apart.

use async_nats::Subject;
use bytes::Bytes;

use crate::model::{ContentHash, Intent, Quality, Refusal};
use crate::telemetry::record::Content;
use crate::verify::offset::ClockOffset;

/// A result that came.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) payload: Bytes,
    pub(crate) content: Content,
    pub(crate) quality: Option<Quality>,
}

/// A reply on the handoff's inbox, taken apart.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The server knows of nobody on the subject.
    NoResponders,
    /// A stream holds the task.
    Stored,
    /// The receiver gave up.
    Failed { error: String },
    /// The receiver would not take it.
    Refused(Refusal),
    /// A failure or a refusal that somebody else may have written.
    NotBelieved { doubt: String },
    /// A result. `claimed` is the hash its header names; `plain` says that no Wilco header came with it; `doubt` why
    /// somebody else may have written its header.
    Result {
        arrived: Arrived,
        claimed: Option<ContentHash>,
        plain: bool,
        read_back: Option<Intent>,
        doubt: Option<String>,
    },
}

/// What a receipt says, and the offset of the receiver's clock when it was sent.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) receipt: crate::wire::Receipt,
    pub(crate) control: Option<Subject>,
    /// Receiver's clock minus sender's clock.
    pub(crate) offset: Option<ClockOffset>,
}
