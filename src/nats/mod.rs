//! The NATS client protocol, for whoever stands between a client and a server, or plays the server.
//!
//! Pure: nothing here does I/O, and nothing on the path of a message allocates or copies. [`Parser`] is given the bytes
//! that were read and not yet dealt with, and answers with places in them ([`Head`], [`Span`]), so that what goes on is
//! what came, byte for byte. It reads both directions, can stop and go on at any byte, and tells of a message whose
//! payload is still on its way, so that a large one need not be held.
//!
//! No reusable Rust crate parses the commands that a client sends while keeping their original bytes: the client
//! libraries read only what a server sends, and own what they read. Hence this one.
//!
//! The grammar is the one that nats-server has, not the one that its documentation has: verbs in any case, runs of blanks
//! and tabs, a bare line feed at the end of a control line. What nats-server would refuse is [`Malformed`] here, which
//! says why; a proxy passes such bytes on untouched and lets the server judge.
//!
//! ```
//! use wilco::nats::{Op, Parsed, Parser, Speaker, limits};
//!
//! let unread = b"pub\tagents.writer  _INBOX.1 5\r\nhelloPING\r\n";
//! let mut parser = Parser::new(Speaker::Client, limits::MAX_CONTROL_LINE);
//! // The payload should have been followed by CR LF.
//! assert!(matches!(parser.parse(unread), Parsed::Malformed(_)));
//!
//! let unread = b"pub\tagents.writer  _INBOX.1 5\r\nhello\r\nPING\r\n";
//! let mut parser = Parser::new(Speaker::Client, limits::MAX_CONTROL_LINE);
//! let Parsed::Frame(head) = parser.parse(unread) else { panic!() };
//! let Op::Pub(message) = head.op else { panic!() };
//! assert_eq!(message.subject.of(unread), b"agents.writer");
//! assert_eq!(&unread[head.payload()], b"hello");
//! assert_eq!(&unread[head.len()..], b"PING\r\n");
//! ```

mod body;
mod connect;
mod head;
mod headers;
mod info;
pub mod limits;
mod line;
mod malformed;
mod parser;
mod span;
pub mod status;
pub mod subject;
mod verb;

pub use body::{Body, Chunk};
pub use connect::{Connect, Secret};
pub use head::{Head, Message, Op};
pub use headers::{HeaderBlock, HeaderLine, HeaderLines};
pub use info::Info;
pub use malformed::Malformed;
pub use parser::{Parsed, Parser, Speaker};
pub use span::Span;
pub use subject::{InvalidPattern, Pattern};
