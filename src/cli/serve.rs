use std::path::PathBuf;

use super::Outcome;
use super::backend::{Backend, BackendArguments, Data};
use super::printer::Printer;
use super::signals::Signals;
use super::source::DEFAULT_DB;

/// Take spans over OTLP, keep them in a database, and answer questions about them
///
/// OTLP over HTTP and gRPC on the standard ports, pages, and a JSON API; all on this host only, unless told otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    backend: BackendArguments,
    /// Database file; made if it is not there. `:memory:` keeps nothing after the end
    #[arg(long, value_name = "FILE", default_value = DEFAULT_DB)]
    db: PathBuf,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let mut signals = Signals::new()?;
    let data = Data::open(&arguments.backend, Some(&arguments.db)).await?;
    let backend = Backend::start(&arguments.backend, data, None).await?;
    let at = backend.addresses();
    let mut printer = Printer::new();
    printer.line(format_args!("api   http://{}", at.http));
    printer.line(format_args!("otlp  http://{}", at.otlp_http));
    if let Some(grpc) = at.otlp_grpc {
        printer.line(format_args!("otlp  grpc://{grpc}"));
    }
    printer.line(format_args!("data  {}", backend.data()));
    printer.line(format_args!("pages {}", backend.pages()));
    signals.wait().await;
    backend.close().await?;
    Ok(Outcome::Clean)
}
