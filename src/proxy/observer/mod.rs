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
mod delivery;
mod headers;
mod json;
mod load;
mod message;
mod name;
mod pattern;
mod plan;
mod publication;
mod rules;
mod subscriptions;
mod taken;

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use opentelemetry::trace::{SpanId, TraceId};

pub(crate) use json::{JsonPath, LARGEST as LARGEST_JSON};
pub(crate) use message::{Delivered, Published};
pub(crate) use pattern::AgentPattern;
pub(crate) use plan::{Injection, Plan, Skipped};
pub(crate) use rules::{Inject, Rules};

use self::headers::Headers;
use self::name::{Names, Source};
use self::rules::Routes;
use self::subscriptions::Subscriptions;
use self::taken::Taken;
use super::profile::{self, Profile};
use super::record::{Batch, Observed, ReplyKey, SessionId};
use crate::model::{HandoffId, WorkflowId};
use crate::nats::{Connect, Info};
use crate::telemetry::record::ServerAddress;
use crate::wire::names::CHANNEL_CONNECTION;

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
    /// It is a channel of the library, on which several agents may be, each with a queue group of its name.
    is_channel: bool,
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
            names: Names::of_connection(rules.life, session.number()),
            rules,
            session,
            server: None,
            subscriptions: Subscriptions::default(),
            next_subscription: 0,
            is_channel: false,
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
        self.is_channel = connect.name.starts_with(CHANNEL_CONNECTION);
        let is_everybodys = self.rules.profiles.has(Profile::FastStream) && profile::is_default_name(&connect.name);
        if !is_everybodys && !self.is_channel {
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
        let of_channel = if self.is_channel { queue.and_then(name::sanitised) } else { None };
        let agent = self.rules.subscriber(subject, queue, self.names.has_own()).or(of_channel);
        self.subscriptions.add(sid, queue, number, agent.clone());
        if self.rules.profiles.has(Profile::NatsMicro)
            && let Some(service) = profile::service(subject)
        {
            self.names.learn(Source::Service, name::sanitised(service));
        }
        if !self.rules.is_left_alone(subject) {
            self.names.learn(Source::Subject, agent);
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

    /// The client went away.
    pub(crate) fn on_closed(&mut self, batch: &mut Batch) {
        if self.rules.records() {
            batch.push(Observed::Closed { session: self.session });
        }
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

    /// Where the answer goes.
    fn reply_of<'a>(&self, reply: Option<&'a [u8]>, headers: &Headers<'a>) -> Option<&'a [u8]> {
        let in_header = headers.reply_to.filter(|_| self.rules.profiles.has(Profile::FastStream));
        in_header.filter(|reply| !reply.is_empty()).or(reply)
    }
}
