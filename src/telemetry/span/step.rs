use std::borrow::Cow;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;

use super::attributes::Attributes;
use super::{Shape, SpanBuilder, events};
use crate::telemetry::names;
use crate::telemetry::record::{DecisionFacts, Step, StepRecord};

const ROOM: usize = 12;

impl SpanBuilder {
    pub(super) fn step(&self, mut record: StepRecord) -> SpanData {
        let mut attributes = Attributes::with_room(ROOM);
        attributes.maybe_text(names::GEN_AI_AGENT_NAME, record.agent.as_ref().map(|agent| agent.shared()));
        if let Some(workflow) = &record.workflow {
            self.workflow_id(&mut attributes, workflow);
        }
        self.session(&mut attributes, record.workflow.as_ref(), openinference_kind(&record.step));
        let name = match record.step {
            Step::Work => {
                attributes.text(names::GEN_AI_OPERATION_NAME, "invoke_agent");
                let agent = record.agent.as_ref().map_or("", |agent| agent.as_str());
                Cow::Owned(format!("invoke_agent {agent}"))
            }
            Step::Decision(facts) => decision(*facts, &mut attributes),
            Step::Tool { name } => {
                attributes.text(names::GEN_AI_OPERATION_NAME, "execute_tool");
                attributes.text(names::GEN_AI_TOOL_NAME, name.clone());
                Cow::Owned(format!("execute_tool {name}"))
            }
            Step::Iteration { number } => {
                attributes.int(names::ITERATION, number);
                Cow::Borrowed("iteration")
            }
            Step::Join { expected, arrived, wait } => {
                attributes.int(names::JOIN_EXPECTED, expected);
                attributes.int(names::JOIN_ARRIVED, arrived);
                attributes.number(names::JOIN_WAIT, wait.as_secs_f64() * 1e3);
                Cow::Borrowed("join")
            }
        };
        attributes.mismatches(&mut record.mismatches);
        let mut status = events::status(&record.mismatches);
        if let Some(why) = record.failed.filter(|_| record.mismatches.is_empty()) {
            attributes.text(names::ERROR_TYPE, "failed");
            status = Status::error(why.to_string());
        }
        let shape = Shape {
            name,
            kind: SpanKind::Internal,
            started: record.started,
            ended: record.ended,
            attributes,
            status,
            events: record.mismatches.into_iter().map(|found| events::mismatch(found, record.ended)).collect(),
            link: None,
        };
        self.finish(record.place, shape)
    }
}

/// The attributes of a decision; gives the name of its span. Lists are JSON, since an attribute of texts would lose their
/// order in some backends.
fn decision(facts: DecisionFacts, attributes: &mut Attributes) -> Cow<'static, str> {
    let name = Cow::Owned(format!("decision {}", facts.kind));
    attributes.text(names::DECISION_TYPE, facts.kind);
    attributes.maybe_text(names::DECISION_CHOICE, facts.choice);
    if let Some(confidence) = facts.confidence {
        attributes.number(names::DECISION_CONFIDENCE, confidence);
    }
    attributes.maybe_text(names::DECISION_REASON, facts.reason);
    for (key, list) in [(names::DECISION_ALTERNATIVES, facts.alternatives), (names::DECISION_STEPS, facts.steps)] {
        if !list.is_empty() {
            attributes.text(key, serde_json::Value::from(list).to_string());
        }
    }
    attributes.maybe_text(names::DECISION_OUTCOME, facts.outcome);
    name
}

fn openinference_kind(step: &Step) -> &'static str {
    match step {
        Step::Work => "AGENT",
        Step::Tool { .. } => "TOOL",
        _ => "CHAIN",
    }
}
