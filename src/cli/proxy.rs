//! `wilco proxy`: between agents and their NATS server.

use super::Outcome;
use super::args::TelemetryArguments;
use super::printer::Printer;
use super::settings::{Flags, SettingsArguments};
use super::signals::Signals;
use super::telemetry::telemetry_of;
use crate::proxy::{Proxy, Settings};
use crate::telemetry::Telemetry;

/// Trace the handoffs of agents that connect through here instead of to their NATS server
///
/// What clients say and hear goes on byte for byte, but for the headers that published messages get (--inject). Prints
/// `listening on ADDR` on standard error when it is ready. SIGTERM or Ctrl-C drains it: it accepts nobody any more, waits
/// for handoffs that are owed an answer (--drain-within), closes connections between two messages, sends what telemetry
/// there is (for up to 5 s), and exits with 0; a second one ends it at once. Give it --drain-within and 10 s before it is
/// killed: Kubernetes' default of 30 s is enough for the default.
///
/// Every setting can be said in the file of --config as `name = value` (lists as arrays, `-` in names as `_`), in the
/// environment as WILCO_PROXY_NAME, or by a flag; the later of these overrides the earlier.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Flags<true>,
    #[command(flatten)]
    settings: SettingsArguments,
    /// Print every setting with its value and where it came from, and exit
    #[arg(long)]
    print_config: bool,
}

/// The service that the proxy's spans name.
pub(crate) const SERVICE: &str = "wilco-proxy";

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let settings = arguments.place.over(arguments.settings.settings()?)?;
    let config = settings.config()?;
    if arguments.print_config {
        print(&settings);
        return Ok(Outcome::Clean);
    }
    let queue = Telemetry::builder().queue_capacity(config.spans_waiting);
    let telemetry = telemetry_of(queue, &TelemetryArguments { otlp: config.otlp.clone() }, SERVICE)?;
    let mut signals = Signals::new()?;
    let proxy = Proxy::start(config, telemetry).await?;
    if let Some(address) = proxy.metrics_address() {
        Printer::note(format_args!("metrics on http://{address}/metrics"));
    }
    Printer::note(format_args!("listening on {}", proxy.address()));
    signals.wait().await;
    Ok(if drain(proxy, &mut signals).await { Outcome::Clean } else { Outcome::Unknown })
}

/// Ends a proxy in order. `false` if it was told once more to end, and did so at once.
pub(crate) async fn drain(proxy: Proxy, signals: &mut Signals) -> bool {
    Printer::note("draining; once more to end at once");
    let drained = tokio::select! {
        drained = proxy.drain() => drained,
        () = signals.wait() => {
            Printer::note("ended without draining");
            return false;
        }
    };
    if drained.unanswered > 0 {
        Printer::note(format_args!("handoffs that were owed an answer still: {}", drained.unanswered));
    }
    if !drained.flushed {
        Printer::note("not all telemetry could be sent in time");
    }
    true
}

/// Every setting as a line of TOML, and after it where it came from.
fn print(settings: &Settings) {
    let mut printer = Printer::new();
    let rows = settings.rows();
    let line = |row: &crate::proxy::Row| match row.value.as_str() {
        "" => format!("# {} =", row.name),
        value => format!("{} = {value}", row.name),
    };
    let width = rows.iter().map(|row| line(row).chars().count()).max().unwrap_or_default().min(60);
    for row in &rows {
        printer.line(format_args!("{:width$}  # {}", line(row), row.origin));
    }
}
