//! Replays recorded conversations, and reports what a bus can honestly say of them.
//!
//! file -> `log` -> `conversation` (who hands what to whom) -> `drive` (real channel, real bus) and `rules` (pure)
//! -> `report` -> `render` or JSON.

mod conversation;
mod drive;
mod format;
mod log;
mod names;
mod pace;
mod render;
mod report;
mod role;
mod rules;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};

use self::conversation::Conversation;
use self::drive::Names;
use self::format::FormatChoice;
use self::log::Log;
use self::pace::{Pace, Speed};
use self::report::{Failed, Report};
use self::rules::Findings;
use super::args::{ServerArguments, TelemetryArguments};
use super::server::Server;
use super::{Outcome, Printer};
use crate::telemetry::Telemetry;

/// How long spans may take to leave at the end.
const FLUSH_WITHIN: Duration = Duration::from_secs(5);

/// Hand over the messages of recorded conversations between agents, and report what a bus can say of them
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Arguments {
    /// Recorded conversations: JSON files, each an object whose `history` is a list of messages with their `content`
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// How the files say who speaks to whom
    #[arg(long, value_enum, default_value_t)]
    format: FormatChoice,

    /// At most this many messages a second; 0: as fast as they are acknowledged
    #[arg(long, value_name = "N", default_value = "0")]
    speed: Speed,

    /// Print one JSON object per file and line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    server: ServerArguments,

    #[command(flatten)]
    telemetry: TelemetryArguments,
}

const HELP: &str = "\
Each message goes through a real channel: one agent per speaker, one workflow per file, the next
message only after the one before was acknowledged. The payload is the message's content,
unchanged.

Who gets a message:
  group-chat    The next speaker other than its own. What nobody else spoke after goes to the
                agent `group`, which stands for all of them. The log names no receivers.
  orchestrated  `X (-> Y)` goes to Y. `X (thought)` goes to nobody and is not delivered. What else
                the Orchestrator says, such as `Orchestrator (termination condition)`, goes to
                `human`, who began the run. What else anybody says goes to the Orchestrator.

A speaker's name becomes an agent's name: blanks at its ends are dropped; blanks inside, control
characters, `.`, `*` and `>` become `_`; what is over 128 bytes is cut off; a name that is then
taken gets `-2`, `-3` and so on.

What the log does not hold is not invented: no intent is stated, so each verdict is `unconfirmed`.

What is looked for:
  loop          The same content was at one agent in three rounds or more.
  repeat        One speaker sent the same content again: identical by hash, or but for case and
                spacing.
  unanswered    The log names a receiver, who did not speak before the sender went on.
  reply unused  Nothing new in the reply is in a later message of anybody else: no three words in
                a row of at least 12 characters, no word of at least 8, no number of at least 2.
                This is inferred, not known. Replies that hold little are not judged.
  error         The message mentions one: a traceback, an exit code, an error line, an HTTP status.
An exchange (the same pair or ring of speakers, three rounds or more) is shown, and is no fault.

Exit codes: 0 everything was delivered and nothing found, 1 something was found, 2 a file could
not be replayed, or a message was lost, altered or out of order.";

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    tokio::select! {
        outcome = replay_all(&arguments) => outcome,
        // Not left to the system, which would end this process before it has ended the server that it started.
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            Err(anyhow!("interrupted"))
        }
    }
}

async fn replay_all(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let telemetry = crate::cli::telemetry::telemetry(&arguments.telemetry, "wilco replay")?;
    let conversations: Vec<_> = arguments.files.iter().map(|file| (file, read(file, arguments.format))).collect();
    // Without a file that can be replayed, no server is needed to say so.
    let server = match conversations.iter().any(|(_, conversation)| conversation.is_ok()) {
        true => Some(Server::find(&arguments.server).await?),
        false => None,
    };
    if let Some(server) = server.as_ref().filter(|_| !arguments.json) {
        Printer::note(format!("replaying on {} ({})", server.url(), server.origin()));
    }

    let mut printer = Printer::new();
    let mut worst = Outcome::Clean;
    for (file, conversation) in conversations {
        let url = server.as_ref().map_or("", Server::url);
        let replayed = match conversation {
            Ok(conversation) => replay(file, &conversation, url, &telemetry, arguments.speed).await,
            Err(error) => Err(error),
        };
        let outcome = match replayed {
            Ok(report) => {
                if arguments.json {
                    printer.line(serde_json::to_string(&report)?);
                } else {
                    render::render(&report, &mut printer);
                }
                report.outcome()
            }
            Err(error) => {
                if arguments.json {
                    printer.line(serde_json::to_string(&Failed::new(file, &error))?);
                }
                Printer::error(&error.context(file.display().to_string()));
                Outcome::Unknown
            }
        };
        worst = worst.max(outcome);
    }
    end_telemetry(&telemetry).await;
    Ok(worst)
}

fn read(file: &Path, format: FormatChoice) -> anyhow::Result<Conversation> {
    Conversation::of(Log::read(file, format)?)
}

async fn replay(
    file: &Path,
    conversation: &Conversation,
    server: &str,
    telemetry: &Telemetry,
    speed: Speed,
) -> anyhow::Result<Report> {
    let names = Names::for_file(&file.file_stem().unwrap_or_default().to_string_lossy());
    let progress = progress(file, conversation.steps.len());
    let passage = drive::drive(conversation, &names, server, telemetry, Pace::new(speed), &progress).await;
    progress.finish_and_clear();
    let findings = Findings::of(&conversation.steps);
    Ok(Report::new(file, conversation, names, &passage?, findings))
}

/// Drawn on standard error, and only on a terminal.
fn progress(file: &Path, steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64).with_message(file.display().to_string());
    match ProgressStyle::with_template("{wide_msg} {bar:30} {pos:>4}/{len} messages") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

async fn end_telemetry(telemetry: &Telemetry) {
    if !telemetry.is_on() {
        return;
    }
    let stats = telemetry.shutdown(FLUSH_WITHIN).await.stats;
    let dropped = stats.dropped.total();
    let and_lost = if dropped == 0 { String::new() } else { format!(", {dropped} dropped: is a collector there?") };
    Printer::note(format!("{} spans sent{and_lost}", stats.exported));
}
