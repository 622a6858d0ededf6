use anyhow::{Context, bail};

use super::args::TelemetryArguments;
use crate::telemetry::{Telemetry, TelemetryBuilder};

/// Telemetry as the arguments say, under the name of a service; off where neither they nor the environment name an
/// endpoint.
pub(crate) fn telemetry(arguments: &TelemetryArguments, service: &str) -> anyhow::Result<Telemetry> {
    telemetry_of(Telemetry::builder(), arguments, service)
}

/// As [`telemetry`], on top of what the builder says already.
pub(crate) fn telemetry_of(
    builder: TelemetryBuilder,
    arguments: &TelemetryArguments,
    service: &str,
) -> anyhow::Result<Telemetry> {
    let has_own = builder.names_exporter();
    // The standard variables send to a collector on this host where none of them names another.
    let is_sent = arguments.otlp.is_some() || in_environment();
    let builder = if is_sent { builder.from_env() } else { builder };
    let builder = builder.service_name(service).service_version(env!("CARGO_PKG_VERSION"));
    let builder = match arguments.otlp.as_deref() {
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => builder.otlp_http(url),
        Some(url) => match url.strip_prefix("grpc://") {
            Some(address) => builder.otlp_grpc(format!("http://{address}")),
            None => {
                bail!("--otlp {url}: name an endpoint as http://127.0.0.1:4318, https://... or grpc://127.0.0.1:4317")
            }
        },
        None if is_sent || has_own => builder,
        None => return Ok(Telemetry::off()),
    };
    builder.build().context("telemetry could not be set up")
}

fn in_environment() -> bool {
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}
