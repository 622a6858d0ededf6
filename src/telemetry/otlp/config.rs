use std::time::Duration;

use super::signal::{Endpoint, Signal};

/// Where and how to send over OTLP.
///
/// ```
/// use std::time::Duration;
/// use wilco::telemetry::OtlpConfig;
/// let collector = OtlpConfig::http("http://localhost:4318").header("x-api-key", "secret").timeout(Duration::from_secs(3));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct OtlpConfig {
    protocol: Protocol,
    endpoint: String,
    traces_endpoint: Option<String>,
    metrics_endpoint: Option<String>,
    headers: Vec<(String, String)>,
    timeout: Option<Duration>,
}

/// How OTLP is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// `http/protobuf`: one POST a batch.
    Http,
    /// `grpc`: one unary call a batch.
    Grpc,
}

impl OtlpConfig {
    /// OTLP over HTTP with protobuf bodies. `url` is the base, as in `http://localhost:4318`: `/v1/traces` and
    /// `/v1/metrics` are appended, as the OTLP exporter specification has it.
    pub fn http(url: impl Into<String>) -> Self {
        Self::new(Protocol::Http, url.into())
    }

    /// OTLP over gRPC, as in `http://localhost:4317`.
    pub fn grpc(url: impl Into<String>) -> Self {
        Self::new(Protocol::Grpc, url.into())
    }

    /// Sends spans to this very URL instead; nothing is appended to it.
    pub fn traces_endpoint(mut self, url: impl Into<String>) -> Self {
        self.traces_endpoint = Some(url.into());
        self
    }

    /// Sends metrics to this very URL instead; nothing is appended to it.
    pub fn metrics_endpoint(mut self, url: impl Into<String>) -> Self {
        self.metrics_endpoint = Some(url.into());
        self
    }

    /// Adds a header (HTTP) or an entry of metadata (gRPC) to each request. Naming one again replaces it.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// How long one attempt may take, connecting included. Default: 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    fn new(protocol: Protocol, endpoint: String) -> Self {
        let (traces_endpoint, metrics_endpoint) = (None, None);
        Self { protocol, endpoint, traces_endpoint, metrics_endpoint, headers: Vec::new(), timeout: None }
    }

    pub(in crate::telemetry) fn signals(self) -> (Signal, Signal) {
        let base = self.endpoint;
        let signal = |exact: Option<String>| Signal {
            enabled: Some(true),
            protocol: Some(self.protocol),
            endpoint: Some(exact.map_or_else(|| Endpoint::Base(base.clone()), Endpoint::Exact)),
            insecure: None,
            headers: self.headers.clone(),
            timeout: self.timeout,
        };
        (signal(self.traces_endpoint), signal(self.metrics_endpoint))
    }
}
