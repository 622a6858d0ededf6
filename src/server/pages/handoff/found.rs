use maud::{Markup, html};

use super::Opened;
use crate::diagnose::{Handoff, Outline};
use crate::model::names;
use crate::server::pages::{link, words};

/// One thing that is wrong with a handoff, whoever found it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Finding {
    /// A kind of mismatch.
    pub(crate) kind: String,
    /// What shows it, in words.
    pub(crate) evidence: Vec<String>,
    /// Who found it: `the sender`, `the receiver`, `the diagnosis`.
    pub(crate) by: Vec<String>,
    /// That it broke the workflow, from 0 to 1, where the diagnosis suspects it.
    pub(crate) confidence: Option<f64>,
}

/// What the diagnosis of its workflow says of a handoff.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Why {
    pub(crate) workflow: String,
    /// What there is to say of the workflow, in one sentence.
    pub(crate) sentence: String,
    /// The handoff that broke it, where one did.
    pub(crate) cause: Option<String>,
    /// Whether this handoff rests on that one.
    pub(crate) spoiled: bool,
    /// What should have come of this handoff, and was never seen.
    pub(crate) owed: Vec<String>,
}

/// Each kind once: what several found is not several things.
pub(super) fn findings(opened: &Opened, handoff: &Handoff<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        Outline::of(handoff).mismatches.into_iter().map(|kind| told(handoff, kind)).collect();
    for cause in opened.diagnosis.ranked.iter().filter(|cause| cause.handoff == handoff.id) {
        let kind = cause.kind.as_str();
        let at = findings.iter().position(|finding| finding.kind == kind).unwrap_or_else(|| {
            let by = vec!["the diagnosis".to_owned()];
            findings.push(Finding { kind: kind.to_owned(), evidence: Vec::new(), by, confidence: None });
            findings.len() - 1
        });
        let finding = &mut findings[at];
        finding.confidence = finding.confidence.or(Some(cause.confidence));
        if finding.evidence.is_empty() && !cause.words.is_empty() {
            finding.evidence.push(cause.words.clone());
        }
    }
    findings
}

/// What the two sides say of it. Both may have seen the same, with other numbers: the one that speaks first is quoted.
fn told(handoff: &Handoff<'_>, kind: String) -> Finding {
    let senders = handoff.attempts.iter().map(|attempt| (attempt.span, "the sender"));
    let receivers = handoff.deliveries.iter().map(|delivery| (delivery.span, "the receiver"));
    let mut finding = Finding { kind, evidence: Vec::new(), by: Vec::new(), confidence: None };
    for (span, by) in senders.chain(receivers) {
        let events = span.events.iter().filter(|event| {
            let text = |name| event.attributes.text(name);
            event.name == names::EVALUATION_EVENT
                && text(names::EVALUATION_LABEL) == Some("fail")
                && text(names::EVALUATION_NAME) == Some(&finding.kind)
        });
        let evidence: Vec<String> = events
            .filter_map(|event| event.attributes.text(names::EVALUATION_EXPLANATION).map(str::to_owned))
            .collect();
        if evidence.is_empty() {
            continue;
        }
        if finding.by.is_empty() || finding.by == [by] {
            finding.evidence.extend(evidence);
            finding.evidence.dedup();
        }
        if finding.by.last().is_none_or(|last| last != by) {
            finding.by.push(by.to_owned());
        }
    }
    finding
}

/// `None` where no workflow is known.
pub(super) fn why(opened: &Opened, handoff: &Handoff<'_>) -> Option<Why> {
    let diagnosis = &opened.diagnosis;
    let failure = diagnosis.failure.as_ref();
    Some(Why {
        workflow: opened.summary.workflow.clone()?,
        sentence: diagnosis.sentence(),
        cause: failure.map(|failure| failure.cause.handoff.clone()),
        spoiled: failure.is_some_and(|failure| failure.spoiled.iter().any(|id| id == handoff.id)),
        owed: owed(opened, handoff),
    })
}

fn owed(opened: &Opened, handoff: &Handoff<'_>) -> Vec<String> {
    let owed = opened.diagnosis.owed.iter().filter(|owed| owed.handoff == handoff.id);
    owed.map(|owed| owed.what.to_string()).collect()
}

/// What is wrong with it, as either side and the diagnosis say.
pub(super) fn section(opened: &Opened, handoff: &Handoff<'_>) -> Markup {
    let failure = opened.diagnosis.failure.as_ref();
    let is_root = failure.is_some_and(|failure| failure.cause.handoff == handoff.id);
    let spoiled_by = failure.filter(|failure| failure.spoiled.iter().any(|id| id == handoff.id));
    let (findings, owed) = (findings(opened, handoff), owed(opened, handoff));
    let is_told = findings.iter().any(|finding| finding.by != ["the diagnosis"]);
    html! {
        @if !findings.is_empty() || !owed.is_empty() || spoiled_by.is_some() {
            section.cause.card.{ @if is_told || is_root { "bad" } @else { "unsure" } } aria-label="What was found" {
                @if is_root { p.over { span.badge.bad { "root cause of this workflow's failure" } } }
                @for finding in &findings {
                    p.sentence { (words::capital(&words::kind(&finding.kind))) }
                    @for text in &finding.evidence { p.evidence { (text) } }
                    p.evidence { span.faint {
                        @if !finding.by.is_empty() { "found by " (finding.by.join(" and ")) }
                        @if let Some(confidence) = finding.confidence { @if !finding.by.is_empty() { ", " } "as the cause: confidence " (format!("{:.0} %", confidence * 100.0)) }
                    } }
                }
                @for what in &owed { p.evidence { "Owed, and never seen: " (what) } }
                @if let Some(failure) = spoiled_by {
                    p.evidence { "It rests on what broke: " a href=(link::handoff(&failure.cause.handoff)) { (words::kind(failure.cause.kind.as_str())) " at " (failure.cause.boundary) } }
                }
            }
        }
    }
}
