use std::borrow::Cow;

use crate::model::{AgentName, HandoffId, HandoffKind, Timestamp, WorkflowId};

/// What a published message gets.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "it is taken apart where it is made, on the path of every message")]
pub(crate) enum Plan<'a> {
    /// Nothing, for this reason.
    Leave(Skipped),
    /// These headers.
    Inject(Injection<'a>),
}

/// What goes into the headers of a message, but for time, hash and size.
#[derive(Debug)]
pub(crate) struct Injection<'a> {
    pub(crate) id: HandoffId,
    /// `None`: the message has one.
    pub(crate) traceparent: Option<[u8; 55]>,
    pub(crate) from: Cow<'a, AgentName>,
    pub(crate) to: Option<&'a AgentName>,
    /// `None` for the first handoff of a workflow that nobody named: it is the workflow's id.
    pub(crate) workflow: Option<WorkflowId>,
    /// Left to agents: what a reply subject is for is known only once there was an answer.
    pub(crate) kind: Option<HandoffKind>,
    pub(crate) parent: Option<HandoffId>,
    /// Left to agents: when they stop waiting is theirs to know.
    pub(crate) by: Option<Timestamp>,
}

/// Why a message gets no headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skipped {
    /// Injection is off, or off for this subject.
    Off,
    /// Its subject is not traced.
    Untraced,
    /// It answers a request.
    Reply,
    /// It is an empty message to an inbox, which may end a stream and must stay bare.
    EmptyToInbox,
    /// Its header block carries a status.
    Status,
    /// It has a `Wilco` header.
    HasWilco,
    /// Client or server did not agree to headers.
    NoHeaders,
    /// A part of it has gone on, as the client stopped in its midst.
    Stalled,
    /// Its header block is not one that can be added to.
    HeaderBlock,
    /// It would be over the server's `max_payload`.
    MaxPayload,
    /// Its control line would be too long.
    ControlLine,
}

impl Skipped {
    /// Every reason, in order.
    pub(crate) const ALL: [Self; 11] = [
        Self::Off,
        Self::Untraced,
        Self::Reply,
        Self::EmptyToInbox,
        Self::Status,
        Self::HasWilco,
        Self::NoHeaders,
        Self::Stalled,
        Self::HeaderBlock,
        Self::MaxPayload,
        Self::ControlLine,
    ];

    /// The reason to count: what the observer says, and where it says that the protocol does not allow it, why.
    pub(crate) fn or(self, may_inject: Result<(), Self>) -> Self {
        match (self, may_inject) {
            (Self::NoHeaders, Err(why)) => why,
            (own, _) => own,
        }
    }

    /// The word on metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Untraced => "untraced",
            Self::Reply => "reply",
            Self::EmptyToInbox => "empty_to_inbox",
            Self::Status => "status",
            Self::HasWilco => "has_wilco",
            Self::NoHeaders => "no_headers",
            Self::Stalled => "stalled",
            Self::HeaderBlock => "header_block",
            Self::MaxPayload => "max_payload",
            Self::ControlLine => "control_line",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_protocols_only_where_nothing_else_keeps_headers_away() {
        assert_eq!(Skipped::Reply.or(Err(Skipped::MaxPayload)), Skipped::Reply);
        assert_eq!(Skipped::NoHeaders.or(Err(Skipped::MaxPayload)), Skipped::MaxPayload);
        assert_eq!(Skipped::Off.or(Ok(())), Skipped::Off);
    }

    #[test]
    fn each_reason_has_its_place_and_its_word() {
        for (place, reason) in Skipped::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
        }
        let words: std::collections::HashSet<_> = Skipped::ALL.map(Skipped::as_str).into_iter().collect();
        assert_eq!(words.len(), Skipped::ALL.len());
    }
}
