use std::sync::Arc;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{Span as WireSpan, Status, span as wire};
use prost::Message;

use super::OtlpError;
use super::limits::{LONGEST_REQUEST, MOST_SPANS};
use crate::model::{
    AttributeValue, Attributes, Dropped, Resource, Scope, Span, SpanEvent, SpanKind, SpanLink, SpanStatus, Timestamp,
};

/// The spans of one request in OTLP/protobuf, in the order in which it holds them.
///
/// # Errors
/// [`OtlpError`] where it is no such request, where an id has the wrong length, and where it is over one of the
/// [limits](crate::otlp::limits). Nothing of it is given then.
pub fn from_protobuf(request: &[u8]) -> Result<Vec<Span>, OtlpError> {
    if request.len() > LONGEST_REQUEST {
        return Err(OtlpError::TooLong { bytes: request.len() });
    }
    from_request(ExportTraceServiceRequest::decode(request)?)
}

/// The spans of one request that is decoded already, as gRPC gives it.
///
/// # Errors
/// [`OtlpError`] where an id has the wrong length, or where there are too many spans.
pub fn from_request(request: ExportTraceServiceRequest) -> Result<Vec<Span>, OtlpError> {
    let count = request.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|s| s.spans.len()).sum();
    if count > MOST_SPANS {
        return Err(OtlpError::TooManySpans { spans: count });
    }
    let mut spans = Vec::with_capacity(count);
    for of_resource in request.resource_spans {
        let attributes = attributes(of_resource.resource.unwrap_or_default().attributes);
        let resource = Arc::new(Resource { attributes });
        for of_scope in of_resource.scope_spans {
            let scope = Arc::new(scope(of_scope.scope.unwrap_or_default()));
            for span in of_scope.spans {
                spans.push(whole(span, spans.len() + 1, &resource, &scope)?);
            }
        }
    }
    Ok(spans)
}

fn scope(scope: InstrumentationScope) -> Scope {
    Scope { name: scope.name, version: scope.version, attributes: attributes(scope.attributes) }
}

fn whole(span: WireSpan, at: usize, resource: &Arc<Resource>, scope: &Arc<Scope>) -> Result<Span, OtlpError> {
    let parent = span_id("parent_span_id", at, &span.parent_span_id)?;
    let links = span.links.into_iter().map(|each| link(each, at)).collect::<Result<_, _>>()?;
    Ok(Span {
        trace_id: trace_id("trace_id", at, &span.trace_id)?,
        span_id: span_id("span_id", at, &span.span_id)?,
        parent_span_id: (parent != SpanId::INVALID).then_some(parent),
        trace_state: span.trace_state,
        flags: span.flags,
        name: span.name,
        kind: SpanKind::from_number(span.kind.into()),
        start: Timestamp::from_unix_nanos(span.start_time_unix_nano),
        end: Timestamp::from_unix_nanos(span.end_time_unix_nano),
        attributes: attributes(span.attributes),
        events: span.events.into_iter().map(event).collect(),
        links,
        status: status(span.status.unwrap_or_default()),
        dropped: Dropped {
            attributes: span.dropped_attributes_count,
            events: span.dropped_events_count,
            links: span.dropped_links_count,
        },
        resource: resource.clone(),
        scope: scope.clone(),
    })
}

fn event(event: wire::Event) -> SpanEvent {
    SpanEvent {
        at: Timestamp::from_unix_nanos(event.time_unix_nano),
        name: event.name,
        attributes: attributes(event.attributes),
    }
}

fn link(link: wire::Link, at: usize) -> Result<SpanLink, OtlpError> {
    Ok(SpanLink {
        trace_id: trace_id("trace_id of a link", at, &link.trace_id)?,
        span_id: span_id("span_id of a link", at, &link.span_id)?,
        trace_state: link.trace_state,
        attributes: attributes(link.attributes),
        flags: link.flags,
    })
}

fn status(status: Status) -> SpanStatus {
    match status.code {
        1 => SpanStatus::Ok,
        2 => SpanStatus::Error(status.message),
        _ => SpanStatus::Unset,
    }
}

