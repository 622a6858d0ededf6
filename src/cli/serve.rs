use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::printer::Printer;
use super::source::DEFAULT_DB;
use super::{Outcome, units};
use crate::server::{Server, ServerOptions, Token};
use crate::store::{Store, StoreOptions};

/// Take spans over OTLP, keep them in a database, and answer questions about them
///
/// OTLP over HTTP and gRPC on the standard ports, pages, and a JSON API; all on this host only, unless told otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Address of the pages and the API
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4480")]
    http: SocketAddr,
    /// Address where OTLP over HTTP is taken
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4318")]
    otlp_http: SocketAddr,
    /// Address where OTLP over gRPC is taken
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4317")]
    otlp_grpc: SocketAddr,
    /// Database file; made if it is not there. `:memory:` keeps nothing after the end
    #[arg(long, value_name = "FILE", default_value = DEFAULT_DB)]
    db: PathBuf,
    /// Forget workflows to which nothing came for so long, as in 30d or 12h. Default: keep them
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    keep_for: Option<Duration>,
    /// Forget the oldest workflows while there is more than this, as in 2GiB or 500MiB. Default: keep them
    #[arg(long, value_name = "SIZE", value_parser = units::bytes)]
    keep_size: Option<u64>,
    /// Ask every request for this token: `Authorization: Bearer ...`; browsers sign in by a link printed at the start
    #[arg(long, value_name = "TOKEN", env = "WILCO_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Let anybody in who can reach the address, without a token
    #[arg(long)]
    insecure: bool,
}

/// How long requests under way may take when the server is told to end.
const END_WITHIN: Duration = Duration::from_secs(5);

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let mut options = StoreOptions::default();
    if let Some(age) = arguments.keep_for {
        options = options.keep_for(age);
    }
    if let Some(bytes) = arguments.keep_size {
        options = options.keep_bytes(bytes);
    }
    let is_memory = arguments.db.as_os_str() == ":memory:";
    let store = if is_memory { Store::in_memory(options)? } else { Store::open(&arguments.db, options)? };
    let mut server = ServerOptions::default()
        .http(arguments.http)
        .otlp_http(arguments.otlp_http)
        .otlp_grpc(Some(arguments.otlp_grpc))
        .open_to_all(arguments.insecure);
    if let Some(token) = &arguments.token {
        let token = Token::new(token)
            .ok_or_else(|| anyhow!("--token: a token has at least 8 printable ASCII characters and no blanks"))?;
        server = server.token(token);
    }
    let server = Server::start(store.clone(), server).await?;
    let at = server.addresses();
    let mut printer = Printer::new();
    printer.line(format_args!("api   http://{}", at.http));
    printer.line(format_args!("otlp  http://{}", at.otlp_http));
    if let Some(grpc) = at.otlp_grpc {
        printer.line(format_args!("otlp  grpc://{grpc}"));
    }
    if is_memory {
        printer.line("data  in memory");
    } else {
        printer.line(format_args!("data  {}", arguments.db.display()));
    }
    match server.sign_in_url() {
        Some(url) => printer.line(format_args!("pages {url}  (signs one browser in, once)")),
        None => printer.line(format_args!("pages {}", server.pages_url())),
    }
    ended().await?;
    server.close(END_WITHIN).await;
    // The last handle waits until all is written.
    tokio::task::spawn_blocking(move || drop(store)).await?;
    Ok(Outcome::Clean)
}

/// Waits until somebody wants the program to end.
async fn ended() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .context("the signal to end cannot be waited for")?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.context("the signal to end cannot be waited for")?;
    Ok(())
}
