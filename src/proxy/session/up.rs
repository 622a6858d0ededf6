//! From client to server: what is published gets its header, and everything else goes on as it is.

use super::inject::{self, MOST_ADDED};
use super::pipe::{Passing, Pipe};
use super::{PassingOf, Talk};
use crate::model::{ContentHash, Timestamp};
use crate::nats::{Body, Connect, Head, HeaderBlock, Message, Op, Parsed};
use crate::proxy::counters::{Direction, Opaque};
use crate::proxy::observer::{Plan, Published, Skipped};
use crate::proxy::worker::{Desk, Worker};

/// First byte of a TLS handshake.
const TLS: u8 = 0x16;

/// Deals with every frame that is whole, and decides what becomes of the one that is not.
pub(super) fn walk(
    pipe: &mut Pipe,
    down: &mut Pipe,
    talk: &mut Talk,
    desk: &mut Desk,
    worker: &Worker,
    now: Timestamp,
) {
    if pipe.opaque {
        return pipe.give_up(&mut desk.buffers.out);
    }
    desk.buffers.ahead.clear();
    let mut walk = Walk { at: pipe.start, raw: pipe.start + pipe.sent, pipe, talk, desk, worker, now };
    let rest = loop {
        match walk.step() {
            Step::Next => {}
            Step::Rest(rest) => break rest,
        }
    };
    match rest {
        Rest::Opaque(why) => {
            worker.counters.opaque(why);
            if why == Opaque::Tls {
                down.opaque = true;
            }
            walk.stop(0, true);
            pipe.give_up(&mut desk.buffers.out);
        }
        Rest::Hold(missing) => walk.stop(missing, false),
        Rest::GoOn(missing) => walk.stop(missing, true),
    }
}

/// The client has stopped in the midst of a frame, for long enough that the server should judge it.
pub(super) fn stalled(pipe: &mut Pipe, talk: &mut Talk, desk: &mut Desk, worker: &Worker, now: Timestamp) {
    let mut walk = Walk { at: pipe.start, raw: pipe.start + pipe.sent, pipe, talk, desk, worker, now };
    let unread = &walk.pipe.buffer[walk.at..walk.pipe.end];
    if let Parsed::Body { head, .. } = walk.pipe.parser.parse(unread)
        && let Some(message) = head.message()
        && walk.begin_passing(&head, message)
    {
        while matches!(walk.step(), Step::Next) {}
    }
    walk.stop(0, true);
}

struct Walk<'a> {
    /// Where the frame begins that is being looked at.
    at: usize,
    /// From where on bytes have not gone on yet. Past `at` where a part of this frame has.
    raw: usize,
    pipe: &'a mut Pipe,
    talk: &'a mut Talk,
    desk: &'a mut Desk,
    worker: &'a Worker,
    now: Timestamp,
}

enum Step {
    Next,
    Rest(Rest),
}

/// What becomes of the bytes after the last whole frame. With the number of bytes that are missing, if it is known.
enum Rest {
    Hold(usize),
    GoOn(usize),
    Opaque(Opaque),
}

