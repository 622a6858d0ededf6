//! What one session learns of its agent's handoffs: synchronous, of one thread, and without an allocation for a message
//! that brings nothing new.
//!
//! ```text
//! on_publish   a task?    -> id, trace, agents, workflow, cause  -> Plan for the session, Sent for the correlator
//!              a reply?   -> left alone                          -> Answered
//!              an ack?    -> left alone                          -> Settled
//! on_delivery  a task?    -> what it says of itself, its hash    -> Arrived; the next publication may come of it
//!              a reply?   -> left alone                          -> Returned
//! ```
//!
//! What a message is follows from its subject ([`rules`]), and for replies from the reply subjects that were seen. Every
//! byte here is a stranger's: what cannot be read says nothing.

mod answer;
mod headers;
mod json;
mod load;
mod message;
mod name;
mod pattern;
mod plan;
mod rules;
mod subscriptions;
mod taken;

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

pub(crate) use json::{JsonPath, LARGEST as LARGEST_JSON};
pub(crate) use message::{Delivered, Published};
pub(crate) use pattern::AgentPattern;
pub(crate) use plan::{Injection, Plan, Skipped};
pub(crate) use rules::{Inject, Rules};

use self::headers::{Headers, Stamp, text};
use self::name::{Names, Source};
use self::rules::Routes;
use self::subscriptions::Subscriptions;
use self::taken::{Arrival, Taken};
use super::profile::{self, Profile};
use super::record::{
    Answered, Arrived, Batch, Observed, ReplyKey, Returned, Said, Sent, SessionId, Settled, Text, Trace,
};
use crate::model::{AgentName, ContentHash, HandoffId, Timestamp, WorkflowId};
use crate::nats::{Connect, Info};
use crate::telemetry::record::ServerAddress;
use crate::wire::{Envelope, trace};

/// Reply subjects of a session's own that do not look like inboxes and are remembered. Then all are forgotten.
const MOST_AWAITED: usize = 4096;

/// Listens to one session.
#[derive(Debug)]
pub(crate) struct Observer {
    rules: Arc<Rules>,
    session: SessionId,
    names: Names,
    server: Option<Arc<ServerAddress>>,
    subscriptions: Subscriptions,
    next_subscription: u64,
    routes: Routes,
    taken: Taken,
    awaited: HashSet<ReplyKey>,
    /// Handoff and receiver of the delivery that streams through now.
    streaming: Option<(HandoffId, u64)>,
    /// It has published tasks that got no headers.
    is_bare: bool,
    /// The workflow that was named last, most likely the next one too, and its trace.
    workflow: Option<(WorkflowId, TraceId, SpanId)>,
}

impl Observer {
    /// Of a client that has just connected. `peer` is not on any span: it would be different after each reconnect.
    pub(crate) fn new(rules: Arc<Rules>, session: SessionId, peer: SocketAddr) -> Self {
        tracing::trace!(session = session.number(), %peer, "a client is observed");
        Self {
            rules,
            session,
            names: Names::of_connection(session.number()),
            server: None,
            subscriptions: Subscriptions::default(),
            next_subscription: 0,
            routes: Routes::default(),
            taken: Taken::default(),
            awaited: HashSet::new(),
            streaming: None,
            is_bare: false,
            workflow: None,
        }
    }

    /// The server introduced itself.
    pub(crate) fn on_info(&mut self, info: &Info) {
        if !info.host.is_empty() {
            self.server = Some(Arc::new(ServerAddress { host: info.host.as_str().into(), port: info.port }));
        }
    }

    /// The client introduced itself.
    pub(crate) fn on_connect(&mut self, connect: &Connect, _batch: &mut Batch) {
        let is_everybodys = self.rules.profiles.has(Profile::FastStream) && profile::is_default_name(&connect.name);
        if !is_everybodys {
            self.names.learn(Source::Connect, name::sanitised(connect.name.as_bytes()));
        }
        // Without a password, the user's name may be a token.
        if connect.pass.is_some() {
            self.names.learn(Source::User, name::sanitised(connect.user.as_bytes()));
        }
    }

