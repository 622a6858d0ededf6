use opentelemetry::KeyValue;
use opentelemetry::trace::{Link, SpanKind};
use opentelemetry_sdk::trace::SpanData;

use super::attributes::Attributes;
use super::fixed::Side;
use super::{Shape, SpanBuilder, text};
use crate::model::Intent;
use crate::telemetry::names;
use crate::telemetry::record::ProcessRecord;

impl SpanBuilder {
    pub(super) fn process(&mut self, record: &ProcessRecord) -> SpanData {
        let workflow = record.facts.workflow.as_ref().map(|workflow| self.workflow_text(workflow));
        let side = Side { agent: Some(&record.agent), queue_group: record.queue_group.as_ref(), inst: None };
        let fixed = self.boundaries.of(&record.facts, side, self.session_attributes);
        let room = Attributes::room(&record.outcome, &record.result, record.read_back.is_some());
        let mut attributes = Attributes::starting_with(&fixed.attributes, room);
        attributes.facts(&record.facts, workflow, self.session_attributes, record.attempt);
        attributes.int(names::MESSAGING_BODY_SIZE, record.received.size);
        attributes.int(names::DELIVERY_COUNT, record.delivery_count);
        attributes.content(names::CONTENT_HASH_RECEIVED, names::CONTENT_SIZE_RECEIVED, Some(record.received));
        attributes.maybe_text(names::INTENT_READ_BACK, record.read_back.as_ref().map(Intent::shared_canonical_json));
        attributes.labels(names::CONTEXT_READ, &record.contexts_read);
        attributes.labels(names::CONTEXT_LATEST, &record.context_latest);
        attributes.context_age(record.context_age);
        let link_type = || vec![KeyValue::new(names::LINK_TYPE, "agent_handoff")];
        let shape = Shape {
            name: text::copied(&fixed.name),
            kind: SpanKind::Consumer,
            started: record.started,
            ended: record.ended,
            attributes,
            events: Vec::new(),
            link: record.link.as_ref().map(|from| Link::new(from.clone(), link_type(), 0)),
            status: Default::default(),
        };
        let shape = shape.settled(fixed, &record.result, &record.outcome);
        self.finish(&record.place, shape)
    }
}
