use opentelemetry::trace::SpanKind;

use super::attributes;
use super::writer::{Shape, Writer};
use crate::model::AgentName;
use crate::telemetry::names;
use crate::telemetry::record::{DecisionFacts, Step, StepRecord};

/// Span `decision {type}`, `execute_tool {tool}`, `iteration`, `join` or `invoke_agent {agent}`.
pub(super) fn write(out: &mut impl Writer, record: &StepRecord, session: bool) {
    let (verb, noun) = name(record);
    let shape = Shape { verb, noun, kind: SpanKind::Internal, started: record.started, ended: record.ended };
    out.begin(&record.place, shape);
    out.maybe_text(names::GEN_AI_AGENT_NAME, record.agent.as_ref());
    if let Some(workflow) = &record.workflow {
        attributes::workflow_id(out, workflow);
    }
    if session {
        attributes::session(out, record.workflow.as_ref(), openinference_kind(&record.step));
    }
    match &record.step {
        Step::Work => out.text(names::GEN_AI_OPERATION_NAME, "invoke_agent"),
        Step::Decision(facts) => decision(out, facts),
        Step::Tool { name } => {
            out.text(names::GEN_AI_OPERATION_NAME, "execute_tool");
            out.text(names::GEN_AI_TOOL_NAME, name);
        }
        Step::Iteration { number } => out.int(names::ITERATION, (*number).into()),
        Step::Join { expected, arrived, wait } => {
            out.int(names::JOIN_EXPECTED, (*expected).into());
            out.int(names::JOIN_ARRIVED, (*arrived).into());
            out.number(names::JOIN_WAIT, wait.as_secs_f64() * 1e3);
        }
    }
    attributes::findings(out, &record.mismatches);
    if let Some(why) = record.failed.as_ref().filter(|_| record.mismatches.is_empty()) {
        out.text(names::ERROR_TYPE, "failed");
        out.fail(why);
    }
    attributes::finding_events(out, &record.mismatches, record.ended);
    out.end();
}

fn name(record: &StepRecord) -> (&'static str, &str) {
    match &record.step {
        Step::Work => ("invoke_agent ", record.agent.as_ref().map_or("", AgentName::as_str)),
        Step::Decision(facts) => ("decision ", &facts.kind),
        Step::Tool { name } => ("execute_tool ", name),
        Step::Iteration { .. } => ("iteration", ""),
        Step::Join { .. } => ("join", ""),
    }
}

/// The attributes of a decision. Lists are JSON, since an attribute of texts would lose their order in some backends.
fn decision(out: &mut impl Writer, facts: &DecisionFacts) {
    out.text(names::DECISION_TYPE, &facts.kind);
    out.maybe_text(names::DECISION_CHOICE, facts.choice.as_ref());
    if let Some(confidence) = facts.confidence {
        out.number(names::DECISION_CONFIDENCE, confidence);
    }
    out.maybe_text(names::DECISION_REASON, facts.reason.as_ref());
    for (key, list) in [(names::DECISION_ALTERNATIVES, &facts.alternatives), (names::DECISION_STEPS, &facts.steps)] {
        if !list.is_empty() {
            out.text(key, serde_json::Value::from(list.as_slice()).to_string());
        }
    }
    out.maybe_text(names::DECISION_OUTCOME, facts.outcome.as_ref());
}

fn openinference_kind(step: &Step) -> &'static str {
    match step {
        Step::Work => "AGENT",
        Step::Tool { .. } => "TOOL",
        _ => "CHAIN",
    }
}
