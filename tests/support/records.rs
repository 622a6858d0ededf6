//! Records as a channel would fill them, with every fact set.

#![allow(dead_code, reason = "each test program uses its part of this file")]

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use wilco::model::*;
use wilco::telemetry::record::*;

pub(crate) const START: Timestamp = Timestamp::from_unix_nanos(1_772_359_202_358_506_115);

pub(crate) fn after(ms: u64) -> Timestamp {
    START + Duration::from_millis(ms)
}

pub(crate) fn agent(name: &str) -> AgentName {
    AgentName::new(name).unwrap()
}

pub(crate) fn trace() -> TraceId {
    TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap()
}

pub(crate) fn place(span: u64, parent: u64) -> SpanPlace {
    SpanPlace {
        trace_id: trace(),
        span_id: SpanId::from_bytes(span.to_be_bytes()),
        parent_span_id: SpanId::from_bytes(parent.to_be_bytes()),
        parent_is_remote: parent != 0,
        trace_state: TraceState::default(),
        sampled: true,
    }
}

pub(crate) fn facts() -> HandoffFacts {
    HandoffFacts {
        target: None,
        id: Some("019ca8d7-3636-78c7-9041-aadd07892eb8".parse().unwrap()),
        workflow: Some(WorkflowId::new("abc-123").unwrap()),
        from: Some(agent("planner")),
        to: Some(agent("researcher")),
        kind: HandoffKind::Delegation,
        parent: Some("019ca8d7-3636-78c7-9041-aadd07892eb7".parse().unwrap()),
        subject: Arc::from("wilco.newsroom.researcher"),
        subject_template: Some(Arc::from("wilco.newsroom.{agent}")),
        server: Some(Arc::new(ServerAddress { host: "127.0.0.1".into(), port: 4222 })),
    }
}

pub(crate) fn content(bytes: &[u8]) -> Content {
    Content { hash: ContentHash::of(bytes), size: bytes.len() as u64 }
}

pub(crate) fn intent() -> Intent {
    Intent::new("find_sources").object("solid-state batteries").constraint("max", 5)
}

pub(crate) fn climb(rung: Rung, evidence: Evidence, by: Option<&str>, ms: u64) -> Climb {
    Climb { rung, evidence, by: by.map(agent), at: after(ms) }
}

/// A handoff about which everything is known.
pub(crate) fn handoff() -> HandoffRecord {
    HandoffRecord {
        place: place(0x10, 0x1),
        carried: None,
        facts: facts(),
        started: START,
        ended: after(1500),
        attempt: 2,
        inst: Some("00c0ffee".parse().unwrap()),
        seq: Some(7),
        content: Some(content(b"brief")),
        intent: Some(intent()),
        read_back: Some(intent()),
        contexts: vec![
            Context::observed("crm", START - Duration::from_secs(3))
                .version("41")
                .max_age(Duration::from_secs(10))
                .content(b"notes"),
            Context::named("style/guide, long"),
        ],
        context_age: Some(ContextAge { age_ms: 3004.5, max_age_ms: Some(10_000.0), uncertainty_ms: Some(0.25) }),
        context_latest: vec!["crm@42".to_owned()],
        inputs: vec![ContentHash::of(b"earlier").short()],
        expected_inputs: Some(2),
        reason: Some(Arc::from("the user asked for cited figures")),
        parent_evidence: None,
        triggered_by: Some(SpanId::from_bytes(0x9_u64.to_be_bytes())),
        deadline: Some(after(30_000)),
        result: ResultFacts {
            content: Some(content(b"findings")),
            quality: Some(Quality::new(0.83, "schema").unwrap()),
            threshold: Some(0.7),
            used: Some(true),
            checked: Some(true),
        },
        outcome: Outcome {
            verdict: "agreed",
            mismatches: Vec::new(),
            climbs: vec![
                climb(Rung::Sent, Evidence::Wire, None, 1),
                climb(Rung::Understood, Evidence::Declared, Some("researcher"), 20),
                climb(Rung::Used, Evidence::Declared, Some("planner"), 1500),
            ],
        },
    }
}

