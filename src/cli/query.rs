use serde_json::Value;

use super::Outcome;
use super::printer::Printer;
use super::source::SourceArguments;
use super::table::Table;
use crate::client::ClientError;
use crate::store::StoreError;
use crate::store::query::{Answer, Line};
use crate::workflows::WorkflowsError;

/// Find handoffs, spans and workflows by what is known of them
///
/// Examples: 'from = "planner" AND mismatch = "stale_context" AND last 15m';
/// 'type = "decision" AND decision.type = "approve" AND duration_ms > 5000';
/// 'handoff{to = "writer"} >> handoff{verdict = "mismatched"}'; 'last 1h | by to, mismatch | count, p95(duration_ms)'
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What is wanted. Without it: the latest handoffs
    #[arg(value_name = "EXPR", default_value = "")]
    expr: String,
    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: SourceArguments,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let workflows = arguments.source.open().await?;
    let answer = match workflows.query(&arguments.expr).await {
        Ok(answer) => answer,
        Err(error) => {
            if let Some(column) = column(&error) {
                Printer::point(&arguments.expr, column);
            }
            return Err(error.into());
        }
    };
    let mut printer = Printer::new();
    if arguments.json {
        printer.line(serde_json::to_string(&answer)?);
    } else {
        show(&mut printer, &answer);
    }
    Ok(Outcome::Clean)
}

fn column(error: &WorkflowsError) -> Option<usize> {
    match error {
        WorkflowsError::Store(StoreError::Query(error)) => Some(error.column()),
        WorkflowsError::Client(ClientError::Refused { column, .. }) => *column,
        _ => None,
    }
}

fn show(printer: &mut Printer, answer: &Answer) {
    if answer.lines.is_empty() {
        Printer::note("nothing is found");
        return;
    }
    let fixed: &[&str] = match answer.what.as_str() {
        "handoffs" => &[
            "timestamp",
            "workflow",
            "to<-from",
            "verdict",
            "mismatches",
            "rung",
            "duration_ms",
            "age_ms",
            "quality",
            "id",
        ],
        "spans" => &["timestamp", "workflow", "type", "name", "duration_ms", "error", "trace_id", "span_id"],
        "workflows" => &["timestamp", "id", "name", "outcome", "handoffs", "mismatched", "duration_ms"],
        _ => &[],
    };
    let columns: Vec<String> =
        if fixed.is_empty() { answer.columns.clone() } else { fixed.iter().map(|name| (*name).to_owned()).collect() };
    let mut table = Table::new(&columns);
    for line in &answer.lines {
        let values = match line {
            Line::Group(group) => Value::Object(group.clone()),
            line => serde_json::to_value(line).unwrap_or_default(),
        };
        table.row(columns.iter().map(|column| cell(&values, column)));
    }
    table.print(printer);
    if let Some(next) = answer.next {
        Printer::note(format_args!("there is more: add `| offset {next}`"));
    }
}

fn cell(line: &Value, column: &str) -> String {
    if column == "to<-from" {
        let agent = |name| line[name].as_str().unwrap_or("?");
        return format!("{}<-{}", agent("to"), agent("from"));
    }
    match &line[column] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => {
                format!("{float:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}
