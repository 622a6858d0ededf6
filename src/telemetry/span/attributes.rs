//! Attributes that several spans have in common, and the events and the status that follow from findings.

use super::text;
use super::writer::{Boundary, Side, Writer};
use crate::model::{AgentName, Climb, Mismatch, Quality, Timestamp, WorkflowId};
use crate::telemetry::names;
use crate::telemetry::record::{Content, ContextAge, FactsRef, OutcomeRef, ResultFacts};

/// What both sides of a handoff say of it, up to its id.
pub(super) fn facts(out: &mut impl Writer, of: &Boundary<'_>, attempt: u32, session: bool) {
    let facts = of.facts;
    out.boundary(of, |out| boundary(out, of));
    if let Some(workflow) = facts.workflow {
        out.workflow(workflow, "AGENT", |out| {
            out.text(names::MESSAGING_CONVERSATION_ID, workflow);
            workflow_id(out, workflow);
            if session {
                self::session(out, Some(workflow), "AGENT");
            }
        });
    } else if session {
        self::session(out, None, "AGENT");
    }
    if let Some(id) = &facts.id {
        out.text(names::MESSAGING_MESSAGE_ID, text::message_id(id, attempt));
        out.text(names::HANDOFF_ID, text::id(id));
    }
    out.maybe_text(names::HANDOFF_PARENT, facts.parent.as_ref().map(text::id));
}

fn boundary(out: &mut impl Writer, of: &Boundary<'_>) {
    let FactsRef { from, to, kind, subject, subject_template, server, target, .. } = of.facts;
    let (name, word) = match of.side {
        Side::Sender { .. } => ("publish", "send"),
        Side::Receiver { .. } => ("process", "process"),
    };
    out.text(names::MESSAGING_SYSTEM, "nats");
    out.text(names::MESSAGING_OPERATION_TYPE, word);
    out.text(names::MESSAGING_OPERATION_NAME, name);
    out.text(names::MESSAGING_DESTINATION_NAME, subject);
    out.maybe_text(names::MESSAGING_DESTINATION_TEMPLATE, subject_template);
    if let Some(server) = server {
        out.text(names::SERVER_ADDRESS, &server.host);
        out.int(names::SERVER_PORT, server.port.into());
    }
    out.text(names::GEN_AI_OPERATION_NAME, "invoke_agent");
    let agent: Option<&AgentName> = match of.side {
        Side::Sender { .. } => to,
        Side::Receiver { agent, .. } => Some(agent),
    };
    out.maybe_text(names::GEN_AI_AGENT_NAME, agent);
    if let Some(info) = target {
        out.maybe_text(names::GEN_AI_AGENT_VERSION, info.version.as_ref());
        out.maybe_text(names::GEN_AI_REQUEST_MODEL, info.model.as_ref());
    }
    if let Some(from) = from {
        out.text(names::GEN_AI_CALLER_TYPE, "agent");
        out.text(names::GEN_AI_CALLER_NAME, from);
        out.text(names::HANDOFF_FROM, from);
    }
    out.maybe_text(names::HANDOFF_TO, to);
    out.text(names::HANDOFF_KIND, kind.as_str());
    match of.side {
        Side::Sender { inst } => out.maybe_text(names::INST, inst.map(|inst| inst.to_string())),
        Side::Receiver { group, .. } => out.maybe_text(names::MESSAGING_CONSUMER_GROUP, group),
    }
}

pub(super) fn workflow_id(out: &mut impl Writer, workflow: &WorkflowId) {
    out.text(names::GEN_AI_CONVERSATION_ID, workflow);
    out.text(names::WORKFLOW_ID, workflow);
}

pub(super) fn session(out: &mut impl Writer, workflow: Option<&WorkflowId>, kind: &'static str) {
    out.maybe_text(names::SESSION_ID, workflow);
    out.text(names::OPENINFERENCE_KIND, kind);
}

pub(super) fn content(out: &mut impl Writer, hash: &'static str, size: &'static str, content: Option<Content>) {
    if let Some(content) = content {
        out.text(hash, text::prefixed_hex(&content.hash));
        out.count(size, content.size);
    }
}

