use anyhow::{Context, bail};

use super::Outcome;
use super::printer::{BAD, FAINT, GOOD, Printer, UNKNOWN};
use crate::client::Client;
use crate::store::HandoffSummary;

/// Follow the handoffs that a running server hears of, one line each
///
/// A handoff is told again when more of it is known. Ends with the server, or by Ctrl-C.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The server
    #[arg(long, value_name = "URL", env = "WILCO_SERVER", default_value = "http://127.0.0.1:4480")]
    server: String,
    /// Only mismatched handoffs
    #[arg(long)]
    mismatched: bool,
    /// Print one JSON document per line
    #[arg(long)]
    json: bool,
    /// End after so many lines
    #[arg(long, value_name = "N")]
    lines: Option<u64>,
}

/// The longest line of an event, in bytes.
const LONGEST: usize = 1 << 20;

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let mut response = Client::new(&arguments.server)?.events("").await?;
    let mut printer = Printer::new();
    let (mut rest, mut event, mut told) = (Vec::new(), String::new(), 0);
    Printer::note(format_args!("listening to {}", arguments.server));
    loop {
        let part = tokio::select! {
            part = response.chunk() => part.context("the server broke off")?,
            _ = tokio::signal::ctrl_c() => return Ok(Outcome::Clean),
        };
        let Some(part) = part else { return Ok(Outcome::Clean) };
        rest.extend_from_slice(&part);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end();
            if let Some(name) = line.strip_prefix("event:") {
                event = name.trim().to_owned();
            } else if let Some(data) = line.strip_prefix("data:")
                && told_of(&mut printer, &arguments, &event, data.trim_start())
            {
                told += 1;
                if arguments.lines == Some(told) {
                    return Ok(Outcome::Clean);
                }
            }
        }
        if rest.len() > LONGEST {
            bail!("{}: a line of over {LONGEST} bytes is no event of wilco's", arguments.server);
        }
    }
}

/// Whether it was printed.
fn told_of(printer: &mut Printer, arguments: &Arguments, event: &str, data: &str) -> bool {
    if event == "lagged" {
        Printer::note(format_args!("{data} commits came too fast and were passed over"));
    }
    let Ok(handoff) = serde_json::from_str::<HandoffSummary>(data) else { return false };
    if event != "handoff" || arguments.mismatched && handoff.verdict != "mismatched" {
        return false;
    }
    if arguments.json {
        printer.line(data);
    } else {
        printer.line(line(&handoff));
    }
    true
}

fn line(handoff: &HandoffSummary) -> String {
    let name = |name: &Option<String>| {
        name.as_deref().unwrap_or("-").chars().map(|c| if c.is_control() { '?' } else { c }).collect::<String>()
    };
    let style = match handoff.verdict.as_str() {
        "agreed" => GOOD,
        "mismatched" => BAD,
        _ => UNKNOWN,
    };
    let boundary = format!("{}<-{}", name(&handoff.to), name(&handoff.from));
    format!(
        "{FAINT}{}{FAINT:#}  {boundary:<28} {style}{:<11}{style:#} {:<12} {:>9.1} ms  {}  {}",
        handoff.timestamp.get(11..23).unwrap_or_default(),
        handoff.verdict,
        handoff.rung,
        handoff.duration_ms,
        name(&handoff.workflow),
        handoff.mismatches.join(",")
    )
    .trim_end()
    .to_owned()
}
