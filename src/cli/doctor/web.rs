use std::error::Error;
use std::time::Duration;

use http::Uri;

use super::clock::Offset;
use super::report::Report;
use crate::model::Timestamp;

/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(5);

/// How often, and how far apart, the whole seconds of a `Date` header are looked at: over more than one second, so that
/// the moment is caught at which it changes.
const LOOKS: (u32, Duration) = (6, Duration::from_millis(190));

/// A server that speaks HTTP.
#[derive(Debug)]
pub(super) struct Web {
    client: reqwest::Client,
    base: String,
    headers: http::HeaderMap,
}

/// What it answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    offset: Option<Offset>,
}

impl Web {
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let base = url.trim_end_matches('/').to_owned();
        let refuse = |why: String| format!("{url} is no URL such as http://127.0.0.1:4318{why}");
        let parsed: Uri = base.parse().map_err(|_| refuse(String::new()))?;
        if !matches!(parsed.scheme_str(), Some("http" | "https")) || parsed.host().is_none() {
            return Err(refuse(String::new()));
        }
        let tls = crate::telemetry::tls_config(&parsed).map_err(|error| error.to_string())?;
        let builder = reqwest::Client::builder()
            .user_agent(concat!("wilco/", env!("CARGO_PKG_VERSION")))
            .timeout(WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured(tls);
        // What is looked at is on this network; and the loopback interface no proxy can reach.
        let builder = if is_local(&parsed) { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| refuse(format!(": {error}")))?;
        Ok(Self { client, base, headers: http::HeaderMap::new() })
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Result<Self, String> {
        let wrong = || format!("the header {name:?} cannot be sent as it is");
        let name: http::HeaderName = name.parse().map_err(|_| wrong())?;
        let mut value: http::HeaderValue = value.parse().map_err(|_| wrong())?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, String> {
        self.send(self.client.get(format!("{}{path}", self.base))).await
    }

    /// An empty OTLP request.
    pub(super) async fn post_nothing(&self, path: &str) -> Result<Answer, String> {
        let post = self.client.post(format!("{}{path}", self.base));
        self.send(post.header("content-type", "application/x-protobuf").body(Vec::new())).await
    }

    /// The offset of its clock, by the `Date` headers of its answers.
    pub(super) async fn clock(&self, report: &mut Report, name: &'static str, path: &str) {
        if self.base.parse().is_ok_and(|url| is_local(&url)) {
            report.good(name, "it runs on this host, so the clock is the same");
            return;
        }
        let mut known: Option<Offset> = None;
        for _ in 0..LOOKS.0 {
            if let Ok(Answer { offset: Some(offset), .. }) = self.get(path).await {
                known = match known {
                    None => Some(offset),
                    Some(known) => known.and(offset),
                };
                if known.is_none() {
                    report.warning(name, "a clock was set while it was looked at", "set both by NTP");
                    return;
                }
            }
            tokio::time::sleep(LOOKS.1).await;
        }
        match known {
            Some(offset) => offset.judge(report, name, "its"),
            None => report.note(name, "its answers have no Date header", "compare the clocks by other means"),
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, String> {
        let before = Timestamp::now();
        let response = request.headers(self.headers.clone()).send().await.map_err(|error| reason(&error))?;
        let after = Timestamp::now();
        let date = response.headers().get(http::header::DATE).and_then(|date| date.to_str().ok()).and_then(seconds);
        let offset = date.map(|date| Offset::of(before, date, Duration::from_secs(1), after));
        let status = response.status().as_u16();
        let body = response.text().await.unwrap_or_default();
        Ok(Answer { status, body, offset })
    }
}

/// The time of a `Date` header, which has the form of RFC 2822.
fn seconds(date: &str) -> Option<Timestamp> {
    let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date.replace("GMT", "+0000")).ok()?;
    u64::try_from(time.as_nanosecond()).ok().map(Timestamp::from_unix_nanos)
}

fn is_local(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The innermost cause, which says what happened.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {WITHIN:?}");
    }
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read() {
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Timestamp::from_unix_nanos(784_111_777_000_000_000)));
        assert_eq!(seconds("yesterday"), None);
    }
}
