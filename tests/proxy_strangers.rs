//! Unmodified programs of strangers, on client libraries and a framework that know nothing of Wilco: they see the same
//! through the proxy as on a direct connection, and their handoffs arrive as spans with the right parents.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(feature = "cli")]

#[path = "support/otlp.rs"]
mod otlp;
mod support;
#[path = "support/trace_view.rs"]
mod trace_view;

use std::collections::BTreeSet;
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use otlp::{Collector, Manner};
use serde_json::{Value, json};
use support::nats::NatsServer;
use support::process::Peer;
use support::proxy::Proxy;
use support::{node, python};
use trace_view::TraceView;
use wilco::model::WorkflowId;
use wilco::wire::trace::workflow_trace;

/// What a program saw direct, what it saw through the proxy, and the spans of the latter.
struct Seen {
    direct: Value,
    proxied: Value,
    spans: Vec<Span>,
}

/// Runs a program twice. `None`, after a loud skip, where something is not installed.
fn run(start: impl Fn(&str) -> Option<Peer>, args: &[&str]) -> Option<Seen> {
    let server = NatsServer::jetstream()?;
    let direct = saw(start(&server.url())?);
    drop(server);

    let server = NatsServer::jetstream()?;
    let collector = Collector::http(Manner::Good);
    let mut proxy = Proxy::start(server.port(), &[&["--otlp", &collector.url()], args].concat());
    let proxied = saw(start(&format!("nats://127.0.0.1:{}", proxy.port))?);
    proxy.terminate();
    assert!(proxy.wait(Duration::from_secs(20)).success());
    let spans = collector.spans();
    Some(Seen { direct, proxied, spans })
}

fn saw(mut peer: Peer) -> Value {
    serde_json::from_str(&peer.expect("SAW")).unwrap()
}

fn text<'a>(span: &'a Span, key: &str) -> &'a str {
    let value = span.attributes.iter().find(|attribute| attribute.key == key).and_then(|found| found.value.as_ref());
    match value.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => text,
        None => "",
        other => panic!("{key} is {other:?}"),
    }
}

/// The one span of a message to this subject.
fn on<'a>(spans: &'a [Span], subject: &str) -> &'a Span {
    let found: Vec<&Span> = spans.iter().filter(|span| text(span, "messaging.destination.name") == subject).collect();
    assert_eq!(found.len(), 1, "spans on {subject}, of {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>());
    found[0]
}

fn rungs(span: &Span) -> Vec<&str> {
    span.events.iter().filter(|event| event.name == "wilco.rung").filter_map(rung).collect()
}

fn rung(event: &Event) -> Option<&str> {
    let found = event.attributes.iter().find(|attribute| attribute.key == "rung")?;
    match found.value.as_ref()?.value.as_ref()? {
        Any::StringValue(text) => Some(text),
        _ => None,
    }
}

fn boundary(span: &Span) -> (&str, &str) {
    (text(span, "wilco.handoff.from"), text(span, "wilco.handoff.to"))
}

#[test]
fn a_program_on_nats_py_sees_the_same_and_its_handoffs_are_spans() {
    let Some(seen) = run(|url| python::spawn("stranger.py", &[url]), &[]) else { return };
    assert_eq!(seen.proxied, seen.direct);
    let spans = &seen.spans;

    let ask = on(spans, "research.ask");
    assert_eq!((ask.name.as_str(), boundary(ask)), ("handoff researcher", ("planner", "researcher")));
    assert_eq!(rungs(ask), ["sent", "delivered", "completed"]);
    assert_eq!((text(ask, "wilco.rung.evidence"), text(ask, "wilco.handoff.kind")), ("wire", "delegation"));

    let archive = on(spans, "archive.store");
    assert_eq!(boundary(archive), ("researcher", "planner"));
    assert_eq!(archive.parent_span_id, ask.span_id, "it was published while the question was being worked on");
    assert_eq!(archive.trace_id, ask.trace_id);
    assert_eq!(text(archive, "wilco.handoff.parent"), text(ask, "wilco.handoff.id"));
    assert_eq!(text(archive, "wilco.handoff.parent.evidence"), "inferred");
    assert_eq!(text(archive, "wilco.workflow.id"), text(ask, "wilco.workflow.id"));

    let nobody = on(spans, "nobody.home");
    assert_eq!((text(nobody, "error.type"), text(nobody, "wilco.verdict")), ("undelivered", "mismatched"));

    let order = on(spans, "orders.new");
    assert_eq!(boundary(order), ("planner", "researcher"));
    assert_eq!(rungs(order), ["sent", "stored", "delivered", "delivered", "in_progress", "completed"]);
    assert_eq!((text(order, "error.type"), text(order, "wilco.handoff.kind")), ("", "transfer"));
    assert_eq!(spans.len(), 4, "nothing else is a handoff");
}