pub(super) fn context_age(out: &mut impl Writer, age: Option<ContextAge>) {
    let Some(age) = age else { return };
    out.number(names::CONTEXT_AGE, age.age_ms);
    if let Some(max_age_ms) = age.max_age_ms {
        out.number(names::CONTEXT_MAX_AGE, max_age_ms);
    }
    if let Some(uncertainty_ms) = age.uncertainty_ms {
        out.number(names::CONTEXT_AGE_UNCERTAINTY, uncertainty_ms);
    }
}

pub(super) fn labels(out: &mut impl Writer, key: &'static str, labels: &[String]) {
    if !labels.is_empty() {
        out.texts(key, labels.iter());
    }
}

/// The end that both sides of a handoff share: ladder, result, verdict, findings.
pub(super) fn outcome(out: &mut impl Writer, result: &ResultFacts, outcome: OutcomeRef<'_>, ended: Timestamp) {
    if let Some(highest) = outcome.climbs.iter().max_by_key(|climb| (climb.rung, climb.evidence)) {
        out.text(names::RUNG, highest.rung.as_str());
        out.text(names::RUNG_EVIDENCE, highest.evidence.as_str());
    }
    result_facts(out, result);
    out.text(names::VERDICT, outcome.verdict);
    findings(out, outcome.mismatches);
    for climb in outcome.climbs {
        rung_event(out, climb);
    }
    if let Some(quality) = &result.quality {
        quality_event(out, quality, result.threshold, ended);
    }
    finding_events(out, outcome.mismatches, ended);
}

fn result_facts(out: &mut impl Writer, result: &ResultFacts) {
    content(out, names::RESULT_HASH, names::RESULT_SIZE, result.content);
    if let Some(quality) = &result.quality {
        out.number(names::RESULT_QUALITY, quality.score());
        out.text(names::RESULT_QUALITY_BY, quality.by().to_owned());
    }
    if let Some(threshold) = result.threshold {
        out.number(names::RESULT_QUALITY_THRESHOLD, threshold);
    }
    if let Some(used) = result.used {
        out.flag(names::RESULT_USED, used);
    }
    if let Some(checked) = result.checked {
        out.flag(names::RESULT_CHECKED, checked);
    }
}

/// The attributes and the status that tell of what this side found, first found first.
pub(super) fn findings(out: &mut impl Writer, found: &[Mismatch]) {
    let Some(first) = found.first() else { return };
    out.text(names::ERROR_TYPE, first.kind.as_str());
    out.texts(names::MISMATCHES, found.iter().map(|mismatch| mismatch.kind.as_str()));
    let diff: Vec<&String> = found.iter().flat_map(|mismatch| &mismatch.diff).collect();
    if !diff.is_empty() {
        out.texts(names::INTENT_DIFF, diff.into_iter());
    }
    out.fail(&first.to_string());
}

/// One event for each check that failed.
pub(super) fn finding_events(out: &mut impl Writer, found: &[Mismatch], at: Timestamp) {
    for mismatch in found {
        out.event(names::EVALUATION_EVENT, at, |out| {
            out.text(names::EVALUATION_NAME, mismatch.kind.as_str());
            out.number(names::EVALUATION_SCORE, 0.0);
            out.text(names::EVALUATION_LABEL, "fail");
            if !mismatch.evidence.is_empty() {
                out.text(names::EVALUATION_EXPLANATION, &mismatch.evidence);
            }
        });
    }
}

/// A rung that was climbed.
fn rung_event(out: &mut impl Writer, climb: &Climb) {
    out.rung(climb, |out| {
        out.event(names::RUNG, climb.at, |out| {
            out.text("rung", climb.rung.as_str());
            out.text("evidence", climb.evidence.as_str());
            out.maybe_text("by", climb.by.as_ref());
        });
    });
}

/// The score of a result.
fn quality_event(out: &mut impl Writer, quality: &Quality, threshold: Option<f64>, at: Timestamp) {
    out.event(names::EVALUATION_EVENT, at, |out| {
        out.text(names::EVALUATION_NAME, "quality");
        out.number(names::EVALUATION_SCORE, quality.score());
        if let Some(threshold) = threshold {
            out.text(names::EVALUATION_LABEL, if quality.score() < threshold { "fail" } else { "pass" });
        }
        out.text(names::EVALUATION_EXPLANATION, format!("scored by {}", quality.by()));
    });
}