    /// The client subscribed.
    pub(crate) fn on_subscribe(&mut self, sid: &[u8], subject: &[u8], queue: Option<&[u8]>, _batch: &mut Batch) {
        self.next_subscription += 1;
        let number = self.rules.number((self.session, self.next_subscription));
        self.subscriptions.add(sid, subject, queue, number, &self.rules);
        if self.rules.profiles.has(Profile::NatsMicro)
            && let Some(service) = profile::service(subject)
        {
            self.names.learn(Source::Service, name::sanitised(service));
        }
        if !self.rules.is_left_alone(subject) {
            self.names.learn(Source::Subject, self.rules.subscriber(subject, queue));
            self.names.learn(Source::Group, queue.and_then(name::sanitised));
        }
    }

    /// The client unsubscribed, after `max` messages if it said so.
    pub(crate) fn on_unsubscribe(&mut self, sid: &[u8], max: Option<u64>) {
        self.subscriptions.end(sid, max);
    }

    /// Whether any message of the session may get headers. If not, no message need be held back until it is whole.
    pub(crate) fn may_inject(&self) -> bool {
        self.rules.inject != Inject::Off
    }

    /// Whether the hash of a payload that is published there is wanted.
    #[inline]
    pub(crate) fn wants_hash_up(&mut self, subject: &[u8]) -> bool {
        if Rules::is_inbox(subject) {
            let key = self.rules.key(subject);
            let entry = self.taken.by_reply(key);
            return self.rules.records() && entry.is_some_and(|entry| self.rules.load.takes_text(entry.id_text()));
        }
        let route = self.routes.of(subject, &self.rules);
        route.traced && (route.inject || self.rules.telemetry.is_on())
    }

    /// Called before the message goes on. `may_inject` says whether the protocol allows it.
    #[inline]
    pub(crate) fn on_publish(
        &mut self,
        message: &Published<'_>,
        may_inject: bool,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Plan<'_> {
        if message.subject.first() == Some(&b'$') && message.subject.starts_with(answer::ACK) {
            self.settle(message, now, batch);
            return Plan::Leave(Skipped::Untraced);
        }
        let is_inbox = Rules::is_inbox(message.subject);
        if is_inbox || self.taken.has_unusual_replies() {
            let key = self.rules.key(message.subject);
            let is_reply = self.taken.by_reply(key).is_some();
            if is_reply || is_inbox && !self.routes.of(message.subject, &self.rules).traced {
                let is_bare = message.size == 0 && message.headers.is_none();
                self.answer(key, message, now, batch);
                return Plan::Leave(if is_bare { Skipped::EmptyToInbox } else { Skipped::Reply });
            }
        }
        let route = self.routes.of(message.subject, &self.rules);
        if !route.traced {
            if route.is_beat
                && self.rules.records()
                && let Some(agent) = route.agent.clone()
            {
                batch.push(Observed::Beat { agent, at: now });
            }
            return Plan::Leave(Skipped::Untraced);
        }
        let headers = Headers::of(message.headers);
        if headers.wilco.is_some() {
            return Plan::Leave(Skipped::HasWilco);
        }
        if message.headers.is_some_and(|block| block.status().is_some()) {
            return Plan::Leave(Skipped::Status);
        }
        if !(self.rules.records() || route.inject && may_inject) {
            return Plan::Leave(if route.inject { Skipped::NoHeaders } else { Skipped::Off });
        }
        self.send(message, &headers, may_inject, now, batch)
    }

    /// A payload that streamed through has this hash.
    pub(crate) fn on_streamed(&mut self, id: HandoffId, hash: ContentHash, batch: &mut Batch) {
        if self.rules.records() && self.rules.load.takes(&id) {
            batch.push(Observed::Streamed { id, hash });
        }
    }

