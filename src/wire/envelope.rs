use std::sync::Arc;

use super::{MacCheck, OffsetBounds, Problem};
use crate::model::{
    AgentName, ContentHash, Context, HandoffId, HandoffKind, InstanceId, Quality, Rung, ShortHash, Timestamp,
    WorkflowId,
};

/// What the packed `Wilco` header says: `1;id=...;at=...;hash=...;size=...[;key=value...]`.
///
/// Every part is optional. Written by [`Envelope::encode`] (strict), read by [`Envelope::decode`] (forgiving). Each
/// field names its key.
///
/// ```
/// use wilco::model::{AgentName, ContentHash, HandoffId, Timestamp};
/// use wilco::wire::{Envelope, MacCheck};
///
/// let now = Timestamp::now();
/// let envelope = Envelope {
///     id: Some(HandoffId::new(now)),
///     at: Some(now),
///     hash: Some(ContentHash::of(b"find five sources")),
///     size: Some(17),
///     to: Some(AgentName::new("researcher")?),
///     ..Envelope::default()
/// };
/// let value = envelope.encode(None)?;
/// let decoded = Envelope::decode(&value, None);
/// assert_eq!(decoded.envelope, envelope);
/// assert!(decoded.problems.is_empty() && decoded.mac == MacCheck::Absent);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Envelope {
    /// `id`: which handoff; the same on every retry and redelivery.
    pub id: Option<HandoffId>,
    /// `at`: when it was sent, in the sender's clock. 19 digits on the wire, so at latest in the year 2286.
    pub at: Option<Timestamp>,
    /// `hash`: BLAKE3 of this message's payload bytes.
    pub hash: Option<ContentHash>,
    /// `size`: length of this message's payload in bytes.
    pub size: Option<u64>,
    /// `from`: the agent that hands over.
    pub from: Option<AgentName>,
    /// `to`: the agent that is to take it; absent on a broadcast.
    pub to: Option<AgentName>,
    /// `wf`: the workflow.
    pub workflow: Option<WorkflowId>,
    /// `n`: which attempt this is, from 1; a resend by the application is the next one.
    pub attempt: Option<u32>,
    /// `inst`: which sending process.
    pub inst: Option<InstanceId>,
    /// `seq`: number of this handoff from that instance to that receiver, from 1.
    pub seq: Option<u64>,
    /// `hold=1`: the receiver waits for the sender's decision before it works.
    pub hold: bool,
    /// `off`: `low/high`, the sender's estimate of the receiver's clock minus its own.
    pub offset: Option<OffsetBounds>,
    /// `kind`: delegation or transfer.
    pub kind: Option<HandoffKind>,
    /// `intent`: digest of the declared intent. Only the digest travels, so that nobody can parrot the answer.
    pub intent: Option<ShortHash>,
    /// `ctx`: the context items that the task rests on, at most [`MAX_LIST_ITEMS`](super::limits::MAX_LIST_ITEMS).
    ///
    /// A version that is the empty text is written as none; a longest age is written in whole milliseconds.
    pub contexts: Vec<Context>,
    /// `in`: hashes of the earlier results that the task rests on, at most as many.
    pub inputs: Vec<ShortHash>,
    /// `need`: how many inputs a join was owed.
    pub need: Option<u32>,
    /// `parent`: the handoff that the sender was working on.
    pub parent: Option<HandoffId>,
    /// `by`: when the sender stops waiting for the result, in its own clock.
    pub by: Option<Timestamp>,
    /// `rcpt`: where receipts go; none are sent where it is absent. Always passes
    /// [`subject::check_reply`](super::subject::check_reply) when decoded.
    pub receipts: Option<Arc<str>>,
    /// `rung`, on receipts and results.
    pub rung: Option<Rung>,
    /// `q` and `qby`, on results: how good it is, and who says so.
    pub quality: Option<Quality>,
    /// Keys that this version does not know, with their unescaped values, in the order in which they came. Written
    /// again on encoding.
    pub unknown: Vec<(String, String)>,
}

/// An [`Envelope`] whose parts are somebody else's: written without being copied together first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EnvelopeRef<'a> {
    pub(crate) id: Option<HandoffId>,
    pub(crate) at: Option<Timestamp>,
    pub(crate) hash: Option<ContentHash>,
    pub(crate) size: Option<u64>,
    pub(crate) from: Option<&'a AgentName>,
    pub(crate) to: Option<&'a AgentName>,
    pub(crate) workflow: Option<&'a WorkflowId>,
    pub(crate) attempt: Option<u32>,
    pub(crate) inst: Option<InstanceId>,
    pub(crate) seq: Option<u64>,
    pub(crate) hold: bool,
    pub(crate) offset: Option<OffsetBounds>,
    pub(crate) kind: Option<HandoffKind>,
    pub(crate) intent: Option<ShortHash>,
    pub(crate) contexts: &'a [Context],
    pub(crate) inputs: &'a [ShortHash],
    pub(crate) need: Option<u32>,
    pub(crate) parent: Option<HandoffId>,
    pub(crate) by: Option<Timestamp>,
    pub(crate) receipts: Option<&'a str>,
    pub(crate) rung: Option<Rung>,
    pub(crate) quality: Option<&'a Quality>,
    pub(crate) unknown: &'a [(String, String)],
}

impl<'a> From<&'a Envelope> for EnvelopeRef<'a> {
    fn from(envelope: &'a Envelope) -> Self {
        Self {
            id: envelope.id,
            at: envelope.at,
            hash: envelope.hash,
            size: envelope.size,
            from: envelope.from.as_ref(),
            to: envelope.to.as_ref(),
            workflow: envelope.workflow.as_ref(),
            attempt: envelope.attempt,
            inst: envelope.inst,
            seq: envelope.seq,
            hold: envelope.hold,
            offset: envelope.offset,
            kind: envelope.kind,
            intent: envelope.intent,
            contexts: &envelope.contexts,
            inputs: &envelope.inputs,
            need: envelope.need,
            parent: envelope.parent,
            by: envelope.by,
            receipts: envelope.receipts.as_deref(),
            rung: envelope.rung,
            quality: envelope.quality.as_ref(),
            unknown: &envelope.unknown,
        }
    }
}

/// What a `Wilco` header said, and what was wrong with it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Decoded {
    /// Everything that was well-formed.
    pub envelope: Envelope,
    /// Everything that was not. Empty, without allocation, for a well-formed header.
    pub problems: Vec<Problem>,
    /// What the `mac` says.
    pub mac: MacCheck,
}
