//! What the agents of one open channel share: the connection, the handoffs that are open, and two tasks: the
//! *dispatcher*, which reads receipts, replies and decisions and watches the deadlines, and the *courier*, which
//! publishes what those and `Drop` have to say.

mod inbox_part;
mod replies;
mod transit;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::{Client, HeaderMap, Subject};
use bytes::Bytes;
use opentelemetry::trace::{SpanId, TraceId};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

pub(crate) use self::inbox_part::InboxPart;
use self::replies::Replies;
use self::transit::Transit;
use super::delivery::Delivery;
use super::entry::{Effects, Entry, Spare};
use super::hooks::{Hooks, Settled};
use super::lane::AgentLanes;
use super::lock::lock;
use super::timers::{Timer, Timers};
use super::token::ByToken;
use crate::model::{AgentName, ChannelName, Clock, HandoffId, InstanceId, WorkflowId};
use crate::telemetry::Telemetry;
use crate::telemetry::record::{AgentInfo, ServerAddress};
use crate::verify::freshness::KnownVersions;
use crate::verify::intent::Comparer;
use crate::wire::{MacKey, trace};

/// How long a settled handoff waits for its result to be used before its span is exported all the same.
pub(crate) const EXPORT_AFTER: Duration = Duration::from_secs(60);
/// How long an unsampled record of a receiver waits for a decision of the sender.
pub(crate) const HOLD_UNSAMPLED: Duration = Duration::from_secs(30);
/// How long to wait for the server's word that messages passed.
pub(crate) const PASSED_WITHIN: Duration = Duration::from_secs(5);
/// The longest wait that can be asked for: longer ones are taken for this one. A year.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(365 * 86_400);
/// How long a message may take to leave the process.
pub(crate) const SEND_WITHIN: Duration = Duration::from_secs(5);
/// How many abandoned tasks are remembered, so that a redelivery of one is offered again.
const ABANDONED: usize = 1_024;
/// Messages that wait for the courier; what comes on top is counted as lost.
const COURIER_QUEUE: usize = 16_384;

pub(crate) struct Hub {
    pub(crate) client: Client,
    pub(crate) channel: ChannelName,
    pub(crate) subjects: Subjects,
    pub(crate) inst: InstanceId,
    /// `_INBOX.xyz`: everything sent to this process arrives under it.
    pub(crate) inbox: String,
    pub(crate) server: Option<Arc<ServerAddress>>,
    pub(crate) telemetry: Telemetry,
    pub(crate) clock: Clock,
    pub(crate) key: Option<MacKey>,
    pub(crate) comparer: Comparer,
    pub(crate) hooks: Option<Arc<dyn Hooks>>,
    pub(crate) known: Mutex<KnownVersions>,
    pub(crate) ack_within: Duration,
    pub(crate) keep_duplicates: bool,
    pub(crate) described: HashMap<String, Arc<AgentInfo>>,
    pub(crate) open_limit: usize,
    pub(crate) open: Arc<Semaphore>,
    pub(crate) closed: AtomicBool,
    pub(crate) closing: Notify,
    pub(crate) lost: AtomicU64,
    agents: Mutex<HashMap<AgentName, Arc<AgentLanes>>>,
    members: Option<Vec<AgentName>>,
    last_trace: Mutex<Option<(WorkflowId, (TraceId, SpanId))>>,
    next_token: AtomicU64,
    replies: Mutex<Replies>,
    entries: Mutex<ByToken<Arc<Entry>>>,
    pub(crate) spare: Spare,
    deliveries: Mutex<ByToken<Arc<Delivery>>>,
    pub(crate) timers: Arc<Timers>,
    confirmations: Mutex<HashMap<u64, oneshot::Sender<()>>>,
    transit: Mutex<Transit>,
    abandoned: Mutex<VecDeque<(HandoffId, u32)>>,
    courier: mpsc::Sender<Outgoing>,
}

/// The subjects of a channel: `wilco.{channel}.{agent}`, unless an agent has one of its own.
#[derive(Debug, Default)]
pub(crate) struct Subjects {
    pub(crate) own: HashMap<AgentName, String>,
}

/// A message for the courier.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) subject: Subject,
    pub(crate) reply: Option<Subject>,
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) payload: Bytes,
}

impl Outgoing {
    pub(crate) fn with_wilco(subject: Subject, header: String, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        super::carrier::set_wilco(&mut headers, header);
        Self { subject, reply: None, headers: Some(headers), payload: body.into() }
    }

