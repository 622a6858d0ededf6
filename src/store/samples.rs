//! Spans for tests.

use std::sync::Arc;

use opentelemetry::trace::{SpanId, TraceId};

use crate::model::{
    AttributeValue, Attributes, Dropped, Resource, Scope, Span, SpanEvent, SpanKind, SpanLink, SpanStatus, Timestamp,
};

/// A span that uses every part of one.
pub(super) fn everything() -> Span {
    let attributes: Attributes = [
        ("text", AttributeValue::from("grüße")),
        ("empty", AttributeValue::from("")),
        ("int", AttributeValue::from(-7_i64)),
        ("zero", AttributeValue::from(0_i64)),
        ("double", AttributeValue::from(0.25)),
        ("flag", AttributeValue::from(false)),
        ("list", AttributeValue::from(vec!["a", "b"])),
        ("map", AttributeValue::Map([("inner", AttributeValue::from(1_i64))].into_iter().collect())),
        ("bytes", AttributeValue::Bytes(vec![0, 255])),
        ("long", AttributeValue::from("x".repeat(70_000))),
    ]
    .into_iter()
    .collect();
    Span {
        trace_id: TraceId::from_bytes([7; 16]),
        span_id: SpanId::from_bytes([8; 8]),
        parent_span_id: Some(SpanId::from_bytes([9; 8])),
        trace_state: "a=b".to_owned(),
        flags: 0x301,
        name: "step".to_owned(),
        kind: SpanKind::Internal,
        start: Timestamp::from_unix_nanos(1_772_359_202_358_506_115),
        end: Timestamp::from_unix_nanos(1_772_359_203_358_506_115),
        events: vec![SpanEvent {
            at: Timestamp::from_unix_nanos(5),
            name: "e".to_owned(),
            attributes: attributes.clone(),
        }],
        links: vec![SpanLink {
            trace_id: TraceId::from_bytes([1; 16]),
            span_id: SpanId::from_bytes([2; 8]),
            trace_state: String::new(),
            attributes: attributes.clone(),
            flags: 1,
        }],
        attributes,
        status: SpanStatus::Error("why".to_owned()),
        dropped: Dropped { attributes: 1, events: 2, links: 3 },
        resource: Arc::new(Resource {
            attributes: [("service.name", AttributeValue::from("s"))].into_iter().collect(),
        }),
        scope: Arc::new(Scope { name: "lib".to_owned(), version: "1".to_owned(), attributes: Attributes::new() }),
    }
}
