use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::server::Shared;

/// What a server counts itself.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    ignored: AtomicU64,
}

impl Metrics {
    pub(super) fn one_ignored(&self) {
        if self.ignored.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::info!(target: "wilco", "metrics or logs came over OTLP: they are taken, and not kept");
        }
    }
}

/// `GET /metrics`: numbers in the text form of Prometheus.
pub(super) async fn metrics(State(shared): State<Shared>) -> Response {
    let counts = shared.store.counts();
    let mut text = String::new();
    for (name, kind, help, value) in [
        ("wilco_store_spans_total", "counter", "Spans written.", counts.spans),
        ("wilco_store_duplicates_total", "counter", "Spans that were there already.", counts.duplicates),
        ("wilco_store_commits_total", "counter", "Commits.", counts.commits),
        ("wilco_store_refused_total", "counter", "Requests refused because too much was waiting.", counts.refused),
        ("wilco_store_failed_total", "counter", "Requests that could not be written.", counts.failed),
        ("wilco_store_forgotten_total", "counter", "Workflows forgotten.", counts.forgotten),
        (
            "wilco_store_content_left_out_total",
            "counter",
            "Attributes with content of which only size and hash are kept.",
            counts.content_left_out,
        ),
        (
            "wilco_store_content_cut_total",
            "counter",
            "Attributes with content that are kept, but not to the end.",
            counts.content_cut,
        ),
        ("wilco_store_waiting_bytes", "gauge", "Bytes of spans that wait to be written.", counts.waiting_bytes),
        (
            "wilco_otlp_ignored_total",
            "counter",
            "Requests with metrics or logs, which are not kept.",
            shared.metrics.ignored.load(Ordering::Relaxed),
        ),
    ] {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
