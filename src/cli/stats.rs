use std::time::Duration;

use super::printer::Printer;
use super::source::SourceArguments;
use super::table::Table;
use super::{Outcome, units};
use crate::model::Timestamp;
use crate::store::Stats;

/// Numbers per boundary, per agent and per type of decision
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only handoffs that began within this time, as in 15m or 7d
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    last: Option<Duration>,
    /// Print one JSON document instead of tables
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: SourceArguments,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let workflows = arguments.source.open().await?;
    let since = arguments.last.map_or(Timestamp::EPOCH, |time| before(Timestamp::now(), time));
    let stats = workflows.stats(since).await?;
    let mut printer = Printer::new();
    if arguments.json {
        printer.line(serde_json::to_string(&stats)?);
    } else {
        show(&mut printer, &stats);
    }
    Ok(Outcome::Clean)
}

/// The time so long before another.
pub(super) fn before(now: Timestamp, time: Duration) -> Timestamp {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Timestamp::from_unix_nanos(now.unix_nanos().saturating_sub(nanos))
}

fn show(printer: &mut Printer, stats: &Stats) {
    if stats.boundaries.is_empty() && stats.decisions.is_empty() {
        Printer::note("nothing is found");
        return;
    }
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "?".to_owned());
    let mut table = Table::new(&[
        "boundary",
        "handoffs",
        "mismatched",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "age p95 ms",
        "quality",
        "kinds",
    ]);
    for each in &stats.boundaries {
        let kinds: Vec<String> = each.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        table.row([
            format!("{}<-{}", name(&each.to), name(&each.from)),
            each.handoffs.to_string(),
            share(each.mismatched, each.handoffs),
            number(each.duration_ms_p50, 1),
            number(each.duration_ms_p95, 1),
            number(each.duration_ms_p99, 1),
            number(each.age_ms_p95, 0),
            number(each.quality_mean, 2),
            if kinds.is_empty() { "-".to_owned() } else { kinds.join(", ") },
        ]);
    }
    table.print(printer);
    let mut table = Table::new(&["agent", "sent", "mismatched", "received", "mismatched", "quality"]);
    for each in &stats.agents {
        table.row([
            each.agent.clone(),
            each.sent.to_string(),
            share(each.sent_mismatched, each.sent),
            each.received.to_string(),
            share(each.received_mismatched, each.received),
            number(each.quality_mean, 2),
        ]);
    }
    printer.line("");
    table.print(printer);
    if stats.decisions.is_empty() {
        return;
    }
    let mut table = Table::new(&["decision", "count", "errors", "p50 ms", "p95 ms"]);
    for each in &stats.decisions {
        table.row([
            name(&each.decision),
            each.count.to_string(),
            share(each.errors, each.count),
            number(each.duration_ms_p50, 1),
            number(each.duration_ms_p95, 1),
        ]);
    }
    printer.line("");
    table.print(printer);
}

fn share(part: i64, whole: i64) -> String {
    if part == 0 || whole == 0 {
        part.to_string()
    } else {
        format!("{part} ({:.1} %)", part as f64 * 100.0 / whole as f64)
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}
