use opentelemetry::KeyValue;
use opentelemetry::trace::{Link, SpanKind};
use opentelemetry_sdk::trace::SpanData;

use super::attributes::Attributes;
use super::{Shape, SpanBuilder, text};
use crate::telemetry::names;
use crate::telemetry::record::ProcessRecord;

// Some thirty; a readback, a result and findings add up to sixteen.
const ROOM: usize = 32;
const ROOM_WITH_MORE: usize = 48;

impl SpanBuilder {
    pub(super) fn process(&self, record: ProcessRecord) -> SpanData {
        let more =
            record.result.content.is_some() || record.read_back.is_some() || !record.outcome.mismatches.is_empty();
        let mut attributes = Attributes::with_room(if more { ROOM_WITH_MORE } else { ROOM });
        let name = text::two_words("process ", record.agent.as_str());
        attributes.messaging("process", "process", &record.facts, record.attempt);
        attributes.int(names::MESSAGING_BODY_SIZE, record.received.size);
        attributes.maybe_text(names::MESSAGING_CONSUMER_GROUP, record.queue_group);
        self.common(&mut attributes, record.facts, Some(&record.agent));
        attributes.int(names::DELIVERY_COUNT, record.delivery_count);
        attributes.content(names::CONTENT_HASH_RECEIVED, names::CONTENT_SIZE_RECEIVED, Some(record.received));
        attributes.maybe_text(names::INTENT_READ_BACK, record.read_back.map(|intent| intent.shared_canonical_json()));
        attributes.labels(names::CONTEXT_READ, record.contexts_read);
        attributes.labels(names::CONTEXT_LATEST, record.context_latest);
        attributes.context_age(record.context_age);
        let link_type = || vec![KeyValue::new(names::LINK_TYPE, "agent_handoff")];
        let shape = Shape {
            name,
            kind: SpanKind::Consumer,
            started: record.started,
            ended: record.ended,
            attributes,
            events: Vec::new(),
            link: record.link.map(|from| Link::new(from, link_type(), 0)),
            status: Default::default(),
        };
        self.finish(record.place, shape.settled(record.result, record.outcome))
    }
}
