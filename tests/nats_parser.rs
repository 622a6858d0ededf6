//! The NATS protocol is read the same however it is split, in both directions, and no bytes cause a panic.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]

use proptest::prelude::*;
use wilco::nats::limits::{MAX_CONTROL_LINE, MAX_LINE_EXTRA, MAX_SERVER_LINE};
use wilco::nats::{Body, Head, HeaderBlock, Malformed, Op, Parsed, Parser, Speaker};

/// What clients send, and what nats-server reads in it: verb and arguments in plain words.
const CLIENT: &[(&str, &str)] = &[
    ("PING\r\n", "ping"),
    ("ping\n", "ping"),
    ("PING trailing \r\n", "ping"),
    ("PINGX\r\n", "ping"),
    ("pOnG\r\n", "pong"),
    ("+OK\r\n", "ok"),
    ("-ERR 'x'\r\n", "err 'x'"),
    ("CONNECT {\"verbose\":false}\r\n", "connect {\"verbose\":false}"),
    ("connect{}\n", "connect {}"),
    ("CONNECT \t {\"name\":\"a b\"} \r\n", "connect {\"name\":\"a b\"} "),
    ("SUB a 1\r\n", "sub a - 1"),
    ("sub \ta.*\tq \t one \n", "sub a.* q one"),
    ("UNSUB 1\r\n", "unsub 1 -"),
    ("unsub  1  5 \r\n", "unsub 1 5"),
    ("UNSUB 1 +5\r\n", "unsub 1 -"),
    ("PUB a 5\r\nhello\r\n", "pub a - [5] 0 hello"),
    ("PUB a r 5\nhello\r\n", "pub a r [5] 0 hello"),
    ("pub\ta  \t 2 \r\nhi\r\n", "pub a - [2] 0 hi"),
    ("PUB a 002\r\nhi\r\n", "pub a - [002] 0 hi"),
    ("PUB a 0\r\n\r\n", "pub a - [0] 0 "),
    ("PUB a 13\r\nPUB b 0\r\n\r\n\r\n\r\n", "pub a - [13] 0 PUB b 0\r\n\r\n\r\n"),
    ("PUB \u{fc}..x\u{1} 1\r\n\n\r\n", "pub \u{fc}..x\u{1} - [1] 0 \n"),
    ("HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "hpub a - [14] 12 NATS/1.0\r\n\r\nhi"),
    ("hpub a r 012 00012\r\nNATS/1.0\r\n\r\n\r\n", "hpub a r [00012] 12 NATS/1.0\r\n\r\n"),
    ("HPUB a 0 2\r\nhi\r\n", "hpub a - [2] 0 hi"),
    ("HPUB a 0 0\r\n\r\n", "hpub a - [0] 0 "),
    ("NOPE a b\r\n", "unknown"),
    ("\r\n", "unknown"),
    (" PING\r\n", "unknown"),
    ("PUBLISH a 1\r\n", "unknown"),
    ("SUB\r\n", "unknown"),
    ("MSG a 1 2\r\n", "unknown"),
    ("\u{16}\u{3}\u{1}\n", "unknown"),
];

/// What servers send.
const SERVER: &[(&str, &str)] = &[
    ("INFO {\"headers\":true} \r\n", "info {\"headers\":true} "),
    ("MSG in 1 9  23\r\n12345678901234567890123\r\n", "msg in 1 9 [23] 0 12345678901234567890123"),
    ("MSG a 1 002\r\nhi\r\n", "msg a 1 - [002] 0 hi"),
    ("HMSG a 1 12 12\r\nNATS/1.0\r\n\r\n\r\n", "hmsg a 1 - [12] 12 NATS/1.0\r\n\r\n"),
    ("HMSG a s r 16 16\r\nNATS/1.0 503\r\n\r\n\r\n", "hmsg a s r [16] 16 NATS/1.0 503\r\n\r\n"),
    ("+OK\r\n", "ok"),
    ("-ERR 'Slow Consumer'\r\n", "err 'Slow Consumer'"),
    ("PING\r\n", "ping"),
    ("PONG\r\n", "pong"),
    ("PUB a 1\r\n", "unknown"),
    ("FUTURE x\r\n", "unknown"),
];

/// What no frame begins with; nats-server closes over each.
const MALFORMED: &[(&str, Malformed)] = &[
    ("PUB a +2\r\n", Malformed::Size { verb: "PUB" }),
    ("PUB a 2 x\r\n", Malformed::Size { verb: "PUB" }),
    ("PUB a 1000000000\r\n", Malformed::Size { verb: "PUB" }),
    ("PUB a 18446744073709551618\r\n", Malformed::Size { verb: "PUB" }),
    ("PUB a\r\n", Malformed::Arguments { verb: "PUB", count: 1 }),
    ("PUB \r\n", Malformed::Arguments { verb: "PUB", count: 0 }),
    ("PUB a b c 2\r\n", Malformed::Arguments { verb: "PUB", count: 4 }),
    ("PUB a b c d e f g h 2\r\n", Malformed::Arguments { verb: "PUB", count: 6 }),
    ("HPUB a 2\r\n", Malformed::Arguments { verb: "HPUB", count: 2 }),
    ("HPUB a 13 12\r\n", Malformed::HeaderSize { verb: "HPUB" }),
    ("HPUB a -1 12\r\n", Malformed::Size { verb: "HPUB" }),
    ("SUB a\r\n", Malformed::Arguments { verb: "SUB", count: 1 }),
    ("SUB a b c d\r\n", Malformed::Arguments { verb: "SUB", count: 4 }),
    ("UNSUB \r\n", Malformed::Arguments { verb: "UNSUB", count: 0 }),
    ("SUB a\rb 1\r\n", Malformed::StrayReturn),
    ("PUB a 2\r\nhix", Malformed::BodyEnd),
    ("PUB a 2\r\nhi\n", Malformed::BodyEnd),
    ("PUB a 2\r\nhi\r\r", Malformed::BodyEnd),
    ("PUB a 0\r\nP", Malformed::BodyEnd),
];

#[test]
fn every_command_is_read_as_the_server_reads_it() {
    for (speaker, fixtures) in [(Speaker::Client, CLIENT), (Speaker::Server, SERVER)] {
        for (text, expected) in fixtures {
            let (frames, left) = read_whole(speaker, text.as_bytes());
            assert_eq!((frames, left), (vec![(*expected).to_owned()], Ok(0)), "{text:?}");
        }
    }
}

#[test]
fn every_command_cut_at_every_byte_is_the_same_command() {
    for (speaker, fixtures) in [(Speaker::Client, CLIENT), (Speaker::Server, SERVER)] {
        let stream: String = fixtures.iter().map(|(text, _)| *text).collect();
        let whole = read_whole(speaker, stream.as_bytes());
        assert_eq!(whole.0, fixtures.iter().map(|(_, expected)| (*expected).to_owned()).collect::<Vec<_>>());
        for cut in 0..=stream.len() {
            let (first, second) = stream.as_bytes().split_at(cut);
            assert_eq!(read(speaker, &[first, second]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(read(speaker, &bytes), whole, "one byte at a time");
    }
}

#[test]
fn malformed_commands_are_named_however_they_are_split() {
    for (text, expected) in MALFORMED {
        let stream = ["PING\r\n", text].concat();
        assert_eq!(
            read_whole(Speaker::Client, stream.as_bytes()),
            (vec!["ping".to_owned()], Err(*expected)),
            "{text:?}"
        );
        for cut in 0..=stream.len() {
            let (first, second) = stream.as_bytes().split_at(cut);
            assert_eq!(read(Speaker::Client, &[first, second]).1, Err(*expected), "{text:?} cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(read(Speaker::Client, &bytes).1, Err(*expected), "{text:?} one byte at a time");
    }
}

#[test]
fn arguments_at_the_limit_pass_and_one_byte_more_does_not() {
    for (len, passes) in [(MAX_CONTROL_LINE, true), (MAX_CONTROL_LINE + 1, false)] {
        let subject = "x".repeat(len - " 0".len());
        let stream = format!("PUB {subject} 0\r\n\r\n");
        let (frames, left) = read_whole(Speaker::Client, stream.as_bytes());
        assert_eq!((frames.len(), left.is_ok()), (usize::from(passes), passes), "{len}");
    }
    // A line that does not end is not waited for.
    let endless = vec![b'P'; MAX_CONTROL_LINE + MAX_LINE_EXTRA];
    let mut parser = Parser::new(Speaker::Client, MAX_CONTROL_LINE);
    assert_eq!(parser.parse(&endless[1..]), Parsed::Line { missing: 1, unknown: true });
    assert_eq!(parser.parse(&endless), Parsed::Malformed(Malformed::LineTooLong { limit: MAX_CONTROL_LINE }));
}

#[test]
fn what_can_be_no_command_is_known_before_its_line_ends() {
    for (text, unknown) in [
        ("", false),
        ("P", false),
        ("PU", false),
        ("PUB", false),
        ("PUX", true),
        ("PUBX", true),
        ("\u{16}", true),
        (" ", true),
    ] {
        let mut parser = Parser::new(Speaker::Client, MAX_CONTROL_LINE);
        let missing = usize::from(!text.is_empty());
        assert_eq!(parser.parse(text.as_bytes()), Parsed::Line { missing, unknown }, "{text:?}");
    }
}

#[test]
fn a_message_can_be_acted_on_before_its_payload_is_here() {
    let stream = b"HPUB big r 20 2000020\r\nNATS/1.0\r\nA: 123\r\n\r\n";
    let mut parser = Parser::new(Speaker::Client, MAX_CONTROL_LINE);
    let Parsed::Body { head, missing } = parser.parse(&stream[..30]) else { panic!() };
    assert_eq!((head.line_len(), head.body_len(), missing), (23, 2_000_022, 2_000_022 - 7));
    assert_eq!((head.header(), head.payload().len()), (23..43, 2_000_000));
    assert_eq!(head.message().unwrap().subject.of(stream), b"big");
    // The same control line again, unchanged, when the header block is here.
    assert_eq!(parser.parse(stream), Parsed::Body { head, missing: 2_000_002 });
}

#[test]
fn a_body_that_passes_piecemeal_is_told_apart_at_every_cut() {
    let stream = b"HPUB a 16 21\r\nNATS/1.0\r\nA:\r\n\r\nhello\r\nPING\r\n";
    let mut parser = Parser::new(Speaker::Client, MAX_CONTROL_LINE);
    let Parsed::Frame(head) = parser.parse(stream) else { panic!("{:?}", parser.parse(stream)) };
    let after = &stream[head.line_len()..];
    for cut in 0..=after.len() {
        let mut body = Body::new(&head);
        let (mut header, mut payload, mut len) = (Vec::new(), Vec::new(), 0);
        for piece in [&after[..cut], &after[cut..]] {
            let chunk = body.take(piece).unwrap();
            header.extend_from_slice(&piece[chunk.header]);
            payload.extend_from_slice(&piece[chunk.payload]);
            len += chunk.len;
            assert_eq!(chunk.done, body.left() == 0);
        }
        assert_eq!((&header[..], &payload[..], len), (&stream[head.header()], &b"hello"[..], 23), "cut at {cut}");
    }
    for wrong in
        [&b"NATS/1.0\r\nA:\r\n\r\nhelloX"[..], b"NATS/1.0\r\nA:\r\n\r\nhello\n", b"NATS/1.0\r\nA:\r\n\r\nhello\rX"]
    {
        for cut in 0..=wrong.len() {
            let mut body = Body::new(&head);
            let outcome = body.take(&wrong[..cut]).and_then(|_| body.take(&wrong[cut..]));
            assert_eq!(outcome.unwrap_err(), Malformed::BodyEnd, "{wrong:?} cut at {cut}");
        }
    }
}

#[test]
fn no_byte_of_a_long_line_or_payload_is_scanned_twice() {
    // A rescan of each prefix would look at 10^11 bytes, and not end in time.
    let stream = format!("INFO {}\r\nMSG a 1 400000\r\n{}\r\n", "x".repeat(400_000), "y".repeat(400_000));
    let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
    let mut parser = Parser::new(Speaker::Server, MAX_SERVER_LINE);
    let (mut start, mut frames) = (0, 0);
    for end in 1..=bytes.len() {
        if let Parsed::Frame(head) = parser.parse(&stream.as_bytes()[start..end]) {
            start += head.len();
            frames += 1;
        }
    }
    assert_eq!((frames, start), (2, stream.len()));
}

proptest! {
    #[test]
    fn any_bytes_are_read_the_same_however_they_are_split(
        stream in prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), commands()],
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        server in any::<bool>(),
    ) {
        let speaker = if server { Speaker::Server } else { Speaker::Client };
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(read(speaker, &pieces), read_whole(speaker, &stream));
    }

    #[test]
    fn any_header_block_is_looked_at_without_loss(bytes in proptest::collection::vec(any::<u8>(), 0..100), valid in any::<bool>()) {
        let bytes = if valid { [b"NATS/1.0\r\n", &bytes[..], b"\r\n\r\n"].concat() } else { bytes };
        let block = HeaderBlock::new(&bytes);
        let raw: usize = block.lines().map(|line| line.raw.len()).sum();
        prop_assert!(raw <= bytes.len());
        if let Some(at) = block.end_of_lines() {
            let added = [&bytes[..at], b"Wilco: 1\r\n", &bytes[at..]].concat();
            let with = HeaderBlock::new(&added);
            prop_assert!(with.is_injectable());
            prop_assert_eq!(with.lines().last().unwrap().name, b"Wilco");
            prop_assert!(block.lines().eq(with.lines().take(block.lines().count())));
            prop_assert_eq!(block.status(), with.status());
        }
    }
}

/// Streams that are mostly commands, with some bytes changed.
fn commands() -> impl Strategy<Value = Vec<u8>> {
    let fixture = prop::sample::select([CLIENT, SERVER].concat());
    let command = fixture.prop_map(|(text, _)| text.as_bytes().to_vec());
    let changed = (command, any::<prop::sample::Index>(), any::<u8>(), prop::bool::weighted(0.1)).prop_map(
        |(mut command, at, byte, change)| {
            if change {
                let at = at.index(command.len());
                command[at] = byte;
            }
            command
        },
    );
    proptest::collection::vec(changed, 0..8).prop_map(|commands| commands.concat())
}

/// What was read of a stream, and how it ended: with so many bytes unread, or not as a command.
type Read = (Vec<String>, Result<usize, Malformed>);

fn read_whole(speaker: Speaker, stream: &[u8]) -> Read {
    read(speaker, &[stream])
}

/// Reads a stream that comes in pieces, as a connection would.
fn read(speaker: Speaker, pieces: &[&[u8]]) -> Read {
    let mut parser = Parser::new(speaker, MAX_CONTROL_LINE);
    let (mut unread, mut frames) = (Vec::new(), Vec::new());
    for piece in pieces {
        unread.extend_from_slice(piece);
        loop {
            match parser.parse(&unread) {
                Parsed::Frame(head) => {
                    frames.push(describe(&head, &unread));
                    unread.drain(..head.len());
                }
                Parsed::Body { head, missing } => {
                    assert_eq!(unread.len() + missing, head.len());
                    break;
                }
                Parsed::Line { .. } => break,
                Parsed::Malformed(reason) => return (frames, Err(reason)),
            }
        }
    }
    (frames, Ok(unread.len()))
}

fn describe(head: &Head, frame: &[u8]) -> String {
    assert!(head.len() <= frame.len());
    let text = |span: wilco::nats::Span| String::from_utf8_lossy(span.of(frame)).into_owned();
    let part = |span: Option<wilco::nats::Span>| span.map_or("-".to_owned(), text);
    let verb = match head.op {
        Op::Pub(_) => "pub",
        Op::Hpub(_) => "hpub",
        Op::Msg(_) => "msg",
        Op::Hmsg(_) => "hmsg",
        Op::Info { json } => return format!("info {}", text(json)),
        Op::Connect { json } => return format!("connect {}", text(json)),
        Op::Sub { subject, queue, sid } => return format!("sub {} {} {}", text(subject), part(queue), text(sid)),
        Op::Unsub { sid, max } => {
            return format!("unsub {} {}", text(sid), max.map_or("-".to_owned(), |max| max.to_string()));
        }
        Op::Ping => return "ping".to_owned(),
        Op::Pong => return "pong".to_owned(),
        Op::Ok => return "ok".to_owned(),
        Op::Err { text: words } => return format!("err {}", text(words)),
        Op::Unknown => return "unknown".to_owned(),
    };
    let message = head.message().unwrap();
    let sid = message.sid.map_or(String::new(), |sid| format!("{} ", text(sid)));
    assert_eq!(message.header_size.is_some(), verb.starts_with('h'));
    assert_eq!(&frame[head.payload().end..head.len()], b"\r\n");
    let body = String::from_utf8_lossy(&frame[head.header().start..head.payload().end]);
    let (subject, reply, size) = (text(message.subject), part(message.reply), text(message.total_size));
    format!("{verb} {subject} {sid}{reply} [{size}] {} {body}", message.header_len)
}
