//! The standard environment variables of OpenTelemetry. An empty value means the same as none, as the specification has
//! it. A value that cannot be is an error here and not ignored: telemetry that goes nowhere is found out too late.

use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use percent_encoding::percent_decode_str;

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
    insecure: &'static str,
    headers: &'static str,
    timeout: &'static str,
    protocol: &'static str,
}

const TRACES: Variables = Variables {
    exporter: "OTEL_TRACES_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    insecure: "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
    headers: "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    timeout: "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    protocol: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
};

const METRICS: Variables = Variables {
    exporter: "OTEL_METRICS_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    insecure: "OTEL_EXPORTER_OTLP_METRICS_INSECURE",
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
        let insecure = match self.either(names.insecure, "OTEL_EXPORTER_OTLP_INSECURE") {
            None => None,
            Some((_, value)) if value.eq_ignore_ascii_case("true") => Some(true),
            Some((_, value)) if value.eq_ignore_ascii_case("false") => Some(false),
            Some((name, value)) => return Err(wrong(name, &value, "true or false")),
        };
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
        Ok(Signal { enabled, protocol, endpoint, insecure, headers, timeout })
    }

    fn pairs(&self, name: &'static str) -> Result<Vec<(String, String)>, TelemetryError> {
        let Some(list) = self.text(name) else { return Ok(Vec::new()) };
        let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts
            // The list may hold secrets, so the error does not show the part.
            .map(|part| pair(part).ok_or_else(|| wrong(name, "a part without a key or without =", PAIRS)))
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

/// A name and its value in a list, as in `api-key=secret`, both percent-decoded. `None` without the one, or without `=`.
pub(crate) fn pair(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.trim().is_empty())?;
    Some((decoded(key.trim()), decoded(value.trim())))
}

/// What is no escape stays as it is.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let lookup = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        read(&lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_said_means_otlp_for_both_signals() {
        let settings = settings(&[]).unwrap();
        assert!(!settings.disabled);
        for signal in [&settings.traces, &settings.metrics] {
            assert_eq!((signal.enabled, signal.protocol, &signal.endpoint), (Some(true), None, &None));
        }
    }

    #[test]
    fn the_variable_of_a_signal_wins_over_the_one_for_all() {
        let settings = settings(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://metrics:1/here"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250"),
            ("OTEL_EXPORTER_OTLP_INSECURE", "TRUE"),
            ("OTEL_EXPORTER_OTLP_METRICS_INSECURE", "false"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b, x-team = blue"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-key=c"),
        ])
        .unwrap();
        let (traces, metrics) = (settings.traces, settings.metrics);
        assert_eq!(traces.endpoint, Some(Endpoint::Base("http://all:4318".into())));
        assert_eq!(metrics.endpoint, Some(Endpoint::Exact("http://metrics:1/here".into())));
        assert_eq!((traces.protocol, metrics.protocol), (Some(Protocol::Grpc), Some(Protocol::Http)));
        assert_eq!((traces.insecure, metrics.insecure), (Some(true), Some(false)));
        assert_eq!(traces.timeout, Some(Duration::from_millis(250)));
        assert_eq!(metrics.timeout, Some(Duration::from_millis(1500)));
        assert_eq!(traces.headers, [("x-key".to_owned(), "c".to_owned())]);
        let expected = [("x-key", "a b"), ("x-team", "blue")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(metrics.headers, expected);
    }

    #[test]
    fn the_rest_is_read() {
        let settings = settings(&[
            ("OTEL_SERVICE_NAME", "newsroom"),
            ("OTEL_RESOURCE_ATTRIBUTES", "team=a%2Cb,host=x=y"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5"),
            ("OTEL_BSP_SCHEDULE_DELAY", "7"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "8"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "9"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"),
        ])
        .unwrap();
        assert_eq!(settings.service_name.as_deref(), Some("newsroom"));
        let expected = [("team", "a,b"), ("host", "x=y")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(settings.resource, expected);
        assert_eq!((settings.traces.enabled, settings.metrics.enabled), (Some(true), Some(false)));
        assert_eq!(settings.sampling, Some(Sampling::ratio(0.25).unwrap().parent_based()));
        assert_eq!((settings.queue_capacity, settings.batch_size), (Some(10), Some(5)));
        let millis = [settings.schedule_delay, settings.export_timeout, settings.metrics_interval];
        assert_eq!(millis, [7, 8, 9].map(|n| Some(Duration::from_millis(n))));
        assert_eq!(settings.temporality, Some(Temporality::Delta));
    }

    #[test]
    fn an_empty_value_is_no_value() {
        let settings = settings(&[("OTEL_SDK_DISABLED", ""), ("OTEL_EXPORTER_OTLP_PROTOCOL", " ")]).unwrap();
        assert!(!settings.disabled && settings.traces.protocol.is_none());
    }

    #[test]
    fn disabled_is_disabled_whatever_else_is_said() {
        assert!(settings(&[("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_TRACES_EXPORTER", "zipkin")]).unwrap().disabled);
    }

    #[test]
    fn a_value_that_cannot_be_is_an_error_that_names_the_variable() {
        for (name, value, expected) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "http/protobuf or grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "carrier pigeon", "http/protobuf or grpc"),
            ("OTEL_EXPORTER_OTLP_INSECURE", "perhaps", "true or false"),
            ("OTEL_TRACES_EXPORTER", "zipkin", "otlp or none"),
            ("OTEL_METRICS_EXPORTER", "prometheus", "otlp or none"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "at least 1"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote", "always_on"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both", "cumulative"),
        ] {
            let error = settings(&[(name, value)]).unwrap_err();
            assert!(error.contains(name) && error.contains(value) && error.contains(expected), "{error}");
        }
        let error = settings(&[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")]).unwrap_err();
        assert!(error.contains("OTEL_TRACES_SAMPLER_ARG"), "{error}");
    }

    #[test]
    fn a_secret_in_a_malformed_list_is_not_shown() {
        let error = settings(&[("OTEL_EXPORTER_OTLP_HEADERS", "authorization hunter2")]).unwrap_err();
        assert!(error.contains("OTEL_EXPORTER_OTLP_HEADERS") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn percent_escapes_are_decoded_and_what_is_none_is_kept() {
        for (text, expected) in
            [("a%20b", "a b"), ("100%", "100%"), ("%zz", "%zz"), ("%C3%BC", "\u{fc}"), ("%%41", "%A")]
        {
            assert_eq!(decoded(text), expected);
        }
    }
}
