//! What is known of one side of a handoff when its span is due: plain data, filled by the channel and the proxy.

mod lent;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use crate::model::{
    AgentName, Climb, ContentHash, Context, Evidence, HandoffId, HandoffKind, InstanceId, Intent, Mismatch, Quality,
    ShortHash, Timestamp, WorkflowId,
};

pub(crate) use self::lent::{FactsRef, HandoffRef, OutcomeRef, ProcessRef, RecordRef};

/// One finished record, on its way to the exporter.
#[derive(Debug)]
#[non_exhaustive]
pub enum Record {
    /// The sender's side of a handoff: span `handoff {to}`.
    Handoff(Box<HandoffRecord>),
    /// The receiver's side of a handoff: span `process {agent}`.
    Process(Box<ProcessRecord>),
    /// A closed workflow: span `invoke_workflow {name}`.
    Workflow(Box<WorkflowRecord>),
    /// Any other step of an agent: a decision, a tool call, an iteration, a join.
    Step(Box<StepRecord>),
}

impl Record {
    /// Where its span stands.
    pub fn place(&self) -> &SpanPlace {
        self.lent().place()
    }

    /// What this side found; a workflow has no findings of its own.
    pub fn mismatches(&self) -> &[Mismatch] {
        self.lent().mismatches()
    }

    /// Whether its span is exported: it is sampled, or it has a finding.
    pub fn is_due(&self) -> bool {
        self.lent().is_due()
    }
}

/// Where a span stands in its trace.
#[derive(Clone, Debug)]
pub struct SpanPlace {
    /// The trace.
    pub trace_id: TraceId,
    /// The span itself.
    pub span_id: SpanId,
    /// Its parent; [`SpanId::INVALID`] for a root.
    pub parent_span_id: SpanId,
    /// Whether the parent is in another process.
    pub parent_is_remote: bool,
    /// The W3C trace state that came with the parent.
    pub trace_state: TraceState,
    /// The sampled flag. A record with a finding is exported regardless.
    pub sampled: bool,
}

impl SpanPlace {
    /// The span's own context, as it is handed on.
    pub(crate) fn context(&self) -> SpanContext {
        SpanContext::new(self.trace_id, self.span_id, self.flags(), false, self.trace_state.clone())
    }

    pub(crate) fn flags(&self) -> TraceFlags {
        TraceFlags::default().with_sampled(self.sampled)
    }
}

/// What both sides know of a handoff.
#[derive(Clone, Debug)]
pub struct HandoffFacts {
    /// The handoff; `None` where a plain message named none.
    pub id: Option<HandoffId>,
    /// The workflow it belongs to.
    pub workflow: Option<WorkflowId>,
    /// The agent that handed over.
    pub from: Option<AgentName>,
    /// The agent that was to take it; `None` on a broadcast.
    pub to: Option<AgentName>,
    /// Delegation or transfer.
    pub kind: HandoffKind,
    /// The handoff that the sender was working on.
    pub parent: Option<HandoffId>,
    /// The subject it travelled on.
    pub subject: Arc<str>,
    /// The subject with ids replaced by names of parts, where it has any.
    pub subject_template: Option<Arc<str>>,
    /// The server that carried it.
    pub server: Option<Arc<ServerAddress>>,
    /// What is known of the agent that was to take it, beyond its name.
    pub target: Option<Arc<AgentInfo>>,
}

/// What an agent is, beyond its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentInfo {
    /// Its version: `gen_ai.agent.version`.
    pub version: Option<Arc<str>>,
    /// The model that it asks: `gen_ai.request.model`.
    pub model: Option<Arc<str>>,
}

/// Host and port of the NATS server, as the client dialled them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// Host name or address.
    pub host: Arc<str>,
    /// TCP port.
    pub port: u16,
}

/// Hash and size of a payload or a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// BLAKE3 of the bytes.
    pub hash: ContentHash,
    /// Number of bytes.
    pub size: u64,
}

/// How old the worst context item was when it was used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContextAge {
    /// Middle of the age interval, in milliseconds; negative where the clocks disagree.
    pub age_ms: f64,
    /// The longest useful age, in milliseconds.
    pub max_age_ms: Option<f64>,
    /// Half the width of the interval, in milliseconds; `None` while there is no estimate of the clocks' offset.
    pub uncertainty_ms: Option<f64>,
}

/// What is known of a result, on either side.
#[derive(Clone, Debug, Default)]
pub struct ResultFacts {
    /// Its hash and size, as this side saw it.
    pub content: Option<Content>,
    /// Its score.
    pub quality: Option<Quality>,
    /// The score it should have had, 0..=1.
    pub threshold: Option<f64>,
    /// Sender only: whether it was built on; `None` where nobody said.
    pub used: Option<bool>,
    /// Sender only: whether it was checked before.
    pub checked: Option<bool>,
}

/// How a side of a handoff ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The word of the verdict: `agreed`, `mismatched`, `unconfirmed`, `pending`.
    pub verdict: &'static str,
    /// What this side found, first found first.
    pub mismatches: Vec<Mismatch>,
    /// Each rung climbed, in order of becoming known.
    pub climbs: Vec<Climb>,
}

