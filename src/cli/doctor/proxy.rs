use std::path::Path;

use super::nats;
use super::report::Report;
use super::store::{first_line, number};
use super::web::Web;

/// A proxy: by its numbers, or by a message that goes through it.
pub(super) async fn check(report: &mut Report, url: &str, creds: Option<&Path>) {
    if url.starts_with("http://") || url.starts_with("https://") {
        numbers(report, url).await;
    } else if url.contains("://") {
        nats::through(report, url, creds).await;
    } else {
        let advice = "name where clients connect, as nats://127.0.0.1:4223, or its numbers, as http://127.0.0.1:9222";
        report.bad("proxy.reachable", format!("{url} is no URL"), advice);
    }
}

async fn numbers(report: &mut Report, url: &str) {
    let web = match Web::new(url.trim_end_matches('/').trim_end_matches("/metrics")) {
        Ok(web) => web,
        Err(why) => {
            return report.bad("proxy.health", why, "name the address of its --metrics, as http://127.0.0.1:9222");
        }
    };
    match web.get("/healthz").await {
        Ok(answer) if answer.status == 200 => {
            report.good("proxy.health", format!("{url} takes clients, whether or not a NATS server answers it"))
        }
        Ok(answer) if answer.status == 503 => {
            report.warning(
                "proxy.health",
                format!("{url} is draining"),
                "it is about to stop: clients should go elsewhere",
            );
        }
        Ok(answer) => {
            let says = format!("{url} answers {} to /healthz: {}", answer.status, first_line(&answer.body));
            return report.bad("proxy.health", says, "name the address of the --metrics of `wilco proxy`");
        }
        Err(why) => {
            let says = format!("nothing answers at {url}: {why}");
            return report.bad("proxy.health", says, "start `wilco proxy` with --metrics HOST:PORT, and name that");
        }
    }
    match web.get("/metrics").await {
        Ok(answer) if answer.status == 200 && answer.body.contains("wilco_proxy_") => judge(report, &answer.body),
        _ => report.unknown(
            "proxy.numbers",
            format!("{url}/metrics is not that of a proxy"),
            "name the address of its --metrics",
        ),
    }
}

/// What the counters mean, worst first.
fn judge(report: &mut Report, page: &str) {
    let count = |name: &str| number(page, name).unwrap_or_default();
    let labelled = |name: &str| -> Vec<String> {
        let of = |line: &str| {
            let (labels, count) = line.strip_prefix(name)?.strip_prefix('{')?.split_once("} ")?;
            let (_, value) = labels.split_once('=')?;
            (count.trim() != "0").then(|| format!("{} {}", value.trim_matches('"'), count.trim()))
        };
        page.lines().filter_map(of).collect()
    };
    let opaque = labelled("wilco_proxy_opaque_total");
    let dropped = labelled("wilco_spans_dropped_total");
    let refused = labelled("wilco_proxy_refused_total");
    let before = report.trouble();
    if count("wilco_proxy_around_total") > 0 {
        report.bad(
            "proxy.around",
            format!("{} times a server offered addresses that lead around it", count("wilco_proxy_around_total")),
            "set client_advertise or no_advertise on the NATS server, or --advertise HOST:PORT on the proxy",
        );
    }
    if !refused.is_empty() {
        let advice = "limit: raise --connections; upstream: start the NATS server, or name it by --upstream";
        report.bad("proxy.refused", format!("clients were let go at once: {}", refused.join(", ")), advice);
    }
    if !dropped.is_empty() {
        let advice = "look at the OTLP endpoint (--otlp URL here); what was sent and what was heard is not affected";
        report.warning("proxy.spans", format!("spans were lost: {}", dropped.join(", ")), advice);
    }
    if !opaque.is_empty() {
        let says = format!("connections that it cannot look into: {}", opaque.join(", "));
        report.warning(
            "proxy.opaque",
            says,
            "let TLS end at the proxy: --tls-certificate and --tls-key, and servers as tls://",
        );
    }
    for (name, what, advice) in [
        (
            "wilco_proxy_upstream_failures_total",
            "attempts to reach a NATS server failed",
            "name servers that are there by --upstream",
        ),
        (
            "wilco_proxy_tls_failures_total",
            "TLS handshakes failed",
            "look at its log: the certificate, or who is trusted",
        ),
        (
            "wilco_proxy_accept_failures_total",
            "clients could not be accepted",
            "raise the limit of open files (ulimit -n)",
        ),
    ] {
        if count(name) > 0 {
            report.warning("proxy.failures", format!("{} {what} since it started", count(name)), advice);
        }
    }
    let published = page
        .lines()
        .find_map(|line| line.strip_prefix("wilco_proxy_messages_total{direction=\"published\"} ")?.parse::<u64>().ok())
        .unwrap_or_default();
    let injected = count("wilco_proxy_injected_total");
    let skipped = labelled("wilco_proxy_skipped_total");
    let why = if skipped.is_empty() { String::new() } else { format!("; no header: {}", skipped.join(", ")) };
    let says = format!("{published} messages published, {injected} of them given headers{why}");
    if published > 0 && injected == 0 {
        let advice = "every message went without: see the reasons, and --inject, --trace and --leave";
        report.warning("proxy.injected", says, advice);
    } else if report.trouble() == before {
        report.good("proxy.numbers", says);
    } else {
        report.note("proxy.numbers", says, "these are counted since the proxy started");
    }
}
