//! A span of any origin, as plain data: ours, or one of OpenInference, OpenLLMetry or plain OpenTelemetry.

mod attributes;
mod value;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use opentelemetry::trace::{SpanId, TraceId};

use super::Timestamp;

pub use attributes::Attributes;
pub use value::AttributeValue;

/// One span, whole: what whoever made it said, with nothing left out or judged.
///
/// Ids may be invalid (all zero) and times may be out of order: a peer's spans are data. Names and meanings follow
/// the [OpenTelemetry trace data model](https://opentelemetry.io/docs/specs/otel/trace/api/#span).
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Trace that the span is in.
    pub trace_id: TraceId,
    /// Its own id, unique in the trace.
    pub span_id: SpanId,
    /// Span above it; `None` for a root.
    pub parent_span_id: Option<SpanId>,
    /// W3C trace state, as it was written; mostly empty.
    pub trace_state: String,
    /// W3C trace flags, and above them OTLP's bits on whether the parent is remote.
    pub flags: u32,
    /// What it is called, as in `handoff writer`.
    pub name: String,
    /// Role in an exchange.
    pub kind: SpanKind,
    /// When it began, in the clock of its host.
    pub start: Timestamp,
    /// When it ended, in the clock of its host.
    pub end: Timestamp,
    /// Attributes.
    pub attributes: Attributes,
    /// Events, in the order in which they were written.
    pub events: Vec<SpanEvent>,
    /// Links to other spans.
    pub links: Vec<SpanLink>,
    /// Outcome.
    pub status: SpanStatus,
    /// Attributes, events and links that its maker dropped.
    pub dropped: Dropped,
    /// Who made it: the process, its host. Shared by all spans of one batch.
    pub resource: Arc<Resource>,
    /// The library that made it. Shared by all spans of one batch.
    pub scope: Arc<Scope>,
}

impl Span {
    /// The name of the service that made the span (`service.name`), where it is told.
    pub fn service(&self) -> Option<&str> {
        self.resource.attributes.text("service.name")
    }

    /// The host that the span was made on (`host.name`), whose clock its times are in, where it is told.
    pub fn host(&self) -> Option<&str> {
        self.resource.attributes.text("host.name")
    }

    /// End less start, in nanoseconds; negative if the clock was set back meanwhile.
    pub const fn nanos(&self) -> i64 {
        self.end.nanos_since(self.start)
    }
}

/// What made a span: a process and where it runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// `service.name`, `host.name` and others.
    pub attributes: Attributes,
}

/// The library that made a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// Name, as in `wilco`; mostly that of a package.
    pub name: String,
    /// Version; empty where it is not told.
    pub version: String,
    /// Further attributes.
    pub attributes: Attributes,
}

/// Something that happened at one time during a span.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanEvent {
    /// When, in the clock of the span's host.
    pub at: Timestamp,
    /// What is it called, as in `wilco.rung`.
    pub name: String,
    /// Attributes.
    pub attributes: Attributes,
}

/// A pointer from one span to another, perhaps of another trace.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanLink {
    /// Trace of the other span.
    pub trace_id: TraceId,
    /// Id of the other span.
    pub span_id: SpanId,
    /// W3C trace state, as it was written; mostly empty.
    pub trace_state: String,
    /// Attributes.
    pub attributes: Attributes,
    /// W3C trace flags.
    pub flags: u32,
}

/// How a span ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SpanStatus {
    /// Nothing is said.
    #[default]
    Unset,
    /// Somebody said that it is well.
    Ok,
    /// It failed, and how; the text may be empty.
    Error(String),
}

impl SpanStatus {
    /// Whether it is an error.
    pub const fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}

/// How much of a span its maker dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Attributes.
    pub attributes: u32,
    /// Events.
    pub events: u32,
    /// Links.
    pub links: u32,
}

/// The role of a span in an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpanKind {
    /// Nothing is said.
    #[default]
    Unspecified,
    /// Inside one process.
    Internal,
    /// Answers a request.
    Server,
    /// Makes a request.
    Client,
    /// Gives work away.
    Producer,
    /// Takes work on.
    Consumer,
}

impl SpanKind {
    /// Every kind, in the order of its number in OTLP.
    pub const ALL: [Self; 6] =
        [Self::Unspecified, Self::Internal, Self::Server, Self::Client, Self::Producer, Self::Consumer];

    /// The word, as in `producer`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }

    /// The number in OTLP, 0 to 5.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind with this number in OTLP; unspecified for a number that has no meaning.
    pub fn from_number(number: i64) -> Self {
        usize::try_from(number).ok().and_then(|at| Self::ALL.get(at).copied()).unwrap_or_default()
    }
}

impl fmt::Display for SpanKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SpanKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}