/// The handoff that a benchmark sees: a transfer with the usual facts and one rung.
pub(crate) fn typical() -> HandoffRecord {
    let mut record = handoff();
    record.facts.parent = None;
    record.read_back = None;
    record.contexts.clear();
    record.context_age = None;
    record.context_latest.clear();
    record.inputs.clear();
    record.expected_inputs = None;
    record.reason = None;
    record.triggered_by = None;
    record.deadline = None;
    record.result = ResultFacts::default();
    record.outcome.climbs.truncate(1);
    record
}

pub(crate) fn handoffs(n: usize) -> impl Iterator<Item = Record> {
    (0..n).map(|i| {
        let mut record = typical();
        record.place.span_id = SpanId::from_bytes((i as u64 + 1).to_be_bytes());
        Record::Handoff(Box::new(record))
    })
}

/// The smallest of records, where it is their number that counts.
pub(crate) fn workflows(n: usize) -> impl Iterator<Item = Record> {
    (0..n).map(|i| {
        let mut record = workflow();
        record.place.span_id = SpanId::from_bytes((i as u64 + 1).to_be_bytes());
        Record::Workflow(Box::new(record))
    })
}

/// The receiver's side of [`handoff`], with two findings.
pub(crate) fn process() -> ProcessRecord {
    let remote = SpanContext::new(
        trace(),
        SpanId::from_bytes(0x10_u64.to_be_bytes()),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    let diff = vec!["constraints.max: 5 -> 50".to_owned(), "object: missing".to_owned()];
    ProcessRecord {
        place: place(0x11, 0x10),
        link: Some(remote),
        facts: facts(),
        agent: agent("researcher"),
        queue_group: Some(Arc::from("researcher")),
        started: after(2),
        ended: after(1400),
        attempt: 2,
        delivery_count: 3,
        inst: Some("00c0ffee".parse().unwrap()),
        seq: Some(7),
        received: content(b"brief"),
        read_back: Some(Intent::new("find_sources").constraint("max", 50)),
        contexts_read: vec!["crm@41".to_owned()],
        context_latest: vec!["crm@42".to_owned()],
        context_age: Some(ContextAge { age_ms: 12_034.0, max_age_ms: Some(10_000.0), uncertainty_ms: None }),
        result: ResultFacts {
            content: Some(content(b"findings")),
            quality: Some(Quality::new(0.4, "schema").unwrap()),
            threshold: Some(0.7),
            used: None,
            checked: None,
        },
        outcome: Outcome {
            verdict: "mismatched",
            mismatches: vec![
                Mismatch::new(MismatchKind::Misunderstood, "constraints.max: 5 -> 50").with_diff(diff),
                Mismatch::new(MismatchKind::StaleContext, "crm@41 was 12034 ms old, over its 10000"),
            ],
            climbs: vec![climb(Rung::Received, Evidence::Declared, Some("researcher"), 2)],
        },
    }
}

pub(crate) fn workflow() -> WorkflowRecord {
    WorkflowRecord {
        place: place(0x1, 0),
        workflow: WorkflowId::new("abc-123").unwrap(),
        name: Arc::from("newsroom"),
        started: START,
        ended: after(2000),
        outcome: Some(Arc::from("the article was not published")),
        ok: Some(false),
    }
}

pub(crate) fn join() -> StepRecord {
    StepRecord {
        place: place(0x12, 0x1),
        workflow: Some(WorkflowId::new("abc-123").unwrap()),
        agent: Some(agent("writer")),
        started: after(100),
        ended: after(900),
        step: Step::Join { expected: 3, arrived: 2, wait: Duration::from_micros(800_500) },
        failed: None,
        mismatches: vec![Mismatch::new(MismatchKind::IncompleteJoin, "2 of 3 inputs, none from reviewer")],
    }
}
