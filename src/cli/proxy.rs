//! `wilco proxy`: between agents and their NATS server.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};

use super::Outcome;
use super::args::TelemetryArguments;
use super::printer::Printer;
use super::telemetry::telemetry_of;
use crate::proxy::{KEYS, Key, Proxy, Settings, Shape};
use crate::telemetry::Telemetry;

/// The flags, which are the settings of [`KEYS`].
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    config: Option<PathBuf>,
    print_config: bool,
    flags: Vec<(&'static str, Vec<String>)>,
}

const ABOUT: &str = "Trace the handoffs of agents that connect through here instead of to their NATS server";

const LONG_ABOUT: &str = "\
Trace the handoffs of agents that connect through here instead of to their NATS server

What clients say and hear goes on byte for byte, but for the headers that published messages get (--inject). Prints \
`listening on ADDR` on standard error when it is ready. SIGTERM or Ctrl-C drains it: it accepts nobody any more, waits \
for open handoffs, closes connections between two messages, sends what telemetry there is, and exits with 0; a second \
one ends it at once.

Every setting can be said in the file of --config as `name = value` (lists as arrays, `-` in names as `_`), in the \
environment as WILCO_PROXY_NAME, or by a flag; the later of these overrides the earlier.";

impl clap::Args for Arguments {
    fn augment_args(command: Command) -> Command {
        let command = command
            .about(ABOUT)
            .long_about(LONG_ABOUT)
            .arg(
                Arg::new("config")
                    .long("config")
                    .value_name("FILE")
                    .env("WILCO_PROXY_CONFIG")
                    .value_parser(clap::value_parser!(PathBuf))
                    .help("Read settings from this TOML file"),
            )
            .arg(
                Arg::new("print_config")
                    .long("print-config")
                    .action(ArgAction::SetTrue)
                    .help("Print every setting with its value and where it came from, and exit"),
            );
        KEYS.iter().fold(command, |command, key| command.arg(argument(key)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn argument(key: &'static Key) -> Arg {
    let help = match key.default {
        [] | ["false"] => key.help.to_owned(),
        default => format!("{} [default: {}]", key.help, default.join(",")),
    };
    // Once per process, and clap wants it to last.
    let flag: &'static str = key.name.replace('_', "-").leak();
    let argument = Arg::new(key.name).long(flag).value_name(key.placeholder).help(help).action(ArgAction::Append);
    match key.shape {
        Shape::Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Shape::One => argument.action(ArgAction::Set),
        Shape::List => argument,
    }
}

impl FromArgMatches for Arguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut arguments = Self::default();
        arguments.update_from_arg_matches(matches)?;
        Ok(arguments)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.config = matches.get_one("config").cloned();
        self.print_config = matches.get_flag("print_config");
        for key in KEYS {
            if let Some(values) = matches.get_many::<String>(key.name) {
                self.flags.push((key.name, values.cloned().collect()));
            }
        }
        Ok(())
    }
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let mut settings = Settings::default();
    if let Some(path) = &arguments.config {
        settings = settings.with_file(path)?;
    }
    settings = settings.with_environment(|name| std::env::var(name).ok());
    for (name, values) in &arguments.flags {
        settings = settings.with_flag(name, values)?;
    }
    let config = settings.config()?;
    if arguments.print_config {
        print(&settings);
        return Ok(Outcome::Clean);
    }
    let queue = Telemetry::builder().queue_capacity(config.spans_waiting);
    let telemetry = telemetry_of(queue, &TelemetryArguments { otlp: config.otlp.clone() }, "wilco-proxy")?;
    let mut signals = Signals::new().context("signals cannot be waited for")?;
    let proxy = Proxy::start(config, telemetry).await?;
    if let Some(address) = proxy.metrics_address() {
        Printer::note(format_args!("metrics on http://{address}/metrics"));
    }
    Printer::note(format_args!("listening on {}", proxy.address()));
    signals.wait().await;
    Printer::note("draining");
    let drained = tokio::select! {
        drained = proxy.drain() => drained,
        () = signals.wait() => {
            Printer::note("ended without draining");
            return Ok(Outcome::Unknown);
        }
    };
    if drained.open_handoffs > 0 {
        Printer::note(format_args!("{} handoffs were still open", drained.open_handoffs));
    }
    if !drained.flushed {
        Printer::note("not all telemetry could be sent in time");
    }
    Ok(Outcome::Clean)
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

/// SIGTERM and SIGINT; elsewhere Ctrl-C.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    #[cfg(unix)]
    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn wait(&mut self) {
        // Without a console there is nobody to press it.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
