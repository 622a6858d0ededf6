use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;

use super::attributes::Attributes;
use super::{Shape, SpanBuilder};
use crate::telemetry::names;
use crate::telemetry::record::WorkflowRecord;

const ROOM: usize = 10;

impl SpanBuilder {
    pub(super) fn workflow(&mut self, record: &WorkflowRecord) -> SpanData {
        let mut attributes = Attributes::with_room(ROOM);
        attributes.text(names::GEN_AI_OPERATION_NAME, "invoke_workflow");
        attributes.text(names::GEN_AI_WORKFLOW_NAME, record.name.clone());
        self.workflow_id(&mut attributes, &record.workflow);
        self.openinference(&mut attributes, "CHAIN");
        attributes.maybe_text(names::WORKFLOW_OUTCOME, record.outcome.clone());
        attributes.maybe_flag(names::WORKFLOW_OK, record.ok);
        let status = if record.ok == Some(false) {
            // The value that the conventions reserve for a failure that has no class of its own.
            attributes.text(names::ERROR_TYPE, "_OTHER");
            Status::error(
                record.outcome.as_ref().map_or_else(|| "the workflow failed".to_owned(), |words| words.to_string()),
            )
        } else {
            Status::Unset
        };
        let shape = Shape {
            name: format!("invoke_workflow {}", record.name).into(),
            kind: SpanKind::Internal,
            started: record.started,
            ended: record.ended,
            attributes,
            events: Vec::new(),
            link: None,
            status,
        };
        self.finish(&record.place, shape)
    }
}
