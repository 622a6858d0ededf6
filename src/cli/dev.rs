//! `wilco dev`: bus, proxy, store and server in one process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{anyhow, bail};

use super::Outcome;
use super::backend::{Backend, BackendArguments, Data};
use super::printer::{FAINT, Printer};
use super::proxy::{SERVICE, drain};
use super::server;
use super::settings::SettingsArguments;
use super::signals::Signals;
use crate::bus::Bus;
use crate::proxy::{Config, Origin, Proxy, ProxyError, Settings};
use crate::server::ServerError;
use crate::telemetry::Telemetry;

/// Run all that is needed to see the handoffs of your agents, in one process
///
/// Agents connect to the address of --bus as to any NATS server, and need to know nothing of Wilco: a proxy there traces
/// what they hand to each other, in front of an embedded bus (core NATS, nothing stored), or of the servers that --nats
/// names. Agents and others that send spans themselves do so over OTLP. Page and API show what came of it. All is on
/// this host only, unless told otherwise.
///
/// SIGTERM or Ctrl-C ends it in order, with 0: it waits a little for open handoffs, and for what is to be written. The
/// settings of `wilco proxy` hold here too, by flag, file and environment.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Address where agents connect. Default: 127.0.0.1:4222; with --nats, 127.0.0.1:4223
    #[arg(long, value_name = "ADDR")]
    bus: Option<SocketAddr>,
    /// Trace what passes through these NATS servers, as in nats://127.0.0.1:4222, instead of the embedded bus. A
    /// connection goes to the first that answers
    // Not from NATS_URL: that is where agents connect, which is here.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    nats: Vec<String>,
    #[command(flatten)]
    backend: BackendArguments,
    /// Database file; made if it is not there. Default: memory, so that nothing is kept after the end
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Settings of the proxy")]
    settings: SettingsArguments,
}

/// Where agents connect by default: to the embedded bus as to a NATS server, in front of a NATS server beside it.
const BUS_PORT: u16 = 4222;
const PROXY_PORT: u16 = 4223;

/// How long open handoffs are waited for at the end. Less than the proxy's own default: somebody sits before it.
const DRAIN_WITHIN: &str = "2s";

/// How long a span waits for others: somebody may be watching.
const SPANS_LEAVE_AFTER: Duration = Duration::from_millis(200);

/// How long missing handoffs are counted before it is said.
const MISSING_WITHIN: Duration = Duration::from_secs(2);

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let mut signals = Signals::new()?;
    let settings = arguments.settings()?;
    let listening = arguments.backend.listen().await?;
    let data = Data::open(&arguments.backend, arguments.db.as_deref()).await?;
    let bus = if settings.says("upstream") { None } else { Some(arguments.start_bus(&without_bus(&settings)?).await?) };
    let config = match &bus {
        Some(bus) => settings.with("upstream", &[bus.url()], Origin::Default)?.config()?,
        None => settings.config()?,
    };
    // The spans of the proxy are made in this process, and kept in it: no OTLP in between.
    let telemetry = Telemetry::builder()
        .service_name(SERVICE)
        .service_version(env!("CARGO_PKG_VERSION"))
        .queue_capacity(config.spans_waiting)
        .schedule_delay(SPANS_LEAVE_AFTER)
        .exporter(data.store().exporter())
        .build()?;
    let proxy = Proxy::start(config.clone(), telemetry).await.map_err(|error| taken(error, &config, bus.is_some()))?;
    let agents = format!("nats://{}", proxy.address());
    let backend = Backend::start(listening.bus(agents.clone()), data);
    tell(&agents, &config, &backend, bus.is_some());
    let looking = tokio::spawn(look_for(arguments.nats));
    tokio::select! {
        () = signals.wait() => {}
        () = say_what_is_missing(&proxy, &config) => signals.wait().await,
    }
    looking.abort();
    let drained = drain(proxy, &mut signals).await;
    if let Some(bus) = bus {
        bus.shutdown().await;
    }
    backend.close().await?;
    Ok(if drained { Outcome::Clean } else { Outcome::Unknown })
}

