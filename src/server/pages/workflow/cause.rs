use maud::{Markup, html};

use super::opened::Opened;
use crate::diagnose::{Cause, Failure, Graph, Status};
use crate::server::pages::{link, words};

/// The most lines of one list.
const MOST: usize = 20;

/// Why it broke: one sentence, and one click away what shows it and what it explains.
pub(super) fn card(opened: &Opened, graph: &Graph<'_>) -> Markup {
    let diagnosis = &opened.diagnosis;
    let class = match diagnosis.status {
        Status::Failure => "bad",
        Status::Clean => "good",
        Status::Unknown => "unsure",
    };
    html! {
        section.cause.card.(class) aria-label="Cause" {
            p.over { (words::status(diagnosis.status)) }
            @match &diagnosis.failure {
                Some(failure) => {
                    p.sentence { (sentence(&failure.cause)) }
                    @if !failure.cause.words.is_empty() { p.evidence { (failure.cause.words) } }
                    p.facts-line {
                        a.button href=(link::handoff(&failure.cause.handoff)) { "Open this handoff" }
                        a.quiet href="#root" { "Show it below" }
                        span.soft { "confidence " (format!("{:.0} %", failure.cause.confidence * 100.0)) }
                        span.soft { (spoils(failure)) }
                    }
                }
                None => p.sentence { (words::capital(&diagnosis.sentence())) "." },
            }
            @if let Some(failure) = &diagnosis.failure {
                details #evidence { summary { "Evidence" } (evidence(opened, failure, graph)) }
                details #explains { summary { "What it explains" } (explains(failure)) }
            } @else if !diagnosis.ranked.is_empty() {
                details #suspected { summary { "What was seen" } (causes(&diagnosis.ranked)) }
            }
            @if diagnosis.status != Status::Clean && !diagnosis.owed.is_empty() {
                details #owed {
                    summary { "Owed, and never seen (" (diagnosis.owed.len()) ")" }
                    ul.lines { @for owed in diagnosis.owed.iter().take(MOST) { li { a href=(link::handoff(&owed.handoff)) { (owed.boundary) } ": " (owed.what) } } }
                    (rest(diagnosis.owed.len()))
                }
            }
            (records(opened))
        }
    }
}

/// `Stale context at boundary writer<-researcher`.
fn sentence(cause: &Cause) -> Markup {
    html! { (words::capital(&words::kind(cause.kind.as_str()))) " at boundary " span.boundary { (cause.boundary) } }
}

fn spoils(failure: &Failure) -> String {
    match failure.blast_radius {
        0 => "nothing else rests on it".to_owned(),
        1 => "1 handoff rests on it".to_owned(),
        count => format!("{count} handoffs rest on it"),
    }
}

fn evidence(opened: &Opened, failure: &Failure, graph: &Graph<'_>) -> Markup {
    let spans = opened.workflow.spans();
    let address = link::workflow(opened.workflow.id());
    let handoff = graph.handoff(&failure.cause.handoff);
    html! {
        ul.lines {
            @for id in failure.cause.evidence.iter().take(MOST) {
                @let span = spans.iter().find(|span| span.span_id == *id);
                li {
                    "Span " a href={ (link::with(&address, &[("span", &id.to_string())])) "#spans" } { code { (id.to_string()) } }
                    @if let Some(span) = span {
                        ", " (span.name)
                        @if let crate::model::SpanStatus::Error(why) = &span.status { @if !why.is_empty() { ": " (why) } }
                    }
                }
            }
            @if let Some(handoff) = handoff { li { (words::count(handoff.attempts.len(), "record")) " of the sender, " (words::count(handoff.deliveries.len(), "record")) " of a receiver" } }
        }
        @if !failure.suspected.is_empty() {
            h3 { "Also suspected" }
            (causes(&failure.suspected))
        }
        div.command { pre #why-command { "wilco why " (shell(opened.workflow.id())) " --server " (opened.server) } button.copy type="button" hidden data-copy="why-command" { "Copy" } }
    }
}

fn explains(failure: &Failure) -> Markup {
    html! {
        @if failure.explains.is_empty() {
            p { "Nothing else that was found rests on it; " (spoils(failure)) "." }
        } @else {
            (causes(&failure.explains))
            p.soft { (words::capital(&spoils(failure))) ", with evidence of their own or without; they are shaded below." }
        }
    }
}

fn causes(causes: &[Cause]) -> Markup {
    html! {
        ul.lines {
            @for cause in causes.iter().take(MOST) {
                li {
                    a href=(link::handoff(&cause.handoff)) { (words::kind(cause.kind.as_str())) " at " (cause.boundary) }
                    @if !cause.words.is_empty() { ": " (cause.words) }
                }
            }
        }
        (rest(causes.len()))
    }
}

fn rest(count: usize) -> Markup {
    html! { @if count > MOST { p.faint { "and " (count - MOST) " more" } } }
}

/// What is not on record weakens every answer, so that it is said.
fn records(opened: &Opened) -> Markup {
    let records = opened.diagnosis.records;
    html! {
        @if records.without_sender + records.without_receiver > 0 {
            p.faint.records {
                "Of " (words::count(records.handoffs, "handoff")) ", " (records.without_sender) " lack the sender's record and "
                (records.without_receiver) " the receiver's."
            }
        }
    }
}

/// A word for a shell.
pub(in crate::server::pages) fn shell(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.:/@%+=,".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) && !word.starts_with('-') {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::shell;

    #[test]
    fn a_command_to_copy_runs_nothing_else() {
        assert_eq!(shell("wf-1"), "wf-1");
        assert_eq!(shell("a; rm -rf ~"), "'a; rm -rf ~'");
        assert_eq!(shell("it's $(x)"), "'it'\\''s $(x)'");
        assert_eq!(shell(""), "''");
    }
}
