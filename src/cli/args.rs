use clap::{Args, Parser, Subcommand};

use super::{
    bus, completions, demo, dev, doctor, export, healthcheck, import, man, proxy, query, replay, serve, stats, tail,
    trace, why,
};

/// Traces the handoffs between agents over NATS.
#[derive(Debug, Parser)]
#[command(name = "wilco", version, about, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 all is well, 1 a failure was found, 2 it could not be told or the command was wrong."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Dev(dev::Arguments),
    Demo(demo::Arguments),
    Bus(bus::Arguments),
    Proxy(proxy::Arguments),
    Replay(replay::Arguments),
    Trace(trace::Arguments),
    Why(why::Arguments),
    Serve(serve::Arguments),
    Query(query::Arguments),
    Stats(stats::Arguments),
    Tail(tail::Arguments),
    Import(import::Arguments),
    Export(export::Arguments),
    Doctor(doctor::Arguments),
    Healthcheck(healthcheck::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// Where the NATS server is.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArguments {
    /// Use the NATS server at this URL, as in nats://127.0.0.1:4222. Without it, an embedded bus is used for as long as
    /// the command runs
    #[arg(long, value_name = "URL", env = "NATS_URL")]
    pub(crate) nats: Option<String>,
}

/// Where spans and metrics go.
#[derive(Clone, Debug, Args)]
pub(crate) struct TelemetryArguments {
    /// Send spans and metrics to this OTLP endpoint: http://127.0.0.1:4318 for OTLP over HTTP, or
    /// grpc://127.0.0.1:4317 for gRPC. Without it, the standard OTEL_EXPORTER_OTLP_* variables decide
    #[arg(long, value_name = "URL")]
    pub(crate) otlp: Option<String>,
}