/// The sender's side of one attempt at a handoff.
#[derive(Clone, Debug)]
pub struct HandoffRecord {
    /// Where its span stands.
    pub place: SpanPlace,
    /// The context that was already on the message: the span is then CLIENT and links to it, else PRODUCER.
    pub carried: Option<SpanContext>,
    /// Who, what, where.
    pub facts: HandoffFacts,
    /// When it was sent.
    pub started: Timestamp,
    /// When the verdict was settled.
    pub ended: Timestamp,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The sending instance.
    pub inst: Option<InstanceId>,
    /// Number of this handoff from that instance to that receiver.
    pub seq: Option<u64>,
    /// The payload.
    pub content: Option<Content>,
    /// The intent.
    pub intent: Option<Intent>,
    /// What the receiver said it understood.
    pub read_back: Option<Intent>,
    /// The context items it rests on.
    pub contexts: Vec<Context>,
    /// Age of the worst item at use.
    pub context_age: Option<ContextAge>,
    /// `name@version` that was newest on the bus at the time of use, where known.
    pub context_latest: Vec<String>,
    /// Hashes of the results it rests on.
    pub inputs: Vec<ShortHash>,
    /// How many parts a join was owed.
    pub expected_inputs: Option<u32>,
    /// Why this agent, why now.
    pub reason: Option<Arc<str>>,
    /// How the handoff that the sender was working on is known, where nobody said so.
    pub parent_evidence: Option<Evidence>,
    /// Span id of the decision that caused it.
    pub triggered_by: Option<SpanId>,
    /// When the sender stops waiting for the result.
    pub deadline: Option<Timestamp>,
    /// The result.
    pub result: ResultFacts,
    /// Verdict, findings, ladder.
    pub outcome: Outcome,
}

/// The receiver's side of one delivery of a handoff.
#[derive(Clone, Debug)]
pub struct ProcessRecord {
    /// Where its span stands; its parent is the context that came with the message.
    pub place: SpanPlace,
    /// The context that came with the message; the span links to it.
    pub link: Option<SpanContext>,
    /// Who, what, where, as the message said.
    pub facts: HandoffFacts,
    /// The agent that processed it.
    pub agent: AgentName,
    /// The queue group it was taken from.
    pub queue_group: Option<Arc<str>>,
    /// When it was taken from the inbox.
    pub started: Timestamp,
    /// When the work ended.
    pub ended: Timestamp,
    /// Attempt of the sender, as in the header.
    pub attempt: u32,
    /// 1 for the first delivery.
    pub delivery_count: u32,
    /// The sending instance and its sequence number.
    pub inst: Option<InstanceId>,
    /// Number of this handoff from that instance to this receiver.
    pub seq: Option<u64>,
    /// The payload, as it arrived.
    pub received: Content,
    /// The intent that this agent parsed.
    pub read_back: Option<Intent>,
    /// `name@version` of the context items that were used.
    pub contexts_read: Vec<String>,
    /// `name@version` that was newest, as far as this side knows.
    pub context_latest: Vec<String>,
    /// Age of the worst item at use.
    pub context_age: Option<ContextAge>,
    /// The result.
    pub result: ResultFacts,
    /// Verdict, findings, ladder.
    pub outcome: Outcome,
}

/// A closed workflow.
#[derive(Clone, Debug)]
pub struct WorkflowRecord {
    /// Where its span stands: the root of its trace.
    pub place: SpanPlace,
    /// The workflow.
    pub workflow: WorkflowId,
    /// What kind of workflow it is, of low cardinality: the span is `invoke_workflow {name}`.
    pub name: Arc<str>,
    /// When it was opened.
    pub started: Timestamp,
    /// When it was closed.
    pub ended: Timestamp,
    /// The business outcome in words.
    pub outcome: Option<Arc<str>>,
    /// Whether the business outcome is good; `None` where nobody said.
    pub ok: Option<bool>,
}

/// A step inside an agent: span `decision {type}`, `execute_tool {tool}`, `iteration`, `join`, `invoke_agent {agent}`.
#[derive(Clone, Debug)]
pub struct StepRecord {
    /// Where its span stands.
    pub place: SpanPlace,
    /// The workflow it belongs to.
    pub workflow: Option<WorkflowId>,
    /// The agent that took it.
    pub agent: Option<AgentName>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What kind of step.
    pub step: Step,
    /// Why it failed, if it did.
    pub failed: Option<Arc<str>>,
    /// What went wrong, if anything did.
    pub mismatches: Vec<Mismatch>,
}

/// What an agent decided.
#[derive(Clone, Debug, Default)]
pub struct DecisionFacts {
    /// What kind of decision, of low cardinality.
    pub kind: Arc<str>,
    /// What was chosen.
    pub choice: Option<Arc<str>>,
    /// How sure the agent is, 0..=1.
    pub confidence: Option<f64>,
    /// Why.
    pub reason: Option<Arc<str>>,
    /// What else could have been chosen.
    pub alternatives: Vec<String>,
    /// The steps of the reasoning.
    pub steps: Vec<String>,
    /// What came of it.
    pub outcome: Option<Arc<str>>,
}

/// The kinds of step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// The agent's own work as a whole: span `invoke_agent {agent}`.
    Work,
    /// Something was decided: span `decision {kind}`.
    Decision(Box<DecisionFacts>),
    /// A tool was called: span `execute_tool {name}`.
    Tool {
        /// The tool, of low cardinality.
        name: Arc<str>,
    },
    /// One round of a loop: span `iteration`.
    Iteration {
        /// Which one, from 1.
        number: u32,
    },
    /// Several results were waited for.
    Join {
        /// How many were owed.
        expected: u32,
        /// How many came.
        arrived: u32,
        /// How long the wait was.
        wait: Duration,
    },
}
