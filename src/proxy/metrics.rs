//! Prometheus text, and whether we are well.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Router, serve as serve_http};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::correlate::{CorrelatorCounters, Counted};
use super::counters::{Count, Counters, Opaque};
use super::observer::Skipped;
use crate::telemetry::{DropReason, Numbers, Telemetry};

/// Everything that can be read off.
#[derive(Debug)]
pub(crate) struct Gauges {
    counters: Vec<Arc<Counters>>,
    open: Arc<AtomicUsize>,
    correlator: Arc<CorrelatorCounters>,
    telemetry: Telemetry,
}

impl Gauges {
    pub(crate) fn new(telemetry: Telemetry, open: Arc<AtomicUsize>, correlator: Arc<CorrelatorCounters>) -> Self {
        Self { counters: Vec::new(), open, correlator, telemetry }
    }

    /// Counters for one more thread.
    pub(crate) fn counters(&mut self) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        self.counters.push(Arc::clone(&counters));
        counters
    }

    /// Handoffs that were not recorded for load.
    pub(crate) fn thinned(&self) -> u64 {
        self.sum(|c| &c.shed_sent)
    }

    fn sum(&self, of: impl Fn(&Counters) -> &Count) -> u64 {
        self.counters.iter().map(|counters| of(counters).get()).sum()
    }

    /// The Prometheus text format, version 0.0.4.
    pub(crate) fn text(&self) -> String {
        let mut page = Page(String::with_capacity(4096));
        page.family("wilco_proxy_connections_total", "counter", "Client connections that were accepted.");
        page.line("wilco_proxy_connections_total", "", self.sum(|c| &c.connections));
        page.family("wilco_proxy_connections_open", "gauge", "Client connections that are open.");
        page.line("wilco_proxy_connections_open", "", self.open.load(Ordering::Relaxed) as u64);
        page.family("wilco_proxy_messages_total", "counter", "Messages, by the way they went.");
        page.labelled("wilco_proxy_messages_total", "direction", "published", self.sum(|c| &c.published));
        page.labelled("wilco_proxy_messages_total", "direction", "delivered", self.sum(|c| &c.delivered));
        page.family("wilco_proxy_injected_total", "counter", "Messages that got a header.");
        page.line("wilco_proxy_injected_total", "", self.sum(|c| &c.injected));
        page.family(
            "wilco_proxy_streamed_total",
            "counter",
            "Messages that got a header without a hash, as they were passed on while they came.",
        );
        page.line("wilco_proxy_streamed_total", "", self.sum(|c| &c.streamed));
        page.family("wilco_proxy_skipped_total", "counter", "Published messages that got no header, by reason.");
        for reason in Skipped::ALL {
            let count = self.sum(|c| &c.skipped[reason as usize]);
            page.labelled("wilco_proxy_skipped_total", "reason", reason.as_str(), count);
        }
        page.family(
            "wilco_proxy_opaque_total",
            "counter",
            "Connections whose bytes are passed on without being looked into, by reason.",
        );
        for reason in Opaque::ALL {
            page.labelled(
                "wilco_proxy_opaque_total",
                "reason",
                reason.as_str(),
                self.sum(|c| &c.opaque[reason as usize]),
            );
        }
        page.family("wilco_proxy_refused_total", "counter", "Clients that were let go at once, by reason.");
        page.labelled("wilco_proxy_refused_total", "reason", "limit", self.sum(|c| &c.refused_limit));
        page.labelled("wilco_proxy_refused_total", "reason", "upstream", self.sum(|c| &c.refused_upstream));
        for (name, help, count) in [
            (
                "wilco_proxy_upstream_failures_total",
                "Attempts to reach a NATS server that failed.",
                self.sum(|c| &c.upstream_failures),
            ),
            ("wilco_proxy_tls_failures_total", "TLS handshakes that failed.", self.sum(|c| &c.tls_failures)),
            (
                "wilco_proxy_accept_failures_total",
                "Clients that could not be accepted.",
                self.sum(|c| &c.accept_failures),
            ),
            ("wilco_proxy_server_errors_total", "Errors (-ERR) that servers sent.", self.sum(|c| &c.server_errors)),
            (
                "wilco_proxy_lame_ducks_total",
                "INFO lines that say that a server is about to stop.",
                self.sum(|c| &c.lame_ducks),
            ),
            (
                "wilco_proxy_around_total",
                "INFO lines that offer addresses which lead around the proxy.",
                self.sum(|c| &c.around),
            ),
        ] {
            page.family(name, "counter", help);
            page.line(name, "", count);
        }
        page.family(
            "wilco_proxy_handoffs_total",
            "counter",
            "Handoffs that were seen, by what became of their record.",
        );
        for what in Counted::ALL {
            page.labelled("wilco_proxy_handoffs_total", "record", what.as_str(), self.correlator.get(what));
        }
        page.labelled("wilco_proxy_handoffs_total", "record", "load", self.thinned());
        page.family(
            "wilco_proxy_deliveries_unchecked_total",
            "counter",
            "Deliveries of handoffs that were not recorded for load: their contents were not compared.",
        );
        page.line("wilco_proxy_deliveries_unchecked_total", "", self.sum(|c| &c.shed_received));
        let stats = self.telemetry.stats();
        page.family("wilco_spans_exported_total", "counter", "Spans that a collector took.");
        page.line("wilco_spans_exported_total", "", stats.exported);
        page.family("wilco_spans_dropped_total", "counter", "Spans that were lost, by reason.");
        for reason in DropReason::ALL {
            page.labelled("wilco_spans_dropped_total", "reason", reason.as_str(), stats.dropped.of(reason));
        }
        page.0
    }
}

