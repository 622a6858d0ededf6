use std::ops::Range;

use super::limits::BODY_END;
use super::span::Span;

/// A control line that was read, with the places of its parts; the body, if any, follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What the line says.
    pub op: Op,
    pub(super) line_len: u32,
}

/// A command of the protocol. Spans are offsets from the frame's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `INFO`: the server's options ([`Info`](super::Info)).
    Info {
        /// The JSON text.
        json: Span,
    },
    /// `CONNECT`: the client's options ([`Connect`](super::Connect)).
    Connect {
        /// The JSON text.
        json: Span,
    },
    /// `PUB`.
    Pub(Message),
    /// `HPUB`.
    Hpub(Message),
    /// `MSG`.
    Msg(Message),
    /// `HMSG`.
    Hmsg(Message),
    /// `SUB`.
    Sub {
        /// What to subscribe to. Not checked: see [`subject`](super::subject).
        subject: Span,
        /// The queue group.
        queue: Option<Span>,
        /// The client's name for the subscription. Any text.
        sid: Span,
    },
    /// `UNSUB`.
    Unsub {
        /// The client's name for the subscription.
        sid: Span,
        /// After how many deliveries, counted from the subscription's first; at once where absent or 0. As in
        /// nats-server, a malformed number counts as absent.
        max: Option<u32>,
    },
    /// `PING`.
    Ping,
    /// `PONG`.
    Pong,
    /// `+OK`.
    Ok,
    /// `-ERR`.
    Err {
        /// The text with its quotes.
        text: Span,
    },
    /// A line that begins with no verb of its speaker's. From a client it makes nats-server close, and whether a body
    /// follows it nobody can tell.
    Unknown,
}

/// The arguments of `PUB`, `HPUB`, `MSG` or `HMSG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it goes. Any bytes but blank, tab, CR and LF.
    pub subject: Span,
    /// The subscription that it is for, on `MSG` and `HMSG`.
    pub sid: Option<Span>,
    /// Where an answer should go.
    pub reply: Option<Span>,
    /// The text of the header size, as written, on `HPUB` and `HMSG`.
    pub header_size: Option<Span>,
    /// The text of the total size, as written. It reaches subscribers so.
    pub total_size: Span,
    /// Bytes of the header block; 0 where there is none.
    pub header_len: u32,
    /// Bytes of header block and payload, without the CR LF after them; under 10^9.
    pub total_len: u32,
}

impl Message {
    /// Bytes of the payload.
    pub fn payload_len(&self) -> usize {
        (self.total_len - self.header_len) as usize
    }
}

impl Head {
    /// Bytes of the control line, its line end among them.
    pub fn line_len(&self) -> usize {
        self.line_len as usize
    }

    /// Bytes after the control line: header block, payload, CR LF; 0 where the command has none.
    pub fn body_len(&self) -> usize {
        self.message().map_or(0, |message| message.total_len as usize + BODY_END)
    }

    /// Bytes of the whole frame.
    #[allow(clippy::len_without_is_empty, reason = "a frame has at least its line end")]
    pub fn len(&self) -> usize {
        self.line_len() + self.body_len()
    }

    /// The arguments, if this is a message.
    pub fn message(&self) -> Option<&Message> {
        match &self.op {
            Op::Pub(message) | Op::Hpub(message) | Op::Msg(message) | Op::Hmsg(message) => Some(message),
            _ => None,
        }
    }

    /// Where the header block is, within the frame. Empty where there is none.
    pub fn header(&self) -> Range<usize> {
        let len = self.message().map_or(0, |message| message.header_len as usize);
        self.line_len()..self.line_len() + len
    }

    /// Where the payload is, within the frame, without the CR LF after it. Empty where there is none.
    pub fn payload(&self) -> Range<usize> {
        let start = self.header().end;
        start..start + self.message().map_or(0, Message::payload_len)
    }
}
