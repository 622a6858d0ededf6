use super::head::Head;
use super::limits::{BODY_END, MAX_LINE_EXTRA};
use super::line;
use super::malformed::Malformed;
use super::verb::{Look, look};

/// Who sent the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speaker {
    /// A client, to a server.
    Client,
    /// A server, to a client.
    Server,
}

/// Finds the frames in what one side sent.
///
/// It holds no bytes. The caller keeps what is unread and gives all of it, from the first byte of a frame, to each
/// [`parse`](Self::parse); the parser remembers how far it looked, so that no byte is scanned twice however they are
/// split.
#[derive(Clone, Debug)]
pub struct Parser {
    speaker: Speaker,
    max_line: usize,
    /// Bytes of an unfinished control line in which there is no LF.
    scanned: usize,
    /// The finished control line of a frame whose body is not all here.
    head: Option<Head>,
}

/// What there is at the beginning of the unread bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A whole frame. The next begins [`Head::len`] bytes on.
    Frame(Head),
    /// A whole control line; the body after it is not all here. Either wait for it and parse again, or let it pass
    /// piecemeal with [`Body`](super::Body) and [`Parser::reset`].
    Body {
        /// The control line.
        head: Head,
        /// How many more bytes the frame has.
        missing: usize,
    },
    /// No control line yet.
    Line {
        /// At least so many more bytes must come: 1, as nobody can tell; 0 where nothing is unread.
        missing: usize,
        /// What is there begins with no verb of this speaker's, and will be [`Op::Unknown`](super::Op::Unknown) when
        /// its LF comes. nats-server does not wait for that; a proxy need not either.
        unknown: bool,
    },
    /// No frame, and no telling where the next would begin.
    Malformed(Malformed),
}

impl Parser {
    /// A parser for one direction of one connection, before its first byte. `max_line`: most bytes of the arguments of
    /// a control line, as [`limits`](super::limits) has them, up to 1 GiB. Longer lines are [`Malformed`].
    pub fn new(speaker: Speaker, max_line: usize) -> Self {
        Self { speaker, max_line: max_line.min(1 << 30), scanned: 0, head: None }
    }

    /// Looks for a frame at the beginning of `unread`.
    ///
    /// After [`Parsed::Frame`] the caller goes on behind it. After [`Parsed::Body`] and [`Parsed::Line`] the next call
    /// must have the same bytes again, and those that have come since. After [`Parsed::Malformed`] every call says the
    /// same, as there is no way to tell where a frame would begin.
    #[inline]
    pub fn parse(&mut self, unread: &[u8]) -> Parsed {
        let head = match self.head {
            Some(head) => head,
            None => match self.line(unread) {
                Ok(head) => head,
                Err(outcome) => return outcome,
            },
        };
        self.body(head, unread)
    }

    /// Forgets the frame that it was in the middle of: the next call begins at the first byte of another. For a caller
    /// who lets a body pass piecemeal.
    pub fn reset(&mut self) {
        self.scanned = 0;
        self.head = None;
    }

    #[inline]
    fn line(&mut self, unread: &[u8]) -> Result<Head, Parsed> {
        if self.scanned == 0
            && let Some(head) = line::plain(self.speaker, unread, self.max_line)
        {
            return Ok(head);
        }
        self.any_line(unread)
    }

    fn any_line(&mut self, unread: &[u8]) -> Result<Head, Parsed> {
        let limit = self.max_line + MAX_LINE_EXTRA;
        let window = unread.len().min(limit);
        // A caller who breaks the rule about the same bytes gets nonsense, and no panic.
        let from = self.scanned.min(window);
        let Some(found) = memchr::memchr(b'\n', &unread[from..window]) else {
            if window == limit {
                return Err(Parsed::Malformed(Malformed::LineTooLong { limit: self.max_line }));
            }
            self.scanned = window;
            let unknown = look(self.speaker, unread) == Look::Unknown;
            return Err(Parsed::Line { missing: usize::from(!unread.is_empty()), unknown });
        };
        let line = &unread[..=from + found];
        let op = line::read(self.speaker, line, self.max_line).map_err(Parsed::Malformed)?;
        Ok(Head { op, line_len: line.len() as u32 })
    }

    fn body(&mut self, head: Head, unread: &[u8]) -> Parsed {
        let len = head.len();
        if head.body_len() > 0 {
            let end = len - BODY_END;
            let there = unread.get(end..unread.len().min(len)).unwrap_or_default();
            if !b"\r\n".starts_with(there) {
                return Parsed::Malformed(Malformed::BodyEnd);
            }
            if there.len() < BODY_END {
                self.head = Some(head);
                return Parsed::Body { head, missing: len - unread.len() };
            }
        }
        self.reset();
        Parsed::Frame(head)
    }
}
