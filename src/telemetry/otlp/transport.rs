use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::http::Uri;
use bytes::Bytes;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use tokio::time::Instant;

/// How a batch is sent: what [`OtlpTransport::send`] gives back.
pub type Sending<'a> = Pin<Box<dyn Future<Output = OTelSdkResult> + Send + 'a>>;

/// Carries batches of spans that are encoded already: over HTTP, over gRPC, or over something of the user's own.
///
/// It is driven by a tokio runtime on the exporter's thread. An `Err` drops the batch, which is counted; whatever may be
/// tried again is tried again within, for at most the export timeout, after which the future is dropped.
pub trait OtlpTransport: fmt::Debug + Send + Sync {
    /// Sends one batch of `spans` spans: `request` is an `ExportTraceServiceRequest` of OTLP 1, in protobuf.
    fn send(&self, request: Bytes, spans: usize) -> Sending<'_>;
}

/// Why an attempt failed.
pub(super) enum Failure {
    /// The same request would fail again.
    Final(String),
    /// It may go better later, after what the other side asked for if it did.
    Passing(String, Option<Duration>),
}

// As OpenTelemetry's exporters have it, but for the longest pause: an outage lasts longer than theirs.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_ASKED_FOR: Duration = Duration::from_secs(30);
const JITTER_MILLIS: u64 = 100;

/// Whether a collector takes spans, and what the log was told of it: a line where it stops, and one where it goes on.
#[derive(Debug)]
pub(super) struct Taking {
    endpoint: String,
    is_interrupted: AtomicBool,
}

impl Taking {
    pub(super) fn at(url: &Uri) -> Self {
        // Without user and query, which may hold secrets.
        let (scheme, host) = (url.scheme_str().unwrap_or("http"), url.host().unwrap_or_default());
        let port = url.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        let endpoint = format!("{scheme}://{host}{port}{}", url.path());
        Self { endpoint, is_interrupted: AtomicBool::new(false) }
    }

    /// An attempt failed, which was not the first: one alone is no outage.
    fn failed(&self, error: &str) {
        if !self.is_interrupted.swap(true, Ordering::Relaxed) {
            tracing::warn!(endpoint = %self.endpoint, error, "spans wait: the collector does not take them");
        }
    }

    fn succeeded(&self) {
        if self.is_interrupted.swap(false, Ordering::Relaxed) {
            tracing::warn!(endpoint = %self.endpoint, "the collector takes spans again");
        }
    }
}

/// Attempts until one succeeds, one fails for good, or the next would begin after `budget`. Time is the bound here, not
/// a count.
pub(super) async fn again_and_again<T, F>(
    budget: Duration,
    taking: &Taking,
    mut attempt: impl FnMut() -> F,
) -> Result<T, OTelSdkError>
where
    F: Future<Output = Result<T, Failure>>,
{
    let end = Instant::now() + budget;
    let (mut pause, mut longest) = (FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let (text, asked) = match attempt().await {
            Ok(done) => {
                taking.succeeded();
                return Ok(done);
            }
            Err(Failure::Final(text)) => return Err(OTelSdkError::InternalFailure(text)),
            Err(Failure::Passing(text, asked)) => (text, asked),
        };
        if pause > FIRST_PAUSE {
            taking.failed(&text);
        }
        if let Some(asked) = asked.map(|asked| asked.min(LONGEST_ASKED_FOR)) {
            // It may ask for a longer pause, not for a shorter one.
            pause = pause.max(asked);
            longest = longest.max(asked);
        }
        let jitter = Duration::from_millis(fastrand::u64(0..=JITTER_MILLIS));
        let wait = pause.min(longest) + jitter;
        if Instant::now() + wait >= end {
            return Err(OTelSdkError::InternalFailure(text));
        }
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(longest);
    }
}

/// Tells the log of what a collector took and yet did not like.
pub(super) fn partial_success(answer: &[u8]) {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
    use prost::Message;
    let Ok(ExportTraceServiceResponse { partial_success: Some(partial) }) = ExportTraceServiceResponse::decode(answer)
    else {
        return;
    };
    if partial.rejected_spans > 0 || !partial.error_message.is_empty() {
        let (rejected, reason) = (partial.rejected_spans, partial.error_message);
        tracing::warn!(rejected, reason, "the collector rejected spans of a batch that it took");
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    async fn attempts(budget: Duration, failure: fn() -> Failure) -> (u32, Duration) {
        let (count, begun) = (Cell::new(0), Instant::now());
        let result: Result<(), _> = again_and_again(budget, &Taking::at(&Uri::from_static("http://a:1")), || {
            count.set(count.get() + 1);
            std::future::ready(Err(failure()))
        })
        .await;
        assert!(result.is_err());
        (count.get(), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_for_as_long_as_there_is_time() {
        let (count, took) = attempts(Duration::from_secs(30), || Failure::Passing("busy".into(), None)).await;
        // 100 ms, doubled up to 5 s: seven pauses in the first 11 s, then one in about 5 s.
        assert!((9..=12).contains(&count), "{count}");
        assert!(took < Duration::from_secs(30), "{took:?}");
        let (count, _) = attempts(Duration::from_secs(30), || Failure::Final("wrong".into())).await;
        assert_eq!(count, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_is_asked_for_is_kept() {
        let asked = || Failure::Passing("busy".into(), Some(Duration::from_secs(8)));
        let (count, _) = attempts(Duration::from_secs(30), asked).await;
        assert!((3..=4).contains(&count), "{count}");
        let never = || Failure::Passing("busy".into(), Some(Duration::from_secs(600)));
        let (count, _) = attempts(Duration::from_secs(20), never).await;
        assert_eq!(count, 1);
    }
}
