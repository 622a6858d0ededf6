use std::io::Write;
use std::time::Duration;

use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use ::http::{Method, Request, StatusCode, Uri};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_http::{HttpClient, ResponseBodyTooLarge};

use super::transport::{Failure, Sending, Taking, again_and_again, partial_success};
use super::{Attempts, OtlpTransport, Signal, compression, http};
use crate::telemetry::TelemetryError;

/// Spans over OTLP/HTTP: one POST a batch, made again as OTLP says may be.
#[derive(Debug)]
pub(super) struct HttpSpans {
    client: http::Client,
    url: Uri,
    gzip: bool,
    budget: Duration,
    taking: Taking,
}

impl HttpSpans {
    pub(super) fn new(
        url: Uri,
        signal: &Signal,
        budget: Duration,
        attempts: &Attempts,
    ) -> Result<Self, TelemetryError> {
        let client = http::Client::new(&url, signal, attempts)?;
        let taking = Taking::at(&url);
        Ok(Self { client, url, gzip: compression::wants_gzip()?, budget, taking })
    }

    async fn attempt(&self, body: Bytes) -> Result<Bytes, Failure> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        if self.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let answer = self.client.send_bytes(request).await.map_err(|error| {
            let text = http::chain(&*error);
            if error.is::<ResponseBodyTooLarge>() { Failure::Final(text) } else { Failure::Passing(text, None) }
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.into_body());
        }
        let text = format!("the collector answered with status {status}");
        Err(match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Failure::Passing(text, asked_for(answer.headers()))
            }
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Failure::Passing(text, None),
            _ => Failure::Final(text),
        })
    }
}

impl OtlpTransport for HttpSpans {
    fn send(&self, request: Bytes, _spans: usize) -> Sending<'_> {
        Box::pin(async move {
            let body = if self.gzip { zipped(&request) } else { request };
            let answer = again_and_again(self.budget, &self.taking, || self.attempt(body.clone())).await?;
            partial_success(&answer);
            Ok(())
        })
    }
}

fn zipped(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to a `Vec` cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default().into()
}

/// The pause in whole seconds; a date is not understood.
fn asked_for(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
