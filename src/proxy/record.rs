//! What the sessions of one worker saw, in the order in which they saw it: what the correlator lives on.

use std::sync::Arc;

use opentelemetry::trace::{SpanId, TraceId};

use crate::model::{AgentName, ContentHash, HandoffId, Timestamp, WorkflowId};
use crate::telemetry::record::ServerAddress;

/// Records in a batch that is due to leave.
const FULL_RECORDS: usize = 256;

/// Records that a recycled batch keeps room for.
const KEPT_RECORDS: usize = 2 * FULL_RECORDS;

/// Bytes of text in a batch that is due to leave.
const FULL_TEXT: usize = 32 << 10;

/// Bytes of text that a recycled batch keeps room for.
const KEPT_TEXT: usize = 64 << 10;

/// The number of a client connection: unique in the process, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SessionId(u64);

impl SessionId {
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }

    pub(crate) const fn number(self) -> u64 {
        self.0
    }
}

/// A keyed hash of a reply subject: by which a request and its answers find each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReplyKey(pub(crate) u64);

/// A place in a batch's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    start: u32,
    len: u32,
}

/// What one worker saw since the last batch left. Recycled, so that it costs no allocation per message.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    records: Vec<Observed>,
    text: Vec<u8>,
    shed: Shed,
}

/// Of how many handoffs a part was seen and not recorded, as there are more than can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shed {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

impl Batch {
    #[inline]
    pub(crate) fn push(&mut self, record: Observed) {
        self.records.push(record);
    }

    /// Keeps a text for as long as the batch lives.
    pub(crate) fn keep(&mut self, text: &[u8]) -> Text {
        let start = self.text.len() as u32;
        self.text.extend_from_slice(text);
        Text { start, len: text.len() as u32 }
    }

    /// A text that was kept.
    pub(crate) fn text(&self, text: Text) -> &[u8] {
        let start = text.start as usize;
        self.text.get(start..start + text.len as usize).unwrap_or_default()
    }

    pub(crate) fn records(&self) -> &[Observed] {
        &self.records
    }

    /// What was sent is not recorded.
    #[inline]
    pub(crate) fn shed_sent(&mut self) {
        self.shed.sent += 1;
    }

    /// What was received is not recorded.
    #[inline]
    pub(crate) fn shed_received(&mut self) {
        self.shed.received += 1;
    }

    /// What was not recorded since this was asked.
    #[inline]
    pub(crate) fn take_shed(&mut self) -> Shed {
        std::mem::take(&mut self.shed)
    }

    /// Whether it should leave now.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.records.len() >= FULL_RECORDS || self.text.len() >= FULL_TEXT
    }

    /// Whether there is nothing in it.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.records.shrink_to(KEPT_RECORDS);
        self.text.clear();
        self.text.shrink_to(KEPT_TEXT);
    }
}

/// One thing that a session saw.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "they lie in a recycled list, and a box would cost an allocation each")]
pub(crate) enum Observed {
    /// An agent published a task.
    Sent(Sent),
    /// The payload of a task that streamed through has this hash.
    Streamed { id: HandoffId, hash: ContentHash },
    /// The server wrote a message to an agent's connection.
    Arrived(Arrived),
    /// The payload of a message that arrived, and was too large to be whole at once, has this hash.
    Checked { id: HandoffId, receiver: u64, hash: ContentHash },
    /// An agent published to a reply subject.
    Answered(Answered),
    /// The server wrote something to the reply subject of a request.
    Returned(Returned),
    /// An agent told JetStream what became of a message.
    Settled(Settled),
    /// An agent says that it lives.
    Beat { agent: AgentName, at: Timestamp },
    /// A client went away.
    Closed { session: SessionId },
}

