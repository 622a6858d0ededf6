use memchr::{memchr, memchr_iter};

const VERSION: &[u8] = b"NATS/1.0";
const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// The header block of a message, looked at where it is. Any bytes will do; what is no header is left out.
///
/// ```
/// use wilco::nats::HeaderBlock;
///
/// let block = HeaderBlock::new(b"NATS/1.0\r\ntraceparent: 00-ab\r\nX:1\r\nx:2\r\n\r\n");
/// assert_eq!(block.find("Traceparent"), Some(&b"00-ab"[..]));
/// assert_eq!(block.lines().count(), 3);
/// assert_eq!(HeaderBlock::new(b"NATS/1.0 503\r\n\r\n").status(), Some(503));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderBlock<'a> {
    bytes: &'a [u8],
}

impl<'a> HeaderBlock<'a> {
    /// Looks at a block, which is all that the header size covers: first line, headers, blank line.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The bytes themselves.
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Whether it begins with `NATS/1.0`.
    pub fn is_versioned(self) -> bool {
        let after = self.bytes.strip_prefix(VERSION).map(|rest| rest.first());
        matches!(after, Some(None | Some(b'\r' | b'\n' | b' ' | b'\t')))
    }

    /// Where a further line may be put so that it is the last header: before the blank line. `None` if the block does
    /// not begin with `NATS/1.0`, or does not end with its first blank line; nats-server relays such blocks as they
    /// are, and a reader could not find what was added.
    pub fn end_of_lines(self) -> Option<usize> {
        let before = self.bytes.strip_suffix(BLANK_LINE)?;
        let end = before.len() + 2;
        let is_first = memchr_iter(b'\n', &self.bytes[..end - 1]).all(|lf| {
            let next = &self.bytes[lf + 1..];
            !(next.starts_with(b"\n") || next.starts_with(b"\r\n"))
        });
        (is_first && self.is_versioned()).then_some(end)
    }

    /// Whether a line may be added: [`end_of_lines`](Self::end_of_lines) says where.
    pub fn is_injectable(self) -> bool {
        self.end_of_lines().is_some()
    }

    /// The status in the first line, as in `NATS/1.0 503 No Responders`. Three digits.
    pub fn status(self) -> Option<u16> {
        // A status follows a blank; most blocks have none.
        if self.bytes.get(VERSION.len()..VERSION.len() + 2) == Some(b"\r\n") {
            return None;
        }
        let text = self.inline()?.get(..3)?;
        let digits = text.iter().all(u8::is_ascii_digit);
        digits.then(|| text.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')))
    }

    /// The text after the status. `None` where there is no status, empty where there is no text.
    pub fn description(self) -> Option<&'a [u8]> {
        self.status()?;
        Some(self.inline()?[3..].trim_ascii())
    }

    /// What follows `NATS/1.0` on the first line.
    fn inline(self) -> Option<&'a [u8]> {
        let (first, _) = cut_line(self.bytes);
        self.is_versioned().then(|| first[VERSION.len()..].trim_ascii())
    }

    /// The headers, in order, with duplicates and in the case in which they came. Ends at the blank line, or where the
    /// block ends.
    pub fn lines(self) -> HeaderLines<'a> {
        let (_, rest) = cut_line(self.bytes);
        HeaderLines { rest: if self.is_versioned() { rest } else { &[] } }
    }

    /// The value of the first header of that name, in whatever case, without the blanks around it.
    ///
    /// NATS keeps case and some clients change it, so that a header of ours may come back in another.
    pub fn find(self, name: &str) -> Option<&'a [u8]> {
        self.lines().find(|line| line.name.eq_ignore_ascii_case(name.as_bytes())).map(|line| line.value)
    }
}

/// One header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderLine<'a> {
    /// The line as it is, with its line end.
    pub raw: &'a [u8],
    /// What is before the colon.
    pub name: &'a [u8],
    /// What is after it, without the blanks around it.
    pub value: &'a [u8],
}

/// The headers of a block. Lines without a colon are left out.
#[derive(Clone, Debug)]
pub struct HeaderLines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for HeaderLines<'a> {
    type Item = HeaderLine<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (line, rest) = cut_line(self.rest);
            if line.is_empty() {
                self.rest = &[];
                return None;
            }
            let raw = &self.rest[..self.rest.len() - rest.len()];
            self.rest = rest;
            if let Some(colon) = memchr(b':', line) {
                return Some(HeaderLine { raw, name: &line[..colon], value: line[colon + 1..].trim_ascii() });
            }
        }
    }
}

/// The first line without its line end, and what follows.
fn cut_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match memchr(b'\n', bytes) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[][..]),
    };
    (line.strip_suffix(b"\r").unwrap_or(line), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> HeaderBlock<'_> {
        HeaderBlock::new(text.as_bytes())
    }

    #[test]
    fn order_case_and_duplicates_are_kept() {
        let block = block("NATS/1.0\r\nb: 1\r\nA:2\r\nB:3  \r\nno colon\r\n: nameless\r\n\r\nafter: 4\r\n");
        let lines: Vec<_> = block.lines().map(|line| (line.name, line.value)).collect();
        assert_eq!(lines, [(&b"b"[..], &b"1"[..]), (b"A", b"2"), (b"B", b"3"), (b"", b"nameless")]);
        assert_eq!(block.lines().nth(2).unwrap().raw, b"B:3  \r\n");
        assert_eq!(block.find("a"), Some(&b"2"[..]));
        assert_eq!(block.find("B"), Some(&b"1"[..]), "the first");
        assert_eq!(block.find("after"), None);
    }

    #[test]
    fn a_line_may_be_added_only_before_a_blank_line_that_is_the_first_and_the_end() {
        for (text, at) in [("NATS/1.0\r\n\r\n", 10), ("NATS/1.0 503\r\n\r\n", 14), ("NATS/1.0\r\nA: 1\r\n\r\n", 16)] {
            assert_eq!(block(text).end_of_lines(), Some(at), "{text:?}");
        }
        for text in [
            "",
            "\r\n\r\n",
            "NATS/1.0",
            "NATS/1.0\r\n",
            "NATS/1.0\r\nA: 1\r\n",
            "NATS/1.0\n\n",
            "NATS/1.01\r\n\r\n",
            "NATS/2.0\r\n\r\n",
            "nats/1.0\r\n\r\n",
            "HTTP/1.0\r\nA: 1\r\n\r\n",
            "NATS/1.0\r\n\r\nA: 1\r\n\r\n",
            " NATS/1.0\r\n\r\n",
            "NATS/1.0\r\n\n\r\n\r\n",
        ] {
            assert!(!block(text).is_injectable(), "{text:?}");
        }
    }

    #[test]
    fn a_status_is_three_digits_after_the_version() {
        for (text, status, description) in [
            ("NATS/1.0 503\r\n\r\n", Some(503), Some("")),
            ("NATS/1.0 404 No Messages\r\n\r\n", Some(404), Some("No Messages")),
            ("NATS/1.0  100\tIdle Heartbeat \r\nNats-Last-Consumer: 1\r\n\r\n", Some(100), Some("Idle Heartbeat")),
            ("NATS/1.0 409Consumer Deleted\r\n\r\n", Some(409), Some("Consumer Deleted")),
            ("NATS/1.0\r\nStatus: 503\r\n\r\n", None, None),
            ("NATS/1.0 OK\r\n\r\n", None, None),
            ("NATS/1.0 50", None, None),
            ("", None, None),
        ] {
            assert_eq!(block(text).status(), status, "{text:?}");
            assert_eq!(block(text).description(), description.map(str::as_bytes), "{text:?}");
        }
    }
}
