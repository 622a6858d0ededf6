use super::Arguments;
use super::feed::{Feed, News};
use super::handoffs::is_mismatched;
use super::style::clean;
use crate::cli::Outcome;
use crate::cli::printer::{BAD, FAINT, GOOD, Printer, UNKNOWN};
use crate::cli::signals::Signals;
use crate::server::pages::words::{self, Tone};
use crate::store::HandoffSummary;

/// One line for each handoff, until somebody says that it is enough.
pub(super) async fn run(arguments: &Arguments, mut feed: Feed) -> anyhow::Result<Outcome> {
    let mut signals = Signals::new()?;
    let mut printer = Printer::new();
    let (mut told, mut was_there) = (0, false);
    let mut is_lost = false;
    while arguments.lines.is_none_or(|lines| told < lines) {
        let news = tokio::select! {
            news = feed.next() => news,
            () = signals.wait() => break,
        };
        match news {
            Some(News::Listening) if was_there => {
                is_lost = false;
                Printer::note("listening again; what came in between is not told");
            }
            Some(News::Listening) => {
                was_there = true;
                Printer::note(format_args!("listening to {}", arguments.server));
            }
            Some(News::Handoff(handoff)) if !arguments.mismatched || is_mismatched(&handoff) => {
                told += 1;
                if arguments.json {
                    printer.line(serde_json::to_string(&handoff)?);
                } else {
                    printer.line(line(&handoff));
                }
            }
            Some(News::PassedOver(count)) => {
                Printer::note(format_args!("{count} commits came too fast and were passed over"));
            }
            Some(News::Lost(reason)) if was_there => {
                if !is_lost {
                    Printer::note(format_args!("{reason}; looking for {} until it is there again", arguments.server));
                }
                is_lost = true;
            }
            Some(News::Lost(reason) | News::Refused { reason, .. }) => anyhow::bail!(reason),
            Some(News::Handoff(_) | News::Known(_)) => {}
            None => break,
        }
    }
    Ok(Outcome::Clean)
}

fn line(handoff: &HandoffSummary) -> String {
    let style = match words::tone(&handoff.verdict) {
        Tone::Good => GOOD,
        Tone::Bad => BAD,
        Tone::Unsure => UNKNOWN,
    };
    let boundary = clean(&handoff.boundary());
    format!(
        "{FAINT}{}{FAINT:#}  {boundary:<28} {style}{:<11}{style:#} {:<12} {:>9.1} ms  {}  {}",
        handoff.timestamp.get(11..23).unwrap_or_default(),
        handoff.verdict,
        handoff.rung,
        handoff.duration_ms,
        clean(handoff.workflow.as_deref().unwrap_or("-")),
        handoff.mismatches.join(",")
    )
    .trim_end()
    .to_owned()
}
