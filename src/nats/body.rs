use std::ops::Range;

use super::head::Head;
use super::limits::BODY_END;
use super::malformed::Malformed;

/// The body of a frame that passes piecemeal: how much of it is still to come.
///
/// ```
/// use wilco::nats::{Body, Parsed, Parser, Speaker};
///
/// let mut parser = Parser::new(Speaker::Client, 4_096);
/// let first = b"PUB a 5\r\nhe";
/// let Parsed::Body { head, .. } = parser.parse(first) else { panic!() };
/// parser.reset();
/// let mut body = Body::new(&head);
/// let chunk = body.take(&first[head.line_len()..])?;
/// assert_eq!((chunk.payload, chunk.done), (0..2, false));
/// let chunk = body.take(b"llo\r\nPING\r\n")?;
/// assert_eq!((chunk.payload, chunk.len, chunk.done), (0..3, 5, true));
/// # Ok::<(), wilco::nats::Malformed>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    header_left: usize,
    payload_left: usize,
    end_left: usize,
}

/// Which of the bytes that were given belong to the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Those of the header block.
    pub header: Range<usize>,
    /// Those of the payload.
    pub payload: Range<usize>,
    /// All of the body's, CR LF among them. What comes after them belongs to the next frame.
    pub len: usize,
    /// The body is over.
    pub done: bool,
}

impl Body {
    /// The whole body of a frame, before its first byte.
    pub fn new(head: &Head) -> Self {
        let end_left = if head.body_len() == 0 { 0 } else { BODY_END };
        Self { header_left: head.header().len(), payload_left: head.payload().len(), end_left }
    }

    /// Bytes still to come, CR LF among them.
    pub fn left(&self) -> usize {
        self.header_left + self.payload_left + self.end_left
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`Malformed::BodyEnd`] if something else than CR LF is where the body should end.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Chunk, Malformed> {
        let header = 0..bytes.len().min(self.header_left);
        let payload = header.end..bytes.len().min(header.end + self.payload_left);
        self.header_left -= header.len();
        self.payload_left -= payload.len();
        let mut len = payload.end;
        if self.header_left + self.payload_left == 0 {
            let end = &bytes[len..bytes.len().min(len + self.end_left)];
            if !b"\r\n"[BODY_END.saturating_sub(self.end_left)..].starts_with(end) {
                return Err(Malformed::BodyEnd);
            }
            len += end.len();
            self.end_left -= end.len();
        }
        Ok(Chunk { header, payload, len, done: self.left() == 0 })
    }
}