    pub(crate) async fn publish(self, client: &Client) -> Result<(), async_nats::PublishError> {
        let Outgoing { subject, reply, headers, payload } = self;
        match (reply, headers) {
            (None, None) => client.publish(subject, payload).await,
            (None, Some(headers)) => client.publish_with_headers(subject, headers, payload).await,
            (Some(reply), None) => client.publish_with_reply(subject, reply, payload).await,
            (Some(reply), Some(headers)) => {
                client.publish_with_reply_and_headers(subject, reply, headers, payload).await
            }
        }
    }
}

impl Hub {
    #[allow(clippy::too_many_arguments)] // called once, by the builder
    pub(crate) fn new(
        client: Client,
        channel: ChannelName,
        members: Option<Vec<AgentName>>,
        subjects: Subjects,
        server: Option<Arc<ServerAddress>>,
        settings: Settings,
    ) -> (Arc<Self>, mpsc::Receiver<Outgoing>) {
        let (courier, outgoing) = mpsc::channel(COURIER_QUEUE);
        let inbox = client.new_inbox();
        let hub = Self {
            client,
            channel,
            subjects,
            inst: InstanceId::random(),
            inbox,
            server,
            telemetry: settings.telemetry,
            clock: settings.clock,
            key: settings.key,
            comparer: settings.comparer,
            hooks: settings.hooks,
            known: Mutex::default(),
            ack_within: settings.ack_within,
            keep_duplicates: settings.keep_duplicates,
            described: settings.described,
            open_limit: settings.open_limit,
            open: Arc::new(Semaphore::new(settings.open_limit)),
            closed: AtomicBool::new(false),
            closing: Notify::new(),
            lost: AtomicU64::new(0),
            agents: Mutex::default(),
            members,
            last_trace: Mutex::default(),
            next_token: AtomicU64::new(1),
            replies: Mutex::default(),
            entries: Mutex::default(),
            spare: Spare::default(),
            deliveries: Mutex::default(),
            timers: Arc::default(),
            confirmations: Mutex::default(),
            transit: Mutex::default(),
            abandoned: Mutex::default(),
            courier,
        };
        (Arc::new(hub), outgoing)
    }

    // Names and subjects.

