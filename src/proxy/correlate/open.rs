use std::sync::Arc;

use crate::model::{
    AgentName, Climb, ContentHash, Evidence, HandoffId, Intent, Mismatch, Quality, Rung, Timestamp, WorkflowId,
};
use crate::proxy::record::{Arrived, Batch, Said, Sent, SessionId, Settlement, Trace};
use crate::telemetry::record::{Content, ServerAddress};

/// A handoff of which more may be heard.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: HandoffId,
    /// `None`: somebody else's, or its record is on its way still.
    pub(super) sent: Option<Task>,
    pub(super) receivers: Vec<Receiver>,
    /// When nothing more is waited for.
    pub(super) due: Timestamp,
    /// When it is looked at next, which is not later.
    pub(super) looked_at: Timestamp,
    pub(super) stored: Option<Timestamp>,
    /// Why nobody will ever receive it.
    pub(super) undelivered: Option<(Timestamp, String)>,
    /// The requester got an answer.
    pub(super) returned: Option<Timestamp>,
}

impl Open {
    pub(super) fn new(id: HandoffId, due: Timestamp) -> Self {
        Self {
            id,
            sent: None,
            receivers: Vec::new(),
            due,
            looked_at: due,
            stored: None,
            undelivered: None,
            returned: None,
        }
    }

    /// Waits until then. Whether it must be looked at sooner than it would be.
    pub(super) fn wait_until(&mut self, due: Timestamp) -> bool {
        self.due = due;
        let is_sooner = due < self.looked_at;
        self.looked_at = self.looked_at.min(due);
        is_sooner
    }
}

/// What was sent.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) at: Timestamp,
    pub(super) from: AgentName,
    pub(super) to: Option<AgentName>,
    pub(super) workflow: Option<WorkflowId>,
    pub(super) parent: Option<HandoffId>,
    pub(super) trace: Trace,
    pub(super) subject: Arc<str>,
    pub(super) template: Option<Arc<str>>,
    pub(super) wants_reply: bool,
    pub(super) streams_back: bool,
    pub(super) size: u64,
    pub(super) hash: Option<ContentHash>,
    pub(super) intent: Option<Intent>,
    pub(super) server: Option<Arc<ServerAddress>>,
}

impl Task {
    pub(super) fn of(sent: &Sent, batch: &Batch) -> Self {
        Self {
            at: sent.at,
            from: sent.from.clone(),
            to: sent.to.clone(),
            workflow: sent.workflow.clone(),
            parent: sent.parent,
            trace: sent.trace,
            subject: text(batch.text(sent.subject)),
            template: sent.template.clone(),
            wants_reply: sent.reply.is_some(),
            streams_back: sent.streams_back,
            size: sent.size,
            hash: sent.hash,
            intent: sent.intent.and_then(|intent| Intent::from_json(batch.text(intent)).ok()),
            server: sent.server.clone(),
        }
    }
}

/// One who gets a handoff: a subscription, or a consumer of JetStream's.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) number: u64,
    pub(super) session: SessionId,
    pub(super) agent: AgentName,
    pub(super) group: Option<Arc<str>>,
    pub(super) subject: Arc<str>,
    pub(super) template: Option<Arc<str>>,
    pub(super) server: Option<Arc<ServerAddress>>,
    pub(super) first_at: Timestamp,
    /// When the last thing was heard of it.
    pub(super) last_at: Timestamp,
    pub(super) deliveries: u32,
    /// Which delivery the last one was, by JetStream's count.
    pub(super) delivery: u32,
    pub(super) completions: u32,
    pub(super) expects_reply: bool,
    pub(super) from_store: bool,
    pub(super) state: State,
    pub(super) climbs: Vec<Climb>,
    pub(super) size: u64,
    pub(super) hash: Option<ContentHash>,
    /// The hash that the message says it was sent with.
    pub(super) said_hash: Option<ContentHash>,
    /// What else it says, where the record of what was sent is not here to say it.
    pub(super) said: Option<Box<Said>>,
    pub(super) result: Option<Content>,
    pub(super) quality: Option<Quality>,
    pub(super) read_back: Option<Intent>,
    pub(super) mismatches: Vec<Mismatch>,
    pub(super) is_inferred: bool,
}

