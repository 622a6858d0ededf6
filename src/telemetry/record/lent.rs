//! Records that stay where they are: their spans are written at once, without their parts being copied together first.

use std::sync::Arc;

use opentelemetry::trace::{SpanContext, SpanId};

use super::{
    AgentInfo, Content, ContextAge, HandoffFacts, HandoffRecord, Outcome, ProcessRecord, Record, ResultFacts,
    ServerAddress, SpanPlace, StepRecord, WorkflowRecord,
};
use crate::model::{
    AgentName, Climb, Context, Evidence, HandoffId, HandoffKind, InstanceId, Intent, Mismatch, ShortHash, Timestamp,
    WorkflowId,
};

/// A [`Record`], lent.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // on the stack for one call, and never moved
pub(crate) enum RecordRef<'a> {
    Handoff(HandoffRef<'a>),
    Process(ProcessRef<'a>),
    Workflow(&'a WorkflowRecord),
    Step(&'a StepRecord),
}

/// A [`HandoffRecord`], lent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HandoffRef<'a> {
    pub(crate) place: &'a SpanPlace,
    pub(crate) carried: Option<&'a SpanContext>,
    pub(crate) facts: FactsRef<'a>,
    pub(crate) started: Timestamp,
    pub(crate) ended: Timestamp,
    pub(crate) attempt: u32,
    pub(crate) inst: Option<InstanceId>,
    pub(crate) seq: Option<u64>,
    pub(crate) content: Option<Content>,
    pub(crate) intent: Option<&'a Intent>,
    pub(crate) read_back: Option<&'a Intent>,
    pub(crate) contexts: &'a [Context],
    pub(crate) context_age: Option<ContextAge>,
    pub(crate) context_latest: &'a [String],
    pub(crate) inputs: &'a [ShortHash],
    pub(crate) expected_inputs: Option<u32>,
    pub(crate) reason: Option<&'a Arc<str>>,
    pub(crate) parent_evidence: Option<Evidence>,
    pub(crate) triggered_by: Option<SpanId>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) result: &'a ResultFacts,
    pub(crate) outcome: OutcomeRef<'a>,
}

/// A [`ProcessRecord`], lent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessRef<'a> {
    pub(crate) place: &'a SpanPlace,
    pub(crate) link: Option<&'a SpanContext>,
    pub(crate) facts: FactsRef<'a>,
    pub(crate) agent: &'a AgentName,
    pub(crate) queue_group: Option<&'a Arc<str>>,
    pub(crate) started: Timestamp,
    pub(crate) ended: Timestamp,
    pub(crate) attempt: u32,
    pub(crate) delivery_count: u32,
    pub(crate) inst: Option<InstanceId>,
    pub(crate) seq: Option<u64>,
    pub(crate) received: Content,
    pub(crate) read_back: Option<&'a Intent>,
    pub(crate) contexts_read: &'a [String],
    pub(crate) context_latest: &'a [String],
    pub(crate) context_age: Option<ContextAge>,
    pub(crate) result: &'a ResultFacts,
    pub(crate) outcome: OutcomeRef<'a>,
}

/// [`HandoffFacts`], lent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FactsRef<'a> {
    pub(crate) id: Option<HandoffId>,
    pub(crate) workflow: Option<&'a WorkflowId>,
    pub(crate) from: Option<&'a AgentName>,
    pub(crate) to: Option<&'a AgentName>,
    pub(crate) kind: HandoffKind,
    pub(crate) parent: Option<HandoffId>,
    pub(crate) subject: &'a Arc<str>,
    pub(crate) subject_template: Option<&'a Arc<str>>,
    pub(crate) server: Option<&'a Arc<ServerAddress>>,
    pub(crate) target: Option<&'a Arc<AgentInfo>>,
}

/// An [`Outcome`], lent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutcomeRef<'a> {
    pub(crate) verdict: &'static str,
    pub(crate) mismatches: &'a [Mismatch],
    pub(crate) climbs: &'a [Climb],
}

impl Record {
    pub(crate) fn lent(&self) -> RecordRef<'_> {
        match self {
            Self::Handoff(record) => RecordRef::Handoff(record.lent()),
            Self::Process(record) => RecordRef::Process(record.lent()),
            Self::Workflow(record) => RecordRef::Workflow(record),
            Self::Step(record) => RecordRef::Step(record),
        }
    }
}

impl<'a> RecordRef<'a> {
    pub(crate) fn place(&self) -> &'a SpanPlace {
        match self {
            Self::Handoff(record) => record.place,
            Self::Process(record) => record.place,
            Self::Workflow(record) => &record.place,
            Self::Step(record) => &record.place,
        }
    }

    pub(crate) fn mismatches(&self) -> &'a [Mismatch] {
        match self {
            Self::Handoff(record) => record.outcome.mismatches,
            Self::Process(record) => record.outcome.mismatches,
            Self::Workflow(_) => &[],
            Self::Step(record) => &record.mismatches,
        }
    }

    pub(crate) fn is_due(&self) -> bool {
        let failed = matches!(self, Self::Workflow(record) if record.ok == Some(false));
        self.place().sampled || !self.mismatches().is_empty() || failed
    }

    pub(crate) fn to_record(&self) -> Record {
        match self {
            Self::Handoff(record) => Record::Handoff(Box::new(record.to_record())),
            Self::Process(record) => Record::Process(Box::new(record.to_record())),
            Self::Workflow(record) => Record::Workflow(Box::new((*record).clone())),
            Self::Step(record) => Record::Step(Box::new((*record).clone())),
        }
    }
}

