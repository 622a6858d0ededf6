//! Spans as the SDK holds them, for an exporter of the user's own.

use std::borrow::Cow;

use opentelemetry::trace::{Event, Link, SpanContext, SpanId, Status};
use opentelemetry::{Array, InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::text::Text;
use super::writer::{Shape, Writer};
use crate::model::Timestamp;
use crate::telemetry::record::SpanPlace;

// A transfer has some thirty attributes; whoever waits for a result learns up to sixteen more.
const ROOM: usize = 48;

/// Writes finished [`SpanData`].
#[derive(Debug)]
pub(super) struct DataWriter {
    scope: InstrumentationScope,
    span: Option<SpanData>,
    /// Those of the span, or of the event or link being written.
    attributes: Vec<KeyValue>,
}

impl DataWriter {
    pub(super) fn new(scope: InstrumentationScope) -> Self {
        Self { scope, span: None, attributes: Vec::new() }
    }

    /// The span that was written, whole.
    pub(super) fn take(&mut self) -> Option<SpanData> {
        self.span.take()
    }

    fn put(&mut self, key: &'static str, value: impl Into<Value>) {
        self.attributes.push(KeyValue::new(key, value));
    }

    /// The attributes that `about` writes.
    fn apart(&mut self, about: impl FnOnce(&mut Self)) -> Vec<KeyValue> {
        let outer = std::mem::take(&mut self.attributes);
        about(self);
        std::mem::replace(&mut self.attributes, outer)
    }
}

impl Writer for DataWriter {
    fn begin(&mut self, place: &SpanPlace, shape: Shape<'_>) {
        self.attributes = Vec::with_capacity(ROOM);
        self.span = Some(SpanData {
            span_context: place.context(),
            parent_span_id: place.parent_span_id,
            parent_span_is_remote: place.parent_is_remote && place.parent_span_id != SpanId::INVALID,
            span_kind: shape.kind,
            name: match shape.noun {
                "" => Cow::Borrowed(shape.verb),
                noun => Cow::Owned([shape.verb, noun].concat()),
            },
            start_time: shape.started.into(),
            // A clock that was set back in between must not make a span of negative length.
            end_time: shape.ended.max(shape.started).into(),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        });
    }

    fn text(&mut self, key: &'static str, value: impl Text) {
        self.put(key, Value::String(value.value()));
    }

    fn texts<T: Text>(&mut self, key: &'static str, values: impl ExactSizeIterator<Item = T>) {
        self.put(key, Value::Array(Array::String(values.map(Text::value).collect())));
    }

    fn int(&mut self, key: &'static str, value: i64) {
        self.put(key, value);
    }

    fn number(&mut self, key: &'static str, value: f64) {
        self.put(key, value);
    }

    fn flag(&mut self, key: &'static str, value: bool) {
        self.put(key, value);
    }

    fn event(&mut self, name: &'static str, at: Timestamp, about: impl FnOnce(&mut Self)) {
        let attributes = self.apart(about);
        if let Some(span) = &mut self.span {
            span.events.events.push(Event::new(name, at.into(), attributes, 0));
        }
    }

    fn link(&mut self, to: &SpanContext, about: impl FnOnce(&mut Self)) {
        let attributes = self.apart(about);
        if let Some(span) = &mut self.span {
            span.links.links.push(Link::new(to.clone(), attributes, 0));
        }
    }

    fn fail(&mut self, why: &str) {
        if let Some(span) = &mut self.span {
            span.status = Status::error(why.to_owned());
        }
    }

    fn end(&mut self) {
        if let Some(span) = &mut self.span {
            span.attributes = std::mem::take(&mut self.attributes);
        }
    }
}