    /// The agents of the channel, where it was opened with a list.
    pub(crate) fn known_agents(&self) -> String {
        let names = self.members.iter().flatten().map(AgentName::as_str);
        names.collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn has_agent(&self, agent: &AgentName) -> bool {
        self.members.as_ref().is_none_or(|members| members.contains(agent))
    }

    /// What was said of an agent.
    pub(crate) fn info_of(&self, agent: &AgentName) -> Option<Arc<AgentInfo>> {
        self.described.get(agent.as_str()).cloned()
    }

    pub(crate) fn subject_of(&self, agent: &AgentName) -> String {
        match self.subjects.own.get(agent) {
            Some(subject) => subject.clone(),
            None => format!("wilco.{}.{agent}", self.channel),
        }
    }

    /// The sending side of an agent; the same for everyone of this process who joins under the name.
    pub(crate) fn lanes(&self, agent: &AgentName) -> Arc<AgentLanes> {
        lock(&self.agents).entry(agent.clone()).or_insert_with(|| Arc::new(AgentLanes::new(agent.clone()))).clone()
    }

    pub(crate) fn new_token(&self) -> u64 {
        self.new_tokens(1)
    }

    /// As many tokens, one after the other; gives the first.
    fn new_tokens(&self, count: u64) -> u64 {
        self.next_token.fetch_add(count, Ordering::Relaxed)
    }

    /// `{inbox}.{part}.{token}`
    pub(crate) fn inbox_subject(&self, part: InboxPart, token: u64) -> String {
        // To the byte: a text with room to spare is allocated once more on its way into a subject.
        let mut subject = String::with_capacity(self.inbox_subject_len(token));
        self.push_inbox_subject(part, token, &mut subject);
        subject
    }

    fn push_inbox_subject(&self, part: InboxPart, token: u64, out: &mut String) {
        out.push_str(&self.inbox);
        out.push('.');
        out.push(part.letter());
        out.push('.');
        out.push_str(itoa::Buffer::new().format(token));
    }

    fn inbox_subject_len(&self, token: u64) -> usize {
        self.inbox.len() + 3 + token.checked_ilog10().map_or(1, |digits| digits as usize + 1)
    }

    /// As [`trace::workflow_trace`]; that of the workflow asked for last is remembered.
    pub(crate) fn trace_of(&self, workflow: &WorkflowId) -> (TraceId, SpanId) {
        let mut last = lock(&self.last_trace);
        match &*last {
            Some((known, trace)) if known == workflow => *trace,
            _ => {
                let trace = trace::workflow_trace(workflow);
                *last = Some((workflow.clone(), trace));
                trace
            }
        }
    }

    // Open handoffs.

    pub(crate) fn follow(&self, entry: &Arc<Entry>) {
        lock(&self.entries).insert(entry.sent.token, entry.clone());
        self.telemetry.handoff_opened();
    }

    pub(crate) fn entry(&self, token: u64) -> Option<Arc<Entry>> {
        lock(&self.entries).get(&token).cloned()
    }

    /// Takes a handoff back that never left.
    pub(crate) fn forget(&self, token: u64) {
        if lock(&self.entries).remove(&token).is_some() {
            self.telemetry.handoff_settled();
        }
    }

    /// Sends what a change asks for, and exports what is due.
    pub(crate) fn apply(&self, entry: &Arc<Entry>, effects: Effects) {
        if let Some((subject, decision)) = effects.decision {
            match decision.encode(entry.sent.id, self.key.as_ref()) {
                Ok((header, body)) => self.send_later(Outgoing::with_wilco(subject, header, body)),
                Err(error) => {
                    tracing::warn!(%error, "a decision could not be written; the receiver does not learn of it")
                }
            }
        }
        if effects.settled {
            self.on_settled(entry, effects.export);
        }
        entry.announce();
        if effects.export || entry.is_exported() {
            self.export(entry);
        }
    }

    fn on_settled(&self, entry: &Arc<Entry>, leaves: bool) {
        self.telemetry.handoff_settled();
        if let Some(hooks) = &self.hooks {
            hooks.on_settled(&Settled::sender(entry));
        }
        if !leaves {
            self.timers.add(Instant::now() + EXPORT_AFTER, Timer::Export(entry.sent.token));
        }
    }

    /// Records the span of a handoff, and stops following it.
    pub(crate) fn export(&self, entry: &Arc<Entry>) {
        entry.export(self);
        if entry.owes_withdrawal() {
            // The receiver's first word says where that goes; without one for so long, there is nobody to tell.
            self.timers.add(Instant::now() + EXPORT_AFTER, Timer::Forget(entry.sent.token));
        } else {
            lock(&self.entries).remove(&entry.sent.token);
        }
    }

    /// Nobody is left to tell that a handoff was withdrawn.
    pub(crate) fn on_forget(&self, token: u64) {
        lock(&self.entries).remove(&token);
    }

    pub(crate) fn close_workflow(&self, workflow: &WorkflowId) {
        let open: Vec<_> =
            lock(&self.entries).values().filter(|entry| entry.sent.workflow == *workflow).cloned().collect();
        for entry in open {
            let effects = entry.on_workflow_closed(self.clock.now());
            self.apply(&entry, effects);
        }
    }

    /// Exports everything that is still followed, as it stands.
    pub(crate) fn export_all(&self) {
        let left: Vec<_> = lock(&self.entries).drain().map(|(_, entry)| entry).collect();
        for entry in left {
            if !entry.is_settled() {
                self.telemetry.handoff_settled();
            }
            entry.on_closed();
            self.export(&entry);
        }
        let left: Vec<_> = lock(&self.deliveries).drain().map(|(_, delivery)| delivery).collect();
        for delivery in left {
            delivery.on_closed();
        }
    }

    /// How many handoffs have no final verdict yet.
    pub(crate) fn followed_open(&self) -> usize {
        lock(&self.entries).values().filter(|entry| !entry.is_settled()).count()
    }

    /// How many tasks of others this process works on and reports on.
    pub(crate) fn working(&self) -> usize {
        lock(&self.deliveries).values().filter(|delivery| !delivery.is_ended()).count()
    }

    /// How many handoffs are followed: open ones, and settled ones whose result was not used yet.
    pub(crate) fn followed(&self) -> usize {
        lock(&self.entries).len()
    }

    // Tasks that were abandoned here.

    /// Remembers an attempt at a handoff that was dropped before its end, the last [`ABANDONED`] of them.
    pub(crate) fn add_abandoned(&self, id: HandoffId, attempt: u32) {
        let mut abandoned = lock(&self.abandoned);
        if abandoned.len() == ABANDONED {
            abandoned.pop_front();
        }
        abandoned.push_back((id, attempt));
    }

    /// Whether it was; from now on it counts as taken up again.
    pub(crate) fn take_abandoned(&self, id: HandoffId, attempt: u32) -> bool {
        let mut abandoned = lock(&self.abandoned);
        let at = abandoned.iter().position(|known| *known == (id, attempt));
        at.and_then(|at| abandoned.remove(at)).is_some()
    }

    // Deliveries that a sender may decide on.

    pub(crate) fn expect_decision(&self, token: u64, delivery: &Arc<Delivery>) {
        lock(&self.deliveries).insert(token, delivery.clone());
    }

    pub(crate) fn delivery(&self, token: u64) -> Option<Arc<Delivery>> {
        lock(&self.deliveries).get(&token).cloned()
    }

    pub(crate) fn end_delivery(&self, token: u64) {
        lock(&self.deliveries).remove(&token);
    }

    pub(crate) async fn publish(&self, message: Outgoing) -> Result<(), async_nats::PublishError> {
        message.publish(&self.client).await
    }

    // Messages from where nobody can wait.

    pub(crate) fn send_later(&self, message: Outgoing) {
        if let Err(error) = self.courier.try_send(message) {
            self.count_lost(&error);
        }
    }

    pub(crate) fn count_lost(&self, error: &(dyn std::error::Error + 'static)) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(error, "a receipt or a decision could not be sent; its handoff will run into its deadline");
    }

    /// Waits until the server has all that was given to the courier, by a message to ourselves that goes last, or
    /// until `deadline`.
    pub(crate) async fn drain_courier(&self, deadline: Instant) {
        let (confirmed, wait) = oneshot::channel();
        let token = self.new_token();
        lock(&self.confirmations).insert(token, confirmed);
        self.send_later(Outgoing {
            subject: self.inbox_subject(InboxPart::Confirm, token).into(),
            reply: None,
            headers: None,
            payload: Bytes::new(),
        });
        let _ = tokio::time::timeout_at(deadline, wait).await;
        lock(&self.confirmations).remove(&token);
    }

    /// Waits until the server has done all that this connection asked of it so far, by a message to ourselves:
    /// the client's own `flush` only empties its buffer.
    pub(crate) async fn confirm(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (confirmed, wait) = oneshot::channel();
        let token = self.new_token();
        lock(&self.confirmations).insert(token, confirmed);
        let result = tokio::time::timeout(SEND_WITHIN, async {
            self.client.publish(self.inbox_subject(InboxPart::Confirm, token), Bytes::new()).await?;
            wait.await?;
            Ok(())
        })
        .await;
        lock(&self.confirmations).remove(&token);
        result.unwrap_or_else(|_| Err(format!("the server did not confirm it within {SEND_WITHIN:?}").into()))
    }

    pub(crate) fn on_confirmed(&self, token: u64) {
        if let Some(confirmed) = lock(&self.confirmations).remove(&token) {
            let _ = confirmed.send(());
        }
    }

    /// Drops the deadlines of what is over.
    pub(crate) fn sweep_timers(&self) {
        self.timers.sweep(|timer| match timer {
            Timer::ReadBack(token) | Timer::Result(token) | Timer::Export(token) | Timer::Forget(token) => {
                lock(&self.entries).contains_key(&token)
            }
            Timer::Acknowledge(token) | Timer::Undecided(token) => lock(&self.deliveries).contains_key(&token),
            Timer::MarkerLost(marked) => lock(&self.transit).marked == Some(marked),
        });
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// What a channel was built with.
pub(crate) struct Settings {
    pub(crate) telemetry: Telemetry,
    pub(crate) clock: Clock,
    pub(crate) key: Option<MacKey>,
    pub(crate) comparer: Comparer,
    pub(crate) hooks: Option<Arc<dyn Hooks>>,
    pub(crate) ack_within: Duration,
    pub(crate) keep_duplicates: bool,
    pub(crate) open_limit: usize,
    /// What is said of agents, by name.
    pub(crate) described: HashMap<String, Arc<AgentInfo>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("channel", &self.channel).field("inst", &self.inst).finish_non_exhaustive()
    }
}