impl HandoffRecord {
    fn lent(&self) -> HandoffRef<'_> {
        HandoffRef {
            place: &self.place,
            carried: self.carried.as_ref(),
            facts: self.facts.lent(),
            started: self.started,
            ended: self.ended,
            attempt: self.attempt,
            inst: self.inst,
            seq: self.seq,
            content: self.content,
            intent: self.intent.as_ref(),
            read_back: self.read_back.as_ref(),
            contexts: &self.contexts,
            context_age: self.context_age,
            context_latest: &self.context_latest,
            inputs: &self.inputs,
            expected_inputs: self.expected_inputs,
            reason: self.reason.as_ref(),
            parent_evidence: self.parent_evidence,
            triggered_by: self.triggered_by,
            deadline: self.deadline,
            result: &self.result,
            outcome: self.outcome.lent(),
        }
    }
}

impl HandoffRef<'_> {
    fn to_record(self) -> HandoffRecord {
        HandoffRecord {
            place: self.place.clone(),
            carried: self.carried.cloned(),
            facts: self.facts.to_facts(),
            started: self.started,
            ended: self.ended,
            attempt: self.attempt,
            inst: self.inst,
            seq: self.seq,
            content: self.content,
            intent: self.intent.cloned(),
            read_back: self.read_back.cloned(),
            contexts: self.contexts.to_vec(),
            context_age: self.context_age,
            context_latest: self.context_latest.to_vec(),
            inputs: self.inputs.to_vec(),
            expected_inputs: self.expected_inputs,
            reason: self.reason.cloned(),
            parent_evidence: self.parent_evidence,
            triggered_by: self.triggered_by,
            deadline: self.deadline,
            result: self.result.clone(),
            outcome: self.outcome.to_outcome(),
        }
    }
}

impl ProcessRecord {
    fn lent(&self) -> ProcessRef<'_> {
        ProcessRef {
            place: &self.place,
            link: self.link.as_ref(),
            facts: self.facts.lent(),
            agent: &self.agent,
            queue_group: self.queue_group.as_ref(),
            started: self.started,
            ended: self.ended,
            attempt: self.attempt,
            delivery_count: self.delivery_count,
            inst: self.inst,
            seq: self.seq,
            received: self.received,
            read_back: self.read_back.as_ref(),
            contexts_read: &self.contexts_read,
            context_latest: &self.context_latest,
            context_age: self.context_age,
            result: &self.result,
            outcome: self.outcome.lent(),
        }
    }
}

impl ProcessRef<'_> {
    fn to_record(self) -> ProcessRecord {
        ProcessRecord {
            place: self.place.clone(),
            link: self.link.cloned(),
            facts: self.facts.to_facts(),
            agent: self.agent.clone(),
            queue_group: self.queue_group.cloned(),
            started: self.started,
            ended: self.ended,
            attempt: self.attempt,
            delivery_count: self.delivery_count,
            inst: self.inst,
            seq: self.seq,
            received: self.received,
            read_back: self.read_back.cloned(),
            contexts_read: self.contexts_read.to_vec(),
            context_latest: self.context_latest.to_vec(),
            context_age: self.context_age,
            result: self.result.clone(),
            outcome: self.outcome.to_outcome(),
        }
    }
}

impl HandoffFacts {
    fn lent(&self) -> FactsRef<'_> {
        FactsRef {
            id: self.id,
            workflow: self.workflow.as_ref(),
            from: self.from.as_ref(),
            to: self.to.as_ref(),
            kind: self.kind,
            parent: self.parent,
            subject: &self.subject,
            subject_template: self.subject_template.as_ref(),
            server: self.server.as_ref(),
            target: self.target.as_ref(),
        }
    }
}

impl FactsRef<'_> {
    fn to_facts(self) -> HandoffFacts {
        HandoffFacts {
            id: self.id,
            workflow: self.workflow.cloned(),
            from: self.from.cloned(),
            to: self.to.cloned(),
            kind: self.kind,
            parent: self.parent,
            subject: self.subject.clone(),
            subject_template: self.subject_template.cloned(),
            server: self.server.cloned(),
            target: self.target.cloned(),
        }
    }
}

impl OutcomeRef<'_> {
    fn to_outcome(self) -> Outcome {
        Outcome { verdict: self.verdict, mismatches: self.mismatches.to_vec(), climbs: self.climbs.to_vec() }
    }
}

impl Outcome {
    fn lent(&self) -> OutcomeRef<'_> {
        OutcomeRef { verdict: self.verdict, mismatches: &self.mismatches, climbs: &self.climbs }
    }
}
