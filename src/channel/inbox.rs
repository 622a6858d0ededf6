use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use async_nats::{HeaderMap, Subscriber};
use futures_util::{FutureExt, StreamExt};
use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::ahead::{Ahead, Arrived};
use super::carrier::{self, BAGGAGE};
use super::channel::Channel;
use super::delivery::{Address, Delivery};
use super::hooks::{Arrival, Reception};
use super::hub::Hub;
use super::offer::Offer;
use super::timers::Timer;
use crate::model::{AgentName, HandoffKind, Mismatch, MismatchKind, Rung, WorkflowId};
use crate::telemetry::record::{Content, SpanPlace};
use crate::verify::offset::ClockOffset;
use crate::verify::order::{DuplicateTracker, SequenceTracker};
use crate::wire::{Envelope, Known, MacCheck, Plain, names, subject, trace};

/// Where an agent takes its tasks from. Every inbox of an agent is in the agent's queue group, so several instances
/// share the work.
#[derive(Debug)]
pub struct Inbox {
    /// Keeps the channel open.
    _channel: Channel,
    address: Arc<Address>,
    subscriber: Subscriber,
    /// What was taken from the subscriber already, to be hashed together.
    ahead: Ahead,
    order: SequenceTracker,
    duplicates: DuplicateTracker,
    suppressed: u64,
    last_from: Option<AgentName>,
    last_workflow: Option<WorkflowId>,
}

impl Inbox {
    pub(crate) fn new(channel: Channel, agent: AgentName, subject: &str, subscriber: Subscriber) -> Self {
        let hub = channel.hub().clone();
        let address =
            Address { info: hub.info_of(&agent), hub, subject: subject.into(), queue_group: agent.shared(), agent };
        Self {
            _channel: channel,
            address: Arc::new(address),
            subscriber,
            ahead: Ahead::default(),
            order: SequenceTracker::default(),
            duplicates: DuplicateTracker::default(),
            suppressed: 0,
            last_from: None,
            last_workflow: None,
        }
    }

    /// Waits for the next task: its hash is verified, its order and age are known, its sender's intent is not shown.
    ///
    /// `None` once the channel is closed; what came by then and was not offered is refused as `busy`. A redelivery of what this inbox has offered before is suppressed, and
    /// counted in [`Inbox::suppressed`].
    ///
    /// # Cancel safety
    /// Cancel safe: no task is taken from the bus and not returned.
    pub async fn next(&mut self) -> Option<Offer> {
        loop {
            if self.ahead.is_empty() {
                let closing = self.address.hub.closing.notified();
                if self.hub().is_closed() {
                    break;
                }
                tokio::select! {
                    biased;
                    message = self.subscriber.next() => self.ahead.look(message?, &mut self.subscriber),
                    () = closing => break,
                }
            } else if self.hub().is_closed() {
                break;
            }
            if let Some(offer) = self.take_next() {
                return Some(offer);
            }
        }
        self.turn_away();
        None
    }

    /// How many redeliveries of tasks that were offered before have been suppressed.
    pub fn suppressed(&self) -> u64 {
        self.suppressed
    }

    /// Stops taking tasks. What the server sent already is still returned by [`Inbox::next`], then `None`.
    ///
    /// # Errors
    /// If the server cannot be told, because the connection is closed.
    ///
    /// # Cancel safety
    /// Cancel safe: calling it again does no harm.
    pub async fn drain(&mut self) -> Result<(), async_nats::UnsubscribeError> {
        self.subscriber.drain().await
    }

    /// Nobody will take what came and was not offered yet: its senders learn it at once.
    fn turn_away(&mut self) {
        loop {
            if self.ahead.is_empty() {
                let Some(Some(message)) = self.subscriber.next().now_or_never() else { return };
                self.ahead.look(message, &mut self.subscriber);
            }
            if let Some(offer) = self.take_next() {
                offer.turn_away();
            }
        }
    }

    fn hub(&self) -> &Arc<Hub> {
        &self.address.hub
    }

    fn agent(&self) -> &AgentName {
        &self.address.agent
    }

    fn take_next(&mut self) -> Option<Offer> {
        let arrived = self.ahead.take()?;
        self.take(arrived)
    }

