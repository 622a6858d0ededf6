//! The `wilco` command: an embedded bus, a small stage for the newsroom demo, a proxy, a replay of recorded
//! conversations, a trace store to keep and to question, what the spans of workflows tell, and all that one needs to
//! begin, in one process.
//!
//! Exit codes: 0 all is well, 1 a failure was found, 2 it could not be told, or the command was not understood.

mod args;
mod asked;
mod backend;
mod bus;
mod claim;
mod completions;
mod content;
mod demo;
mod dev;
mod doctor;
mod export;
mod files;
mod forward;
mod headers;
mod healthcheck;
mod import;
mod man;
mod printer;
mod proxy;
mod query;
mod replay;
mod serve;
mod server;
mod settings;
mod signals;
mod source;
mod stats;
mod table;
mod tail;
mod telemetry;
mod trace;
mod units;
mod why;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use self::args::{Arguments, Command};
use self::printer::Printer;

/// What a command found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// All is well.
    Clean,
    /// A failure was found.
    FailureFound,
    /// It could not be told, and it was said why.
    Unknown,
}

/// Parses the arguments and runs the command they name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors, and go to standard output; clap knows.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    printer::log_to_stderr();
    // What a proxy carries, it carries on threads of its own.
    let mut runtime = match arguments.command {
        Command::Proxy(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            Printer::error(&anyhow::Error::from(error).context("the runtime could not be started"));
            return ExitCode::from(2);
        }
    };
    let outcome = runtime.block_on(async {
        match arguments.command {
            Command::Bus(bus) => bus::run(bus).await,
            Command::Demo(demo) => demo::run(demo).await,
            Command::Dev(arguments) => dev::run(arguments).await,
            Command::Proxy(proxy) => proxy::run(proxy).await,
            Command::Replay(replay) => replay::run(replay).await,
            Command::Serve(arguments) => serve::run(arguments).await,
            Command::Query(arguments) => query::run(arguments).await,
            Command::Stats(arguments) => stats::run(arguments).await,
            Command::Tail(arguments) => tail::run(arguments).await,
            Command::Import(arguments) => import::run(arguments).await,
            Command::Export(arguments) => export::run(arguments).await,
            Command::Doctor(arguments) => doctor::run(arguments).await,
            Command::Healthcheck(arguments) => healthcheck::run(arguments).await,
            Command::Completions(arguments) => completions::run(arguments),
            Command::Man(arguments) => man::run(arguments),
            Command::Trace(arguments) => trace::run(&arguments).await,
            Command::Why(arguments) => why::run(&arguments).await,
        }
    });
    // Whatever is still going on must not keep the command from ending.
    runtime.shutdown_background();
    match outcome {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::FailureFound) => ExitCode::from(1),
        Ok(Outcome::Unknown) => ExitCode::from(2),
        Err(error) => {
            Printer::error(&error);
            ExitCode::from(2)
        }
    }
}
