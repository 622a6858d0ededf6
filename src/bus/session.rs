use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::client::Client;
use super::parting::Parting;
use super::router::Routes;
use super::shared::Shared;
use super::stats::add;
use super::subscription::Subscription;
use crate::nats::limits::MAX_CONTROL_LINE;
use crate::nats::subject::{is_literal, is_pattern};
use crate::nats::{Connect, Head, Malformed, Message, Op, Parsed, Parser, Span, Speaker};

/// Subscriptions of one connection, so that its memory is bounded.
const MAX_SUBSCRIPTIONS: usize = 65_536;

/// How long a sender is held back, once a batch, on account of a receiver for whom half of what may wait is waiting.
const HELD_BACK: Duration = Duration::from_millis(10);

/// What one client says, and what comes of it.
#[derive(Debug)]
pub(super) struct Session {
    client: Arc<Client>,
    shared: Arc<Shared>,
    parser: Parser,
    connect: Connect,
    routes: Routes,
    /// Whose outboxes this batch put something into.
    touched: Vec<Arc<Client>>,
    /// Who has much waiting.
    full: Vec<Arc<Client>>,
    batch: Batch,
}

/// Counted once a batch, as counters are shared by all.
#[derive(Debug, Default)]
struct Batch {
    messages_in: u64,
    messages_out: u64,
    bytes_in: u64,
}

impl Session {
    pub(super) fn new(client: Arc<Client>, shared: Arc<Shared>) -> Self {
        Self {
            client,
            shared,
            parser: Parser::new(Speaker::Client, MAX_CONTROL_LINE),
            connect: Connect::default(),
            routes: Routes::default(),
            touched: Vec::new(),
            full: Vec::new(),
            batch: Batch::default(),
        }
    }

    /// Deals with every command that is complete, and takes it out of `unread`.
    pub(super) fn read(&mut self, unread: &mut Vec<u8>) -> Result<(), Parting> {
        self.client.heard.store(true, Ordering::Relaxed);
        let mut start = 0;
        let outcome = loop {
            match self.next(&unread[start..]) {
                Ok(Step::Done(len)) => start += len,
                Ok(Step::Wait { missing }) => break Ok(missing),
                Err(parting) => break Err(parting),
            }
        };
        unread.drain(..start);
        self.count();
        // The rest of a payload is read into place; `max_payload` bounds it.
        outcome.map(|missing| unread.reserve(missing))
    }

    /// Writes what this batch put down, each receiver once.
    pub(super) fn flush(&mut self) {
        let much = self.shared.options.max_pending / 2;
        for client in self.touched.drain(..).filter(|client| client.id != self.client.id) {
            client.flush();
            if client.outbox().pending() > much {
                self.full.push(client);
            }
        }
        // Last: who hears a PONG may count on what it sent before to be on its way.
        self.client.flush();
    }

    /// Waits a moment for receivers that do not keep up.
    pub(super) async fn hold_back(&mut self) {
        let much = self.shared.options.max_pending / 2;
        for client in self.full.drain(..) {
            let drained = client.drained.notified();
            if client.outbox().pending() > much {
                // Either will do.
                let _ = tokio::time::timeout(HELD_BACK, drained).await;
            }
        }
    }

    fn next(&mut self, unread: &[u8]) -> Result<Step, Parting> {
        let parsed = self.parser.parse(unread);
        if !self.client.admitted.load(Ordering::Relaxed) {
            self.expect_connect(&parsed, unread)?;
        }
        match parsed {
            Parsed::Frame(head) => {
                self.take(&head, &unread[..head.len()])?;
                Ok(Step::Done(head.len()))
            }
            Parsed::Body { head, missing } => {
                self.check(&head)?;
                Ok(Step::Wait { missing })
            }
            Parsed::Line { unknown: true, .. } => Err(Parting::UnknownOperation),
            Parsed::Line { missing, .. } => Ok(Step::Wait { missing }),
            Parsed::Malformed(Malformed::LineTooLong { .. }) => Err(Parting::ControlLine),
            Parsed::Malformed(Malformed::BodyEnd) => Err(Parting::UnknownOperation),
            Parsed::Malformed(_) => Err(Parting::Protocol),
        }
    }