    fn take(&mut self, arrived: Arrived) -> Option<Offer> {
        let message = &arrived.message;
        let now = self.hub().clock.now();
        let headers = message.headers.as_ref();
        let get = carrier::From(headers);
        let known =
            Known { from: self.last_from.as_ref(), to: Some(self.agent()), workflow: self.last_workflow.as_ref() };
        let (read, mac) = read(self.hub(), &get, known, message.reply.is_some());
        self.remember(&read.envelope);
        let attempt = read.envelope.attempt.unwrap_or(1);
        let times = read.envelope.id.map_or(1, |id| self.duplicates.count(id, attempt));
        // What was dropped here before its end is not done: the bus does well to bring it again.
        let duplicate = times > 1 && !read.envelope.id.is_some_and(|id| self.hub().take_abandoned(id, attempt));
        let delivery = Arc::new(self.delivery(&arrived, read, mac, times, now));
        if duplicate && !self.hub().keep_duplicates {
            self.suppressed += 1;
            tracing::debug!(agent = %self.agent(), "a redelivery was suppressed");
            delivery.suppress(now);
            return None;
        }
        self.check(&delivery, duplicate, mac);
        delivery.climb(Rung::Received, now);

        if delivery.receipts.is_some() {
            self.hub().expect_decision(delivery.token, &delivery);
            self.hub().timers.add(Instant::now() + self.hub().ack_within, Timer::Acknowledge(delivery.token));
        }
        if let Some(hooks) = &self.hub().hooks
            && let Reception::Refuse(refusal) = hooks.on_receive(&Arrival::of(&delivery))
        {
            delivery.refuse_later(&refusal);
            return None;
        }
        Some(Offer::new(delivery))
    }

    /// What can be told of a task before its agent has looked at it.
    fn check(&mut self, delivery: &Delivery, duplicate: bool, mac: MacCheck) {
        let envelope = &delivery.envelope;
        if let Some(mismatch) =
            crate::verify::content(envelope.hash, envelope.size, delivery.received.hash, delivery.received.size)
        {
            delivery.find(mismatch);
        }
        if self.hub().key.is_some() && mac == MacCheck::Wrong {
            let text = "the header's authentication code is wrong: it was altered, or made with another key";
            delivery.find(Mismatch::new(MismatchKind::Corrupted, text));
        }
        if let Some(to) = envelope.to.as_ref().filter(|to| *to != self.agent()) {
            let text = format!("addressed to {to}, taken by {}", self.agent());
            delivery.find(Mismatch::new(MismatchKind::Misrouted, text));
        }
        if let (Some(id), true) = (envelope.id, duplicate) {
            delivery.find(DuplicateTracker::duplicated(id, envelope.attempt.unwrap_or(1)));
        }
        if let (Some(from), Some(inst), Some(seq), false) = (&envelope.from, envelope.inst, envelope.seq, duplicate)
            && let Some(mismatch) = self.order.observe(from, inst, seq, envelope.attempt.unwrap_or(1))
        {
            delivery.find(mismatch);
        }
    }

    fn delivery(
        &self,
        arrived: &Arrived,
        read: Read,
        mac: MacCheck,
        times: u32,
        now: crate::model::Timestamp,
    ) -> Delivery {
        let Arrived { message, hash } = arrived;
        let Read { envelope, intent, speaks_plain } = read;
        let headers = message.headers.as_ref();
        let (place, came_with) = place(self.hub(), envelope.workflow.as_ref(), headers);
        // A message that a stream pushes has its acknowledgement subject for a reply; nobody waits there for a result.
        let (reply, delivery_count) = match message.reply.as_ref() {
            Some(reply) if reply.starts_with("$JS.ACK.") => (None, deliveries(reply)),
            reply => (reply.cloned(), 1),
        };
        let receipts = envelope.receipts.as_ref().filter(|to| subject::check_reply(to).is_ok());
        let Address { hub, subject, .. } = &*self.address;
        Delivery {
            address: self.address.clone(),
            token: hub.new_token(),
            place,
            came_with,
            started: now,
            kind: envelope.kind.unwrap_or(if reply.is_some() {
                HandoffKind::Delegation
            } else {
                HandoffKind::Transfer
            }),
            subject: (*message.subject != **subject).then(|| message.subject.as_str().into()),
            delivery_count: delivery_count.max(times),
            received: Content { hash: *hash, size: message.payload.len() as u64 },
            intent,
            payload: message.payload.clone(),
            receipts: receipts.map(|to| async_nats::Subject::from(&**to)),
            reply,
            // On one host there is one clock; what else is known of the sender's comes with the message.
            offset: if envelope.inst == Some(hub.inst) {
                Some(ClockOffset::ZERO)
            } else {
                envelope.offset.and_then(carrier::offset)
            },
            authentic: mac == MacCheck::Right,
            // Traceparent and ours are there always, so that a third header is worth a look.
            baggage: headers.filter(|headers| headers.len() > 2).and_then(|headers| headers.get(BAGGAGE).cloned()),
            speaks_plain,
            envelope,
            state: Mutex::default(),
            decided: Notify::new(),
            exported: AtomicBool::new(false),
        }
    }

