//! `wilco trace`: a workflow as a tree of handoffs.

mod tree;

use serde_json::{Value, json};

use super::Outcome;
use super::asked::AskedArguments;
use super::printer::{Printer, STRONG};
use crate::diagnose::{Diagnosis, Graph, Outline, Workflow};

/// Show a workflow as a tree of handoffs: rungs, verdicts, ages, quality, durations
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: AskedArguments,
}

const HELP: &str = "\
Handoffs stand below the one that their sender was working on, in the order in which they were
sent. `||` marks those that were on their way while the one before was still open, and `+2.1 s`
how long the sender waited before it sent the next. `!` marks what `wilco why` names.

Exit codes: 0 clean, 1 a failure was found, 2 it could not be told or the command was wrong.";

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    arguments.asked.tell(document, show).await
}

/// The workflow for people.
fn show(out: &mut Printer, workflow: &Workflow, diagnosis: &Diagnosis) {
    let graph = workflow.graph();
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
fn document(workflow: &Workflow, diagnosis: &Diagnosis) -> Value {
    let graph = workflow.graph();
    let handoffs: Vec<Value> = tree::order(&graph).into_iter().map(|place| handoff(&graph, place)).collect();
    json!({ "workflow": workflow.id(), "status": diagnosis.status, "sentence": diagnosis.sentence(), "handoffs": handoffs })
}

fn handoff(graph: &Graph<'_>, place: tree::Place) -> Value {
    let handoff = &graph.handoffs[place.at];
    let facts = Outline::of(handoff);
    json!({
        "handoff": handoff.id,
        "from": handoff.from,
        "to": handoff.to,
        "parent": handoff.parent_id,
        "depth": place.depth,
        "attempts": handoff.attempts.len(),
        "deliveries": handoff.deliveries.len(),
        "rungs": facts.rungs,
        "verdict": facts.verdict,
        "mismatches": facts.mismatches,
        "age_ms": facts.age_ms,
        "quality": facts.quality,
        "duration_ms": facts.duration_ms,
        "parallel": place.is_parallel,
        "waited_ms": place.waited_ms,
    })
}
