//! Any bytes, from either side, are read the same in one piece as in two, and a header block bears a further line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wilco::nats::limits::MAX_CONTROL_LINE;
use wilco::nats::{Body, HeaderBlock, Head, Malformed, Parsed, Parser, Speaker};

fuzz_target!(|data: &[u8]| {
    let [choice, at, stream @ ..] = data else { return };
    let speaker = if choice & 1 == 0 { Speaker::Client } else { Speaker::Server };
    let cut = usize::from(*at).min(stream.len());
    let whole = frames(speaker, &[stream]);
    assert_eq!(whole, frames(speaker, &[&stream[..cut], &stream[cut..]]));
    for (start, head) in &whole.0 {
        let frame = &stream[*start..start + head.len()];
        let mut body = Body::new(head);
        let chunk = body.take(&frame[head.line_len()..]).expect("it was read as a frame");
        assert!(chunk.done && chunk.len == head.body_len());
        let block = HeaderBlock::new(&frame[head.header()]);
        if let Some(end) = block.end_of_lines() {
            let bytes = block.as_bytes();
            let added = [&bytes[..end], b"Wilco: 1\r\n", &bytes[end..]].concat();
            let with = HeaderBlock::new(&added);
            assert!(with.is_injectable() && with.lines().count() == block.lines().count() + 1);
        }
    }
});

type Frames = (Vec<(usize, Head)>, Option<Malformed>);

fn frames(speaker: Speaker, pieces: &[&[u8]]) -> Frames {
    let mut parser = Parser::new(speaker, MAX_CONTROL_LINE);
    let (mut all, mut start, mut found) = (Vec::new(), 0, Vec::new());
    for piece in pieces {
        all.extend_from_slice(piece);
        loop {
            match parser.parse(&all[start..]) {
                Parsed::Frame(head) => {
                    found.push((start, head));
                    start += head.len();
                }
                Parsed::Malformed(reason) => return (found, Some(reason)),
                Parsed::Body { .. } | Parsed::Line { .. } => break,
            }
        }
    }
    (found, None)
}
