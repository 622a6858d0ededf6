//! `wilco why`: where a workflow broke, in one sentence, and what shows it.

use serde_json::{Value, json};

use super::Outcome;
use super::asked::AskedArguments;
use super::printer::{BAD, FAINT, GOOD, Printer, STRONG, UNKNOWN, wrap};
use crate::diagnose::{Cause, Diagnosis, Status};

/// Say which handoff of a workflow broke, and why
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 clean, 1 a failure was found, 2 it could not be told or the command was wrong. Of \
                        several workflows: 1 if any failed, else 2 if any is unknown, else 0."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: AskedArguments,
}

/// The most lines of one part of a report.
const SHOWN: usize = 8;

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    arguments.asked.tell(|_, diagnosis| line(diagnosis), |out, _, diagnosis| report(out, diagnosis)).await
}

/// The answer for machines, one line.
fn line(diagnosis: &Diagnosis) -> Value {
    let ranked: Vec<Value> = diagnosis
        .ranked
        .iter()
        .map(|cause| {
            let evidence: Vec<String> = cause.evidence.iter().map(ToString::to_string).collect();
            json!({
                "handoff": cause.handoff,
                "kind": cause.kind,
                "confidence": round(cause.confidence),
                "evidence": evidence,
                "boundary": cause.boundary,
                "words": cause.words,
            })
        })
        .collect();
    json!({
        "workflow": diagnosis.workflow,
        "status": diagnosis.status,
        "sentence": diagnosis.sentence(),
        "ranked": ranked,
        "blast_radius": diagnosis.failure.as_ref().map(|failure| failure.blast_radius),
    })
}

/// The answer for people: one sentence, then evidence, then what it explains, then what is only suspected.
fn report(out: &mut Printer, diagnosis: &Diagnosis) {
    let (style, word) = match diagnosis.status {
        Status::Failure => (BAD, "failure"),
        Status::Clean => (GOOD, "clean"),
        Status::Unknown => (UNKNOWN, "unknown"),
    };
    out.line(format_args!("{STRONG}{}{STRONG:#}  {style}{word}{style:#}", diagnosis.workflow));
    for line in wrap(&diagnosis.sentence(), Printer::columns()) {
        out.line(line);
    }
    if let Some(failure) = &diagnosis.failure {
        out.line(format_args!("  handoff {}, confidence {:.2}", failure.cause.handoff, failure.cause.confidence));
        let spans: Vec<String> = failure.cause.evidence.iter().map(ToString::to_string).collect();
        part(out, "shown by", &[format!("span {}", spans.join(", "))]);
        let rests = match failure.blast_radius {
            0 => "nothing else rests on it".to_owned(),
            1 => "1 handoff rests on it".to_owned(),
            count => format!("{count} handoffs rest on it"),
        };
        part(out, &format!("explains; {rests}"), &sentences(&failure.explains));
        part(out, "only suspected", &sentences(&failure.suspected));
    }
    if diagnosis.status != Status::Clean {
        let owed = diagnosis.owed.iter().map(|owed| format!("{}: {}", owed.boundary, owed.what));
        part(out, "owed, and never seen", &owed.collect::<Vec<_>>());
    }
    let records = diagnosis.records;
    if records.without_sender + records.without_receiver > 0 {
        out.line(format_args!(
            "  {FAINT}of {} handoffs {} lack the sender's record, {} the receiver's{FAINT:#}",
            records.handoffs, records.without_sender, records.without_receiver
        ));
    }
}

fn sentences(causes: &[Cause]) -> Vec<String> {
    causes.iter().map(ToString::to_string).collect()
}

fn part(out: &mut Printer, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    out.line(format_args!("  {STRONG}{title}{STRONG:#}"));
    for text in lines.iter().take(SHOWN) {
        for (at, line) in wrap(text, Printer::columns() - 6).into_iter().enumerate() {
            out.line(format_args!("    {}{line}", if at > 0 { "  " } else { "" }));
        }
    }
    if lines.len() > SHOWN {
        out.line(format_args!("    and {} more", lines.len() - SHOWN));
    }
}

/// To what can be meant.
fn round(confidence: f64) -> f64 {
    (confidence * 1e6).round() / 1e6
}
