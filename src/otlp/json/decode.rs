use std::sync::Arc;

use opentelemetry::trace::{SpanId, TraceId};
use serde::Deserialize;

use super::field::{Id, kind, or_default, status_code, whole};
use super::value::attributes;
use crate::model::{Attributes, Dropped, Resource, Scope, Span, SpanEvent, SpanKind, SpanLink, SpanStatus, Timestamp};
use crate::otlp::OtlpError;
use crate::otlp::limits::{LONGEST_REQUEST, MOST_OBJECTS, MOST_SPANS};

/// The spans of one request in OTLP/JSON, in the order in which it holds them.
///
/// # Errors
/// [`OtlpError`] where it is no such request, and where it is over one of the [limits](crate::otlp::limits). Nothing of
/// it is given then.
pub fn from_json(request: &[u8]) -> Result<Vec<Span>, OtlpError> {
    if request.len() > LONGEST_REQUEST {
        return Err(OtlpError::TooLong { bytes: request.len() });
    }
    let objects = memchr::memchr_iter(b'{', request).count();
    if objects > MOST_OBJECTS {
        return Err(OtlpError::TooManyObjects { objects });
    }
    let request: Request = serde_json::from_slice(request)?;
    let scopes = || request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    let count = scopes().map(|scope| scope.spans.len()).sum();
    if count > MOST_SPANS {
        return Err(OtlpError::TooManySpans { spans: count });
    }
    let mut spans = Vec::with_capacity(count);
    for of_resource in request.resource_spans {
        let resource = Arc::new(Resource { attributes: of_resource.resource.attributes });
        for of_scope in of_resource.scope_spans {
            let InScope { name, version, attributes } = of_scope.scope;
            let scope = Arc::new(Scope { name, version, attributes });
            spans.extend(of_scope.spans.into_iter().map(|span| span.whole(&resource, &scope)));
        }
    }
    Ok(spans)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object with resourceSpans")]
struct Request {
    #[serde(default, alias = "resource_spans", deserialize_with = "or_default")]
    resource_spans: Vec<InResourceSpans>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InResourceSpans {
    #[serde(default, deserialize_with = "or_default")]
    resource: InResource,
    // The second name is that of version 0.15 and before.
    #[serde(
        default,
        alias = "scope_spans",
        alias = "instrumentationLibrarySpans",
        alias = "instrumentation_library_spans",
        deserialize_with = "or_default"
    )]
    scope_spans: Vec<InScopeSpans>,
}

#[derive(Default, Deserialize)]
struct InResource {
    #[serde(default, deserialize_with = "attributes")]
    attributes: Attributes,
}

#[derive(Deserialize)]
struct InScopeSpans {
    #[serde(
        default,
        alias = "instrumentationLibrary",
        alias = "instrumentation_library",
        deserialize_with = "or_default"
    )]
    scope: InScope,
    #[serde(default, deserialize_with = "or_default")]
    spans: Vec<InSpan>,
}

#[derive(Default, Deserialize)]
struct InScope {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    version: String,
    #[serde(default, deserialize_with = "attributes")]
    attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a span")]
struct InSpan {
    #[serde(default, alias = "trace_id", deserialize_with = "or_default")]
    trace_id: Id<16>,
    #[serde(default, alias = "span_id", deserialize_with = "or_default")]
    span_id: Id<8>,
    #[serde(default, alias = "parent_span_id", deserialize_with = "or_default")]
    parent_span_id: Id<8>,
    #[serde(default, alias = "trace_state", deserialize_with = "or_default")]
    trace_state: String,
    #[serde(default, deserialize_with = "whole")]
    flags: u32,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "kind")]
    kind: SpanKind,
    #[serde(default, alias = "start_time_unix_nano", deserialize_with = "whole")]
    start_time_unix_nano: u64,
    #[serde(default, alias = "end_time_unix_nano", deserialize_with = "whole")]
    end_time_unix_nano: u64,
    #[serde(default, deserialize_with = "attributes")]
    attributes: Attributes,
    #[serde(default, alias = "dropped_attributes_count", deserialize_with = "whole")]
    dropped_attributes_count: u32,
    #[serde(default, deserialize_with = "or_default")]
    events: Vec<InEvent>,
    #[serde(default, alias = "dropped_events_count", deserialize_with = "whole")]
    dropped_events_count: u32,
    #[serde(default, deserialize_with = "or_default")]
    links: Vec<InLink>,
    #[serde(default, alias = "dropped_links_count", deserialize_with = "whole")]
    dropped_links_count: u32,
    #[serde(default, deserialize_with = "or_default")]
    status: InStatus,
}

impl InSpan {
    fn whole(self, resource: &Arc<Resource>, scope: &Arc<Scope>) -> Span {
        let parent = SpanId::from_bytes(self.parent_span_id.0);
        Span {
            trace_id: TraceId::from_bytes(self.trace_id.0),
            span_id: SpanId::from_bytes(self.span_id.0),
            parent_span_id: (parent != SpanId::INVALID).then_some(parent),
            trace_state: self.trace_state,
            flags: self.flags,
            name: self.name,
            kind: self.kind,
            start: Timestamp::from_unix_nanos(self.start_time_unix_nano),
            end: Timestamp::from_unix_nanos(self.end_time_unix_nano),
            attributes: self.attributes,
            events: self.events.into_iter().map(InEvent::whole).collect(),
            links: self.links.into_iter().map(InLink::whole).collect(),
            status: self.status.whole(),
            dropped: Dropped {
                attributes: self.dropped_attributes_count,
                events: self.dropped_events_count,
                links: self.dropped_links_count,
            },
            resource: resource.clone(),
            scope: scope.clone(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InEvent {
    #[serde(default, alias = "time_unix_nano", deserialize_with = "whole")]
    time_unix_nano: u64,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "attributes")]
    attributes: Attributes,
}

impl InEvent {
    fn whole(self) -> SpanEvent {
        SpanEvent { at: Timestamp::from_unix_nanos(self.time_unix_nano), name: self.name, attributes: self.attributes }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InLink {
    #[serde(default, alias = "trace_id", deserialize_with = "or_default")]
    trace_id: Id<16>,
    #[serde(default, alias = "span_id", deserialize_with = "or_default")]
    span_id: Id<8>,
    #[serde(default, alias = "trace_state", deserialize_with = "or_default")]
    trace_state: String,
    #[serde(default, deserialize_with = "attributes")]
    attributes: Attributes,
    #[serde(default, deserialize_with = "whole")]
    flags: u32,
}

impl InLink {
    fn whole(self) -> SpanLink {
        SpanLink {
            trace_id: TraceId::from_bytes(self.trace_id.0),
            span_id: SpanId::from_bytes(self.span_id.0),
            trace_state: self.trace_state,
            attributes: self.attributes,
            flags: self.flags,
        }
    }
}

#[derive(Default, Deserialize)]
struct InStatus {
    #[serde(default, deserialize_with = "status_code")]
    code: i64,
    #[serde(default, deserialize_with = "or_default")]
    message: String,
}

impl InStatus {
    fn whole(self) -> SpanStatus {
        match self.code {
            1 => SpanStatus::Ok,
            2 => SpanStatus::Error(self.message),
            _ => SpanStatus::Unset,
        }
    }
}
