use std::borrow::Cow;

use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SpanData;

use super::attributes::Attributes;
use super::{Shape, SpanBuilder, events};
use crate::model::AgentName;
use crate::telemetry::names;
use crate::telemetry::record::{Step, StepRecord};

const ROOM: usize = 12;

impl SpanBuilder {
    pub(super) fn step(&mut self, record: &StepRecord) -> SpanData {
        let mut attributes = Attributes::with_room(ROOM);
        attributes.maybe_text(names::GEN_AI_AGENT_NAME, record.agent.as_ref().map(AgentName::shared));
        if let Some(workflow) = &record.workflow {
            self.workflow_id(&mut attributes, workflow);
        }
        self.chain(&mut attributes);
        let name = match record.step {
            Step::Join { expected, arrived, wait } => {
                attributes.int(names::JOIN_EXPECTED, expected);
                attributes.int(names::JOIN_ARRIVED, arrived);
                attributes.number(names::JOIN_WAIT, wait.as_secs_f64() * 1e3);
                Cow::Borrowed("join")
            }
        };
        attributes.mismatches(&record.mismatches);
        let shape = Shape {
            name,
            kind: SpanKind::Internal,
            started: record.started,
            ended: record.ended,
            attributes,
            status: events::status(&record.mismatches),
            events: record.mismatches.iter().map(|found| events::mismatch(found, record.ended)).collect(),
            link: None,
        };
        self.finish(&record.place, shape)
    }
}
