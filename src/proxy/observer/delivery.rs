//! What the agent hears: a task, or something that came to one of its reply subjects.

use opentelemetry::trace::{SpanId, TraceId};

use super::headers::{Headers, Stamp, text};
use super::name::Source;
use super::taken::Arrival;
use super::{Delivered, Observer, Rules, answer};
use crate::model::{AgentName, ContentHash, Timestamp};
use crate::proxy::record::{Arrived, Batch, Observed, Returned, Said, Text};
use crate::wire::Envelope;

impl Observer {
    /// Called when the message has gone on to the client.
    #[inline]
    pub(crate) fn on_delivery(&mut self, message: &Delivered<'_>, now: Timestamp, batch: &mut Batch) {
        let subscription = self.subscriptions.take(message.sid);
        self.streaming = None;
        if !self.rules.records() && !self.may_inject() {
            return;
        }
        if message.headers.is_some_and(|block| block.status().is_some()) || Rules::is_inbox(message.subject) {
            return self.returned(message, now, batch);
        }
        if !self.awaited.is_empty() && self.awaited.contains(&self.rules.key(message.subject)) {
            return self.returned(message, now, batch);
        }
        if !self.routes.of(message.subject, &self.rules).traced {
            return;
        }
        let headers = Headers::of(message.headers);
        let stamp = headers.stamp();
        if stamp.is_some_and(|stamp| stamp.has_rung) {
            return;
        }
        let is_ack = message.reply.is_some_and(|reply| reply.starts_with(answer::ACK));
        let reply = if is_ack { message.reply } else { self.reply_of(message.reply, &headers) };
        let key = reply.map(|reply| self.rules.key(reply));
        let named = stamp.and_then(|stamp| stamp.workflow());
        let named = named.or_else(|| self.workflow_said(&headers, message.payload));
        let agent = self.taker(subscription, message.subject, is_ack);
        self.taken.take(Arrival {
            id: stamp.map(|stamp| stamp.id_text()).unwrap_or_default(),
            traceparent: headers.traceparent.unwrap_or_default(),
            workflow: named.as_deref().unwrap_or_default().as_bytes(),
            agent: agent.clone(),
            reply: key,
            reply_is_unusual: reply.is_some_and(|reply| !is_ack && !Rules::is_inbox(reply)),
            at: now,
        });
        if !self.rules.records() {
            return;
        }
        if stamp.is_some_and(|stamp| !self.rules.load.takes_text(stamp.id_text())) {
            return batch.shed_received();
        }
        let hash = message.payload.map(ContentHash::of);
        let is_untrue = stamp.zip(hash).is_some_and(|(stamp, hash)| stamp.differs(hash));
        // What a message of the library says is the library's to report, unless it is not true.
        if stamp.is_some_and(|stamp| stamp.by_library) && message.payload.is_some() && !is_untrue {
            return;
        }
        if let (None, Some(hash)) = (stamp, hash)
            && !self.rules.load.takes_tail(self.rules.content(message.subject, hash) as u16)
        {
            return batch.shed_received();
        }
        let context = headers.context();
        let subscription = subscription.and_then(|place| self.subscriptions.at(place));
        let number = subscription.map_or_else(|| self.rules.number(self.session), |subscription| subscription.number);
        let consumer = is_ack.then(|| message.reply.and_then(answer::consumer)).flatten();
        let receiver = consumer.as_ref().map_or(number, |consumer| self.rules.number(consumer.name));
        let template = self.routes.of(message.subject, &self.rules).template.clone();
        let said = stamp.and_then(|stamp| self.said(stamp, &headers, context));
        if message.payload.is_none() {
            self.streaming = said.as_ref().map(|said| (said.id, receiver));
        }
        batch_arrival(
            batch,
            message,
            Arrived {
                session: self.session,
                at: now,
                agent: agent.unwrap_or_else(|| self.names.name().clone()),
                group: subscription.and_then(|subscription| subscription.group.clone()),
                receiver,
                subject: Text::default(),
                template,
                reply: key,
                expects_reply: reply.is_some() && !is_ack,
                delivery: consumer.map(|consumer| consumer.delivery),
                size: message.size,
                hash,
                said,
                server: self.server.clone(),
            },
        );
    }

    /// The agent that takes a message, if anything but its connection says so: what it subscribed to, or, as that is an
    /// inbox where the message comes `from_store`, the subject under which it was stored.
    fn taker(&mut self, subscription: Option<usize>, subject: &[u8], from_store: bool) -> Option<AgentName> {
        let by_subscription = subscription.and_then(|place| self.subscriptions.at(place)?.agent.clone());
        if by_subscription.is_some() || !from_store {
            return by_subscription;
        }
        let by_subject = self.routes.of(subject, &self.rules).agent.clone();
        self.names.learn(Source::Subject, by_subject.clone());
        by_subject
    }

    /// Whether the hash is wanted of the payload that streams down, now that its delivery was shown.
    pub(crate) fn wants_hash_of_stream(&self) -> bool {
        self.streaming.is_some()
    }

    /// The payload that streamed down has this hash.
    pub(crate) fn on_streamed_down(&mut self, hash: ContentHash, batch: &mut Batch) {
        if let Some((id, receiver)) = self.streaming.take() {
            batch.push(Observed::Checked { id, receiver, hash });
        }
    }

    /// What a message says of its handoff, in full.
    fn said(&self, stamp: Stamp<'_>, headers: &Headers<'_>, context: Option<(TraceId, SpanId, bool)>) -> Option<Said> {
        let envelope = headers.wilco.and_then(text).map(|value| Envelope::decode(value, None).envelope)?;
        Some(Said {
            id: stamp.id()?,
            hash: stamp.hash(),
            size: envelope.size,
            from: envelope.from,
            workflow: envelope.workflow,
            parent: envelope.parent,
            by_library: stamp.by_library,
            context,
        })
    }

    /// Something came to a reply subject of the agent's.
    fn returned(&mut self, message: &Delivered<'_>, now: Timestamp, batch: &mut Batch) {
        if !self.rules.records() {
            return;
        }
        let reply = self.rules.key(message.subject);
        let is_shed = !self.is_bare && !self.rules.load.takes_tail(reply.0 as u16);
        if !is_shed && let Some(what) = answer::returned(message, batch) {
            batch.push(Observed::Returned(Returned { reply, at: now, what }));
        }
    }
}

fn batch_arrival(batch: &mut Batch, message: &Delivered<'_>, mut arrived: Arrived) {
    arrived.subject = batch.keep(message.subject);
    batch.push(Observed::Arrived(arrived));
}
