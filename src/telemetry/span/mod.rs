//! A record becomes the span that the wire contract describes. Runs on the exporter thread, once per handoff a side: what
//! the spans of a boundary have in common is copied from the one before, and each text gets its exact length at once.
//! Records are only read, and go back to the threads that made them.

mod attributes;
mod events;
mod fixed;
mod handoff;
mod process;
mod step;
mod text;
mod workflow;

use std::borrow::Cow;
use std::sync::Arc;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use self::attributes::Attributes;
use self::fixed::Boundaries;
use super::names;
use super::record::{Record, SpanPlace};
use crate::model::{Timestamp, WorkflowId};

/// Turns records into spans.
#[derive(Debug)]
pub(super) struct SpanBuilder {
    scope: InstrumentationScope,
    session_attributes: bool,
    boundaries: Boundaries,
    /// The workflow of the last record, in a text of our own: most likely that of the next one too.
    workflow: Arc<str>,
}

impl SpanBuilder {
    pub(super) fn new(session_attributes: bool) -> Self {
        let scope = InstrumentationScope::builder(names::SCOPE)
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(names::SCHEMA_URL)
            .build();
        Self { scope, session_attributes, boundaries: Boundaries::default(), workflow: "".into() }
    }

    pub(super) fn span(&mut self, record: &Record) -> SpanData {
        match record {
            Record::Handoff(record) => self.handoff(record),
            Record::Process(record) => self.process(record),
            Record::Workflow(record) => self.workflow(record),
            Record::Step(record) => self.step(record),
        }
    }

    fn workflow_text(&mut self, workflow: &WorkflowId) -> Arc<str> {
        if *self.workflow != *workflow.as_str() {
            self.workflow = workflow.as_str().into();
        }
        self.workflow.clone()
    }

    fn workflow_id(&mut self, attributes: &mut Attributes, workflow: &WorkflowId) {
        let workflow = self.workflow_text(workflow);
        if self.session_attributes {
            attributes.text(names::SESSION_ID, workflow.clone());
        }
        attributes.text(names::GEN_AI_CONVERSATION_ID, workflow.clone());
        attributes.text(names::WORKFLOW_ID, workflow);
    }

    fn openinference(&self, attributes: &mut Attributes, kind: &'static str) {
        if self.session_attributes {
            attributes.text(names::OPENINFERENCE_KIND, kind);
        }
    }

    fn finish(&self, place: &SpanPlace, shape: Shape) -> SpanData {
        let flags = if place.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
        let mut events = SpanEvents::default();
        events.events = shape.events;
        let mut links = SpanLinks::default();
        links.links.extend(shape.link);
        SpanData {
            span_context: SpanContext::new(place.trace_id, place.span_id, flags, false, place.trace_state.clone()),
            parent_span_id: place.parent_span_id,
            parent_span_is_remote: place.parent_is_remote && place.parent_span_id != SpanId::INVALID,
            span_kind: shape.kind,
            name: shape.name,
            start_time: shape.started.into(),
            // A clock that was set back in between must not make a span of negative length.
            end_time: shape.ended.max(shape.started).into(),
            attributes: shape.attributes.into_list(),
            dropped_attributes_count: 0,
            events,
            links,
            status: shape.status,
            instrumentation_scope: self.scope.clone(),
        }
    }
}

/// What a span is, apart from where it stands.
struct Shape {
    name: Cow<'static, str>,
    kind: SpanKind,
    started: Timestamp,
    ended: Timestamp,
    attributes: Attributes,
    events: Vec<Event>,
    link: Option<Link>,
    status: Status,
}