fn attributes(pairs: Vec<KeyValue>) -> Attributes {
    pairs.into_iter().map(|pair| (pair.key, value(pair.value))).collect()
}

/// Prost stops at a depth of 100, so this recursion does too.
fn value(any: Option<AnyValue>) -> AttributeValue {
    match any.and_then(|any| any.value) {
        None => AttributeValue::Empty,
        Some(any_value::Value::StringValue(text)) => AttributeValue::Text(text),
        Some(any_value::Value::BoolValue(value)) => AttributeValue::Bool(value),
        Some(any_value::Value::IntValue(value)) => AttributeValue::Int(value),
        Some(any_value::Value::DoubleValue(value)) => AttributeValue::Double(value),
        Some(any_value::Value::BytesValue(bytes)) => AttributeValue::Bytes(bytes),
        Some(any_value::Value::ArrayValue(list)) => {
            AttributeValue::List(list.values.into_iter().map(|each| value(Some(each))).collect())
        }
        Some(any_value::Value::KvlistValue(list)) => AttributeValue::Map(attributes(list.values)),
        // References into a table of texts belong to profiles, and mean nothing in a trace.
        #[allow(unreachable_patterns, reason = "newer versions of the protocol may add values")]
        Some(_) => AttributeValue::Empty,
    }
}

fn trace_id(field: &'static str, span: usize, bytes: &[u8]) -> Result<TraceId, OtlpError> {
    id(field, span, bytes).map(TraceId::from_bytes)
}

fn span_id(field: &'static str, span: usize, bytes: &[u8]) -> Result<SpanId, OtlpError> {
    id(field, span, bytes).map(SpanId::from_bytes)
}

/// No bytes at all are the id of nothing.
fn id<const N: usize>(field: &'static str, span: usize, bytes: &[u8]) -> Result<[u8; N], OtlpError> {
    if bytes.is_empty() {
        return Ok([0; N]);
    }
    bytes.try_into().map_err(|_| OtlpError::Id { field, span, bytes: bytes.len(), expected: N })
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::ArrayValue;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};

    use super::*;

    fn request(span: WireSpan) -> Vec<u8> {
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    fn any(value: any_value::Value) -> Option<AnyValue> {
        Some(AnyValue { value: Some(value) })
    }

    #[test]
    fn both_encodings_give_the_same_span() {
        let list = ArrayValue { values: any(any_value::Value::StringValue("a".to_owned())).into_iter().collect() };
        let mut attribute = KeyValue { key: "list".to_owned(), ..KeyValue::default() };
        attribute.value = any(any_value::Value::ArrayValue(list));
        let span = WireSpan {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            name: "handoff writer".to_owned(),
            kind: 4,
            start_time_unix_nano: 5,
            end_time_unix_nano: 9,
            attributes: vec![attribute],
            events: vec![wire::Event { time_unix_nano: 6, name: "wilco.rung".to_owned(), ..wire::Event::default() }],
            links: vec![wire::Link { trace_id: vec![3; 16], span_id: vec![4; 8], ..wire::Link::default() }],
            status: Some(Status { code: 2, message: "late".to_owned() }),
            ..WireSpan::default()
        };
        let spans = from_protobuf(&request(span)).unwrap();
        assert_eq!(spans[0].attributes.texts("list").collect::<Vec<_>>(), ["a"]);
        assert_eq!(crate::otlp::from_json(crate::otlp::to_json(&spans).as_bytes()).unwrap(), spans);
    }

    #[test]
    fn an_id_of_the_wrong_length_is_named_with_its_span() {
        let error = from_protobuf(&request(WireSpan { span_id: vec![1; 7], ..WireSpan::default() })).unwrap_err();
        assert_eq!(error.to_string(), "span_id of span 1 has 7 bytes, and 8 are due");
        assert!(from_protobuf(b"\xff\xff").unwrap_err().to_string().starts_with("not an OTLP/protobuf trace request"));
    }
}
