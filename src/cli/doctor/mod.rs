//! `wilco doctor`: looks at what Wilco depends on, and says what to change.

mod clock;
mod jetstream;
mod nats;
mod otlp;
mod proxy;
mod report;
mod store;
mod web;

use super::Outcome;
use super::printer::Printer;
use report::Report;

/// Look at the NATS server, the proxy, the OTLP endpoint and the store, and say what to change
///
/// The NATS server is always looked at: its version and settings, whether headers travel, which addresses it tells its
/// clients of, JetStream, and its clock. The others are, where they are named. What is sent: a few messages of its own to
/// itself, and an empty export. Ends with 0 if all is well, with 1 if something is to be changed, and with 2 if it could
/// not be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The NATS server; user and password, or a token, go before the host: nats://USER:PASSWORD@HOST:4222
    #[arg(long, value_name = "URL", env = "NATS_URL", default_value = "nats://127.0.0.1:4222", hide_env_values = true)]
    nats: String,
    /// Credentials for it, as `nsc` writes them
    #[arg(long, value_name = "FILE", env = "NATS_CREDS")]
    creds: Option<std::path::PathBuf>,
    /// The proxy: nats://HOST:4223 sends a message through it, http://HOST:9222 (its --metrics) reads its numbers. May be
    /// given for both
    #[arg(long, value_name = "URL")]
    proxy: Vec<String>,
    /// The OTLP endpoint, as in http://127.0.0.1:4318 or grpc://127.0.0.1:4317; headers are those of
    /// OTEL_EXPORTER_OTLP_HEADERS
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp: Option<String>,
    /// The server that `wilco serve` runs, as in http://127.0.0.1:4480; its token is that of WILCO_TOKEN
    #[arg(long, value_name = "URL", env = "WILCO_SERVER")]
    server: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let mut report = Report::default();
    let has_proxy = !arguments.proxy.is_empty();
    nats::check(&mut report, &arguments.nats, arguments.creds.as_deref(), has_proxy).await;
    for url in &arguments.proxy {
        proxy::check(&mut report, url, arguments.creds.as_deref()).await;
    }
    match &arguments.otlp {
        Some(url) => otlp::check(&mut report, url).await,
        None => report.skipped("otlp", "name it by --otlp URL"),
    }
    match &arguments.server {
        Some(url) => store::check(&mut report, url).await,
        None => report.skipped("server", "name it by --server URL"),
    }
    if !has_proxy {
        report.skipped("proxy", "name it by --proxy URL");
    }
    let mut printer = Printer::new();
    if arguments.json {
        printer.line(serde_json::to_string(&report.json())?);
    } else {
        report.print(&mut printer);
    }
    Ok(report.outcome())
}
