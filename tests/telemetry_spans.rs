//! What a span says of its record, attribute by attribute. The snapshots are the contract's examples.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(feature = "telemetry")]

use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, TraceFlags, TraceState};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use wilco::model::Timestamp;
use wilco::telemetry::record::Record;
use wilco::telemetry::{OtlpTransport, Sending, Telemetry, TelemetryBuilder};

#[path = "support/records.rs"]
mod records;

/// An exporter of a user's own that keeps what it is given.
#[derive(Clone, Debug, Default)]
struct Kept {
    spans: Arc<Mutex<Vec<SpanData>>>,
    resource: Arc<Mutex<Option<Resource>>>,
}

impl SpanExporter for Kept {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        self.spans.lock().unwrap().append(&mut batch);
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        *self.resource.lock().unwrap() = Some(resource.clone());
    }
}

fn span_with(record: Record, set: impl FnOnce(TelemetryBuilder) -> TelemetryBuilder) -> SpanData {
    let kept = Kept::default();
    let telemetry = set(Telemetry::builder().exporter(kept.clone())).build().unwrap();
    telemetry.record(record);
    assert!(telemetry.shutdown_blocking(Duration::from_secs(5)).complete);
    kept.spans.lock().unwrap().pop().unwrap()
}

fn span(record: Record) -> SpanData {
    span_with(record, |builder| builder)
}

fn text(span: &SpanData) -> String {
    let mut out = String::new();
    let at = |time: std::time::SystemTime| Timestamp::from(time).to_rfc3339();
    let context = &span.span_context;
    writeln!(out, "{} [{:?}]", span.name, span.span_kind).unwrap();
    writeln!(out, "trace {} span {}", context.trace_id(), context.span_id()).unwrap();
    writeln!(out, "flags {:02x} remote parent {}", context.trace_flags(), span.parent_span_is_remote).unwrap();
    writeln!(out, "parent {}", span.parent_span_id).unwrap();
    writeln!(out, "from {} to {}", at(span.start_time), at(span.end_time)).unwrap();
    writeln!(out, "status {:?}", span.status).unwrap();
    attributes(&mut out, &span.attributes);
    for link in &*span.links {
        let context = &link.span_context;
        writeln!(out, "link {} {}", context.trace_id(), context.span_id()).unwrap();
        attributes(&mut out, &link.attributes);
    }
    for event in &*span.events {
        writeln!(out, "event {} at {}", event.name, at(event.timestamp)).unwrap();
        attributes(&mut out, &event.attributes);
    }
    out
}

fn attributes(out: &mut String, attributes: &[KeyValue]) {
    for KeyValue { key, value, .. } in attributes {
        let value = match value {
            Value::String(text) => format!("{:?}", text.as_str()),
            Value::F64(number) => format!("{number:?}"),
            other => other.to_string(),
        };
        writeln!(out, "  {key} = {value}").unwrap();
    }
}

fn has(span: &SpanData, key: &str) -> bool {
    span.attributes.iter().any(|attribute| attribute.key.as_str() == key)
}

#[test]
fn a_full_handoff_record_becomes_a_producer_span() {
    insta::assert_snapshot!(text(&span(Record::Handoff(Box::new(records::handoff())))));
}

#[test]
fn a_process_record_with_mismatches_becomes_a_failed_consumer_span() {
    insta::assert_snapshot!(text(&span(Record::Process(Box::new(records::process())))));
}

#[test]
fn a_failed_workflow_becomes_a_failed_root_span() {
    insta::assert_snapshot!(text(&span(Record::Workflow(Box::new(records::workflow())))));
}

#[test]
fn an_incomplete_join_becomes_a_failed_internal_span() {
    insta::assert_snapshot!(text(&span(Record::Step(Box::new(records::join())))));
}

