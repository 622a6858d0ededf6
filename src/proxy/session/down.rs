//! From server to client: looked at, and nothing is added.

use super::pipe::{Passing, Pipe};
use super::{PassingOf, Talk};
use crate::model::{ContentHash, Timestamp};
use crate::nats::{Body, Head, HeaderBlock, Info, Message, Op, Parsed};
use crate::proxy::counters::{Direction, Opaque};
use crate::proxy::observer::Delivered;
use crate::proxy::worker::{Desk, Worker};

/// Looks at every frame that is whole. Where `INFO` is not edited, the bytes have gone on already.
pub(super) fn walk(pipe: &mut Pipe, talk: &mut Talk, desk: &mut Desk, worker: &Worker, now: Timestamp) {
    if pipe.opaque {
        return pipe.give_up(&mut desk.buffers.out);
    }
    let mut at = pipe.start;
    let mut raw = pipe.start + pipe.sent;
    let mut hold = false;
    pipe.missing = 0;
    loop {
        if let Some(passing) = &mut pipe.passing {
            let Ok(chunk) = passing.body.take(&pipe.buffer[at..pipe.end]) else {
                worker.counters.opaque(Opaque::Malformed);
                pipe.opaque = true;
                break;
            };
            if let Some(hasher) = &mut passing.hasher {
                hasher.update(&pipe.buffer[at..pipe.end][chunk.payload]);
            }
            at += chunk.len;
            if !chunk.done {
                break;
            }
            if let Some(Passing { hasher: Some(hasher), of: PassingOf::Delivery, .. }) = pipe.passing.take() {
                let hash = ContentHash::from_bytes(*hasher.finalize().as_bytes());
                talk.observer.on_streamed_down(hash, &mut desk.batch);
            }
        }
        if at == pipe.end {
            break;
        }
        match pipe.parser.parse(&pipe.buffer[at..pipe.end]) {
            Parsed::Frame(Head { op: Op::Unknown, .. }) | Parsed::Line { unknown: true, .. } => {
                worker.counters.opaque(Opaque::Unknown);
                pipe.opaque = true;
                break;
            }
            Parsed::Frame(head) => {
                let frame = &pipe.buffer[at..at + head.len()];
                match head.op {
                    Op::Msg(message) | Op::Hmsg(message) => {
                        delivered(&head, &message, frame, true, talk, desk, worker, now)
                    }
                    Op::Info { json } => {
                        let json = json.of(frame);
                        heard(talk, json, worker);
                        if !talk.edit.is_none() && raw <= at {
                            let out = &mut desk.buffers.out;
                            out.pass(&pipe.buffer, raw..at);
                            let start = out.made.len();
                            out.made.extend_from_slice(b"INFO ");
                            out.made.extend_from_slice(&talk.edit.apply(json));
                            out.made.extend_from_slice(b"\r\n");
                            out.made_since(start);
                            raw = at + head.len();
                        }
                    }
                    Op::Err { .. } => worker.counters.server_error(),
                    _ => {}
                }
                at += head.len();
                pipe.usual = head.len();
            }
            Parsed::Body { head, missing } => {
                let large = head.len() > super::buffers::READ_BYTES;
                let there = pipe.end - at;
                match head.message() {
                    Some(message) if large && there >= head.header().end => {
                        let frame = &pipe.buffer[at..pipe.end];
                        delivered(&head, message, frame, false, talk, desk, worker, now);
                        let hasher = talk.observer.wants_hash_of_stream().then(Box::default);
                        pipe.passing = Some(Passing { body: Body::new(&head), hasher, of: PassingOf::Delivery });
                        pipe.parser.reset();
                        at += head.line_len();
                    }
                    _ => {
                        pipe.missing = if large { 0 } else { missing };
                        break;
                    }
                }
            }
            Parsed::Line { .. } => {
                hold = !talk.edit.is_none() && pipe.buffer[at] | 0x20 == b'i';
                break;
            }
            Parsed::Malformed(_) => {
                worker.counters.opaque(Opaque::Malformed);
                pipe.opaque = true;
                break;
            }
        }
    }
    let until = if hold { at } else { pipe.end };
    if raw < until {
        desk.buffers.out.pass(&pipe.buffer, raw..until);
        raw = until;
    }
    pipe.start = if pipe.opaque { pipe.end } else { at };
    pipe.sent = raw.saturating_sub(pipe.start);
}

#[allow(clippy::too_many_arguments, reason = "the parts of one walk, and of one frame")]
fn delivered(
    head: &Head,
    message: &Message,
    frame: &[u8],
    whole: bool,
    talk: &mut Talk,
    desk: &mut Desk,
    worker: &Worker,
    now: Timestamp,
) {
    worker.counters.message(Direction::Down);
    let delivered = Delivered {
        sid: message.sid.map_or(&[][..], |sid| sid.of(frame)),
        subject: message.subject.of(frame),
        reply: message.reply.map(|reply| reply.of(frame)),
        headers: matches!(head.op, Op::Hmsg(_)).then(|| HeaderBlock::new(&frame[head.header()])),
        payload: whole.then(|| &frame[head.payload()]),
        size: message.payload_len() as u64,
    };
    worker.mind_full(&mut desk.batch);
    talk.observer.on_delivery(&delivered, now, &mut desk.batch);
}

/// An `INFO`, the first or a later one. The latest counts.
pub(super) fn heard(talk: &mut Talk, json: &[u8], worker: &Worker) {
    let Ok(info) = Info::from_json(json) else { return };
    worker.shared.check(&info, talk.upstream, talk.edit.advertise.is_some(), &worker.counters);
    talk.observer.on_info(&info);
    talk.info = Some(info);
}
