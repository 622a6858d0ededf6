//! A record becomes the span that the wire contract describes. Runs on the exporter thread, once per handoff a side, so
//! it moves what it can out of the record, shares what is shared, and gives each text its exact length at once.

mod attributes;
mod events;
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
use super::names;
use super::record::{Record, SpanPlace};
use crate::model::{InstanceId, Timestamp, WorkflowId};

/// Turns records into spans.
#[derive(Debug)]
pub(super) struct SpanBuilder {
    scope: InstrumentationScope,
    session_attributes: bool,
    // The instance of the last record and its text: nearly always that of the next one too.
    inst: Option<(InstanceId, Arc<str>)>,
}

impl SpanBuilder {
    pub(super) fn new(session_attributes: bool) -> Self {
        let scope = InstrumentationScope::builder(names::SCOPE)
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(names::SCHEMA_URL)
            .build();
        Self { scope, session_attributes, inst: None }
    }

    pub(super) fn span(&mut self, record: Record) -> SpanData {
        match record {
            Record::Handoff(record) => self.handoff(*record),
            Record::Process(record) => self.process(*record),
            Record::Workflow(record) => self.workflow(*record),
            Record::Step(record) => self.step(*record),
        }
    }

    fn workflow_id(&self, attributes: &mut Attributes, workflow: &WorkflowId) {
        attributes.text(names::GEN_AI_CONVERSATION_ID, workflow.shared());
        attributes.text(names::WORKFLOW_ID, workflow.shared());
    }

    fn session(&self, attributes: &mut Attributes, workflow: Option<&WorkflowId>, kind: &'static str) {
        if self.session_attributes {
            attributes.maybe_text(names::SESSION_ID, workflow.map(WorkflowId::shared));
            attributes.text(names::OPENINFERENCE_KIND, kind);
        }
    }

    fn inst_text(&mut self, inst: InstanceId) -> Arc<str> {
        match &self.inst {
            Some((last, text)) if *last == inst => Arc::clone(text),
            _ => {
                let text: Arc<str> = inst.to_string().into();
                self.inst = Some((inst, Arc::clone(&text)));
                text
            }
        }
    }

    fn finish(&self, place: SpanPlace, shape: Shape) -> SpanData {
        let flags = if place.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
        let mut events = SpanEvents::default();
        events.events = shape.events;
        let mut links = SpanLinks::default();
        links.links.extend(shape.link);
        SpanData {
            span_context: SpanContext::new(place.trace_id, place.span_id, flags, false, place.trace_state),
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
