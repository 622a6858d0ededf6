//! The bodies of spans and origins as OTLP/protobuf messages: written by hand, because it is done for every span, and
//! looked into without decoding the rest, because a query may ask every span for one attribute.
//!
//! Fields are those of `opentelemetry/proto/trace/v1/trace.proto` and `common/v1/common.proto`, version 1.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1 as proto;
use prost::Message;

use super::StoreError;
use super::fields::{Field, Reader, Slice};
use crate::model::{AttributeValue, Attributes, Resource, Scope, Span, SpanStatus};
use crate::otlp;

/// How deep values within values may be for a look inside; the reader of requests allows less.
const DEEPEST: usize = 100;

/// One span as a `Span` message.
pub(super) fn encode_span(span: &Span) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    bytes(&mut out, 1, &span.trace_id.to_bytes());
    bytes(&mut out, 2, &span.span_id.to_bytes());
    text(&mut out, 3, &span.trace_state);
    if let Some(parent) = span.parent_span_id {
        bytes(&mut out, 4, &parent.to_bytes());
    }
    text(&mut out, 5, &span.name);
    number(&mut out, 6, u64::from(span.kind.number()));
    fixed64(&mut out, 7, span.start.unix_nanos());
    fixed64(&mut out, 8, span.end.unix_nanos());
    attributes(&mut out, 9, &span.attributes);
    number(&mut out, 10, u64::from(span.dropped.attributes));
    for event in &span.events {
        message(&mut out, 11, |out| {
            fixed64(out, 1, event.at.unix_nanos());
            text(out, 2, &event.name);
            attributes(out, 3, &event.attributes);
        });
    }
    number(&mut out, 12, u64::from(span.dropped.events));
    for link in &span.links {
        message(&mut out, 13, |out| {
            bytes(out, 1, &link.trace_id.to_bytes());
            bytes(out, 2, &link.span_id.to_bytes());
            text(out, 3, &link.trace_state);
            attributes(out, 4, &link.attributes);
            fixed32(out, 6, link.flags);
        });
    }
    number(&mut out, 14, u64::from(span.dropped.links));
    match &span.status {
        SpanStatus::Unset => {}
        SpanStatus::Ok => message(&mut out, 15, |out| number(out, 3, 1)),
        SpanStatus::Error(why) => message(&mut out, 15, |out| {
            text(out, 2, why);
            number(out, 3, 2);
        }),
    }
    fixed32(&mut out, 16, span.flags);
    out
}

/// A resource as a `Resource` message.
pub(super) fn encode_resource(resource: &Resource) -> Vec<u8> {
    let mut out = Vec::new();
    attributes(&mut out, 1, &resource.attributes);
    out
}

/// A library as an `InstrumentationScope` message.
pub(super) fn encode_scope(scope: &Scope) -> Vec<u8> {
    let mut out = Vec::new();
    text(&mut out, 1, &scope.name);
    text(&mut out, 2, &scope.version);
    attributes(&mut out, 3, &scope.attributes);
    out
}

/// A value as an `AnyValue` message.
pub(super) fn encode_value(of: &AttributeValue) -> Vec<u8> {
    let mut out = Vec::new();
    value(&mut out, of);
    out
}

/// Spans, each with the resource and the scope that it came with, as an `ExportTraceServiceRequest`: what any OTLP
/// endpoint takes. Consecutive spans of one origin share it.
pub(super) fn frame<'a>(spans: impl Iterator<Item = (i64, &'a [u8], &'a [u8], &'a [u8])>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut spans = spans.peekable();
    while let Some((origin, resource, scope, first)) = spans.next() {
        message(&mut out, 1, |out| {
            bytes(out, 1, resource);
            message(out, 2, |out| {
                bytes(out, 1, scope);
                bytes(out, 2, first);
                while let Some((_, _, _, body)) = spans.next_if(|next| next.0 == origin) {
                    bytes(out, 2, body);
                }
            });
        });
    }
    out
}

/// Spans of one origin out of their bodies.
pub(super) fn decode<'a>(
    resource: &[u8],
    scope: &[u8],
    bodies: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<Span>, StoreError> {
    let broken = |error: prost::DecodeError| StoreError::Body(error.to_string());
    let spans = bodies.map(|body| proto::Span::decode(body).map_err(broken)).collect::<Result<_, _>>()?;
    let scope_spans =
        proto::ScopeSpans { scope: Some(Message::decode(scope).map_err(broken)?), spans, ..Default::default() };
    let resource_spans = proto::ResourceSpans {
        resource: Some(Message::decode(resource).map_err(broken)?),
        scope_spans: vec![scope_spans],
        ..Default::default()
    };
    let request = ExportTraceServiceRequest { resource_spans: vec![resource_spans] };
    otlp::from_request(request).map_err(|error| StoreError::Body(error.to_string()))
}

// ------------------------------------------------------------------------------------------------- one attribute only

/// The value of one attribute in a body, as far as a query can compare it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found<'a> {
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    List(Vec<Found<'a>>),
}

/// The field of a `Span` message that holds its attributes.
pub(super) const SPAN_ATTRIBUTES: u32 = 9;
/// The field of a `Resource` message that holds its attributes.
pub(super) const RESOURCE_ATTRIBUTES: u32 = 1;

/// Looks for an attribute of this name; of several, for the last one. `None` where there is none.
pub(super) fn find<'a>(body: &'a [u8], field: u32, name: &str) -> Option<Found<'a>> {
    let mut found = None;
    let mut fields = Reader::new(body, 0);
    // What is broken ends here, as what is whole does.
    while let Some(Some((number, entry))) = fields.next() {
        let Field::Bytes(entry) = entry else { continue };
        if number != field {
            continue;
        }
        let mut parts = Reader::of(entry);
        match parts.next() {
            Some(Some((1, Field::Bytes(key)))) if key.bytes == name.as_bytes() => {}
            _ => continue,
        }
        if let Some(Some((2, Field::Bytes(value)))) = parts.next() {
            found = value_in(value, DEEPEST).or(found);
        }
    }
    found
}

