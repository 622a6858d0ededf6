use opentelemetry::trace::SpanKind;

use super::attributes;
use super::writer::{Boundary, Shape, Side, Writer};
use crate::telemetry::names;
use crate::telemetry::record::ProcessRef;

/// Span `process {agent}`.
pub(super) fn write(out: &mut impl Writer, record: &ProcessRef<'_>, session: bool) {
    let shape = Shape {
        verb: "process ",
        noun: record.agent.as_str(),
        kind: SpanKind::Consumer,
        started: record.started,
        ended: record.ended,
    };
    out.begin(record.place, shape);
    let side = Side::Receiver { agent: record.agent, group: record.queue_group };
    attributes::facts(out, &Boundary { facts: record.facts, side }, record.attempt, session);
    out.count(names::MESSAGING_BODY_SIZE, record.received.size);
    out.int(names::DELIVERY_COUNT, record.delivery_count.into());
    attributes::content(out, names::CONTENT_HASH_RECEIVED, names::CONTENT_SIZE_RECEIVED, Some(record.received));
    out.maybe_text(names::INTENT_READ_BACK, record.read_back);
    attributes::labels(out, names::CONTEXT_READ, record.contexts_read);
    attributes::labels(out, names::CONTEXT_LATEST, record.context_latest);
    attributes::context_age(out, record.context_age);
    if let Some(link) = record.link {
        out.link(link, |out| out.text(names::LINK_TYPE, "agent_handoff"));
    }
    attributes::outcome(out, record.result, record.outcome, record.ended);
    out.end();
}