    /// Before it has said who it is, a client may say nothing but `CONNECT`.
    fn expect_connect(&self, parsed: &Parsed, unread: &[u8]) -> Result<(), Parting> {
        match parsed {
            Parsed::Frame(Head { op: Op::Connect { .. }, .. }) => Ok(()),
            Parsed::Line { .. } if unread.first().is_none_or(|byte| byte.eq_ignore_ascii_case(&b'c')) => Ok(()),
            _ => Err(Parting::Authorization),
        }
    }

    /// What can be said of a message before its payload is here.
    fn check(&self, head: &Head) -> Result<(), Parting> {
        let Some(message) = head.message() else { return Ok(()) };
        if matches!(head.op, Op::Hpub(_)) && !self.connect.headers {
            return Err(Parting::Protocol);
        }
        if message.total_len as usize > self.shared.options.max_payload {
            return Err(Parting::MaxPayload);
        }
        Ok(())
    }

    fn take(&mut self, head: &Head, frame: &[u8]) -> Result<(), Parting> {
        match head.op {
            Op::Pub(message) | Op::Hpub(message) => {
                self.check(head)?;
                self.publish(head, &message, frame);
            }
            Op::Ping => self.client.say(b"PONG\r\n"),
            Op::Pong => self.client.unanswered_pings.store(0, Ordering::Relaxed),
            Op::Sub { subject, queue, sid } => self.subscribe(frame, subject, queue, sid),
            Op::Unsub { sid, max } => self.unsubscribe(sid.of(frame), max.unwrap_or(0)),
            Op::Connect { json } => return self.introduce(json.of(frame)),
            // As nats-server: read, and not minded.
            Op::Ok | Op::Info { .. } => {}
            Op::Err { .. } => return Err(Parting::Protocol),
            Op::Msg(_) | Op::Hmsg(_) | Op::Unknown => return Err(Parting::UnknownOperation),
        }
        Ok(())
    }

    fn introduce(&mut self, json: &[u8]) -> Result<(), Parting> {
        let connect = Connect::from_json(json).map_err(|error| {
            tracing::warn!(client = self.client.id, %error, "a `CONNECT` could not be read");
            Parting::Protocol
        })?;
        if let Some(token) = &self.shared.options.token
            && !connect.auth_token.as_ref().is_some_and(|given| given.is(token))
        {
            tracing::warn!(client = self.client.id, name = connect.name, "a client came without the right token");
            return Err(Parting::Authorization);
        }
        if !matches!(connect.protocol, 0 | 1) {
            return Err(Parting::ClientProtocol);
        }
        if connect.no_responders && !connect.headers {
            return Err(Parting::NoRespondersWithoutHeaders);
        }
        self.client.headers.store(connect.headers, Ordering::Relaxed);
        self.client.no_echo.store(!connect.echo, Ordering::Relaxed);
        self.client.admitted.store(true, Ordering::Relaxed);
        self.connect = connect;
        self.ok();
        Ok(())
    }

    fn subscribe(&mut self, frame: &[u8], subject: Span, queue: Option<Span>, sid: Span) {
        let (subject, sid) = (subject.of(frame), sid.of(frame));
        if !is_pattern(subject) {
            return self.client.say(b"-ERR 'Invalid Subject'\r\n");
        }
        let mut known = self.client.subscriptions();
        if known.len() >= MAX_SUBSCRIPTIONS {
            drop(known);
            return self.client.say(b"-ERR 'maximum subscriptions exceeded'\r\n");
        }
        // A second subscription of the same name is ignored, as by nats-server.
        if !known.contains_key(sid) {
            let queue = queue.map(|queue| queue.of(frame));
            let subscription = Arc::new(Subscription::new(self.client.clone(), subject, queue, sid));
            known.insert(sid.into(), subscription.clone());
            drop(known);
            self.shared.router.insert(subscription);
        } else {
            drop(known);
        }
        self.ok();
    }

    fn unsubscribe(&mut self, sid: &[u8], max: u32) {
        let known = self.client.subscriptions().get(sid).cloned();
        if let Some(subscription) = known {
            // Under the lock of the outbox, so that nothing is put down for it afterwards.
            let over = {
                let _outbox = self.client.outbox();
                subscription.limit(max.into())
            };
            if over {
                self.shared.forget(&subscription);
            }
        }
        self.ok();
    }

