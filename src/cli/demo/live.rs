//! The account of what happens while it happens: a line a handoff, on which its ladder grows.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::newsroom::RETRACTED;
use super::story::{Event, Seen};
use crate::cli::args::TelemetryArguments;
use crate::cli::printer::{BAD, FAINT, GOOD, Printer, STRONG, UNKNOWN, wrap};
use crate::cli::server::Server;
use crate::model::{Evidence, Rung};

/// Shows events; nothing at all when JSON was asked for.
pub(crate) struct Live {
    silent: bool,
    /// No colours, not even on a terminal: `NO_COLOR` is set.
    plain: bool,
    /// Lines that grow, on a terminal.
    growing: Option<MultiProgress>,
    lines: HashMap<String, ProgressBar>,
    out: Printer,
}

impl Live {
    pub(crate) fn new(silent: bool) -> Self {
        let growing = (!silent && Printer::is_terminal()).then(MultiProgress::new);
        let plain = anstream::AutoStream::choice(&std::io::stdout()) == anstream::ColorChoice::Never;
        Self { silent, plain, growing, lines: HashMap::new(), out: Printer::new() }
    }

    pub(crate) fn opening(&mut self, server: &Server, seed: u64, telemetry: &TelemetryArguments) {
        if self.silent {
            return;
        }
        let version = env!("CARGO_PKG_VERSION");
        self.out.line(format_args!("{STRONG}wilco {version}{STRONG:#}  newsroom of 4 agents on {}", server.url()));
        self.out.line(format_args!("{FAINT}server: {}; seed {seed}{FAINT:#}", server.origin()));
        if let Some(url) = &telemetry.otlp {
            self.out.line(format_args!("{FAINT}spans go to {url}{FAINT:#}"));
        }
    }

    pub(crate) fn show(&mut self, event: &Event) {
        if self.silent {
            return;
        }
        match event {
            Event::Begun(job) => {
                self.print(String::new());
                self.print(format!("{STRONG}{}{STRONG:#}  {}", job.workflow, job.topic));
            }
            Event::Climbed(seen) => self.grow(seen),
            Event::Settled(seen) => {
                if let Some(line) = self.lines.remove(&seen.id) {
                    line.finish_and_clear();
                }
                self.print(format!("  {}", settled(seen, Printer::columns())));
                for mismatch in &seen.mismatches {
                    for (n, line) in wrap(&mismatch.to_string(), Printer::columns() - 6).into_iter().enumerate() {
                        let style = if n == 0 { BAD } else { FAINT };
                        self.print(format!("      {style}{line}{style:#}"));
                    }
                }
            }
            Event::Ended { ok, outcome, .. } if *ok || outcome.starts_with(RETRACTED) => {
                self.print(format!("  {FAINT}{outcome}{FAINT:#}"));
            }
            Event::Ended { .. } => self.print(format!("  {FAINT}no story{FAINT:#}")),
        }
    }

    pub(crate) fn end(&mut self) {
        self.lines.drain().for_each(|(_, line)| line.finish_and_clear());
    }

    fn grow(&mut self, seen: &Seen) {
        let Some(growing) = &self.growing else { return };
        let line = self.lines.entry(seen.id.clone()).or_insert_with(|| {
            let line = growing.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                line.set_style(style);
            }
            line.enable_steady_tick(Duration::from_millis(80));
            line
        });
        let text = format!("{:<20} {}", seen.leg.to_string(), ladder(seen));
        line.set_message(if self.plain { anstream::adapter::strip_str(&text).to_string() } else { text });
    }

    fn print(&mut self, text: String) {
        match &self.growing {
            Some(growing) => {
                let out = &mut self.out;
                growing.suspend(|| out.line(&text));
            }
            None => self.out.line(text),
        }
    }
}

fn settled(seen: &Seen, columns: usize) -> String {
    let (style, verdict) = match seen.verdict {
        "agreed" => (GOOD, "agreed"),
        "mismatched" => (BAD, "mismatched"),
        other => (UNKNOWN, other),
    };
    // What stands beside the ladder.
    let room = columns.saturating_sub(46);
    let whole = ladder(seen);
    let ladder = if width(&whole) > room { ends(seen) } else { whole };
    let padding = room.saturating_sub(width(&ladder));
    format!(
        "{:<20} {ladder}{:padding$} {style}{verdict:<11}{style:#} {FAINT}{:>5} ms{FAINT:#}",
        seen.leg.to_string(),
        "",
        seen.took().as_millis(),
    )
}

/// The rungs, lowest first. What is not told by the other side itself is marked.
fn ladder(seen: &Seen) -> String {
    rungs(seen).join(&format!(" {FAINT}>{FAINT:#} "))
}

/// The ladder where there is no room for it: its first rung and its last.
fn ends(seen: &Seen) -> String {
    let rungs = rungs(seen);
    let (first, last) = (rungs.first(), rungs.last());
    first.zip(last).map(|(first, last)| format!("{first} {FAINT}..{FAINT:#} {last}")).unwrap_or_default()
}

/// Columns of a text, without its colours.
fn width(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().chars().count()
}

fn rungs(seen: &Seen) -> Vec<String> {
    let shown = seen.climbs.iter().filter(|climb| is_shown(climb.rung));
    shown
        .map(|climb| match (climb.rung, climb.evidence) {
            (Rung::Misunderstood | Rung::Refused | Rung::Failed, _) => format!("{BAD}{}{BAD:#}", climb.rung),
            (_, Evidence::Inferred) => format!("{UNKNOWN}{}{UNKNOWN:#}", climb.rung),
            _ => climb.rung.to_string(),
        })
        .collect()
}

/// `accepted` is said by the readback itself, and would only make the line longer.
fn is_shown(rung: Rung) -> bool {
    rung != Rung::Accepted
}

#[cfg(test)]
mod tests {
    use super::super::plan::Leg;
    use super::*;
    use crate::model::{Climb, Timestamp};

    #[test]
    fn a_line_fits_the_terminal_and_keeps_its_verdict() {
        let climb = |rung| Climb { rung, evidence: Evidence::Declared, by: None, at: Timestamp::now() };
        let rungs = [Rung::Sent, Rung::Received, Rung::Understood, Rung::Completed, Rung::Verified, Rung::Used];
        let seen = Seen {
            id: String::new(),
            workflow: String::new(),
            leg: Leg::Research,
            verdict: "mismatched",
            climbs: rungs.map(climb).to_vec(),
            mismatches: Vec::new(),
        };
        for columns in [60, 80, 100] {
            // Two blanks stand before it.
            let line = settled(&seen, columns);
            assert!(width(&line) + 2 <= columns && line.contains("mismatched"), "{columns}: {line}");
        }
        assert!(settled(&seen, 80).contains("sent") && settled(&seen, 80).contains("used"));
    }
}
