use crate::model::{
    AgentName, Evidence, HandoffId, HandoffKind, Intent, Mismatch, Refusal, Rung, Timestamp, Verdict, WorkflowId,
};
use crate::verify::freshness::Freshness;
use crate::wire::Choice;

use super::delivery::Delivery;
use super::entry::{Entry, Sent};

/// What an application hangs into the life of its handoffs: to log, to count, to refuse.
///
/// Every method does nothing by default. They are called on the data path of the agent or on the channel's own task,
/// so they must not block; work that takes time belongs into a task of the application's own.
///
/// ```
/// use wilco::channel::{Arrival, Hooks, Reception};
/// use wilco::model::Refusal;
///
/// struct NoStrangers;
/// impl Hooks for NoStrangers {
///     fn on_receive(&self, arrival: &Arrival) -> Reception {
///         if arrival.from.is_some() { Reception::Accept } else { Reception::Refuse(Refusal::NotMine) }
///     }
/// }
/// ```
pub trait Hooks: Send + Sync {
    /// A handoff is about to leave.
    fn on_send(&self, _sending: &Sending) {}

    /// A task arrived; its hash was checked. What is refused here is never offered to the agent.
    fn on_receive(&self, _arrival: &Arrival) -> Reception {
        Reception::Accept
    }

    /// This side's agent read a task back.
    fn on_readback(&self, _readback: &Readback) {}

    /// The sender of a task that this side works on, or worked on, decided: go or withdraw, and what did not agree.
    fn on_decision(&self, _decided: &Decided) {}

    /// A side of a handoff is over: the sender's verdict was settled, or the receiver's work ended.
    fn on_settled(&self, _settled: &Settled) {}
}

/// Whether a task is offered to the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reception {
    /// Offer it.
    Accept,
    /// Refuse it on the agent's behalf.
    Refuse(Refusal),
}

/// A closure may stand for hooks: it is asked at every arrival.
impl<F: Fn(&Arrival) -> Reception + Send + Sync> Hooks for F {
    fn on_receive(&self, arrival: &Arrival) -> Reception {
        self(arrival)
    }
}

/// A handoff that is about to leave.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sending {
    /// The handoff.
    pub id: HandoffId,
    /// The sender.
    pub from: AgentName,
    /// The receiver.
    pub to: AgentName,
    /// The workflow.
    pub workflow: WorkflowId,
    /// Delegation or transfer.
    pub kind: HandoffKind,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// What the sender wants.
    pub intent: Option<Intent>,
    /// Bytes of payload.
    pub size: u64,
}

impl Sending {
    pub(crate) fn of(sent: &Sent) -> Self {
        Self {
            id: sent.id,
            from: sent.from().clone(),
            to: sent.to().clone(),
            workflow: sent.workflow.clone(),
            kind: sent.handoff.kind,
            attempt: sent.attempt,
            intent: sent.handoff.intent.clone(),
            size: sent.content.size,
        }
    }
}

/// A task that arrived.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Arrival {
    /// The handoff; `None` if a plain message named none.
    pub id: Option<HandoffId>,
    /// The sender, if it said.
    pub from: Option<AgentName>,
    /// The agent that took it.
    pub agent: AgentName,
    /// The workflow, if it was said.
    pub workflow: Option<WorkflowId>,
    /// When it arrived, in this host's clock.
    pub at: Timestamp,
    /// Bytes of payload.
    pub size: u64,
    /// How old each context item is now.
    pub contexts: Vec<ContextRead>,
    /// What does not agree so far.
    pub mismatches: Vec<Mismatch>,
}

impl Arrival {
    pub(crate) fn of(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id(),
            from: delivery.envelope.from.clone(),
            agent: delivery.agent().clone(),
            workflow: delivery.workflow(),
            at: delivery.started,
            size: delivery.received.size,
            contexts: delivery.contexts_now(),
            mismatches: delivery.found(),
        }
    }
}

/// A context item of a task, as its receiver sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ContextRead {
    /// What it is called.
    pub name: String,
    /// Which version came.
    pub version: Option<String>,
    /// When it was observed, in the observer's clock.
    pub observed_at: Option<Timestamp>,
    /// Fresh, stale or unknown, and why.
    pub freshness: Freshness,
}

/// A readback that this side's agent made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Readback {
    /// The handoff; `None` if a plain message named none.
    pub id: Option<HandoffId>,
    /// The agent that read it back.
    pub agent: AgentName,
    /// What it understood.
    pub intent: Intent,
    /// How old each context item was.
    pub contexts: Vec<ContextRead>,
    /// What this side knows not to agree.
    pub mismatches: Vec<Mismatch>,
}

/// A decision of a sender.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Decided {
    /// The handoff.
    pub id: Option<HandoffId>,
    /// The agent that has the task.
    pub agent: AgentName,
    /// Go on, or stop.
    pub choice: Choice,
    /// What the sender found not to agree.
    pub mismatches: Vec<Mismatch>,
}

/// The end of one side of a handoff.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settled {
    /// The handoff.
    pub id: Option<HandoffId>,
    /// The agent whose side it is.
    pub agent: AgentName,
    /// Whether it is the sender's side.
    pub is_sender: bool,
    /// The highest rung, and how it is known: the acknowledgement, as far as it went.
    pub rung: (Rung, Evidence),
    /// The verdict of this side.
    pub verdict: Verdict,
    /// What this side found, and what the sender's decision brought back.
    pub mismatches: Vec<Mismatch>,
}

impl Settled {
    pub(crate) fn sender(entry: &Entry) -> Self {
        let rung = entry.climbs().into_iter().max_by_key(|climb| climb.rung);
        Self {
            id: Some(entry.sent.id),
            agent: entry.sent.from().clone(),
            is_sender: true,
            rung: rung.map_or((Rung::Sent, Evidence::Declared), |climb| (climb.rung, climb.evidence)),
            verdict: entry.verdict_now(),
            mismatches: entry.found(),
        }
    }
}