impl Arguments {
    /// The proxy's settings, the defaults those of this command.
    fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = self.settings.settings()?;
        if settings.says("otlp") {
            Printer::note(
                "the proxy's setting `otlp` is passed over: its spans stay here; `wilco export` sends them on",
            );
        }
        if !self.nats.is_empty() {
            settings = settings.with("upstream", &self.nats, Origin::Flag("--nats".to_owned()))?;
        }
        if let Some(address) = self.bus {
            settings = settings.with("listen", &[address.to_string()], Origin::Flag("--bus".to_owned()))?;
        }
        if !settings.says("listen") {
            let port = if settings.says("upstream") { PROXY_PORT } else { BUS_PORT };
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            settings = settings.with("listen", &[address.to_string()], Origin::Default)?;
        }
        if !settings.says("drain_within") {
            settings = settings.with("drain_within", &[DRAIN_WITHIN.to_owned()], Origin::Default)?;
        }
        Ok(settings)
    }

    /// The embedded bus, at an address that only the proxy knows.
    async fn start_bus(&self, config: &Config) -> anyhow::Result<Bus> {
        // The proxy says how many may connect.
        let builder = Bus::builder().max_connections(config.connections);
        let open = !config.listen.ip().is_loopback();
        Ok(match &self.backend.token {
            Some(token) if open => builder.token(token).start().await?,
            None if open && !self.backend.insecure => bail!(ServerError::Open { address: config.listen }),
            _ => builder.start().await?,
        })
    }
}

/// The proxy's settings while the embedded bus has no address yet. The default server is where agents are to connect, so
/// a name stands in for the bus that is that of no host (RFC 2606).
fn without_bus(settings: &Settings) -> anyhow::Result<Config> {
    Ok(settings.clone().with("upstream", &["nats://bus.invalid".to_owned()], Origin::Default)?.config()?)
}

/// The error of a proxy, in the words of this command's options.
fn taken(error: ProxyError, config: &Config, embedded: bool) -> anyhow::Error {
    let ProxyError::Listen { address, source } = error else { return error.into() };
    if address != config.listen {
        return ServerError::listening("metrics of the proxy", address, "--metrics", source).into();
    }
    let error = ServerError::listening("agents", address, "--bus", source);
    match error {
        ServerError::Taken { .. } if embedded => {
            anyhow!("{error}; if it is a NATS server, --nats nats://{address} traces what passes through it")
        }
        _ => error.into(),
    }
}

/// Says where everything is.
fn tell(agents: &str, config: &Config, backend: &Backend, embedded: bool) {
    let mut printer = Printer::new();
    let servers = if embedded {
        "to an embedded bus: core NATS, nothing stored".to_owned()
    } else {
        format!("in front of {}", config.upstreams.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
    };
    printer.line(format_args!("agents  {agents}  {FAINT}{servers}{FAINT:#}"));
    let at = backend.addresses();
    let grpc = at.otlp_grpc.map(|address| format!("  grpc://{address}")).unwrap_or_default();
    printer.line(format_args!("otlp    http://{}{grpc}", at.otlp_http));
    printer.line(format_args!("pages   {}", backend.pages()));
    printer.line(format_args!("data    {}", backend.data()));
}

/// Says once that handoffs are missing, when some are, and what helps.
async fn say_what_is_missing(proxy: &Proxy, config: &Config) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    while proxy.untold() == 0 {
        second.tick().await;
    }
    // The first few are seldom the last.
    tokio::time::sleep(MISSING_WITHIN).await;
    Printer::note(format_args!(
        "{} handoffs came too fast to be recorded, each of them whole or not at all; what the agents say is not affected. \
         More are recorded with a greater --spans-waiting (now {}) or --handoffs-per-second. This is said once; \
         --metrics counts on",
        proxy.untold(),
        config.spans_waiting
    ));
}

/// Says so where no server answers. It may begin later, so that this is no reason to end.
async fn look_for(servers: Vec<String>) {
    for url in servers {
        if let Err(error) = server::reach(&url).await {
            Printer::note(format_args!("{error:#}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Dev {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn agents_connect_to_the_port_of_a_nats_server_unless_told_otherwise() {
        let listens = |arguments: &[&str]| {
            let dev = Dev::parse_from(std::iter::once("dev").chain(arguments.iter().copied()));
            let settings = dev.arguments.settings().unwrap();
            let config =
                if settings.says("upstream") { settings.config().unwrap() } else { without_bus(&settings).unwrap() };
            config.listen.to_string()
        };
        assert_eq!(listens(&[]), "127.0.0.1:4222");
        assert_eq!(listens(&["--bus", "127.0.0.1:4222"]), "127.0.0.1:4222");
        assert_eq!(listens(&["--nats", "nats://127.0.0.1:4222"]), "127.0.0.1:4223");
    }
}