fn value_in(value: Slice<'_>, deeper: usize) -> Option<Found<'_>> {
    let (number, field) = Reader::of(value).next()??;
    match (number, field) {
        (1, Field::Bytes(text)) => std::str::from_utf8(text.bytes).ok().map(Found::Text),
        (2, Field::Number(flag)) => Some(Found::Bool(flag != 0)),
        (3, Field::Number(int)) => Some(Found::Int(int.cast_signed())),
        (4, Field::Fixed64(bits)) => Some(Found::Double(f64::from_bits(bits))),
        (5, Field::Bytes(list)) if deeper > 0 => {
            let mut values = Reader::of(list);
            let values = std::iter::from_fn(|| values.next().flatten()).filter_map(|(_, value)| match value {
                Field::Bytes(value) => value_in(value, deeper - 1),
                _ => None,
            });
            Some(Found::List(values.collect()))
        }
        _ => None,
    }
}

// ------------------------------------------------------------------------------------------------------ writing a field

fn attributes(out: &mut Vec<u8>, field: u32, attributes: &Attributes) {
    for (name, attribute) in attributes.iter() {
        message(out, field, |out| {
            // An entry says its name first, even an empty one: that is where it is looked for.
            bytes(out, 1, name.as_bytes());
            message(out, 2, |out| value(out, attribute));
        });
    }
}

fn value(out: &mut Vec<u8>, value_: &AttributeValue) {
    // A value is a `oneof`: what is set is written even where it is zero or empty.
    match value_ {
        AttributeValue::Empty => {}
        AttributeValue::Text(text) => bytes(out, 1, text.as_bytes()),
        AttributeValue::Bool(flag) => {
            key(out, 2, 0);
            varint(out, u64::from(*flag));
        }
        AttributeValue::Int(int) => {
            key(out, 3, 0);
            varint(out, int.cast_unsigned());
        }
        AttributeValue::Double(double) => {
            key(out, 4, 1);
            out.extend_from_slice(&double.to_bits().to_le_bytes());
        }
        AttributeValue::List(values) => message(out, 5, |out| {
            for each in values {
                message(out, 1, |out| value(out, each));
            }
        }),
        AttributeValue::Map(map) => message(out, 6, |out| attributes(out, 1, map)),
        AttributeValue::Bytes(raw) => bytes(out, 7, raw),
    }
}

fn key(out: &mut Vec<u8>, field: u32, wire: u32) {
    varint(out, u64::from(field << 3 | wire));
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(out: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        key(out, field, 0);
        varint(out, value);
    }
}

fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        key(out, field, 1);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    if value != 0 {
        key(out, field, 5);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

fn text(out: &mut Vec<u8>, field: u32, text: &str) {
    if !text.is_empty() {
        bytes(out, field, text.as_bytes());
    }
}

fn bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    key(out, field, 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A message within: written where it belongs with room for a length of one byte, and moved if it needs more.
fn message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    key(out, field, 2);
    let at = out.len();
    out.push(0);
    write(out);
    let length = out.len() - at - 1;
    if let Ok(short @ 0..0x80) = u8::try_from(length) {
        out[at] = short;
        return;
    }
    let mut prefix = Vec::with_capacity(5);
    varint(&mut prefix, length as u64);
    out.splice(at..=at, prefix);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples;

    #[test]
    fn a_span_with_everything_in_it_comes_back_as_it_was() {
        let span = samples::everything();
        let (resource, scope) = (encode_resource(&span.resource), encode_scope(&span.scope));
        let body = encode_span(&span);
        let back = decode(&resource, &scope, std::iter::once(&body[..])).unwrap();
        assert_eq!(back, [span]);
    }

    #[test]
    fn spans_are_framed_by_origin_as_one_request() {
        let span = samples::everything();
        let (resource, scope, body) = (encode_resource(&span.resource), encode_scope(&span.scope), encode_span(&span));
        let part = |origin| (origin, &resource[..], &scope[..], &body[..]);
        let request = frame([part(1), part(1), part(2)].into_iter());
        let read = ExportTraceServiceRequest::decode(&request[..]).unwrap();
        let sizes: Vec<_> = read.resource_spans.iter().map(|each| each.scope_spans[0].spans.len()).collect();
        assert_eq!(sizes, [2, 1]);
        assert_eq!(otlp::from_protobuf(&request).unwrap(), [span.clone(), span.clone(), span]);
    }

    #[test]
    fn one_attribute_is_found_without_decoding_and_broken_bodies_have_none() {
        let span = samples::everything();
        let body = encode_span(&span);
        assert_eq!(find(&body, SPAN_ATTRIBUTES, "text"), Some(Found::Text("grüße")));
        assert_eq!(find(&body, SPAN_ATTRIBUTES, "int"), Some(Found::Int(-7)));
        assert_eq!(find(&body, SPAN_ATTRIBUTES, "flag"), Some(Found::Bool(false)));
        assert_eq!(find(&body, SPAN_ATTRIBUTES, "list"), Some(Found::List(vec![Found::Text("a"), Found::Text("b")])));
        assert_eq!(find(&body, SPAN_ATTRIBUTES, "none"), None);
        for end in 0..body.len() {
            let _ = find(&body[..end], SPAN_ATTRIBUTES, "text");
        }
    }
}