    fn publish(&mut self, head: &Head, message: &Message, frame: &[u8]) {
        self.batch.messages_in += 1;
        self.batch.bytes_in += u64::from(message.total_len);
        let subject = message.subject.of(frame);
        if self.connect.pedantic && !is_literal(subject) {
            // It is delivered all the same, as by nats-server.
            self.client.say(b"-ERR 'Invalid Publish Subject'\r\n");
        }
        self.ok();
        let matched = self.routes.find(&self.shared.router, subject);
        let mut delivered = false;
        for subscription in &matched.plain {
            delivered |= self.deliver(subscription, head, message, frame);
        }
        for group in &matched.groups {
            let first = if group.len() > 1 { fastrand::usize(..group.len()) } else { 0 };
            let in_turn = group[first..].iter().chain(&group[..first]);
            delivered |= in_turn.into_iter().any(|subscription| self.deliver(subscription, head, message, frame));
        }
        if !delivered
            && self.connect.no_responders
            && let Some(reply) = message.reply
        {
            self.say_no_responders(subject, reply.of(frame));
        }
    }

    /// Puts a message down for one subscription; `false` if it may not have it.
    fn deliver(&mut self, subscription: &Arc<Subscription>, head: &Head, message: &Message, frame: &[u8]) -> bool {
        let client = &subscription.client;
        if client.id == self.client.id && client.no_echo.load(Ordering::Relaxed) {
            return false;
        }
        let mut outbox = client.outbox();
        if subscription.is_over() {
            return false;
        }
        // Names, sizes and blanks are no longer than the line that they came with, but for the sid.
        let len = frame.len() + subscription.sid.len() + "HMSG".len() + 2;
        let Some(room) = outbox.room(len) else {
            drop(outbox);
            client.attention.notify_one();
            return false;
        };
        write_message(room, subscription, head, message, frame, client.has_headers());
        self.batch.messages_out += 1;
        let last = subscription.count();
        if !outbox.flush_due {
            outbox.flush_due = true;
            self.touched.push(client.clone());
        }
        drop(outbox);
        if last {
            self.shared.forget(subscription);
        }
        true
    }

    /// Tells a requester at once that nobody is there, if it listens for the reply itself.
    fn say_no_responders(&mut self, subject: &[u8], reply: &[u8]) {
        let matched = self.routes.find(&self.shared.router, reply);
        let own = matched.plain.iter().find(|subscription| subscription.client.id == self.client.id);
        let Some(subscription) = own else { return };
        let block = [b"NATS/1.0 503\r\nNats-Subject: ", subject, b"\r\n\r\n"].concat();
        let mut size = itoa::Buffer::new();
        let size = size.format(block.len()).as_bytes();
        let line =
            [b"HMSG ", reply, b" ", &subscription.sid, b" ", size, b" ", size, b"\r\n", &block, b"\r\n"].concat();
        self.client.say(&line);
    }

    fn ok(&self) {
        if self.connect.verbose {
            self.client.say(b"+OK\r\n");
        }
    }

    fn count(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if batch.messages_in > 0 {
            add(&self.shared.counters.messages_in, batch.messages_in);
            add(&self.shared.counters.messages_out, batch.messages_out);
            add(&self.shared.counters.bytes_in, batch.bytes_in);
        }
    }
}

enum Step {
    /// A command of so many bytes was dealt with.
    Done(usize),
    /// So many bytes must come, at least.
    Wait { missing: usize },
}

/// Writes `MSG` or `HMSG`: texts as they came, headers only for those who understand them.
fn write_message(
    out: &mut Vec<u8>,
    subscription: &Subscription,
    head: &Head,
    message: &Message,
    frame: &[u8],
    with_headers: bool,
) {
    let headers = message.header_size.filter(|_| message.header_len > 0);
    let sent_headers = headers.filter(|_| with_headers);
    out.extend_from_slice(if sent_headers.is_some() { b"HMSG " } else { b"MSG " });
    out.extend_from_slice(message.subject.of(frame));
    out.push(b' ');
    out.extend_from_slice(&subscription.sid);
    out.push(b' ');
    if let Some(reply) = message.reply {
        out.extend_from_slice(reply.of(frame));
        out.push(b' ');
    }
    if let Some(size) = sent_headers {
        out.extend_from_slice(size.of(frame));
        out.push(b' ');
    }
    let stripped = headers.is_some() && sent_headers.is_none();
    if stripped {
        out.extend_from_slice(itoa::Buffer::new().format(message.payload_len()).as_bytes());
    } else {
        out.extend_from_slice(message.total_size.of(frame));
    }
    out.extend_from_slice(b"\r\n");
    let body = if stripped { head.payload().start } else { head.line_len() };
    out.extend_from_slice(&frame[body..]);
}
