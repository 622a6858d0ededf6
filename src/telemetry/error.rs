use std::io;

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// Nothing says where spans should go.
    #[error("no exporter: give one with otlp_http(url), otlp_grpc(url) or exporter(..), or use Telemetry::off()")]
    NoExporter,
    /// A URL cannot be used as an OTLP endpoint.
    #[error("{url:?} is not an OTLP endpoint: {reason}; write it like http://localhost:4318")]
    Endpoint {
        /// The URL, as it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A header's name or value cannot be sent.
    #[error("header {name:?} cannot be sent: its name or its value holds characters that HTTP does not allow")]
    Header {
        /// The name, as it was given. The value may be a secret and is not shown.
        name: String,
    },
    /// A setting has a value that it cannot have.
    #[error("{setting} is {value:?}, and must be {expected}")]
    Setting {
        /// The environment variable or the builder's method.
        setting: &'static str,
        /// The value, as it was given.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// No secure connection can be set up.
    #[error("no TLS for {url}: {reason}")]
    Tls {
        /// The endpoint.
        url: String,
        /// What is missing.
        reason: String,
    },
    /// The exporter's thread or its runtime could not be started.
    #[error("cannot start the exporter thread: {0}")]
    Thread(#[from] io::Error),
}
