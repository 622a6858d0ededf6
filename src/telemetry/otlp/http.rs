use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use ::http::header::{CONTENT_TYPE, RETRY_AFTER};
use ::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use bytes::{Bytes, BytesMut};

use super::{Failure, Retry};
use crate::telemetry::{TelemetryError, tls};

#[derive(Clone, Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    url: String,
    headers: HeaderMap,
}

// A response to an export is a few bytes; more than this is not read.
const LONGEST_RESPONSE: usize = 64 * 1024;

impl Http {
    pub(super) fn new(url: Uri, mut headers: HeaderMap) -> Result<Self, TelemetryError> {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("wilco/", env!("CARGO_PKG_VERSION")))
            // A redirected POST would become a GET.
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured(tls::client_config(&url)?);
        if is_loopback(&url) {
            // A proxy from the environment cannot reach this host's own loopback interface.
            builder = builder.no_proxy();
        }
        let refuse = |error: reqwest::Error| TelemetryError::Endpoint { url: url.to_string(), reason: chain(&error) };
        Ok(Self { client: builder.build().map_err(refuse)?, url: url.to_string(), headers })
    }

    pub(super) async fn post(&self, body: Bytes) -> Result<Bytes, Failure> {
        let lost = |error: reqwest::Error| Failure::new(Retry::Later, chain(&error));
        let request = self.client.post(&self.url).headers(self.headers.clone()).body(body);
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        if !status.is_success() {
            return Err(Failure::new(retry(status, response.headers()), format!("the collector answered {status}")));
        }
        let mut answer = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if answer.len() + chunk.len() > LONGEST_RESPONSE {
                break;
            }
            answer.extend_from_slice(&chunk);
        }
        Ok(answer.freeze())
    }
}

/// OTLP/HTTP: 429, 502, 503 and 504 may be retried, no other status may.
fn retry(status: StatusCode, headers: &HeaderMap) -> Retry {
    match status.as_u16() {
        429 | 502..=504 => {
            let seconds = headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|s| s.trim().parse().ok());
            seconds.map_or(Retry::Later, |s| Retry::After(Duration::from_secs(s)))
        }
        _ => Retry::Never,
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
    fn only_the_statuses_that_otlp_names_are_retried() {
        let none = HeaderMap::new();
        for status in [429, 502, 503, 504] {
            assert_eq!(retry(StatusCode::from_u16(status).unwrap(), &none), Retry::Later, "{status}");
        }
        for status in [301, 400, 401, 404, 500, 501] {
            assert_eq!(retry(StatusCode::from_u16(status).unwrap(), &none), Retry::Never, "{status}");
        }
    }

    #[test]
    fn the_collectors_own_delay_is_kept() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        assert_eq!(retry(StatusCode::SERVICE_UNAVAILABLE, &headers), Retry::After(Duration::from_secs(7)));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("soon"));
        assert_eq!(retry(StatusCode::SERVICE_UNAVAILABLE, &headers), Retry::Later);
    }

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
