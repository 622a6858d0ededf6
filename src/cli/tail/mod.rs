//! `wilco tail`: handoffs as they come, on a screen of their own or as lines.
//!
//! | file | holds |
//! |---|---|
//! | `feed.rs` | what the server tells, and the way back to it |
//! | `state.rs` | all that there is to draw, and what a key or a piece of news makes of it |
//! | `draw.rs`, `detail.rs` | the picture of a state |
//! | `screen.rs` | the terminal around these |
//! | `plain.rs` | lines, where nobody looks |

mod detail;
mod draw;
mod feed;
mod handoffs;
mod line;
mod plain;
#[cfg(test)]
mod samples;
mod screen;
mod state;
mod style;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::sync::Arc;

use anyhow::bail;

use self::feed::Feed;
use self::state::Fault;
use super::Outcome;
use super::printer::Printer;
use crate::client::Client;

/// Watch the handoffs that a running server hears of
///
/// On a terminal: a live list to filter, to hold and to look into; `?` shows the keys. The last 2,000 handoffs are kept.
/// Elsewhere, and with --plain, --json or --lines: a line for each handoff, and once more when more of it is known. If the
/// server goes away, it is looked for until it is there again.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only handoffs that this query finds, as in 'from = planner AND mismatch = stale_context'. Default: all
    #[arg(value_name = "EXPR", default_value = "", hide_default_value = true)]
    filter: String,
    /// The server
    #[arg(long, value_name = "URL", env = "WILCO_SERVER", default_value = "http://127.0.0.1:4480")]
    server: String,
    /// Only mismatched handoffs
    #[arg(long)]
    mismatched: bool,
    /// Print lines, also on a terminal
    #[arg(long)]
    plain: bool,
    /// Print one JSON document per line
    #[arg(long)]
    json: bool,
    /// End after so many lines
    #[arg(long, value_name = "N")]
    lines: Option<u64>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    if let Some(fault) = Fault::of(&arguments.filter) {
        if let Some(column) = fault.column {
            Printer::point(&arguments.filter, column);
            bail!("column {column}: {}", fault.text);
        }
        bail!(fault.text);
    }
    let client = Client::new(&arguments.server)?;
    if arguments.wants_screen() {
        return screen::run(&arguments, client).await;
    }
    plain::run(&arguments, Feed::start(Arc::new(client), arguments.filter.clone(), 0)).await
}

impl Arguments {
    fn wants_screen(&self) -> bool {
        let is_asked_for_lines = self.plain || self.json || self.lines.is_some();
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        !is_asked_for_lines && !is_dumb && Printer::is_terminal() && std::io::stdin().is_terminal()
    }
}
