use std::fmt;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::Protocol;
use crate::telemetry::TelemetryError;

/// What was said of the export of one signal, spans or metrics; `None` where nothing was.
#[derive(Clone, Default)]
pub(in crate::telemetry) struct Signal {
    pub(in crate::telemetry) enabled: Option<bool>,
    pub(in crate::telemetry) protocol: Option<Protocol>,
    pub(in crate::telemetry) endpoint: Option<Endpoint>,
    /// Whether an endpoint of gRPC that names no scheme is spoken to in the clear; otherwise over TLS.
    pub(in crate::telemetry) insecure: Option<bool>,
    pub(in crate::telemetry) headers: Vec<(String, String)>,
    pub(in crate::telemetry) timeout: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::telemetry) enum Endpoint {
    /// Over HTTP, the signal's path is appended.
    Base(String),
    /// Used as it is.
    Exact(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignalKind {
    Traces,
    Metrics,
}

impl SignalKind {
    pub(super) const fn http_path(self) -> &'static str {
        match self {
            Self::Traces => "v1/traces",
            Self::Metrics => "v1/metrics",
        }
    }
}

impl Signal {
    pub(in crate::telemetry) fn or(mut self, other: Self) -> Self {
        // A header that is named twice takes its last value, so what is said in code comes last.
        let mut headers = other.headers;
        headers.append(&mut self.headers);
        // An endpoint belongs to its protocol: one from code is not to be spoken to in the environment's protocol.
        let protocol = if self.endpoint.is_some() { self.protocol } else { self.protocol.or(other.protocol) };
        Self {
            enabled: self.enabled.or(other.enabled),
            protocol,
            endpoint: self.endpoint.or(other.endpoint),
            insecure: self.insecure.or(other.insecure),
            headers,
            timeout: self.timeout.or(other.timeout),
        }
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.protocol.unwrap_or(Protocol::Http)
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(10))
    }

    /// The URL that requests go to, checked.
    pub(super) fn url(&self, kind: SignalKind) -> Result<Uri, TelemetryError> {
        let protocol = self.protocol();
        let default = Endpoint::Base(match protocol {
            Protocol::Http => "http://localhost:4318".to_owned(),
            Protocol::Grpc => "http://localhost:4317".to_owned(),
        });
        let url = match (self.endpoint.as_ref().unwrap_or(&default), protocol) {
            (Endpoint::Base(base), Protocol::Http) => format!("{}/{}", base.trim_end_matches('/'), kind.http_path()),
            (Endpoint::Base(url) | Endpoint::Exact(url), Protocol::Grpc) if !url.contains("://") => {
                let scheme = if self.insecure == Some(true) { "http" } else { "https" };
                format!("{scheme}://{url}")
            }
            (Endpoint::Base(url) | Endpoint::Exact(url), _) => url.clone(),
        };
        let refuse = |reason: &str| TelemetryError::Endpoint { url: url.clone(), reason: reason.to_owned() };
        let uri: Uri = url.parse().map_err(|error: ::http::uri::InvalidUri| refuse(&error.to_string()))?;
        match uri.scheme_str() {
            Some("http" | "https") => {}
            Some(_) => return Err(refuse("its scheme must be http or https")),
            None => return Err(refuse("it has no scheme")),
        }
        if uri.host().is_none_or(str::is_empty) {
            return Err(refuse("it has no host"));
        }
        Ok(uri)
    }

    pub(super) fn headers(&self) -> Result<HeaderMap, TelemetryError> {
        let mut map = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            let refuse = || TelemetryError::Header { name: name.clone() };
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| refuse())?;
            value.set_sensitive(true);
            map.insert(key, value);
        }
        Ok(map)
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values of headers are secrets more often than not.
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Signal")
            .field("enabled", &self.enabled)
            .field("protocol", &self.protocol)
            .field("endpoint", &self.endpoint)
            .field("insecure", &self.insecure)
            .field("headers", &headers)
            .field("timeout", &self.timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(protocol: Protocol, endpoint: Endpoint) -> Result<String, String> {
        let signal = Signal { protocol: Some(protocol), endpoint: Some(endpoint), ..Signal::default() };
        signal.url(SignalKind::Traces).map(|uri| uri.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_base_url_gets_the_path_of_its_signal_over_http_only() {
        let base = |url: &str| Endpoint::Base(url.to_owned());
        assert_eq!(url(Protocol::Http, base("http://a:1")).as_deref(), Ok("http://a:1/v1/traces"));
        assert_eq!(url(Protocol::Http, base("http://a:1/x/")).as_deref(), Ok("http://a:1/x/v1/traces"));
        assert_eq!(url(Protocol::Grpc, base("http://a:1")).as_deref(), Ok("http://a:1/"));
        assert_eq!(url(Protocol::Http, Endpoint::Exact("http://a:1/y".into())).as_deref(), Ok("http://a:1/y"));
        assert_eq!(Signal::default().url(SignalKind::Metrics).unwrap().to_string(), "http://localhost:4318/v1/metrics");
    }

    #[test]
    fn an_endpoint_of_grpc_without_a_scheme_is_spoken_to_over_tls_unless_that_is_insecure() {
        for (insecure, expected) in
            [(None, "https://a:4317/"), (Some(false), "https://a:4317/"), (Some(true), "http://a:4317/")]
        {
            let endpoint = Some(Endpoint::Base("a:4317".to_owned()));
            let signal = Signal { protocol: Some(Protocol::Grpc), endpoint, insecure, ..Signal::default() };
            assert_eq!(signal.url(SignalKind::Traces).unwrap().to_string(), expected);
        }
        let secured = Signal { insecure: Some(true), ..Signal::default() };
        assert_eq!(secured.url(SignalKind::Traces).unwrap().to_string(), "http://localhost:4318/v1/traces");
    }

    #[test]
    fn what_is_no_http_url_is_refused_with_its_reason() {
        for (bad, reason) in [
            ("localhost:4318", "has no scheme"),
            ("nats://localhost:4222", "its scheme must be http or https"),
            ("http://", "empty string"),
        ] {
            let error = url(Protocol::Http, Endpoint::Exact(bad.to_owned())).unwrap_err();
            assert!(error.contains(reason) && error.contains(bad), "{error}");
        }
    }

    #[test]
    fn a_header_of_code_overrides_one_of_the_environment() {
        let signal = |value: &str| Signal { headers: vec![("X-Key".into(), value.into())], ..Signal::default() };
        let headers = signal("code").or(signal("env")).headers().unwrap();
        assert_eq!(headers.get_all("x-key").iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>(), ["code"]);
    }

    #[test]
    fn a_header_that_http_does_not_allow_is_refused_and_its_value_not_shown() {
        let signal = Signal { headers: vec![("x-key".into(), "se\ncret".into())], ..Signal::default() };
        let error = signal.headers().unwrap_err().to_string();
        assert!(error.contains("x-key") && !error.contains("cret"), "{error}");
        assert!(!format!("{signal:?}").contains("cret"));
    }
}