/// How far a receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Delivered,
    /// Parts of the result came, and more may.
    Answering,
    /// It wants the message again.
    Refused,
    /// Nothing more is to come.
    Done,
}

impl Receiver {
    pub(super) fn of(arrived: &Arrived, batch: &Batch, is_inferred: bool, sent: Option<&Task>) -> Self {
        let subject = batch.text(arrived.subject);
        let of_task = sent.map(|task| &task.subject).filter(|of_task| of_task.as_bytes() == subject);
        let said_hash = arrived.said.as_ref().and_then(|said| said.hash);
        let said = arrived.said.as_ref().filter(|_| sent.is_none()).map(|said| {
            let (from, workflow) = (said.from.clone(), said.workflow.clone());
            Box::new(Said { from, workflow, ..*said })
        });
        let mut receiver = Self {
            number: arrived.receiver,
            session: arrived.session,
            agent: arrived.agent.clone(),
            group: arrived.group.clone(),
            subject: of_task.map_or_else(|| text(subject), Arc::clone),
            template: arrived.template.clone(),
            server: arrived.server.clone(),
            first_at: arrived.at,
            last_at: arrived.at,
            deliveries: 0,
            delivery: 0,
            completions: 0,
            expects_reply: arrived.expects_reply,
            from_store: arrived.delivery.is_some(),
            state: State::Delivered,
            climbs: Vec::with_capacity(2),
            size: arrived.size,
            hash: arrived.hash,
            said_hash,
            said,
            result: None,
            quality: None,
            read_back: None,
            mismatches: Vec::new(),
            is_inferred,
        };
        receiver.again(arrived);
        receiver
    }

    /// The message was delivered, for the first time or again.
    pub(super) fn again(&mut self, arrived: &Arrived) {
        self.deliveries += 1;
        self.delivery = arrived.delivery.unwrap_or(self.deliveries);
        self.session = arrived.session;
        if self.agent != arrived.agent {
            // Another instance has it now. What the one before did is no longer its addressee's, but seen all the same.
            for climb in self.climbs.iter_mut().filter(|climb| climb.by.as_ref() == Some(&self.agent)) {
                climb.by = None;
            }
            self.agent = arrived.agent.clone();
        }
        self.last_at = arrived.at;
        if self.state == State::Refused {
            self.state = State::Delivered;
        }
        let evidence = if self.is_inferred { Evidence::Inferred } else { Evidence::Wire };
        self.climb_as(Rung::Delivered, evidence, None, arrived.at);
    }

    /// A rung was reached, as the bus saw.
    pub(super) fn climb(&mut self, rung: Rung, at: Timestamp) {
        let by = Some(self.agent.clone());
        self.climb_as(rung, Evidence::Wire, by, at);
    }

    pub(super) fn climb_as(&mut self, rung: Rung, evidence: Evidence, by: Option<AgentName>, at: Timestamp) {
        // A stream of chunks, or of signs that work goes on, is one step.
        let is_known = rung != Rung::Delivered && self.climbs.iter().any(|climb| climb.rung == rung && climb.by == by);
        if !is_known && self.climbs.len() < MOST_CLIMBS {
            self.climbs.push(Climb { rung, evidence, by, at });
        }
    }

    /// The agent told JetStream what became of it.
    pub(super) fn settle(&mut self, settlement: Settlement, at: Timestamp, batch: &Batch) {
        self.last_at = at;
        match settlement {
            Settlement::Acked => {
                self.completions += 1;
                self.state = State::Done;
                self.climb(Rung::Completed, at);
            }
            Settlement::InProgress => self.climb(Rung::InProgress, at),
            Settlement::Refused => self.state = State::Refused,
            Settlement::Ended(reason) => {
                let reason = text(batch.text(reason));
                let evidence = if reason.is_empty() { "no reason given" } else { &reason };
                self.fail(format!("the receiver ended it (+TERM): {evidence}"), at);
            }
        }
    }

    pub(super) fn fail(&mut self, evidence: String, at: Timestamp) {
        self.state = State::Done;
        self.climb(Rung::Failed, at);
        self.mismatches.push(Mismatch::new(crate::model::MismatchKind::Failed, evidence));
    }
}

/// Steps that are kept for one receiver.
const MOST_CLIMBS: usize = 32;

pub(super) fn text(bytes: &[u8]) -> Arc<str> {
    String::from_utf8_lossy(bytes).into()
}
