use std::error::Error;
use std::net::IpAddr;
use std::pin::Pin;

use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use ::http::{Request, Response, Uri};
use opentelemetry_http::{Bytes, HttpClient, HttpError};

use super::{Attempts, Signal};
use crate::telemetry::{TelemetryError, tls};

pub(super) const AGENT: &str = concat!("wilco/", env!("CARGO_PKG_VERSION"));

/// The HTTP client that the library is given: reqwest, with our TLS, and with the headers and the time of one signal.
#[derive(Debug)]
pub(super) struct Client {
    client: reqwest::Client,
    headers: HeaderMap,
    attempts: Attempts,
}

impl Client {
    pub(super) fn new(url: &Uri, signal: &Signal, attempts: &Attempts) -> Result<Self, TelemetryError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(AGENT)
            .timeout(signal.timeout())
            // A redirected POST would become a GET.
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured(tls::client_config(url)?);
        if is_loopback(url) {
            // A proxy from the environment cannot reach this host's own loopback interface.
            builder = builder.no_proxy();
        }
        let refuse = |error: reqwest::Error| TelemetryError::Endpoint { url: url.to_string(), reason: chain(&error) };
        let client = builder.build().map_err(refuse)?;
        Ok(Self { client, headers: signal.headers()?, attempts: attempts.clone() })
    }

    /// The library adds to the headers whatever the environment says, over what is said in code. Of its headers those
    /// are kept that tell what the body is; the rest are ours: variables count only where they were asked for, and
    /// what is said in code overrides them.
    fn stamp(&self, request: &mut Request<Bytes>) {
        let mut headers = self.headers.clone();
        for name in [CONTENT_TYPE, CONTENT_ENCODING] {
            if let Some(value) = request.headers_mut().remove(&name) {
                headers.insert(name, value);
            }
        }
        *request.headers_mut() = headers;
    }
}

impl HttpClient for Client {
    fn send_bytes<'client, 'answer>(
        &'client self,
        mut request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'answer>>
    where
        'client: 'answer,
        Self: 'answer,
    {
        self.attempts.one_more();
        self.stamp(&mut request);
        self.client.send_bytes(request)
    }
}

fn is_loopback(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The error and its causes: reqwest names the URL in the first and the reason in the last.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_in_all_its_spellings() {
        for (url, expected) in [
            ("http://localhost:1", true),
            ("http://127.0.0.2:1", true),
            ("http://[::1]:1", true),
            ("http://example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