    /// Remembers the names that came, since the next message most likely brings the same.
    fn remember(&mut self, envelope: &Envelope) {
        if self.last_from != envelope.from {
            self.last_from.clone_from(&envelope.from);
        }
        if self.last_workflow != envelope.workflow {
            self.last_workflow.clone_from(&envelope.workflow);
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.turn_away();
    }
}

struct Read {
    envelope: Envelope,
    intent: Option<crate::model::Intent>,
    speaks_plain: bool,
}

/// What the headers say: the packed one, else the plain ones. Malformed parts are logged, and the message still
/// reaches its agent.
fn read(hub: &Hub, get: &carrier::From<'_>, known: Known<'_>, has_reply: bool) -> (Read, MacCheck) {
    if let Some(value) = get.get_str(names::WILCO) {
        let decoded = Envelope::decode_knowing(value, hub.key.as_ref(), known);
        for problem in &decoded.problems {
            tracing::debug!(%problem, "a part of a `Wilco` header could not be read");
        }
        return (Read { envelope: decoded.envelope, intent: None, speaks_plain: false }, decoded.mac);
    }
    let (plain, problems) = Plain::read(|name| get.get_str(name));
    for problem in &problems {
        tracing::debug!(%problem, "a plain `Wilco-` header could not be read");
    }
    let speaks_plain = has_reply && plain != Plain::default();
    let envelope = Envelope { workflow: plain.workflow, from: plain.from, ..Envelope::default() };
    (Read { envelope, intent: plain.intent, speaks_plain }, MacCheck::Absent)
}

/// The process span stands under the context that came with the message (whose flags are given too), else under the
/// root of its workflow, else alone.
fn place(hub: &Hub, workflow: Option<&WorkflowId>, headers: Option<&HeaderMap>) -> (SpanPlace, Option<TraceFlags>) {
    let came_with = headers.and_then(|headers| trace::extract(&carrier::From(Some(headers))));
    let span_id = trace::new_span_id();
    let (trace_id, parent_span_id, trace_state, flag) = match (&came_with, workflow) {
        (Some(parent), _) => {
            (parent.trace_id(), parent.span_id(), parent.trace_state().clone(), Some(parent.is_sampled()))
        }
        (None, Some(workflow)) => {
            let (trace_id, root) = hub.trace_of(workflow);
            (trace_id, root, TraceState::NONE, None)
        }
        (None, None) => (TraceId::from(fastrand::u128(1..)), SpanId::INVALID, TraceState::NONE, None),
    };
    let parent_is_remote = parent_span_id != SpanId::INVALID;
    let sampled = hub.telemetry.sample(trace_id, flag);
    let place = SpanPlace { trace_id, span_id, parent_span_id, parent_is_remote, trace_state, sampled };
    (place, came_with.map(|parent| parent.trace_flags()))
}

/// How often a stream has delivered a message, from its acknowledgement subject:
/// `$JS.ACK.{stream}.{consumer}.{delivered}...`, or with domain and account hash before the stream.
fn deliveries(reply: &str) -> u32 {
    let parts: Vec<&str> = reply.split('.').collect();
    let at = if parts.len() >= 11 { 6 } else { 4 };
    parts.get(at).and_then(|count| count.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delivery_count_is_read_from_both_forms_of_the_acknowledgement_subject() {
        assert_eq!(deliveries("$JS.ACK.TASKS.workers.3.17.4.1700000000000000000.0"), 3);
        assert_eq!(deliveries("$JS.ACK.hub.ACCHASH.TASKS.workers.2.17.4.1700000000000000000.0.rnd"), 2);
        assert_eq!(deliveries("$JS.ACK."), 1);
    }
}