impl Walk<'_> {
    fn step(&mut self) -> Step {
        let end = self.pipe.end;
        if let Some(passing) = &mut self.pipe.passing {
            let bytes = &self.pipe.buffer[self.at..end];
            let Ok(chunk) = passing.body.take(bytes) else { return Step::Rest(Rest::Opaque(Opaque::Malformed)) };
            if let Some(hasher) = &mut passing.hasher {
                hasher.update(&bytes[chunk.payload]);
            }
            self.at += chunk.len;
            if !chunk.done {
                return Step::Rest(Rest::GoOn(0));
            }
            if let Some(Passing { hasher: Some(hasher), of: PassingOf::Handoff(id), .. }) = self.pipe.passing.take() {
                let hash = ContentHash::from_bytes(*hasher.finalize().as_bytes());
                self.talk.observer.on_streamed(id, hash, &mut self.desk.batch);
            }
        }
        if self.at == end {
            return Step::Rest(Rest::Hold(0));
        }
        if let Some((head, hash)) = self.desk.buffers.ahead.take(self.at) {
            if let Some(message) = head.message() {
                self.publish(&head, message, Some(hash));
            }
            self.at += head.len();
            return Step::Next;
        }
        match self.pipe.parser.parse(&self.pipe.buffer[self.at..end]) {
            Parsed::Frame(Head { op: Op::Unknown, .. }) | Parsed::Line { unknown: true, .. } => {
                let tls = self.pipe.buffer[self.at] == TLS;
                Step::Rest(Rest::Opaque(if tls { Opaque::Tls } else { Opaque::Unknown }))
            }
            Parsed::Frame(head) => {
                self.frame(&head);
                self.at += head.len();
                self.pipe.usual = head.len();
                Step::Next
            }
            Parsed::Body { head, missing } => match head.message() {
                Some(message) => self.unfinished(&head, message, missing),
                None => Step::Rest(Rest::GoOn(missing)),
            },
            Parsed::Line { unknown: false, .. } => {
                // A line that is unfinished may become one that gets a header.
                Step::Rest(if self.may_hold() { Rest::Hold(0) } else { Rest::GoOn(0) })
            }
            Parsed::Malformed(_) => Step::Rest(Rest::Opaque(Opaque::Malformed)),
        }
    }

    /// A whole frame.
    fn frame(&mut self, head: &Head) {
        match head.op {
            Op::Pub(message) | Op::Hpub(message) => self.publish(head, &message, None),
            Op::Connect { json } => {
                // What cannot be read is the server's to refuse.
                if let Ok(connect) = Connect::from_json(json.of(&self.pipe.buffer[self.at..])) {
                    self.talk.headers = connect.headers;
                    self.talk.observer.on_connect(&connect, &mut self.desk.batch);
                }
            }
            Op::Sub { subject, queue, sid } => {
                let frame = &self.pipe.buffer[self.at..];
                let queue = queue.map(|queue| queue.of(frame));
                self.talk.observer.on_subscribe(sid.of(frame), subject.of(frame), queue, &mut self.desk.batch);
            }
            Op::Unsub { sid, max } => {
                let frame = &self.pipe.buffer[self.at..];
                self.talk.observer.on_unsubscribe(sid.of(frame), max.map(u64::from));
            }
            _ => {}
        }
    }

    /// `hash`: of its payload, if it is known.
    fn publish(&mut self, head: &Head, message: &Message, hash: Option<ContentHash>) {
        let frame = &self.pipe.buffer[self.at..self.at + head.len()];
        let may_inject = self.may_inject(head, message, frame);
        let payload = &frame[head.payload()];
        let hash = hash.or_else(|| {
            let observer = &mut self.talk.observer;
            let wants = observer.wants_hash_up(message.subject.of(frame));
            let (read, limit) = (&self.pipe.buffer[..self.pipe.end], self.worker.shared.config.control_line);
            let ahead = &mut self.desk.buffers.ahead;
            wants.then(|| ahead.hash(read, self.at, head, limit, |subject| observer.wants_hash_up(subject)))
        });
        let published = published(head, message, frame, Some(payload), hash);
        self.worker.counters.message(Direction::Up);
        self.worker.mind_full(&mut self.desk.batch);
        let plan = self.talk.observer.on_publish(&published, may_inject.is_ok(), self.now, &mut self.desk.batch);
        match plan {
            Plan::Leave(skipped) => self.worker.counters.skipped(skipped.or(may_inject)),
            Plan::Inject(injection) => {
                self.worker.counters.injected();
                let out = &mut self.desk.buffers.out;
                out.pass(&self.pipe.buffer, self.raw..self.at);
                let start = out.made.len();
                inject::write(&injection, hash, payload.len(), self.now, head, message, frame, &mut out.made);
                out.made_since(start);
                self.raw = self.at + head.payload().start;
            }
        }
    }

    /// A message whose body is not all here.
    fn unfinished(&mut self, head: &Head, message: &Message, missing: usize) -> Step {
        let config = &self.worker.shared.config;
        let total = message.total_len as usize;
        let is_large = total > config.stream_over;
        if !is_large && total <= self.max_payload() && self.may_hold() {
            return Step::Rest(Rest::Hold(missing));
        }
        // Short ones stay where they are until they are whole, and go on meanwhile.
        if !is_large && total <= super::buffers::READ_BYTES / 2 {
            return Step::Rest(Rest::GoOn(missing));
        }
        if self.begin_passing(head, message) { Step::Next } else { Step::Rest(Rest::Hold(0)) }
    }

    /// Lets the message pass as it comes, with a header if it may have one. `false`: its own header is not whole yet.
    fn begin_passing(&mut self, head: &Head, message: &Message) -> bool {
        let frame = &self.pipe.buffer[self.at..self.pipe.end];
        if frame.len() < head.header().end {
            return false;
        }
        let may_inject = self.may_inject(head, message, frame);
        let published = published(head, message, frame, None, None);
        self.worker.counters.message(Direction::Up);
        let plan = self.talk.observer.on_publish(&published, may_inject.is_ok(), self.now, &mut self.desk.batch);
        let mut passing = Passing { body: Body::new(head), hasher: None, of: PassingOf::Nobody };
        match plan {
            Plan::Leave(skipped) => self.worker.counters.skipped(skipped.or(may_inject)),
            Plan::Inject(injection) => {
                self.worker.counters.injected();
                self.worker.counters.streamed();
                let out = &mut self.desk.buffers.out;
                out.pass(&self.pipe.buffer, self.raw..self.at);
                let start = out.made.len();
                let size = message.payload_len();
                inject::write(&injection, None, size, self.now, head, message, frame, &mut out.made);
                out.made_since(start);
                self.raw = self.at + head.payload().start;
                passing.hasher = Some(Box::default());
                passing.of = PassingOf::Handoff(injection.id);
            }
        }
        self.pipe.parser.reset();
        self.pipe.passing = Some(passing);
        self.at += head.line_len();
        true
    }

    /// Whether a header may be added to anything on this connection.
    fn may_hold(&self) -> bool {
        self.raw <= self.at
            && self.talk.headers
            && self.talk.info.as_ref().is_some_and(|info| info.headers)
            && self.talk.observer.may_inject()
    }

    fn may_inject(&self, head: &Head, message: &Message, frame: &[u8]) -> Result<(), Skipped> {
        if !self.talk.headers || !self.talk.info.as_ref().is_some_and(|info| info.headers) {
            return Err(Skipped::NoHeaders);
        }
        if self.raw > self.at {
            return Err(Skipped::Stalled);
        }
        if matches!(head.op, Op::Hpub(_)) && !HeaderBlock::new(&frame[head.header()]).is_injectable() {
            return Err(Skipped::HeaderBlock);
        }
        if message.total_len as usize + MOST_ADDED > self.max_payload() {
            return Err(Skipped::MaxPayload);
        }
        let arguments = message.total_size.end() - message.subject.start();
        if arguments + inject::MOST_DIGITS > self.worker.shared.config.control_line {
            return Err(Skipped::ControlLine);
        }
        Ok(())
    }

    fn max_payload(&self) -> usize {
        self.talk.info.as_ref().map_or(usize::MAX, crate::nats::Info::max_payload)
    }

    /// Leaves the unfinished frame where it is, and lets the bytes before it go on; those of itself if `all`.
    fn stop(&mut self, missing: usize, all: bool) {
        let until = if all { self.pipe.end } else { self.at };
        if self.raw < until {
            self.desk.buffers.out.pass(&self.pipe.buffer, self.raw..until);
            self.raw = until;
        }
        self.pipe.start = self.at;
        self.pipe.sent = self.raw.saturating_sub(self.at);
        self.pipe.missing = missing;
    }
}

fn published<'a>(
    head: &Head,
    message: &Message,
    frame: &'a [u8],
    payload: Option<&'a [u8]>,
    hash: Option<ContentHash>,
) -> Published<'a> {
    Published {
        subject: message.subject.of(frame),
        reply: message.reply.map(|reply| reply.of(frame)),
        headers: matches!(head.op, Op::Hpub(_)).then(|| HeaderBlock::new(&frame[head.header()])),
        payload,
        size: message.payload_len() as u64,
        hash,
    }
}