impl Numbers for Gauges {
    fn of(&self, name: &str) -> Vec<(Option<(&'static str, &'static str)>, u64)> {
        match name {
            "wilco.proxy.connections" => vec![(None, self.sum(|c| &c.connections))],
            "wilco.proxy.messages" => vec![
                (Some(("direction", "published")), self.sum(|c| &c.published)),
                (Some(("direction", "delivered")), self.sum(|c| &c.delivered)),
            ],
            "wilco.proxy.injected" => vec![(None, self.sum(|c| &c.injected))],
            "wilco.proxy.skipped" => {
                let of = |why: Skipped| (Some(("reason", why.as_str())), self.sum(|c| &c.skipped[why as usize]));
                Skipped::ALL.map(of).into_iter().filter(|(_, count)| *count > 0).collect()
            }
            _ => Vec::new(),
        }
    }
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, count: u64) {
        let _ = writeln!(self.0, "{name}{labels} {count}");
    }

    fn labelled(&mut self, name: &str, label: &str, value: &str, count: u64) {
        self.line(name, &format!("{{{label}=\"{value}\"}}"), count);
    }
}

/// Serves `/metrics` and `/healthz`. The latter is 200 while clients are accepted, and 503 from the beginning of a
/// drain, so that a balancer sends them elsewhere.
pub(crate) fn serve(
    listener: TcpListener,
    gauges: Arc<Gauges>,
    stopped: watch::Receiver<bool>,
) -> tokio::task::JoinHandle<()> {
    let mut proxy = stopped.clone();
    let metrics = get(|State(gauges): State<Arc<Gauges>>| async move {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], gauges.text())
    });
    let health = get(move || async move {
        if *stopped.borrow() {
            (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response()
        } else {
            "ok\n".into_response()
        }
    });
    let router = Router::new().route("/metrics", metrics).route("/healthz", health).with_state(gauges);
    tokio::spawn(async move {
        // Nothing is ever sent that this waits for: it ends when the proxy is dropped.
        let dropped = async move { drop(proxy.wait_for(|_| false).await) };
        if let Err(error) = serve_http(listener, router).with_graceful_shutdown(dropped).await {
            tracing::warn!(%error, "metrics are no longer served");
        }
    })
}
