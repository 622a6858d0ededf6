//! `wilco bus`: the embedded bus, alone.

use super::Outcome;
use super::printer::Printer;
use super::signals::Signals;
use crate::bus::Bus;

/// Run an embedded NATS bus: core NATS only, one process, nothing stored
///
/// For development, demonstrations and tests. It has subjects with wildcards, queue groups, headers, request and reply,
/// and one token as authorisation. It has no JetStream, no cluster, no TLS and no accounts: for anything that must
/// survive a restart, run nats-server. Ends with SIGTERM or SIGINT, and then sends what still waits.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where to listen; with port 0, on any port that is free. The address is printed on standard error
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:4222")]
    listen: String,
    /// Clients must give this token, as in nats://TOKEN@127.0.0.1:4222
    #[arg(long, value_name = "TOKEN", env = "WILCO_BUS_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Most bytes of headers and payload of a message
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    max_payload: usize,
    /// Most bytes that wait for one connection; who reads more slowly is cut off
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    max_pending: usize,
    /// Most connections at a time
    #[arg(long, value_name = "N", default_value_t = 1_024)]
    max_connections: usize,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    // Before it listens, so that no signal is lost.
    let mut signals = Signals::new()?;
    let builder = Bus::builder()
        .listen(arguments.listen)
        .max_payload(arguments.max_payload)
        .max_pending(arguments.max_pending)
        .max_connections(arguments.max_connections);
    let builder = match arguments.token {
        Some(token) => builder.token(token),
        None => builder,
    };
    let bus = builder.start().await?;
    Printer::note(format_args!("listening on {}", bus.local_addr()));
    Printer::note("core NATS only, one process, nothing stored; for JetStream run nats-server");
    signals.wait().await;
    let stats = bus.stats();
    bus.shutdown().await;
    Printer::note(format_args!(
        "{} connections, {} messages in, {} out, {} slow consumers",
        stats.connections_total, stats.messages_in, stats.messages_out, stats.slow_consumers
    ));
    Ok(Outcome::Clean)
}
