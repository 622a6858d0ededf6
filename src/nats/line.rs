use super::head::{Head, Message, Op};
use super::limits::MAX_SIZE_DIGITS;
use super::malformed::Malformed;
use super::parser::Speaker;
use super::span::Span;
use super::verb::{Look, Verb, look};

/// More arguments than any command takes, so that too many can be told.
const MAX_ARGS: usize = 6;

/// Longest line that is read as a plain one.
const LONGEST_PLAIN: usize = 512;

/// Reads a control line in the shape in which nearly all messages come: the verb in capitals, single blanks, CR LF. In
/// half the time of [`read`], which says the same of such a line.
///
/// `None`: it has another shape, or is not whole, or is not well-formed.
#[inline]
pub(super) fn plain(speaker: Speaker, unread: &[u8], max_args_len: usize) -> Option<Head> {
    let (start, sids, headers) = match (speaker, unread.get(..5)?) {
        (Speaker::Client, [b'P', b'U', b'B', b' ', _]) => (4, 0, false),
        (Speaker::Client, b"HPUB ") => (5, 0, true),
        (Speaker::Server, [b'M', b'S', b'G', b' ', _]) => (4, 1, false),
        (Speaker::Server, b"HMSG ") => (5, 1, true),
        _ => return None,
    };
    let mut spans = [Span::default(); MAX_ARGS - 1];
    let (mut count, mut begin) = (0, start);
    let window = &unread[..unread.len().min(LONGEST_PLAIN)];
    let end = loop {
        let at = begin + blank(&window[begin..])?;
        if at == begin {
            return None;
        }
        *spans.get_mut(count)? = Span::new(begin, at);
        count += 1;
        match window[at] {
            b' ' => begin = at + 1,
            b'\r' if window.get(at + 1) == Some(&b'\n') => break at,
            _ => return None,
        }
    };
    let fixed = 1 + sids + usize::from(headers) + 1;
    let reply = match count.checked_sub(fixed)? {
        0 => None,
        1 => Some(spans[1 + sids]),
        _ => return None,
    };
    let total_size = spans[count - 1];
    let total_len = number(total_size.of(window))?;
    let header_size = headers.then(|| spans[count - 2]);
    let header_len = match header_size {
        Some(size) => number(size.of(window))?,
        None => 0,
    };
    if header_len > total_len || end - start > max_args_len {
        return None;
    }
    let sid = (sids == 1).then(|| spans[1]);
    let message = Message { subject: spans[0], sid, reply, header_size, total_size, header_len, total_len };
    let op = match (speaker, headers) {
        (Speaker::Client, false) => Op::Pub(message),
        (Speaker::Client, true) => Op::Hpub(message),
        (Speaker::Server, false) => Op::Msg(message),
        (Speaker::Server, true) => Op::Hmsg(message),
    };
    Some(Head { op, line_len: (end + 2) as u32 })
}

