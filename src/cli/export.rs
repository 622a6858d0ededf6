use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use super::headers::HeaderArguments;
use super::printer::Printer;
use super::source::DEFAULT_DB;
use super::stats::before;
use super::{Outcome, units};
use crate::client::{Client, Sent};
use crate::model::Timestamp;
use crate::store::{Store, StoreOptions};

/// Send the spans of a database to an OTLP endpoint
///
/// In the order of their arrival, paced, and resumable: with --state, a later run goes on behind the last span that was
/// taken.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Endpoint of OTLP over HTTP, as in http://127.0.0.1:4318
    #[arg(value_name = "URL")]
    to: String,
    /// Database file
    #[arg(long, value_name = "FILE", default_value = DEFAULT_DB)]
    db: PathBuf,
    /// Only spans that ended within this time, as in 15m or 7d
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    since: Option<Duration>,
    /// The most spans per second
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: u32,
    #[command(flatten)]
    headers: HeaderArguments,
    /// Remember here how far it went, and go on from there
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

/// Spans in one request.
const PAGE: usize = 500;

/// How often in a row the endpoint may say "later".
const MOST_TRIES: u32 = 30;

/// The longest pause that is kept.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    if !arguments.db.exists() {
        bail!("{}: there is no such database; name one by --db", arguments.db.display());
    }
    let client = Client::new(&arguments.to)?.with_headers(arguments.headers.read()?);
    let store = Store::open(&arguments.db, StoreOptions::default())?;
    let since = arguments.since.map_or(Timestamp::EPOCH, |time| before(Timestamp::now(), time));
    let mut after = arguments.state.as_deref().map(went_to).transpose()?.unwrap_or(0);
    let (begun, mut sent) = (tokio::time::Instant::now(), 0_u64);
    loop {
        let page = store.clone();
        let page = tokio::task::spawn_blocking(move || page.export(after, since, PAGE)).await??;
        let Some((request, last, count)) = page else { break };
        if count > 0 {
            deliver(&client, request).await.with_context(|| format!("after {sent} spans"))?;
        }
        sent += count as u64;
        after = last;
        if let Some(state) = &arguments.state {
            remember(state, after)?;
        }
        // By the schedule of the whole, so that slow requests are made up for.
        tokio::time::sleep_until(begun + Duration::from_secs_f64(sent as f64 / f64::from(arguments.rate))).await;
    }
    Printer::new().line(format_args!("{sent} spans to {}", arguments.to));
    Ok(Outcome::Clean)
}

async fn deliver(client: &Client, request: Vec<u8>) -> anyhow::Result<()> {
    let mut why = String::new();
    for _ in 0..MOST_TRIES {
        match client.send(request.clone()).await? {
            Sent::Taken => return Ok(()),
            Sent::Later(pause, reason) => {
                why = reason;
                tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
            }
        }
    }
    bail!("given up after {MOST_TRIES} tries: {why}")
}

/// The place that a file remembers; 0 where there is none.
pub(super) fn went_to(state: &Path) -> anyhow::Result<i64> {
    match std::fs::read_to_string(state) {
        Ok(text) => text
            .trim()
            .parse()
            .with_context(|| format!("{}: holds no number of a span; remove it to begin anew", state.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error).with_context(|| format!("{}", state.display())),
    }
}

/// Replaces the file as a whole, so that an interruption leaves the old or the new number.
pub(super) fn remember(state: &Path, after: i64) -> anyhow::Result<()> {
    let mut new = state.as_os_str().to_owned();
    new.push(".new");
    std::fs::write(&new, format!("{after}\n"))
        .and_then(|()| std::fs::rename(&new, state))
        .with_context(|| format!("{}", state.display()))
}
