use std::sync::Arc;

use opentelemetry::trace::{SpanId, TraceId};
use serde::Serialize;
use serde::ser::Serializer;

use super::value::write_attributes;
use crate::model::{Attributes, Resource, Scope, Span, SpanEvent, SpanLink, SpanStatus};

/// The spans as one request in OTLP/JSON, on one line without its end. Neighbours that share their resource and scope
/// are written under one.
pub fn to_json<'a>(spans: impl IntoIterator<Item = &'a Span>) -> String {
    let mut out = Request::default();
    for span in spans {
        let resources = &mut out.resource_spans;
        if !resources.last().is_some_and(|last| same(&last.resource, &span.resource)) {
            resources.push(ResourceSpans { resource: span.resource.clone(), scope_spans: Vec::new() });
        }
        let Some(of_resource) = resources.last_mut() else { continue };
        let scopes = &mut of_resource.scope_spans;
        if !scopes.last().is_some_and(|last| same(&last.scope, &span.scope)) {
            scopes.push(ScopeSpans { scope: span.scope.clone(), spans: Vec::new() });
        }
        if let Some(of_scope) = scopes.last_mut() {
            of_scope.spans.push(OutSpan(span));
        }
    }
    // Nothing in it can fail: every key is text, and numbers that JSON lacks are written as text.
    serde_json::to_string(&out).unwrap_or_default()
}

fn same<T: PartialEq>(left: &Arc<T>, right: &Arc<T>) -> bool {
    Arc::ptr_eq(left, right) || left == right
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_spans: Vec<ResourceSpans<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    #[serde(serialize_with = "resource")]
    resource: Arc<Resource>,
    scope_spans: Vec<ScopeSpans<'a>>,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    #[serde(serialize_with = "scope")]
    scope: Arc<Scope>,
    spans: Vec<OutSpan<'a>>,
}

fn resource<S: Serializer>(resource: &Arc<Resource>, s: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Out<'a> {
        #[serde(serialize_with = "write_attributes")]
        attributes: &'a Attributes,
    }
    Out { attributes: &resource.attributes }.serialize(s)
}

fn scope<S: Serializer>(scope: &Arc<Scope>, s: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Out<'a> {
        name: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        version: &'a str,
        #[serde(skip_serializing_if = "Attributes::is_empty", serialize_with = "write_attributes")]
        attributes: &'a Attributes,
    }
    Out { name: &scope.name, version: &scope.version, attributes: &scope.attributes }.serialize(s)
}

struct OutSpan<'a>(&'a Span);

impl Serialize for OutSpan<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let span = self.0;
        Fields {
            trace_id: trace_id(span.trace_id),
            span_id: span_id(span.span_id),
            parent_span_id: span.parent_span_id.map(span_id),
            trace_state: &span.trace_state,
            flags: span.flags,
            name: &span.name,
            kind: span.kind.number(),
            start_time_unix_nano: span.start.unix_nanos().to_string(),
            end_time_unix_nano: span.end.unix_nanos().to_string(),
            attributes: &span.attributes,
            dropped_attributes_count: span.dropped.attributes,
            events: span.events.iter().map(Event::of).collect(),
            dropped_events_count: span.dropped.events,
            links: span.links.iter().map(Link::of).collect(),
            dropped_links_count: span.dropped.links,
            status: Status::of(&span.status),
        }
        .serialize(s)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
    name: &'a str,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    #[serde(serialize_with = "write_attributes")]
    attributes: &'a Attributes,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Event<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_events_count: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_links_count: u32,
    status: Status<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    time_unix_nano: String,
    name: &'a str,
    #[serde(serialize_with = "write_attributes")]
    attributes: &'a Attributes,
}

impl<'a> Event<'a> {
    fn of(event: &'a SpanEvent) -> Self {
        Self { time_unix_nano: event.at.unix_nanos().to_string(), name: &event.name, attributes: &event.attributes }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Link<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(serialize_with = "write_attributes")]
    attributes: &'a Attributes,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
}

impl<'a> Link<'a> {
    fn of(link: &'a SpanLink) -> Self {
        Self {
            trace_id: trace_id(link.trace_id),
            span_id: span_id(link.span_id),
            trace_state: &link.trace_state,
            attributes: &link.attributes,
            flags: link.flags,
        }
    }
}

#[derive(Serialize)]
struct Status<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
}

impl<'a> Status<'a> {
    fn of(status: &'a SpanStatus) -> Self {
        match status {
            SpanStatus::Unset => Self { code: None, message: "" },
            SpanStatus::Ok => Self { code: Some(1), message: "" },
            SpanStatus::Error(message) => Self { code: Some(2), message },
        }
    }
}

const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// An invalid id is written as no digits, as protobuf's empty bytes are.
fn trace_id(id: TraceId) -> String {
    if id == TraceId::INVALID { String::new() } else { id.to_string() }
}

fn span_id(id: SpanId) -> String {
    if id == SpanId::INVALID { String::new() } else { id.to_string() }
}