/// An agent published a task.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) id: HandoffId,
    pub(crate) at: Timestamp,
    pub(crate) from: AgentName,
    pub(crate) to: Option<AgentName>,
    pub(crate) workflow: Option<WorkflowId>,
    pub(crate) parent: Option<HandoffId>,
    pub(crate) trace: Trace,
    pub(crate) subject: Text,
    pub(crate) template: Option<Arc<str>>,
    pub(crate) reply: Option<ReplyKey>,
    pub(crate) size: u64,
    pub(crate) hash: Option<ContentHash>,
    /// The intent as JSON.
    pub(crate) intent: Option<Text>,
    /// Whether the id travels in the message; if not, its deliveries are known by subject and content.
    pub(crate) travels: bool,
    /// Whether the answer is a stream of chunks that ends with an empty message.
    pub(crate) streams_back: bool,
    pub(crate) server: Option<Arc<ServerAddress>>,
}

/// Where the span of a handoff stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) parent: SpanId,
    pub(crate) sampled: bool,
    /// The parent is a context that the message carried already.
    pub(crate) carried: bool,
}

/// The server wrote a message to an agent's connection.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) session: SessionId,
    pub(crate) at: Timestamp,
    pub(crate) agent: AgentName,
    pub(crate) group: Option<Arc<str>>,
    /// Which of the receivers it is: a subscription, or a JetStream consumer, whose messages are one receiver's.
    pub(crate) receiver: u64,
    pub(crate) subject: Text,
    pub(crate) template: Option<Arc<str>>,
    pub(crate) reply: Option<ReplyKey>,
    pub(crate) expects_reply: bool,
    /// From JetStream: which delivery of this message it is, from 1.
    pub(crate) delivery: Option<u32>,
    pub(crate) size: u64,
    pub(crate) hash: Option<ContentHash>,
    /// What the message says of its handoff. `None`: it says nothing, and is known by subject and content.
    pub(crate) said: Option<Said>,
    pub(crate) server: Option<Arc<ServerAddress>>,
}

/// What a message that arrives says of its handoff.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) id: HandoffId,
    pub(crate) hash: Option<ContentHash>,
    pub(crate) size: Option<u64>,
    pub(crate) from: Option<AgentName>,
    pub(crate) workflow: Option<WorkflowId>,
    pub(crate) parent: Option<HandoffId>,
    /// The library sent it, and speaks for itself.
    pub(crate) by_library: bool,
    pub(crate) context: Option<(TraceId, SpanId, bool)>,
}

/// An agent published to a reply subject.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) session: SessionId,
    pub(crate) reply: ReplyKey,
    pub(crate) at: Timestamp,
    pub(crate) agent: AgentName,
    pub(crate) size: u64,
    pub(crate) hash: Option<ContentHash>,
    pub(crate) answer: Answer,
    /// The readback as JSON.
    pub(crate) readback: Option<Text>,
    /// Score from 0 to 1, and who gave it.
    pub(crate) quality: Option<(f64, Text)>,
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The result, or a part of it.
    Result,
    /// The receiver has decoded the task, and no more.
    Received,
    /// The receiver is at work.
    InProgress,
    /// An empty message without headers: the end of a stream of chunks, or an empty result.
    Empty,
    /// The receiver gave up, and says why.
    Failed(Text),
}

/// The server wrote something to the reply subject of a request.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) reply: ReplyKey,
    pub(crate) at: Timestamp,
    pub(crate) what: Return,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Return {
    /// A reply, or a part of it.
    Reply,
    /// An empty message without headers.
    Empty,
    /// Nobody subscribes to the subject.
    NoResponders,
    /// JetStream holds the message.
    Stored,
    /// JetStream does not take the message, and says why.
    NotStored(Text),
}

/// An agent told JetStream what became of a message.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) session: SessionId,
    pub(crate) reply: ReplyKey,
    pub(crate) at: Timestamp,
    pub(crate) settlement: Settlement,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// `+ACK`, `+NXT`, or nothing.
    Acked,
    /// `-NAK`: again, please.
    Refused,
    /// `+WPI`: at work.
    InProgress,
    /// `+TERM`: never again. With the reason, if there is one.
    Ended(Text),
}
