use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::ClientError;
use crate::diagnose::Workflow;
use crate::otlp;

/// The longest that a request may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Speaks to a server of ours, or to any OTLP endpoint.
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    /// Sent along with spans.
    headers: HeaderMap,
}

/// What became of a request with spans.
#[derive(Debug)]
pub enum Sent {
    /// All were taken.
    Taken,
    /// To be sent again after so long, and why.
    Later(Duration, String),
}

/// Without the token.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Client {
    /// For a server at this URL; shows the token that the environment variable `WILCO_TOKEN` holds, if any.
    ///
    /// # Errors
    /// [`ClientError::Url`] where it is none.
    pub fn new(url: &str) -> Result<Self, ClientError> {
        let url = url.trim_end_matches('/').to_owned();
        let refuse = || ClientError::Url { url: url.clone() };
        let parsed: http::Uri = url.parse().map_err(|_| refuse())?;
        if !matches!(parsed.scheme_str(), Some("http" | "https")) || parsed.host().is_none() {
            return Err(refuse());
        }
        let builder = reqwest::Client::builder()
            .user_agent(concat!("wilco/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(crate::telemetry::tls_config(&parsed)?);
        let host = parsed.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        // A proxy from the environment cannot reach this host's own loopback interface.
        let builder = if is_local { builder.no_proxy() } else { builder };
        let token = std::env::var("WILCO_TOKEN").ok().filter(|token| !token.is_empty());
        let http = builder.build().map_err(|_| refuse())?;
        Ok(Self { http, url, token, headers: HeaderMap::new() })
    }

    /// With these headers on every request that sends spans, such as the key of a backend. Over the token, where one is
    /// `authorization`.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// Every span of a workflow, or of the trace of this id: ask it to `find_failure()`.
    ///
    /// # Errors
    /// [`ClientError::Unknown`] where nothing is known of it; others where the server is not there, or says no.
    ///
    /// # Cancel safety
    /// Nothing changes.
    pub async fn get_trace(&self, id: &str) -> Result<Workflow, ClientError> {
        let body = self.get_bytes(&["api", "workflows", id, "spans"], &[]).await?;
        let spans = body.map_or_else(|| Ok(Vec::new()), |body| otlp::from_json(&body))?;
        if spans.is_empty() {
            return Err(ClientError::Unknown { url: self.url.clone(), id: id.to_owned() });
        }
        Ok(Workflow::new(id, spans))
    }

    /// Asks the API for what must be there.
    #[cfg(feature = "store")]
    pub(crate) async fn must_get<T: serde::de::DeserializeOwned>(
        &self,
        path: &[&str],
        parameters: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        let wrong = |reason: String| ClientError::Answer { url: self.url.clone(), reason };
        let body = self.get_bytes(path, parameters).await?.ok_or_else(|| wrong("not found".to_owned()))?;
        serde_json::from_slice(&body).map_err(|error| wrong(error.to_string()))
    }

    /// Asks the API. `None` where it knows no such thing.
    async fn get_bytes(&self, path: &[&str], parameters: &[(&str, &str)]) -> Result<Option<Bytes>, ClientError> {
        let response =
            self.request(path, parameters).timeout(PATIENCE).send().await.map_err(|error| self.lost(&error))?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| self.lost(&error))?;
        if status == 404 {
            return Ok(None);
        }
        if status.is_success() { Ok(Some(body)) } else { Err(self.refused(status, &body)) }
    }

    /// Listens to the handoffs that change, as an endless answer of server-sent events; to those that a query finds, where
    /// it is not empty.
    ///
    /// # Errors
    /// [`ClientError`] where the server is not there, or says no.
    ///
    /// # Cancel safety
    /// The connection is closed.
    pub async fn events(&self, query: &str) -> Result<reqwest::Response, ClientError> {
        let wanted: &[_] = if query.is_empty() { &[] } else { &[("q", query)] };
        let response = self.request(&["api", "events"], wanted).send().await.map_err(|error| self.lost(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.bytes().await.unwrap_or_default();
        Err(self.refused(status, &body))
    }

    /// Sends spans in OTLP/protobuf to `/v1/traces` of any OTLP endpoint.
    ///
    /// # Errors
    /// [`ClientError::Refused`] where sending the same again would not help.
    ///
    /// # Cancel safety
    /// The spans may or may not have been taken; sending them again does no harm to a store of ours.
    pub async fn send(&self, request: Vec<u8>) -> Result<Sent, ClientError> {
        let url = if self.url.ends_with("/v1/traces") { self.url.clone() } else { format!("{}/v1/traces", self.url) };
        let post = self.http.post(url).timeout(PATIENCE).header("content-type", "application/x-protobuf").body(request);
        let post = match &self.token {
            Some(token) if !self.headers.contains_key(AUTHORIZATION) => post.bearer_auth(token),
            _ => post,
        };
        let response = match post.headers(self.headers.clone()).send().await {
            Ok(response) => response,
            // It may be anybody's endpoint, so that nothing is said of what should run there.
            Err(error) => {
                return Ok(Sent::Later(
                    Duration::from_secs(1),
                    format!("{} does not answer: {}", self.url, Self::reason(&error)),
                ));
            }
        };
        let status = response.status();
        let after = response.headers().get("retry-after").and_then(|after| after.to_str().ok()?.parse().ok());
        let body = response.bytes().await.unwrap_or_default();
        match status.as_u16() {
            200..=299 => Ok(Sent::Taken),
            // What the protocol says is to be tried again.
            429 | 502 | 503 | 504 => {
                Ok(Sent::Later(Duration::from_secs(after.unwrap_or(1)), self.refused(status, &body).to_string()))
            }
            _ => Err(self.refused(status, &body)),
        }
    }

    fn lost(&self, error: &reqwest::Error) -> ClientError {
        ClientError::Unreachable { url: self.url.clone(), reason: Self::reason(error) }
    }

    /// The innermost cause, which is what tells something.
    fn reason(error: &reqwest::Error) -> String {
        let mut reason = String::new();
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            reason = inner.to_string();
            cause = inner.source();
        }
        if reason.is_empty() { error.to_string() } else { reason }
    }

    fn refused(&self, status: reqwest::StatusCode, body: &[u8]) -> ClientError {
        let said = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
        let reason = match said["error"].as_str() {
            Some(error) => error.to_owned(),
            None => {
                format!("{} answers {status}: {}", self.url, String::from_utf8_lossy(&body[..body.len().min(200)]))
            }
        };
        let column = said["column"].as_u64().and_then(|column| usize::try_from(column).ok());
        ClientError::Refused { status: status.as_u16(), reason, column }
    }

    fn request(&self, path: &[&str], parameters: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let mut url = self.url.clone();
        for part in path {
            url.push('/');
            escape(part, &mut url);
        }
        for (at, (name, value)) in parameters.iter().enumerate() {
            url.push_str(if at == 0 { "?" } else { "&" });
            url.push_str(name);
            url.push('=');
            escape(value, &mut url);
        }
        let get = self.http.get(url);
        match &self.token {
            Some(token) => get.bearer_auth(token),
            None => get,
        }
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
fn escape(text: &str, out: &mut String) {
    use std::fmt::Write;
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte as char),
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
}
