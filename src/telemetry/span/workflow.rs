use opentelemetry::trace::SpanKind;

use super::attributes;
use super::writer::{Shape, Writer};
use crate::telemetry::names;
use crate::telemetry::record::WorkflowRecord;

/// Span `invoke_workflow {name}`.
pub(super) fn write(out: &mut impl Writer, record: &WorkflowRecord, session: bool) {
    let shape = Shape {
        verb: "invoke_workflow ",
        noun: &record.name,
        kind: SpanKind::Internal,
        started: record.started,
        ended: record.ended,
    };
    out.begin(&record.place, shape);
    out.text(names::GEN_AI_OPERATION_NAME, "invoke_workflow");
    out.text(names::GEN_AI_WORKFLOW_NAME, &record.name);
    attributes::workflow_id(out, &record.workflow);
    if session {
        attributes::session(out, Some(&record.workflow), "CHAIN");
    }
    out.maybe_text(names::WORKFLOW_OUTCOME, record.outcome.as_ref());
    if let Some(ok) = record.ok {
        out.flag(names::WORKFLOW_OK, ok);
    }
    if record.ok == Some(false) {
        // The value that the conventions reserve for a failure that has no class of its own.
        out.text(names::ERROR_TYPE, "_OTHER");
        out.fail(record.outcome.as_deref().unwrap_or("the workflow failed"));
    }
    out.end();
}
