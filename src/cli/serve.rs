use std::path::PathBuf;

use anyhow::Context;

use super::Outcome;
use super::backend::{Backend, BackendArguments, Data, is_memory};
use super::forward::Forward;
use super::headers::HeaderArguments;
use super::printer::Printer;
use super::signals::Signals;
use super::source::DEFAULT_DB;
use crate::client::Client;
use crate::store::Store;

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
    /// Send every span on to this endpoint of OTLP over HTTP too, as in http://127.0.0.1:14318. While it is away they wait
    /// in the database; how far it went is kept beside that, in FILE.forwarded
    #[arg(long, value_name = "URL")]
    forward: Option<String>,
    #[command(flatten)]
    headers: HeaderArguments,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let mut signals = Signals::new()?;
    let listening = arguments.backend.listen().await?;
    let data = Data::open(&arguments.backend, Some(&arguments.db)).await?;
    let forward = match &arguments.forward {
        Some(url) => Some(arguments.forwarder(data.store(), url)?),
        None => None,
    };
    let backend = Backend::start(listening, data);
    let at = backend.addresses();
    let mut printer = Printer::new();
    printer.line(format_args!("api   http://{}", at.http));
    printer.line(format_args!("otlp  http://{}", at.otlp_http));
    if let Some(grpc) = at.otlp_grpc {
        printer.line(format_args!("otlp  grpc://{grpc}"));
    }
    printer.line(format_args!("data  {}", backend.data()));
    printer.line(format_args!("pages {}", backend.pages()));
    let forwarding = async {
        match forward {
            Some(forward) => forward.run().await.context("spans are no longer forwarded"),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = signals.wait() => {}
        failed = forwarding => failed?,
    }
    backend.close().await?;
    Ok(Outcome::Clean)
}

impl Arguments {
    fn forwarder(&self, store: &Store, url: &str) -> anyhow::Result<Forward> {
        let client = Client::new(url).with_context(|| format!("--forward {url}"))?.with_headers(self.headers.read()?);
        let state = (!is_memory(&self.db)).then(|| {
            let mut name = self.db.as_os_str().to_owned();
            name.push(".forwarded");
            name.into()
        });
        Forward::new(store.clone(), client, state)
    }
}
