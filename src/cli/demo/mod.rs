//! `wilco demo`: a newsroom of four agents over NATS, with one handoff of each kind made to break.

mod collector;
mod live;
mod newsroom;
mod plan;
mod relay;
mod report;
mod story;
mod why;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::mpsc;

use self::collector::Collector;
use self::newsroom::{AGENTS, Newsroom};
use self::story::Story;
use super::args::{ServerArguments, TelemetryArguments};
use super::printer::Printer;
use super::server::Server;
use super::telemetry::telemetry_of;
use super::{Outcome, demo};
use crate::diagnose::{Diagnosis, Workflow};
use crate::otlp;
use crate::telemetry::Telemetry;

/// Run a newsroom of four agents over NATS, break some of their handoffs, and show what was found
///
/// Six faults are seeded, one of each: a misread task, notes 12 seconds old, poor work used unchecked, a flipped bit, an
/// absent agent, an answer after the deadline. At the end the spans are asked why each workflow failed. Exits with 1, because failures are found; with --healthy, with 0.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many workflows run; with fewer than 6, only that many faults are seeded
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    workflows: u32,
    /// Which handoffs break, and in which order: another number, another run. Default: drawn at random
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Break nothing
    #[arg(long)]
    healthy: bool,
    /// Print one JSON document instead of the account and the table
    #[arg(long)]
    json: bool,
    /// Write the spans to this file, as OTLP/JSON: `why`, `trace`, `query` and `stats` read it by --file
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    telemetry: TelemetryArguments,
}

/// How long the last spans of each agent may take to leave.
const SPANS_LEAVE_WITHIN: Duration = Duration::from_secs(5);

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    if let Some(path) = &arguments.save {
        // Now, rather than after all is done.
        let opened = tokio::fs::OpenOptions::new().create(true).append(true).open(path).await;
        opened.with_context(|| format!("--save {}: spans cannot be written there", path.display()))?;
    }
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let jobs = plan::plan(arguments.workflows as usize, seed, arguments.healthy);
    let mut by_agent: HashMap<&'static str, Telemetry> = HashMap::new();
    let collector = Collector::default();
    for agent in AGENTS {
        let kept = Telemetry::builder().also_to(collector.clone());
        by_agent.insert(agent, telemetry_of(kept, &arguments.telemetry, agent)?);
    }
    let server = Server::find(&arguments.server).await?;
    server.reach().await?;
    let mut live = live::Live::new(arguments.json);
    live.opening(&server, seed, &arguments.telemetry);

    let (events, mut happened) = mpsc::unbounded_channel();
    let mut newsroom = Newsroom::open(server.url(), &by_agent, events).await?;
    let running = async {
        for job in &jobs {
            newsroom.run(job).await?;
        }
        newsroom.close().await
    };
    let watching = async {
        let mut stories: Vec<Story> = Vec::new();
        while let Some(event) = happened.recv().await {
            live.show(&event);
            demo::report::note(&mut stories, event);
        }
        stories
    };
    let stories = tokio::select! {
        (ran, stories) = async { tokio::join!(running, watching) } => { ran?; stories }
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    live.end();
    // What has not left by now is counted as dropped, not forgotten.
    futures_util::future::join_all(by_agent.values().map(|telemetry| telemetry.shutdown(SPANS_LEAVE_WITHIN))).await;
    let mut printer = Printer::new();
    let exported = report::Exported::of(by_agent.values(), &arguments.telemetry);
    if let Some(path) = &arguments.save {
        let written = tokio::fs::write(path, otlp::to_json(&collector.spans()) + "\n").await;
        written.with_context(|| format!("the spans could not be written to {}", path.display()))?;
    }
    let whys: Vec<Diagnosis> = collector.workflows().iter().map(Workflow::diagnose).collect();
    if arguments.json {
        printer.line(report::json(&stories, &whys, seed, &exported));
    } else {
        report::table(&mut printer, &stories, &exported, arguments.healthy);
        why::report(&mut printer, &stories, &whys, arguments.save.as_deref());
    }
    let score = Story::score(&stories);
    if score.found != score.seeded || score.unexpected != 0 {
        bail!(
            "{} of {} seeded faults were found, and {} findings were not seeded: the machine may be too slow for the \
             demo's deadlines; try again with --seed {seed}",
            score.found,
            score.seeded,
            score.unexpected
        );
    }
    Ok(if score.seeded > 0 { Outcome::FailureFound } else { Outcome::Clean })
}
