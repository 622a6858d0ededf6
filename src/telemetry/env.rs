//! The standard environment variables of OpenTelemetry. An empty value means the same as none, as the specification has
//! it. A value that cannot be is an error here and not ignored: telemetry that goes nowhere is found out too late.

use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;

use super::otlp::{Endpoint, Protocol, Signal};
use super::settings::Settings;
use super::{Sampling, TelemetryError};

/// Reads what `lookup` knows; it answers as `std::env::var(name).ok()` does.
pub(super) fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Settings, TelemetryError> {
    let env = Env(lookup);
    if env.text("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(Settings { disabled: true, ..Settings::default() });
    }
    Ok(Settings {
        disabled: false,
        service_name: env.text("OTEL_SERVICE_NAME"),
        service_version: None,
        resource: env.pairs("OTEL_RESOURCE_ATTRIBUTES")?,
        traces: env.signal(&TRACES)?,
        metrics: env.signal(&METRICS)?,
        queue_capacity: env.count("OTEL_BSP_MAX_QUEUE_SIZE")?,
        batch_size: env.count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE")?,
        schedule_delay: env.millis("OTEL_BSP_SCHEDULE_DELAY")?,
        export_timeout: env.millis("OTEL_BSP_EXPORT_TIMEOUT")?,
        metrics_interval: env.millis("OTEL_METRIC_EXPORT_INTERVAL")?,
        temporality: env.temporality()?,
        sampling: env.sampling()?,
    })
}

struct Env<'a>(&'a dyn Fn(&str) -> Option<String>);

/// The variables of one signal.
struct Variables {
    exporter: &'static str,
    endpoint: &'static str,
    headers: &'static str,
    timeout: &'static str,
    protocol: &'static str,
}

const TRACES: Variables = Variables {
    exporter: "OTEL_TRACES_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    headers: "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    timeout: "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    protocol: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
};

const METRICS: Variables = Variables {
    exporter: "OTEL_METRICS_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    headers: "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    timeout: "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
    protocol: "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
};

const PAIRS: &str = "a list like key1=value1,key2=value2";

impl Env<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The signal's own variable, or else the one for all signals.
    fn either(&self, own: &'static str, all: &'static str) -> Option<(&'static str, String)> {
        [own, all].into_iter().find_map(|name| self.text(name).map(|value| (name, value)))
    }

    fn signal(&self, names: &Variables) -> Result<Signal, TelemetryError> {
        let enabled = match self.text(names.exporter).as_deref() {
            None | Some("otlp") => Some(true),
            Some("none") => Some(false),
            Some(other) => return Err(wrong(names.exporter, other, "otlp or none")),
        };
        let endpoint = self.text(names.endpoint).map(Endpoint::Exact);
        let endpoint = endpoint.or_else(|| self.text("OTEL_EXPORTER_OTLP_ENDPOINT").map(Endpoint::Base));
        let protocol = match self.either(names.protocol, "OTEL_EXPORTER_OTLP_PROTOCOL") {
            None => None,
            Some((name, value)) => Some(match value.as_str() {
                "http/protobuf" => Protocol::Http,
                "grpc" => Protocol::Grpc,
                other => return Err(wrong(name, other, "http/protobuf or grpc")),
            }),
        };
        let timeout = match self.either(names.timeout, "OTEL_EXPORTER_OTLP_TIMEOUT") {
            None => None,
            Some((name, _)) => self.millis(name)?,
        };
        let headers = match self.either(names.headers, "OTEL_EXPORTER_OTLP_HEADERS") {
            None => Vec::new(),
            Some((name, _)) => self.pairs(name)?,
        };
        Ok(Signal { enabled, protocol, endpoint, headers, timeout })
    }

    fn pairs(&self, name: &'static str) -> Result<Vec<(String, String)>, TelemetryError> {
        let Some(list) = self.text(name) else { return Ok(Vec::new()) };
        let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts
            .map(|part| match part.split_once('=') {
                Some((key, value)) if !key.trim().is_empty() => Ok((decoded(key.trim()), decoded(value.trim()))),
                // The list may hold secrets, so the error shows the part's place at most.
                _ => Err(wrong(name, "a part without a key or without =", PAIRS)),
            })
            .collect()
    }

    fn count(&self, name: &'static str) -> Result<Option<usize>, TelemetryError> {
        self.text(name)
            .map(|value| match value.parse() {
                Ok(n) if n > 0 => Ok(n),
                _ => Err(wrong(name, &value, "a whole number, at least 1")),
            })
            .transpose()
    }

    fn millis(&self, name: &'static str) -> Result<Option<Duration>, TelemetryError> {
        let parse = |value: String| match value.parse() {
            Ok(millis) => Ok(Duration::from_millis(millis)),
            Err(_) => Err(wrong(name, &value, "a whole number of milliseconds")),
        };
        self.text(name).map(parse).transpose()
    }

    fn temporality(&self) -> Result<Option<Temporality>, TelemetryError> {
        let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        let Some(value) = self.text(name) else { return Ok(None) };
        Ok(Some(match value.to_ascii_lowercase().as_str() {
            "cumulative" => Temporality::Cumulative,
            "delta" => Temporality::Delta,
            "lowmemory" => Temporality::LowMemory,
            _ => return Err(wrong(name, &value, "cumulative, delta or lowmemory")),
        }))
    }

    fn sampling(&self) -> Result<Option<Sampling>, TelemetryError> {
        let name = "OTEL_TRACES_SAMPLER";
        let Some(value) = self.text(name) else { return Ok(None) };
        let ratio = || {
            let name = "OTEL_TRACES_SAMPLER_ARG";
            let Some(value) = self.text(name) else { return Ok(Sampling::always_on()) };
            let ratio = value.parse().map_err(|_| wrong(name, &value, "a number from 0 to 1"))?;
            Sampling::checked_ratio(ratio, name)
        };
        Ok(Some(match value.as_str() {
            "always_on" => Sampling::always_on(),
            "always_off" => Sampling::always_off(),
            "traceidratio" => ratio()?,
            "parentbased_always_on" => Sampling::always_on().parent_based(),
            "parentbased_always_off" => Sampling::always_off().parent_based(),
            "parentbased_traceidratio" => ratio()?.parent_based(),
            _ => {
                let expected = "always_on, always_off, traceidratio or one of these after parentbased_";
                return Err(wrong(name, &value, expected));
            }
        }))
    }
}

fn wrong(setting: &'static str, value: &str, expected: &'static str) -> TelemetryError {
    TelemetryError::Setting { setting, value: value.to_owned(), expected }
}

/// Percent-decoding, as both list variables ask for. What is no escape stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = |byte: u8| char::from(byte).to_digit(16);
        match tail {
            [high, low, ..] if *first == b'%' && digits(*high).is_some() && digits(*low).is_some() => {
                let value = digits(*high).zip(digits(*low)).map_or(0, |(high, low)| high * 16 + low);
                bytes.push(u8::try_from(value).unwrap_or(b'?'));
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
