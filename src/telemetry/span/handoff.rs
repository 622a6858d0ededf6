use opentelemetry::trace::SpanKind;

use super::attributes;
use super::writer::{Boundary, Shape, Side, Writer};
use crate::model::{AgentName, Evidence, ShortHash};
use crate::telemetry::names;
use crate::telemetry::record::HandoffRef;
use crate::wire;

/// Span `handoff {to}`.
pub(super) fn write(out: &mut impl Writer, record: &HandoffRef<'_>, session: bool) {
    let noun = record.facts.to.map_or("", AgentName::as_str);
    let shape = Shape {
        verb: if noun.is_empty() { "handoff" } else { "handoff " },
        noun,
        kind: if record.carried.is_some() { SpanKind::Client } else { SpanKind::Producer },
        started: record.started,
        ended: record.ended,
    };
    out.begin(record.place, shape);
    let boundary = Boundary { facts: record.facts, side: Side::Sender { inst: record.inst } };
    attributes::facts(out, &boundary, record.attempt, session);
    out.int(names::HANDOFF_ATTEMPT, record.attempt.into());
    if !record.inputs.is_empty() {
        out.texts(names::HANDOFF_INPUTS, record.inputs.iter().map(ShortHash::to_string));
    }
    if let Some(expected) = record.expected_inputs {
        out.int(names::HANDOFF_EXPECTED_INPUTS, expected.into());
    }
    out.maybe_text(names::HANDOFF_REASON, record.reason);
    out.maybe_text(names::HANDOFF_PARENT_EVIDENCE, record.parent_evidence.map(Evidence::as_str));
    out.maybe_text(names::HANDOFF_TRIGGERED_BY, record.triggered_by.map(|id| id.to_string()));
    if let Some(seq) = record.seq {
        out.count(names::SEQ, seq);
    }
    if let Some(content) = record.content {
        out.count(names::MESSAGING_BODY_SIZE, content.size);
    }
    attributes::content(out, names::CONTENT_HASH, names::CONTENT_SIZE, record.content);
    out.maybe_text(names::INTENT_SENT, record.intent);
    out.maybe_text(names::INTENT_READ_BACK, record.read_back);
    contexts(out, record);
    attributes::labels(out, names::CONTEXT_LATEST, record.context_latest);
    attributes::context_age(out, record.context_age);
    out.maybe_text(names::DEADLINE, record.deadline.map(|by| by.to_rfc3339()));
    if let Some(carried) = record.carried {
        out.link(carried, |_| ());
    }
    attributes::outcome(out, record.result, record.outcome, record.ended);
    out.end();
}

fn contexts(out: &mut impl Writer, record: &HandoffRef<'_>) {
    // What the header could not carry was not sent.
    let contexts: Vec<String> = record.contexts.iter().filter_map(|context| wire::context_item(context).ok()).collect();
    if !contexts.is_empty() {
        out.texts(names::CONTEXT, contexts.into_iter());
    }
}