    /// Called when the message has gone on to the client.
    #[inline]
    pub(crate) fn on_delivery(&mut self, message: &Delivered<'_>, now: Timestamp, batch: &mut Batch) {
        let subscription = self.subscriptions.take(message.sid);
        let agent_of = |subscriptions: &Subscriptions| {
            subscription.and_then(|place| subscriptions.at(place)).and_then(|subscription| subscription.agent.clone())
        };
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
        let agent = agent_of(&self.subscriptions);
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

    /// The client went away.
    pub(crate) fn on_closed(&mut self, batch: &mut Batch) {
        if self.rules.records() {
            batch.push(Observed::Closed { session: self.session });
        }
    }

    fn send(
        &mut self,
        message: &Published<'_>,
        headers: &Headers<'_>,
        may_inject: bool,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Plan<'_> {
        let reply = self.reply_of(message.reply, headers);
        let key = reply.map(|reply| self.rules.key(reply));
        let route = self.routes.of(message.subject, &self.rules);
        let travels = route.inject && may_inject;
        self.is_bare |= !travels;
        // By what the other parts of the handoff show of it.
        let id = match (key, message.hash) {
            (_, Some(hash)) if !travels => HandoffId::with_tail(now, self.rules.content(message.subject, hash) as u16),
            (Some(key), _) => HandoffId::with_tail(now, key.0 as u16),
            (None, _) => HandoffId::new(now),
        };
        let carried = headers.context();
        let said = self.workflow_said(headers, message.payload);
        let trace = carried.map(|context| context.0);
        let forget = self.rules.reply_within;
        let cause = self.taken.cause(said.as_deref().unwrap_or_default().as_bytes(), trace, now, forget);
        let (parent, cause_context) = cause.map_or((None, None), |entry| (entry.id(), entry.context()));
        let own_name = cause.and_then(|entry| entry.agent.clone());
        let of_cause = cause.and_then(|entry| match (entry.workflow(), entry.id()) {
            ("", None) => None,
            // The first handoff of a workflow that nobody named names it.
            ("", Some(id)) => Some(id.to_string()),
            (workflow, _) => Some(workflow.to_owned()),
        });
        let named = said.or(of_cause.map(Cow::Owned)).and_then(|workflow| self.workflow(&workflow));
        let trace = match (carried, cause_context, &named) {
            (Some((trace_id, parent, sampled)), _, _) => {
                Trace { trace_id, span_id: trace::new_span_id(), parent, sampled, carried: true }
            }
            (None, Some((trace_id, parent, sampled)), _) => {
                let sampled = self.rules.telemetry.sample(trace_id, Some(sampled));
                Trace { trace_id, span_id: trace::new_span_id(), parent, sampled, carried: false }
            }
            (None, None, Some((_, trace_id, root))) => {
                let sampled = self.rules.telemetry.sample(*trace_id, None);
                Trace { trace_id: *trace_id, span_id: trace::new_span_id(), parent: *root, sampled, carried: false }
            }
            (None, None, None) => {
                let trace_id = TraceId::from_bytes(*id.as_bytes());
                let sampled = self.rules.telemetry.sample(trace_id, None);
                Trace { trace_id, span_id: trace::new_span_id(), parent: SpanId::INVALID, sampled, carried: false }
            }
        };
        let workflow = named.map(|(workflow, _, _)| workflow);
        let said_name = headers.from.and_then(text).and_then(|name| AgentName::new(name).ok());
        let from = said_name.or(own_name).map_or(Cow::Borrowed(self.names.name()), Cow::Owned);
        if let (Some(reply), Some(key)) = (reply, key)
            && !Rules::is_inbox(reply)
        {
            if self.awaited.len() >= MOST_AWAITED {
                self.awaited.clear();
            }
            self.awaited.insert(key);
        }
        let route = self.routes.of(message.subject, &self.rules);
        let (to, template, streams_back, inject) =
            (route.agent.as_ref(), &route.template, route.streams_back, route.inject);
        let is_recorded = self.rules.records() && self.rules.load.takes(&id);
        if is_recorded {
            let intent = said_at(headers.intent, self.rules.intent_path.as_ref(), message.payload)
                .map(|intent| batch.keep(intent.as_bytes()));
            let sent = Sent {
                id,
                at: now,
                from: from.as_ref().clone(),
                to: to.cloned(),
                workflow: workflow.clone(),
                parent,
                trace,
                subject: batch.keep(message.subject),
                template: template.clone(),
                reply: key,
                size: message.size,
                hash: message.hash,
                intent,
                travels,
                streams_back,
                server: self.server.clone(),
            };
            batch.push(Observed::Sent(sent));
        } else if self.rules.records() {
            batch.shed_sent();
        }
        if !travels {
            return Plan::Leave(if inject { Skipped::NoHeaders } else { Skipped::Off });
        }
        let traceparent = carried.is_none().then(|| {
            let flags = if trace.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
            trace::traceparent_bytes(&SpanContext::new(trace.trace_id, trace.span_id, flags, false, TraceState::NONE))
        });
        Plan::Inject(Injection { id, traceparent, from, to, workflow, kind: None, parent, by: None })
    }

    /// The workflow that a message names: in its headers, or in its payload where the rules say where.
    fn workflow_said<'a>(&self, headers: &Headers<'a>, payload: Option<&[u8]>) -> Option<Cow<'a, str>> {
        headers.workflow().or_else(|| {
            let in_payload = |payload: &[u8]| {
                let at_path = self.rules.workflow_path.as_ref().and_then(|path| path.text(payload));
                at_path
                    .or_else(|| self.rules.profiles.has(Profile::Taskiq).then(|| profile::task_id(payload)).flatten())
            };
            payload.and_then(in_payload).map(Cow::Owned)
        })
    }

    /// A workflow by its name, with its trace and its root.
    fn workflow(&mut self, name: &str) -> Option<(WorkflowId, TraceId, SpanId)> {
        if let Some(last) = &self.workflow
            && last.0.as_str() == name
        {
            return Some(last.clone());
        }
        let workflow = WorkflowId::new(name).ok()?;
        let (trace, root) = trace::workflow_trace(&workflow);
        self.workflow = Some((workflow, trace, root));
        self.workflow.clone()
    }

    /// Where the answer goes.
    fn reply_of<'a>(&self, reply: Option<&'a [u8]>, headers: &Headers<'a>) -> Option<&'a [u8]> {
        let in_header = headers.reply_to.filter(|_| self.rules.profiles.has(Profile::FastStream));
        in_header.filter(|reply| !reply.is_empty()).or(reply)
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

    /// The agent told JetStream what became of a message.
    fn settle(&mut self, message: &Published<'_>, now: Timestamp, batch: &mut Batch) {
        let reply = self.rules.key(message.subject);
        let settlement = answer::settlement(message.payload.unwrap_or_default(), batch);
        let Some(entry) = self.taken.by_reply(reply) else { return };
        if settlement.ends() {
            entry.done();
        }
        if self.rules.records() && self.rules.load.takes_text(entry.id_text()) {
            batch.push(Observed::Settled(Settled { session: self.session, reply, at: now, settlement }));
        }
    }

    /// The agent published to a reply subject.
    fn answer(&mut self, reply: ReplyKey, message: &Published<'_>, now: Timestamp, batch: &mut Batch) {
        let headers = Headers::of(message.headers);
        let chunked = self.rules.profiles.has(Profile::SynadiaAgents);
        let mut agent = None;
        let mut is_recorded = self.rules.records();
        let answer = answer::answer(message, &headers, chunked, batch);
        if let Some(entry) = self.taken.by_reply(reply) {
            agent = entry.agent.clone();
            is_recorded &= self.rules.load.takes_text(entry.id_text());
            if answer.ends(chunked) {
                entry.done();
            }
        }
        if !is_recorded {
            return;
        }
        let readback = said_at(headers.readback, self.rules.readback_path.as_ref(), message.payload);
        let quality = answer::quality(&headers);
        let answered = Answered {
            session: self.session,
            reply,
            at: now,
            agent: agent.unwrap_or_else(|| self.names.name().clone()),
            size: message.size,
            hash: message.hash,
            answer,
            readback: readback.map(|readback| batch.keep(readback.as_bytes())),
            quality: quality.map(|quality| (quality.score(), batch.keep(quality.by().as_bytes()))),
        };
        batch.push(Observed::Answered(answered));
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

/// An intent as JSON: in its own header, or in the payload where the rules say where.
fn said_at<'a>(header: Option<&'a [u8]>, path: Option<&JsonPath>, payload: Option<&[u8]>) -> Option<Cow<'a, str>> {
    let in_header = header.and_then(text).map(Cow::Borrowed);
    in_header.or_else(|| Some(Cow::Owned(path?.find(payload?)?.to_string())))
}

fn batch_arrival(batch: &mut Batch, message: &Delivered<'_>, mut arrived: Arrived) {
    arrived.subject = batch.keep(message.subject);
    batch.push(Observed::Arrived(arrived));
}