#[test]
fn a_handoff_on_a_carried_context_is_a_client_span_with_a_link() {
    let mut record = records::handoff();
    let carried = SpanContext::new(
        records::trace(),
        SpanId::from_bytes([7; 8]),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    record.carried = Some(carried.clone());
    let span = span(Record::Handoff(Box::new(record)));
    assert_eq!(span.span_kind, SpanKind::Client);
    assert_eq!(span.links.len(), 1);
    assert_eq!(span.links[0].span_context, carried);
}

#[test]
fn a_broadcast_names_no_receiver() {
    let mut record = records::handoff();
    record.facts.to = None;
    let span = span(Record::Handoff(Box::new(record)));
    assert_eq!(span.name, "handoff");
    assert!(!has(&span, "wilco.handoff.to") && !has(&span, "gen_ai.agent.name"));
}

#[test]
fn what_is_not_known_is_absent_and_not_empty() {
    let mut record = records::typical();
    record.facts.id = None;
    record.facts.workflow = None;
    record.facts.from = None;
    record.facts.subject_template = None;
    record.facts.server = None;
    record.content = None;
    record.intent = None;
    record.inst = None;
    record.seq = None;
    record.outcome.climbs.clear();
    let span = span(Record::Handoff(Box::new(record)));
    let keys: Vec<_> = span.attributes.iter().map(|attribute| attribute.key.as_str().to_owned()).collect();
    assert_eq!(
        keys,
        [
            "messaging.system",
            "messaging.operation.type",
            "messaging.operation.name",
            "messaging.destination.name",
            "gen_ai.operation.name",
            "gen_ai.agent.name",
            "wilco.handoff.to",
            "wilco.handoff.kind",
            "wilco.handoff.attempt",
            "wilco.verdict",
        ]
    );
}

#[test]
fn session_attributes_come_only_when_asked_for() {
    let record = || Record::Process(Box::new(records::process()));
    let plain = span(record());
    assert!(!has(&plain, "session.id") && !has(&plain, "openinference.span.kind"));
    let grouped = span_with(record(), |builder| builder.session_attributes(true));
    assert!(grouped.attributes.contains(&KeyValue::new("session.id", "abc-123")));
    assert!(grouped.attributes.contains(&KeyValue::new("openinference.span.kind", "AGENT")));
}

#[test]
fn a_clock_that_was_set_back_makes_no_span_of_negative_length() {
    let mut record = records::typical();
    record.ended = Timestamp::from_unix_nanos(record.started.unix_nanos() - 1);
    let span = span(Record::Handoff(Box::new(record)));
    assert_eq!(span.start_time, span.end_time);
}

#[test]
fn an_unsampled_finding_is_exported_and_keeps_its_flag() {
    let mut record = records::process();
    record.place.sampled = false;
    let span = span(Record::Process(Box::new(record)));
    assert_eq!(span.span_context.trace_flags(), TraceFlags::NOT_SAMPLED);
}

#[test]
fn the_resource_names_the_service_and_the_sdk() {
    let kept = Kept::default();
    let telemetry = Telemetry::builder()
        .service_name("newsroom")
        .service_version("1.2.3")
        .resource_attribute("deployment.environment.name", "test")
        .exporter(kept.clone())
        .build()
        .unwrap();
    telemetry.record(Record::Handoff(Box::new(records::typical())));
    assert!(telemetry.shutdown_blocking(Duration::from_secs(5)).complete);
    let resource = kept.resource.lock().unwrap().take().unwrap();
    let get = |key: &'static str| resource.get(&key.into()).map(|value| value.to_string());
    assert_eq!(get("service.name").as_deref(), Some("newsroom"));
    assert_eq!(get("service.version").as_deref(), Some("1.2.3"));
    assert_eq!(get("deployment.environment.name").as_deref(), Some("test"));
    assert_eq!(get("telemetry.sdk.language").as_deref(), Some("rust"));
    assert!(get("telemetry.sdk.version").is_some());
    let scope = kept.spans.lock().unwrap()[0].instrumentation_scope.clone();
    assert_eq!((scope.name(), scope.version()), ("wilco", Some(env!("CARGO_PKG_VERSION"))));
    assert!(scope.schema_url().is_some_and(|url| url.starts_with("https://opentelemetry.io/schemas/")));
}

/// A transport of a user's own that keeps the last request.
#[derive(Clone, Debug, Default)]
struct KeptRequest(Arc<Mutex<Option<bytes::Bytes>>>);

impl OtlpTransport for KeptRequest {
    fn send(&self, request: bytes::Bytes, spans: usize) -> Sending<'_> {
        assert_eq!(spans, 8);
        *self.0.lock().unwrap() = Some(request);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Every kind of record; the first and the last are of one boundary and one workflow.
fn one_of_each() -> Vec<Record> {
    vec![
        Record::Handoff(Box::new(records::typical())),
        Record::Handoff(Box::new(records::handoff())),
        Record::Process(Box::new(records::process())),
        Record::Process(Box::new(records::process())),
        Record::Workflow(Box::new(records::workflow())),
        Record::Step(Box::new(records::join())),
        Record::Handoff(Box::new(records::handoff())),
        Record::Handoff(Box::new(records::typical())),
    ]
}

#[test]
fn what_is_encoded_at_once_is_what_the_sdk_makes_of_its_spans() {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
    use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
    use prost::Message;

    for session in [false, true] {
        let (kept, request) = (Kept::default(), KeptRequest::default());
        for builder in [Telemetry::builder().exporter(kept.clone()), Telemetry::builder().transport(request.clone())] {
            let telemetry = builder.service_name("news \u{2028} room").session_attributes(session).build().unwrap();
            telemetry.record_all(one_of_each());
            assert!(telemetry.shutdown_blocking(Duration::from_secs(5)).complete);
        }
        let spans = std::mem::take(&mut *kept.spans.lock().unwrap());
        let resource = ResourceAttributesWithSchema::from(kept.resource.lock().unwrap().as_ref().unwrap());
        let mut expected = group_spans_by_resource_and_scope(spans, &resource);
        let request = request.0.lock().unwrap().take().unwrap();
        let mut encoded = ExportTraceServiceRequest::decode(request).unwrap().resource_spans;
        for resource_spans in [&mut expected, &mut encoded] {
            // The SDK keeps these in a hash map.
            let resource = resource_spans[0].resource.as_mut().unwrap();
            resource.attributes.sort_by(|left, right| left.key.cmp(&right.key));
        }
        assert_eq!(encoded, expected);
    }
}
