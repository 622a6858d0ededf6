//! Well-formed commands, written in any of the ways that are allowed and cut anywhere, are read as what they are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wilco::nats::limits::MAX_CONTROL_LINE;
use wilco::nats::{Op, Parsed, Parser, Speaker};

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let speaker = if choices.yes() { Speaker::Client } else { Speaker::Server };
    let (mut stream, mut expected) = (Vec::new(), Vec::new());
    while !choices.0.is_empty() && expected.len() < 32 {
        expected.push(command(speaker, &mut choices, &mut stream));
    }
    let (mut parser, mut start, mut end, mut read) = (Parser::new(speaker, MAX_CONTROL_LINE), 0, 0, Vec::new());
    // How far each read goes, by the last bytes once more; and always on, so that it comes to an end.
    let mut steps = data.iter().rev();
    while end < stream.len() {
        end = (end + 1 + usize::from(steps.next().copied().unwrap_or(u8::MAX))).min(stream.len());
        loop {
            match parser.parse(&stream[start..end]) {
                Parsed::Frame(head) => {
                    let frame = &stream[start..start + head.len()];
                    let shown = show(&head.op, frame, &frame[head.header()], &frame[head.payload()]);
                    read.push(shown);
                    start += head.len();
                }
                Parsed::Body { missing, .. } => {
                    assert!(missing > 0 && end < stream.len());
                    break;
                }
                Parsed::Line { unknown, .. } => {
                    assert!(!unknown);
                    break;
                }
                Parsed::Malformed(reason) => panic!("{reason:?} in {:?}", String::from_utf8_lossy(&stream)),
            }
        }
    }
    assert_eq!((read, start), (expected, stream.len()), "{:?}", String::from_utf8_lossy(&stream));
});

/// The fuzzer's bytes, as decisions. When they are used up, all is 0.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn yes(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    fn below(&mut self, most: usize) -> usize {
        usize::from(self.byte()) % most
    }

    /// A subject, sid or group: any bytes that separate nothing.
    fn token(&mut self) -> Vec<u8> {
        let len = 1 + self.below(20);
        (0..len).map(|_| self.byte()).map(|byte| if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') { b'.' } else { byte }).collect()
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let len = self.below(most);
        (0..len).map(|_| self.byte()).collect()
    }

    fn blanks(&mut self, least: usize) -> Vec<u8> {
        let more = if self.yes() { self.below(3) } else { 0 };
        (0..least + more).map(|_| if self.byte() & 7 == 7 { b'\t' } else { b' ' }).collect()
    }

    fn verb(&mut self, verb: &str) -> Vec<u8> {
        let lower = self.byte() & 3 == 3;
        if lower { verb.to_ascii_lowercase().into_bytes() } else { verb.as_bytes().to_vec() }
    }

    /// A number with as many leading zeros as still are nine digits.
    fn number(&mut self, number: usize) -> Vec<u8> {
        let zeros = if self.byte() & 7 == 7 { self.below(4) } else { 0 };
        format!("{}{number}", "0".repeat(zeros)).into_bytes()
    }
}

/// Appends one command; what it says, as [`show`] does.
fn command(speaker: Speaker, choices: &mut Choices<'_>, out: &mut Vec<u8>) -> String {
    let is_client = speaker == Speaker::Client;
    let kind = choices.below(if is_client { 6 } else { 5 });
    match (kind, is_client) {
        (0 | 1, _) => message(kind == 1, is_client, choices, out),
        (2, _) => plain("PING", choices, out),
        (3, _) => plain("PONG", choices, out),
        (4, false) => plain("+OK", choices, out),
        (4, true) => {
            let (subject, queue, sid) = (choices.token(), choices.yes().then(|| choices.token()), choices.token());
            let mut args = vec![subject.clone()];
            args.extend(queue.clone());
            args.push(sid.clone());
            line("SUB", &args, choices, out);
            format!("SUB {} {:?} {}", text(&subject), queue.map(|queue| text(&queue)), text(&sid))
        }
        _ => {
            let (sid, max) = (choices.token(), choices.yes().then(|| choices.below(200)));
            let mut args = vec![sid.clone()];
            args.extend(max.map(|max| choices.number(max)));
            line("UNSUB", &args, choices, out);
            format!("UNSUB {} {:?}", text(&sid), max.map(|max| max as u32))
        }
    }
}

fn plain(verb: &str, choices: &mut Choices<'_>, out: &mut Vec<u8>) -> String {
    line(verb, &[], choices, out);
    verb.to_owned()
}

fn message(headers: bool, is_client: bool, choices: &mut Choices<'_>, out: &mut Vec<u8>) -> String {
    let (subject, sid) = (choices.token(), (!is_client).then(|| choices.token()));
    let reply = choices.yes().then(|| choices.token());
    let (block, payload) = (if headers { choices.bytes(60) } else { Vec::new() }, choices.bytes(200));
    let mut args = vec![subject.clone()];
    args.extend(sid.clone());
    args.extend(reply.clone());
    if headers {
        args.push(choices.number(block.len()));
    }
    args.push(choices.number(block.len() + payload.len()));
    let verb = match (is_client, headers) {
        (true, false) => "PUB",
        (true, true) => "HPUB",
        (false, false) => "MSG",
        (false, true) => "HMSG",
    };
    line(verb, &args, choices, out);
    for part in [&block[..], &payload, b"\r\n"] {
        out.extend_from_slice(part);
    }
    shown_message(verb, &subject, sid.as_deref(), reply.as_deref(), &block, &payload)
}

fn line(verb: &str, args: &[Vec<u8>], choices: &mut Choices<'_>, out: &mut Vec<u8>) {
    out.extend(choices.verb(verb));
    for arg in args {
        out.extend(choices.blanks(1));
        out.extend_from_slice(arg);
    }
    // Behind these, anything may follow the verb.
    if !args.is_empty() {
        out.extend(choices.blanks(0));
    }
    out.extend_from_slice(if choices.byte() & 7 == 7 { b"\n" } else { b"\r\n" });
}

fn show(op: &Op, frame: &[u8], block: &[u8], payload: &[u8]) -> String {
    let (verb, message) = match op {
        Op::Pub(message) => ("PUB", message),
        Op::Hpub(message) => ("HPUB", message),
        Op::Msg(message) => ("MSG", message),
        Op::Hmsg(message) => ("HMSG", message),
        Op::Ping => return "PING".to_owned(),
        Op::Pong => return "PONG".to_owned(),
        Op::Ok => return "+OK".to_owned(),
        Op::Sub { subject, queue, sid } => {
            let queue = queue.map(|queue| text(queue.of(frame)));
            return format!("SUB {} {queue:?} {}", text(subject.of(frame)), text(sid.of(frame)));
        }
        Op::Unsub { sid, max } => return format!("UNSUB {} {max:?}", text(sid.of(frame))),
        other => return format!("{other:?}"),
    };
    let of = |span: Option<wilco::nats::Span>| span.map(|span| span.of(frame));
    shown_message(verb, message.subject.of(frame), of(message.sid), of(message.reply), block, payload)
}

fn shown_message(verb: &str, subject: &[u8], sid: Option<&[u8]>, reply: Option<&[u8]>, block: &[u8], payload: &[u8]) -> String {
    format!("{verb} {} {:?} {:?} {} {}", text(subject), sid.map(text), reply.map(text), text(block), text(payload))
}

/// Any bytes, told apart.
fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