#[test]
fn a_program_on_nats_js_sees_the_same_and_its_handoffs_are_spans() {
    let Some(seen) = run(|url| node::spawn("stranger.mjs", &[url]), &[]) else { return };
    assert_eq!(seen.proxied, seen.direct);
    let ask = on(&seen.spans, "research.ask");
    assert_eq!((boundary(ask), rungs(ask)), (("planner", "researcher"), vec!["sent", "delivered", "completed"]));
    let archive = on(&seen.spans, "archive.store");
    assert_eq!((archive.parent_span_id.clone(), boundary(archive)), (ask.span_id.clone(), ("researcher", "planner")));
    assert_eq!(text(on(&seen.spans, "nobody.home"), "error.type"), "undelivered");
    assert_eq!(boundary(on(&seen.spans, "paint")), ("planner", "researcher"));
}

#[test]
fn a_pipeline_on_faststream_is_one_trace_with_a_chain_of_parents() {
    let Some(seen) = run(|url| python::spawn("pipeline.py", &[url]), &["--profile", "faststream"]) else { return };
    assert_eq!(seen.proxied, seen.direct);
    assert_eq!(seen.proxied, json!({"reviewed": "draft from sources on batteries"}));
    let (research, write, review) = (on(&seen.spans, "research"), on(&seen.spans, "write"), on(&seen.spans, "review"));
    assert_eq!(seen.spans.len(), 3);

    let (trace, root) = workflow_trace(&WorkflowId::new("job-42").unwrap());
    for span in [research, write, review] {
        assert_eq!(span.trace_id, trace.to_bytes());
        assert_eq!(text(span, "wilco.workflow.id"), "job-42");
    }
    assert_eq!(research.parent_span_id, root.to_bytes());
    assert_eq!(write.parent_span_id, research.span_id);
    assert_eq!(review.parent_span_id, write.span_id);
    let (from, to) = boundary(research);
    assert!(from.starts_with("conn-") && from.ends_with("-1"), "the application itself has no name of its own: {from}");
    assert_eq!(to, "research");
    assert_eq!((boundary(write), boundary(review)), (("research", "write"), ("write", "review")));
    let names: Vec<_> = [research, write, review].iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["handoff research", "handoff write", "handoff review"]);
}

#[test]
fn the_path_of_a_new_user_ends_with_a_trace_in_a_backend_of_somebody_elses() {
    let Some(tv) = TraceView::start() else { return };
    let Some(server) = NatsServer::start() else { return };
    let otlp = format!("http://{}", tv.address);
    let mut proxy = Proxy::start(server.port(), &["--otlp", &otlp, "--profile", "faststream"]);
    let Some(pipeline) = python::spawn("pipeline.py", &[&format!("nats://127.0.0.1:{}", proxy.port)]) else { return };
    saw(pipeline);
    proxy.terminate();
    assert!(proxy.wait(Duration::from_secs(20)).success());

    let spans = tv.until("the trace is shown", || {
        let spans = tv.get("/api/sessions/job-42/spans").as_array()?.clone();
        let spans: Vec<Value> =
            spans.into_iter().filter(|span| !span["id"].as_str().is_some_and(|id| id.contains("-event-"))).collect();
        (spans.len() == 3).then_some(spans)
    });
    let traces: BTreeSet<_> = spans.iter().map(|span| span["trace_id"].as_str().unwrap()).collect();
    assert_eq!(traces.len(), 1);
    let of = |subject: &str| {
        spans.iter().find(|span| span["metadata"]["messaging.destination.name"] == subject).unwrap_or(&Value::Null)
    };
    assert_eq!(of("write")["parent_span_id"], of("research")["id"]);
    assert_eq!(of("review")["parent_span_id"], of("write")["id"]);
}

#[test]
fn without_injection_a_program_sees_the_same_and_its_handoffs_are_spans_still() {
    let args = ["--profile", "faststream", "--inject", "off"];
    let Some(seen) = run(|url| python::spawn("pipeline.py", &[url]), &args) else { return };
    assert_eq!(seen.proxied, seen.direct);
    let names: BTreeSet<_> = seen.spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["handoff research", "handoff write", "handoff review"]));
    assert!(seen.spans.iter().all(|span| text(span, "wilco.workflow.id") == "job-42"));
}
