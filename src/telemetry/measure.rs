use std::sync::Arc;

use super::record::{FactsRef, HandoffRef, ProcessRef, RecordRef, ServerAddress, StepRecord, WorkflowRecord};
use crate::model::{AgentName, Mismatch, MismatchKind, Rung, Timestamp};

/// What metrics take from a record. It is copied where the record is made, and counted by the exporter.
#[derive(Debug)]
pub(super) enum Measure {
    Handoff(HandoffMeasure),
    Process(ProcessMeasure),
    Workflow { name: Arc<str>, failed: bool, seconds: f64 },
    Step { agent: Option<AgentName>, mismatches: Vec<MismatchKind> },
}

#[derive(Debug)]
pub(super) struct HandoffMeasure {
    pub(super) between: Between,
    /// How long until the bus had the message.
    pub(super) operation_seconds: Option<f64>,
    /// How long until it was settled.
    pub(super) seconds: f64,
    pub(super) size: Option<u64>,
    pub(super) context_age_ms: Option<f64>,
    pub(super) quality: Option<f64>,
    pub(super) verdict: &'static str,
    pub(super) mismatches: Vec<MismatchKind>,
}

#[derive(Debug)]
pub(super) struct ProcessMeasure {
    pub(super) between: Between,
    pub(super) queue_group: Option<Arc<str>>,
    pub(super) seconds: f64,
    pub(super) mismatches: Vec<MismatchKind>,
}

/// Whose handoffs are counted together.
#[derive(Debug)]
pub(super) struct Between {
    pub(super) from: Option<AgentName>,
    pub(super) to: Option<AgentName>,
    pub(super) subject_template: Option<Arc<str>>,
    pub(super) server: Option<Arc<ServerAddress>>,
}

impl Measure {
    pub(super) fn of(record: &RecordRef<'_>) -> Self {
        match record {
            RecordRef::Handoff(record) => Self::handoff(record),
            RecordRef::Process(record) => Self::process(record),
            RecordRef::Workflow(record) => Self::workflow(record),
            RecordRef::Step(record) => Self::step(record),
        }
    }

    fn handoff(record: &HandoffRef<'_>) -> Self {
        // The handoff may take minutes; the operation of the client ends when the bus has the message.
        let sent = record.outcome.climbs.iter().find(|climb| climb.rung == Rung::Sent);
        Self::Handoff(HandoffMeasure {
            between: Between::of(record.facts),
            operation_seconds: sent.map(|sent| seconds(record.started, sent.at)),
            seconds: seconds(record.started, record.ended),
            size: record.content.map(|content| content.size),
            context_age_ms: record.context_age.map(|age| age.age_ms),
            quality: record.result.quality.as_ref().map(|quality| quality.score()),
            verdict: record.outcome.verdict,
            mismatches: kinds(record.outcome.mismatches),
        })
    }

    fn process(record: &ProcessRef<'_>) -> Self {
        Self::Process(ProcessMeasure {
            between: Between::of(record.facts),
            queue_group: record.queue_group.cloned(),
            seconds: seconds(record.started, record.ended),
            mismatches: kinds(record.outcome.mismatches),
        })
    }

    fn workflow(record: &WorkflowRecord) -> Self {
        let seconds = seconds(record.started, record.ended);
        Self::Workflow { name: record.name.clone(), failed: record.ok == Some(false), seconds }
    }

    fn step(record: &StepRecord) -> Self {
        Self::Step { agent: record.agent.clone(), mismatches: kinds(&record.mismatches) }
    }
}

impl Between {
    fn of(facts: FactsRef<'_>) -> Self {
        Self {
            from: facts.from.cloned(),
            to: facts.to.cloned(),
            subject_template: facts.subject_template.cloned(),
            server: facts.server.cloned(),
        }
    }
}

fn kinds(found: &[Mismatch]) -> Vec<MismatchKind> {
    found.iter().map(|mismatch| mismatch.kind).collect()
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.since(from).as_secs_f64()
}
