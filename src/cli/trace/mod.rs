//! `wilco trace`: a workflow as a tree of handoffs.

mod row;
mod tree;

use serde_json::{Value, json};

use super::Outcome;
use super::printer::{Printer, STRONG};
use super::source::SourceArguments;
use super::why;
use crate::diagnose::{Graph, Workflow};

/// Show a workflow as a tree of handoffs: rungs, verdicts, ages, quality, durations
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Workflow id
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    workflow: Option<String>,

    /// Every workflow there is
    #[arg(long)]
    all: bool,

    /// Print one JSON object per workflow and line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    source: SourceArguments,
}

const HELP: &str = "\
Handoffs stand below the one that their sender was working on, in the order in which they were
sent. `||` marks those that were on their way while the one before was still open, and `+2.1 s`
how long the sender waited before it sent the next. `!` marks what `wilco why` names.

Exit codes: 0 clean, 1 a failure was found, 2 it could not be told or the command was wrong.";

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let mut out = Printer::new();
    let mut statuses = Vec::new();
    let tell = |workflow: &Workflow| {
        if arguments.json {
            out.line(document(workflow));
        } else {
            if !statuses.is_empty() {
                out.line("");
            }
            show(&mut out, workflow);
        }
        statuses.push(workflow.diagnose().status);
    };
    arguments.source.each(arguments.workflow.as_deref(), tell).await?;
    Ok(why::outcome(&statuses))
}

/// The workflow for people.
pub(crate) fn show(out: &mut Printer, workflow: &Workflow) {
    let (graph, diagnosis) = (workflow.graph(), workflow.diagnose());
    let root = diagnosis.failure.as_ref().map(|failure| failure.cause.handoff.as_str());
    let spans = workflow.spans().len();
    let count = graph.handoffs.len();
    out.line(format_args!("{STRONG}{}{STRONG:#}  {count} handoffs, {spans} spans", workflow.id()));
    for line in tree::lines(&graph, root) {
        out.line(line);
    }
    out.line(diagnosis.sentence());
}

/// The workflow for machines, one line.
pub(crate) fn document(workflow: &Workflow) -> Value {
    let (graph, diagnosis) = (workflow.graph(), workflow.diagnose());
    let handoffs: Vec<Value> = tree::order(&graph).into_iter().map(|place| handoff(&graph, place)).collect();
    json!({ "workflow": workflow.id(), "status": diagnosis.status, "sentence": diagnosis.sentence(), "handoffs": handoffs })
}

fn handoff(graph: &Graph<'_>, place: tree::Place) -> Value {
    let handoff = &graph.handoffs[place.at];
    let row = row::Row::of(handoff);
    json!({
        "handoff": handoff.id,
        "from": handoff.from,
        "to": handoff.to,
        "parent": handoff.parent_id,
        "depth": place.depth,
        "attempts": handoff.attempts.len(),
        "deliveries": handoff.deliveries.len(),
        "rungs": row.rungs,
        "verdict": row.verdict,
        "mismatches": row.mismatches,
        "age_ms": row.age_ms,
        "quality": row.quality,
        "duration_ms": row.duration_ms,
        "parallel": place.is_parallel,
        "waited_ms": place.waited_ms,
    })
}