/// Where the first byte is that is a blank or below it. Eight at once: nearly all of a control line is the letters of its
/// subject.
#[inline]
fn blank(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    let (eights, rest) = bytes.as_chunks::<8>();
    for (index, eight) in eights.iter().enumerate() {
        let eight = u64::from_le_bytes(*eight);
        // The high bit of each byte that is under 0x21. Those above the lowest may be wrong, as it borrows from them.
        let under = eight.wrapping_sub(ONES * 0x21) & !eight & (ONES * 0x80);
        if under != 0 {
            return Some(index * 8 + under.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|byte| *byte <= b' ').map(|at| eights.len() * 8 + at)
}

/// Reads a whole control line, which ends in LF.
pub(super) fn read(speaker: Speaker, line: &[u8], max_args_len: usize) -> Result<Op, Malformed> {
    let end = line.len() - 1;
    let end = if line[..end].ends_with(b"\r") { end - 1 } else { end };
    let (verb, after) = match look(speaker, line) {
        Look::Known(verb, after) => (verb, after),
        Look::Partial | Look::Unknown => return Ok(Op::Unknown),
    };
    // What follows these on the line is not looked at, by nats-server neither.
    match verb {
        Verb::Ping => return Ok(Op::Ping),
        Verb::Pong => return Ok(Op::Pong),
        Verb::Ok => return Ok(Op::Ok),
        _ => {}
    }
    let blanks = line[after.min(end)..end].iter().take_while(|byte| is_blank(**byte)).count();
    let start = after.min(end) + blanks;
    if end - start > max_args_len {
        return Err(Malformed::LineTooLong { limit: max_args_len });
    }
    if memchr::memchr(b'\r', &line[start..end]).is_some() {
        return Err(Malformed::StrayReturn);
    }
    let all = Span::new(start, end);
    match verb {
        Verb::Info => Ok(Op::Info { json: all }),
        Verb::Connect => Ok(Op::Connect { json: all }),
        Verb::Err => Ok(Op::Err { text: all }),
        Verb::Sub => sub(&Args::split(line, all)),
        Verb::Unsub => unsub(line, &Args::split(line, all)),
        Verb::Pub => message(line, "PUB", false, &Args::split(line, all), 0).map(Op::Pub),
        Verb::Hpub => message(line, "HPUB", true, &Args::split(line, all), 0).map(Op::Hpub),
        Verb::Msg => message(line, "MSG", false, &Args::split(line, all), 1).map(Op::Msg),
        Verb::Hmsg => message(line, "HMSG", true, &Args::split(line, all), 1).map(Op::Hmsg),
        Verb::Ping | Verb::Pong | Verb::Ok => Ok(Op::Unknown),
    }
}

fn sub(args: &Args) -> Result<Op, Malformed> {
    match *args.as_slice() {
        [subject, sid] => Ok(Op::Sub { subject, queue: None, sid }),
        [subject, queue, sid] => Ok(Op::Sub { subject, queue: Some(queue), sid }),
        _ => Err(args.wrong("SUB")),
    }
}

fn unsub(line: &[u8], args: &Args) -> Result<Op, Malformed> {
    match *args.as_slice() {
        [sid] => Ok(Op::Unsub { sid, max: None }),
        [sid, max] => Ok(Op::Unsub { sid, max: number(max.of(line)) }),
        _ => Err(args.wrong("UNSUB")),
    }
}

/// `subject [sid] [reply] [header size] size`; `sids` is how many sids the command has.
fn message(line: &[u8], verb: &'static str, headers: bool, args: &Args, sids: usize) -> Result<Message, Malformed> {
    let args_slice = args.as_slice();
    let fixed = 1 + sids + usize::from(headers) + 1;
    let reply = match args_slice.len().checked_sub(fixed) {
        Some(0) => None,
        Some(1) => Some(args_slice[1 + sids]),
        _ => return Err(args.wrong(verb)),
    };
    let last = args_slice.len() - 1;
    let total_size = args_slice[last];
    let total_len = number(total_size.of(line)).ok_or(Malformed::Size { verb })?;
    let header_size = headers.then(|| args_slice[last - 1]);
    let header_len = match header_size {
        Some(size) => number(size.of(line)).ok_or(Malformed::Size { verb })?,
        None => 0,
    };
    if header_len > total_len {
        return Err(Malformed::HeaderSize { verb });
    }
    let sid = (sids == 1).then(|| args_slice[1]);
    Ok(Message { subject: args_slice[0], sid, reply, header_size, total_size, header_len, total_len })
}

/// The arguments of one line, in place.
struct Args {
    spans: [Span; MAX_ARGS],
    count: usize,
}

impl Args {
    fn split(line: &[u8], all: Span) -> Self {
        let mut args = Self { spans: [Span::default(); MAX_ARGS], count: 0 };
        let mut at = all.start();
        while at < all.end() && args.count < MAX_ARGS {
            let rest = &line[at..all.end()];
            let len = rest.iter().position(|byte| is_blank(*byte)).unwrap_or(rest.len());
            if len > 0 {
                args.spans[args.count] = Span::new(at, at + len);
                args.count += 1;
            }
            at += len + 1;
        }
        args
    }

    fn as_slice(&self) -> &[Span] {
        &self.spans[..self.count]
    }

    fn wrong(&self, verb: &'static str) -> Malformed {
        Malformed::Arguments { verb, count: self.count }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A size or count. Nine digits cannot wrap.
fn number(text: &[u8]) -> Option<u32> {
    if !(1..=MAX_SIZE_DIGITS).contains(&text.len()) {
        return None;
    }
    text.iter().try_fold(0, |sum: u32, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_is_read_as_any_line_is() {
        use Speaker::{Client, Server};
        let mut plain_ones = 0;
        for (speaker, verbs) in [(Client, ["PUB", "HPUB", "pub", "SUB"]), (Server, ["MSG", "HMSG", "Msg", "INFO"])] {
            for verb in verbs {
                for args in
                    ["a 1", "a 1 2", "a b 1 2", "a b c 1 2", "a b c d 1 2", "a  1", "a\t1", "a 1 ", "a -1", "a 2 1"]
                {
                    for end in ["\r\n", "\n", "\r", "\r\n\r\n"] {
                        let line = format!("{verb} {args}{end}");
                        let Some(head) = plain(speaker, line.as_bytes(), 9) else { continue };
                        plain_ones += 1;
                        assert_eq!(read(speaker, &line.as_bytes()[..head.line_len()], 9), Ok(head.op), "{line:?}");
                    }
                }
            }
        }
        assert_eq!(plain_ones, 20);
        assert_eq!(plain(Client, b"PUB abcdefg 12\r\n", 9), None, "over the limit");
    }

    #[test]
    fn the_first_blank_is_found_wherever_it_is_and_whatever_is_around_it() {
        for len in 0..40 {
            for at in 0..len {
                for (around, byte) in [(b'!', b' '), (0xff, 0), (0x80, b'\r'), (0xa0, 0x1f), (b'~', b' ')] {
                    let mut bytes = vec![around; len];
                    bytes[at] = byte;
                    assert_eq!(blank(&bytes), Some(at), "{bytes:x?}");
                    bytes[at..].fill(byte);
                    assert_eq!(blank(&bytes), Some(at), "{bytes:x?}");
                }
            }
            assert_eq!(blank(&vec![0xa0; len]), None);
        }
    }

    #[test]
    fn numbers_are_read_without_wrapping_and_nothing_else_is() {
        for (text, expected) in [("0", 0), ("002", 2), ("999999999", 999_999_999)] {
            assert_eq!(number(text.as_bytes()), Some(expected), "{text}");
        }
        for text in ["", "+2", "-1", "1e3", "0x1", "2 ", "1000000000", "0000000002", "18446744073709551618", "\u{0663}"]
        {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }
}
