//! What came of the run: a table for people, a document for machines.

use serde_json::{Value, json};

use super::story::{Event, Seen, Story};
use super::why;
use crate::cli::args::TelemetryArguments;
use crate::cli::printer::{BAD, FAINT, GOOD, Printer, STRONG, wrap};
use crate::diagnose::Diagnosis;
use crate::model::Mismatch;
use crate::telemetry::{Stats, Telemetry};

/// Takes an event into the account.
pub(crate) fn note(stories: &mut Vec<Story>, event: Event) {
    match event {
        Event::Begun(job) => {
            stories.push(Story { job, handoffs: Vec::new(), ok: false, outcome: "not ended".to_owned() });
        }
        Event::Climbed(_) => {}
        Event::Settled(seen) => {
            if let Some(story) = stories.iter_mut().find(|story| story.job.workflow == seen.workflow) {
                story.handoffs.push(seen);
            }
        }
        Event::Ended { workflow, ok, outcome } => {
            if let Some(story) = stories.iter_mut().find(|story| story.job.workflow == workflow) {
                (story.ok, story.outcome) = (ok, outcome);
            }
        }
    }
}

/// What became of the spans.
#[derive(Debug)]
pub(crate) struct Exported {
    endpoint: Option<String>,
    exported: u64,
    dropped: u64,
    /// Why, in words.
    why: String,
}

impl Exported {
    pub(crate) fn of<'a>(telemetry: impl Iterator<Item = &'a Telemetry>, arguments: &TelemetryArguments) -> Self {
        let all: Vec<Stats> = telemetry.map(Telemetry::stats).collect();
        let sum = |of: fn(&Stats) -> u64| all.iter().map(of).sum::<u64>();
        let lost = [
            (sum(|stats| stats.dropped.export_failed), "refused"),
            // What is still queued when the program ends does not leave any more.
            (sum(|stats| stats.dropped.timeout + stats.dropped.shutdown + stats.queued), "not taken in time"),
            (sum(|stats| stats.dropped.queue_full), "too many to wait"),
        ];
        let why = lost.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} {why}"));
        Self {
            endpoint: arguments.otlp.clone(),
            exported: sum(|stats| stats.exported),
            dropped: lost.iter().map(|(count, _)| count).sum(),
            why: why.collect::<Vec<_>>().join(", "),
        }
    }
}

pub(crate) fn table(out: &mut Printer, stories: &[Story], exported: &Exported, healthy: bool) {
    let handoffs: usize = stories.iter().map(|story| story.handoffs.len()).sum();
    let (to_width, workflow_width) = (20, width(stories.iter().map(|story| story.job.workflow.as_str()), 8));
    out.line("");
    out.line(format_args!(
        "{STRONG}{:<workflow_width$}  {:<to_width$}  {:<10}  {}{STRONG:#}",
        "workflow", "boundary", "verdict", "mismatch and evidence"
    ));
    for story in stories {
        for seen in &story.handoffs {
            row(out, story, seen, workflow_width, to_width);
        }
    }
    let score = Story::score(stories);
    out.line("");
    out.line(format_args!("{}, {}", counted(stories.len(), "workflow"), counted(handoffs, "handoff")));
    if healthy {
        out.line(format_args!("{GOOD}nothing was broken, and nothing was found{GOOD:#}"));
    } else {
        let (style, rest) = match score.unexpected {
            0 if score.found == score.seeded => (GOOD, String::new()),
            0 => (BAD, String::new()),
            more => (BAD, format!(", and {more} that were not seeded")),
        };
        out.line(format_args!("{style}{} of {} seeded faults found{rest}{style:#}", score.found, score.seeded));
    }
    if let Some(endpoint) = &exported.endpoint {
        let Exported { exported, dropped, why, .. } = exported;
        out.line(format_args!("{FAINT}{exported} spans sent to {endpoint}, {dropped} dropped{FAINT:#}"));
        if *dropped > 0 {
            out.line(format_args!("{BAD}{why}; `wilco doctor --otlp {endpoint}` looks into it{BAD:#}"));
        }
    }
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn row(out: &mut Printer, story: &Story, seen: &Seen, workflow_width: usize, to_width: usize) {
    let (workflow, leg) = (&story.job.workflow, seen.leg.to_string());
    let start = format!("{workflow:<workflow_width$}  {leg:<to_width$}  ");
    if seen.mismatches.is_empty() {
        out.line(format_args!("{start}{GOOD}{}{GOOD:#}", seen.verdict));
    }
    for (n, mismatch) in seen.mismatches.iter().enumerate() {
        let start = if n == 0 { start.clone() } else { " ".repeat(start.len()) };
        out.line(format_args!("{start}{BAD}{:<10}{BAD:#}  {STRONG}{}{STRONG:#}", seen.verdict, mismatch.kind));
        // The evidence has a line of its own: beside the rest it would not fit.
        for line in wrap(&mismatch.evidence, Printer::columns() - 6) {
            out.line(format_args!("      {line}"));
        }
    }
}

fn width<'a>(texts: impl Iterator<Item = &'a str>, least: usize) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0).max(least)
}

pub(crate) fn json(stories: &[Story], whys: &[Diagnosis], seed: u64, exported: &Exported) -> Value {
    let score = Story::score(stories);
    json!({
        "seed": seed,
        "seeded": score.seeded,
        "found": score.found,
        "unexpected": score.unexpected,
        "spans": {"exported": exported.exported, "dropped": exported.dropped},
        "workflows": stories.iter().map(|story| workflow_json(story, why::of(story, whys))).collect::<Vec<_>>(),
    })
}

fn workflow_json(story: &Story, why: Option<&Diagnosis>) -> Value {
    json!({
        "workflow": story.job.workflow,
        "ok": story.ok,
        "outcome": story.outcome,
        "seeded": story.job.fault.map(|(fault, leg)| json!({
            "kind": fault.expected(), "from": leg.from(), "to": leg.to(),
        })),
        "handoffs": story.handoffs.iter().map(handoff_json).collect::<Vec<_>>(),
        "why": why.map(|diagnosis| json!({
            "status": diagnosis.status,
            "sentence": diagnosis.sentence(),
            "cause": diagnosis.failure.as_ref().map(|failure| json!({
                "handoff": failure.cause.handoff,
                "boundary": failure.cause.boundary,
                "kind": failure.cause.kind,
                "confidence": failure.cause.confidence,
            })),
        })),
    })
}

fn handoff_json(seen: &Seen) -> Value {
    let mismatch =
        |mismatch: &Mismatch| json!({"kind": mismatch.kind, "evidence": mismatch.evidence, "diff": mismatch.diff});
    json!({
        "handoff": seen.id,
        "from": seen.leg.from(),
        "to": seen.leg.to(),
        "boundary": seen.leg.to_string(),
        "verdict": seen.verdict,
        "rungs": seen.climbs.iter().map(|climb| json!({
            "rung": climb.rung, "evidence": climb.evidence, "by": climb.by, "at": climb.at.to_rfc3339(),
        })).collect::<Vec<_>>(),
        "mismatches": seen.mismatches.iter().map(mismatch).collect::<Vec<_>>(),
    })
}
