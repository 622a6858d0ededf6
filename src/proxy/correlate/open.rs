use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    AgentName, Climb, ContentHash, Evidence, HandoffId, Intent, Mismatch, MismatchKind, Quality, Rung, Timestamp,
    WorkflowId,
};
use crate::proxy::record::{Answer, Answered, Arrived, Batch, ReplyKey, Said, Sent, SessionId, Settlement, Trace};
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

    /// Whether an answer or an acknowledgement is owed, and was not seen so far.
    pub(super) fn is_owed(&self) -> bool {
        if self.returned.is_some() || self.undelivered.is_some() {
            return false;
        }
        let asks = self.stored.is_none() && self.sent.as_ref().is_none_or(|task| task.reply.is_some());
        if self.receivers.is_empty() {
            return asks && self.sent.is_some();
        }
        let owes = |receiver: &Receiver| receiver.from_store || asks && receiver.expects_reply;
        let is_answered = self.receivers.iter().any(|receiver| receiver.completions > 0 && !receiver.from_store);
        !is_answered && self.receivers.iter().any(|receiver| receiver.state != State::Done && owes(receiver))
    }

    /// When it is settled: a little after it is due, if an answer that came in time may be on its way from its worker.
    pub(super) fn settled_at(&self) -> Timestamp {
        let waits = self.returned.is_none() && self.sent.as_ref().is_some_and(|task| task.reply.is_some());
        let is_on_its_way = waits && self.receivers.iter().any(|receiver| receiver.state == State::Delivered);
        if is_on_its_way { self.due + LAG } else { self.due }
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
    /// Where an answer would come.
    pub(super) reply: Option<ReplyKey>,
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
            reply: sent.reply,
            streams_back: sent.streams_back,
            size: sent.size,
            hash: sent.hash,
            intent: sent.intent.and_then(|intent| Intent::from_json(batch.text(intent)).ok()),
            server: sent.server.clone(),
        }
    }
}

/// One who gets a handoff: a subscription, or a consumer of JetStream's.
#[derive(Clone, Debug)]
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

    /// It answered.
    pub(super) fn answer(&mut self, answered: &Answered, streams_back: bool, batch: &Batch) {
        self.last_at = answered.at;
        let by = Some(answered.agent.clone());
        if let Some(read_back) = answered.readback.and_then(|text| Intent::from_json(batch.text(text)).ok()) {
            self.read_back = Some(read_back);
        }
        if let Some((score, by)) = answered.quality {
            self.quality = Quality::new(score, String::from_utf8_lossy(batch.text(by))).ok();
        }
        let content = answered.hash.map(|hash| Content { hash, size: answered.size });
        match answered.answer {
            Answer::Failed(why) => {
                let why = String::from_utf8_lossy(batch.text(why)).into_owned();
                self.fail(why, answered.at);
            }
            Answer::Received if streams_back || !self.expects_reply || answered.size > 0 => {
                self.climb_as(Rung::Received, Evidence::Declared, by, answered.at);
            }
            Answer::Received => {}
            Answer::InProgress => self.climb_as(Rung::InProgress, Evidence::Declared, by, answered.at),
            Answer::Result | Answer::Empty if !streams_back => {
                if self.state == State::Delivered || self.deliveries > self.completions {
                    self.completions += 1;
                    self.result = content;
                }
                self.state = State::Done;
                self.climb(Rung::Completed, answered.at);
            }
            Answer::Result => {
                self.state = State::Answering;
                self.climb_as(Rung::InProgress, Evidence::Wire, by, answered.at);
                // Of a stream, the last part.
                self.result = content;
            }
            Answer::Empty if self.state == State::Done => {}
            Answer::Empty => {
                self.completions += 1;
                self.state = State::Done;
                self.climb(Rung::Completed, answered.at);
            }
        }
    }

    pub(super) fn has_timed_out(&self) -> bool {
        self.mismatches.iter().any(|found| found.kind == MismatchKind::TimedOut)
    }

    pub(super) fn fail(&mut self, evidence: String, at: Timestamp) {
        self.state = State::Done;
        self.climb(Rung::Failed, at);
        self.mismatches.push(Mismatch::new(MismatchKind::Failed, evidence));
    }
}

/// How long an answer may be on its way from a worker.
const LAG: Duration = Duration::from_millis(150);

/// Steps that are kept for one receiver.
const MOST_CLIMBS: usize = 32;

pub(super) fn text(bytes: &[u8]) -> Arc<str> {
    String::from_utf8_lossy(bytes).into()
}
