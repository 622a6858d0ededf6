//! Spans of handoffs as both sides tell them, for tests of the store.

use std::sync::Arc;

use opentelemetry::trace::{SpanId, TraceId};
use wilco::model::{AttributeValue, Attributes, Dropped, Resource, Scope, Span, SpanKind, SpanStatus, Timestamp};

/// 2026-01-15T10:00:00Z, in nanoseconds.
pub(crate) const NOON: u64 = 1_768_471_200_000_000_000;

/// What is told of one handoff.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) number: u64,
    pub(crate) workflow: String,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) parent: Option<u64>,
    pub(crate) mismatches: Vec<&'static str>,
    pub(crate) at_ms: u64,
    pub(crate) ms: u64,
    pub(crate) more: Vec<(&'static str, AttributeValue)>,
}

impl Told {
    pub(crate) fn new(number: u64, workflow: &str, from: &'static str, to: &'static str) -> Self {
        Self {
            number,
            workflow: workflow.to_owned(),
            from,
            to,
            parent: None,
            mismatches: Vec::new(),
            at_ms: number,
            ms: 10,
            more: Vec::new(),
        }
    }

    pub(crate) fn below(mut self, parent: u64) -> Self {
        self.parent = Some(parent);
        self
    }

    pub(crate) fn found(mut self, kind: &'static str) -> Self {
        self.mismatches.push(kind);
        self
    }

    pub(crate) fn lasting(mut self, ms: u64) -> Self {
        self.ms = ms;
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<AttributeValue>) -> Self {
        self.more.push((name, value.into()));
        self
    }

    pub(crate) fn id(number: u64) -> String {
        format!("019ca8d7-0000-7000-8000-{number:012x}")
    }

    pub(crate) fn trace(&self) -> TraceId {
        let digest = blake3::hash(self.workflow.as_bytes());
        TraceId::from_bytes(digest.as_bytes()[..16].try_into().unwrap())
    }

    /// The sender's span, then the receiver's.
    pub(crate) fn spans(&self) -> [Span; 2] {
        [self.sender(), self.receiver()]
    }

    pub(crate) fn sender(&self) -> Span {
        self.sender_of_attempt(1)
    }

    pub(crate) fn sender_of_attempt(&self, attempt: i64) -> Span {
        let mut attributes = self.common();
        attributes.insert("wilco.handoff.attempt", attempt);
        attributes.insert("wilco.content.size", 1_000_i64);
        attributes.insert("wilco.verdict", if self.mismatches.is_empty() { "agreed" } else { "mismatched" });
        attributes.insert("wilco.rung", "used");
        if !self.mismatches.is_empty() {
            attributes.insert("wilco.mismatches", self.mismatches.clone());
        }
        let status = if self.mismatches.is_empty() { SpanStatus::Unset } else { SpanStatus::Error(String::new()) };
        let shift = (attempt as u64 - 1) * 1_000;
        Span {
            status,
            ..span(
                self.trace(),
                self.number * 4 + 1 + (attempt as u64 - 1) * 1_000_000_000,
                &format!("handoff {}", self.to),
                SpanKind::Producer,
                self.at_ms + shift,
                self.ms,
                attributes,
            )
        }
    }

    pub(crate) fn receiver(&self) -> Span {
        let mut attributes = self.common();
        attributes.insert("wilco.delivery.count", 1_i64);
        attributes.insert("wilco.verdict", "unconfirmed");
        attributes.insert("wilco.rung", "completed");
        attributes.insert("wilco.content.size.received", 1_000_i64);
        let mut span = span(
            self.trace(),
            self.number * 4 + 2,
            &format!("process {}", self.to),
            SpanKind::Consumer,
            self.at_ms + 1,
            self.ms.saturating_sub(2),
            attributes,
        );
        span.parent_span_id = Some(SpanId::from(self.number * 4 + 1));
        span
    }

    fn common(&self) -> Attributes {
        let mut attributes: Attributes = [
            ("wilco.handoff.id", AttributeValue::from(Self::id(self.number))),
            ("wilco.workflow.id", self.workflow.as_str().into()),
            ("gen_ai.conversation.id", self.workflow.as_str().into()),
            ("wilco.handoff.from", self.from.into()),
            ("wilco.handoff.to", self.to.into()),
            ("wilco.handoff.kind", "delegation".into()),
            ("messaging.system", "nats".into()),
        ]
        .into_iter()
        .collect();
        if let Some(parent) = self.parent {
            attributes.insert("wilco.handoff.parent", Self::id(parent));
        }
        for (name, value) in &self.more {
            attributes.insert(*name, value.clone());
        }
        attributes
    }
}

/// Any span.
pub(crate) fn span(
    trace_id: TraceId,
    id: u64,
    name: &str,
    kind: SpanKind,
    at_ms: u64,
    ms: u64,
    attributes: Attributes,
) -> Span {
    let start = NOON + at_ms * 1_000_000;
    Span {
        trace_id,
        span_id: SpanId::from(id),
        parent_span_id: None,
        trace_state: String::new(),
        flags: 1,
        name: name.to_owned(),
        kind,
        start: Timestamp::from_unix_nanos(start),
        end: Timestamp::from_unix_nanos(start + ms * 1_000_000),
        attributes,
        events: Vec::new(),
        links: Vec::new(),
        status: SpanStatus::Unset,
        dropped: Dropped::default(),
        resource: Arc::new(Resource {
            attributes: [("service.name", AttributeValue::from("newsroom"))].into_iter().collect(),
        }),
        scope: Arc::new(Scope { name: "wilco".to_owned(), ..Scope::default() }),
    }
}

/// The root span of a workflow.
pub(crate) fn root(workflow: &str, at_ms: u64, ms: u64, outcome: &str, ok: bool) -> Span {
    let trace = Told::new(0, workflow, "a", "b").trace();
    let attributes = [
        ("wilco.workflow.id", AttributeValue::from(workflow)),
        ("gen_ai.operation.name", "invoke_workflow".into()),
        ("gen_ai.workflow.name", "story".into()),
        ("wilco.workflow.outcome", outcome.into()),
        ("wilco.workflow.ok", ok.into()),
    ];
    span(trace, 3, "invoke_workflow story", SpanKind::Internal, at_ms, ms, attributes.into_iter().collect())
}

/// A decision.
pub(crate) fn decision(workflow: &str, id: u64, kind: &str, at_ms: u64, ms: u64) -> Span {
    let trace = Told::new(0, workflow, "a", "b").trace();
    let attributes = [
        ("wilco.workflow.id", AttributeValue::from(workflow)),
        ("wilco.decision.type", kind.into()),
        ("wilco.decision.confidence", 0.9.into()),
    ];
    span(trace, id, &format!("decision {kind}"), SpanKind::Internal, at_ms, ms, attributes.into_iter().collect())
}

/// A text that does not become less when it is packed.
pub(crate) fn noise(seed: u64, length: usize) -> String {
    let mut state = seed;
    let letter = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + (state >> 58) as u8)
    };
    (0..length).map(letter).collect()
}
