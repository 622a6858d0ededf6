use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tonic::metadata::{MetadataKey, MetadataValue};
use tonic::transport::{ClientTlsConfig, Endpoint};

use super::report::Report;
use super::store::first_line;
use super::web::Web;

const WITHIN: Duration = Duration::from_secs(5);

/// Where spans and metrics go: an empty export to each.
pub(super) async fn check(report: &mut Report, url: &str) {
    let headers = match headers() {
        Ok(headers) => headers,
        Err(why) => {
            return report.bad("otlp.headers", why, "write OTEL_EXPORTER_OTLP_HEADERS as name=value,name=value");
        }
    };
    let is_grpc = url.starts_with("grpc://")
        || std::env::var("OTEL_EXPORTER_OTLP_PROTOCOL").is_ok_and(|protocol| protocol == "grpc");
    if is_grpc {
        match grpc(url, &headers).await {
            Ok(()) => report.good("otlp.traces", format!("{url} took an empty export")),
            Err(why) => {
                report.bad("otlp.traces", format!("{url} took no export: {why}"), grpc_advice(&why));
            }
        }
        return;
    }
    let mut web = Web::new(url.trim_end_matches("/v1/traces"));
    for (name, value) in &headers {
        web = web.and_then(|web| web.header(name, value));
    }
    let web = match web {
        Ok(web) => web,
        Err(why) => {
            return report.bad(
                "otlp.traces",
                why,
                "name it as http://127.0.0.1:4318, https://... or grpc://127.0.0.1:4317",
            );
        }
    };
    if !signal(report, &web, url, "otlp.traces", "/v1/traces", "spans").await {
        return;
    }
    signal(report, &web, url, "otlp.metrics", "/v1/metrics", "metrics").await;
    web.clock(report, "otlp.clock", "/").await;
}

/// One signal over HTTP. Whether the endpoint is there at all.
async fn signal(report: &mut Report, web: &Web, url: &str, name: &'static str, path: &str, what: &str) -> bool {
    match web.post_nothing(path).await {
        Ok(answer) if (200..300).contains(&answer.status) => {
            report.good(name, format!("{url}{path} took an empty export"));
        }
        // MLflow does so.
        Ok(answer) if answer.status == 400 => {
            let says = format!("{url}{path} is there, and takes no empty export: {}", first_line(&answer.body));
            report.warning(
                name,
                says,
                "see whether spans come: `wilco demo --otlp` of the same URL says how many were taken",
            );
        }
        Ok(answer) => {
            let says =
                format!("{url}{path} answers {} to an empty export: {}", answer.status, first_line(&answer.body));
            let advice = match answer.status {
                401 | 403 => "set OTEL_EXPORTER_OTLP_HEADERS to what the backend wants, as in api-key=...",
                404 | 405 if name == "otlp.metrics" => {
                    "it takes no metrics: OTEL_METRICS_EXPORTER=none, or send them elsewhere"
                }
                404 | 405 => {
                    "name the base, before /v1/traces; some backends have one of their own, as in .../api/v2/otlp"
                }
                415 => "it does not take protobuf: send through a collector",
                _ => "look at its log",
            };
            if name == "otlp.metrics" { report.warning(name, says, advice) } else { report.bad(name, says, advice) }
        }
        Err(why) => {
            let advice = if url.trim_end_matches('/').ends_with(":4317") {
                "4317 is the port of gRPC: name it as grpc://HOST:4317, or HTTP as http://HOST:4318".to_owned()
            } else {
                format!("start a collector there, or name another; until then {what} are dropped, and counted")
            };
            report.bad(name, format!("{url} does not answer: {why}"), advice);
            return false;
        }
    }
    true
}

async fn grpc(url: &str, headers: &[(String, String)]) -> Result<(), String> {
    let address = url.strip_prefix("grpc://").map_or_else(|| url.to_owned(), |address| format!("http://{address}"));
    let is_secure = address.starts_with("https://");
    let mut endpoint =
        Endpoint::from_shared(address).map_err(|error| chain(&error))?.connect_timeout(WITHIN).timeout(WITHIN);
    if is_secure {
        let tls = ClientTlsConfig::new().with_native_roots();
        endpoint = endpoint.tls_config(tls).map_err(|error| chain(&error))?;
    }
    let channel = endpoint.connect().await.map_err(|error| chain(&error))?;
    let mut request = tonic::Request::new(ExportTraceServiceRequest::default());
    for (name, value) in headers {
        let wrong = || format!("the header {name:?} cannot be sent as it is");
        let name = MetadataKey::from_bytes(name.to_ascii_lowercase().as_bytes()).map_err(|_| wrong())?;
        request.metadata_mut().insert(name, MetadataValue::try_from(value.as_str()).map_err(|_| wrong())?);
    }
    TraceServiceClient::new(channel).export(request).await.map_err(|status| match status.message() {
        "" => format!("{:?}", status.code()),
        message => format!("{:?}: {message}", status.code()),
    })?;
    Ok(())
}

fn grpc_advice(why: &str) -> &'static str {
    if why.starts_with("Unauthenticated") || why.starts_with("PermissionDenied") {
        "set OTEL_EXPORTER_OTLP_HEADERS to what the backend wants"
    } else if why.starts_with("Unimplemented") {
        "it speaks gRPC, but takes no OTLP: name the port of its OTLP receiver"
    } else {
        "start a collector there, or name another; 4317 is the usual port of gRPC, 4318 that of HTTP (http://...)"
    }
}

/// What OTEL_EXPORTER_OTLP_HEADERS asks for.
fn headers() -> Result<Vec<(String, String)>, String> {
    let text = std::env::var("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default();
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| match part.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                Ok((name.trim().to_owned(), value.trim().replace("%20", " ")))
            }
            // It may hold a secret.
            _ => Err("OTEL_EXPORTER_OTLP_HEADERS has a part without a name or without =".to_owned()),
        })
        .collect()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
