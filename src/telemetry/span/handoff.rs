use opentelemetry::trace::{Link, SpanKind};
use opentelemetry_sdk::trace::SpanData;

use super::attributes::Attributes;
use super::fixed::{Fixed, Side};
use super::{Shape, SpanBuilder, events, text};
use crate::model::Intent;
use crate::telemetry::names;
use crate::telemetry::record::{HandoffRecord, Outcome, ResultFacts};
use crate::wire;

impl SpanBuilder {
    pub(super) fn handoff(&mut self, record: &HandoffRecord) -> SpanData {
        let workflow = record.facts.workflow.as_ref().map(|workflow| self.workflow_text(workflow));
        let side = Side { agent: None, queue_group: None, inst: record.inst };
        let fixed = self.boundaries.of(&record.facts, side, self.session_attributes);
        let room = Attributes::room(&record.outcome, &record.result, record.read_back.is_some());
        let mut attributes = Attributes::starting_with(&fixed.attributes, room);
        attributes.facts(&record.facts, workflow, self.session_attributes, record.attempt);
        if let Some(content) = record.content {
            attributes.int(names::MESSAGING_BODY_SIZE, content.size);
        }
        attributes.int(names::HANDOFF_ATTEMPT, record.attempt);
        let inputs = record.inputs.iter().map(|hash| text::short_hex(hash).into());
        attributes.texts(names::HANDOFF_INPUTS, inputs.collect());
        attributes.maybe_int(names::HANDOFF_EXPECTED_INPUTS, record.expected_inputs);
        attributes.maybe_text(names::HANDOFF_REASON, record.reason.clone());
        attributes.maybe_text(names::HANDOFF_TRIGGERED_BY, record.triggered_by.map(|id| id.to_string()));
        attributes.maybe_int(names::SEQ, record.seq);
        attributes.content(names::CONTENT_HASH, names::CONTENT_SIZE, record.content);
        attributes.maybe_text(names::INTENT_SENT, record.intent.as_ref().map(Intent::shared_canonical_json));
        attributes.maybe_text(names::INTENT_READ_BACK, record.read_back.as_ref().map(Intent::shared_canonical_json));
        // What the header could not carry was not sent.
        let contexts = record.contexts.iter().filter_map(|context| wire::context_item(context).ok());
        attributes.texts(names::CONTEXT, contexts.map(Into::into).collect());
        attributes.labels(names::CONTEXT_LATEST, &record.context_latest);
        attributes.context_age(record.context_age);
        attributes.maybe_text(names::DEADLINE, record.deadline.map(text::rfc3339));
        let shape = Shape {
            name: text::copied(&fixed.name),
            kind: if record.carried.is_some() { SpanKind::Client } else { SpanKind::Producer },
            started: record.started,
            ended: record.ended,
            attributes,
            events: Vec::new(),
            link: record.carried.as_ref().map(|carried| Link::new(carried.clone(), Vec::new(), 0)),
            status: Default::default(),
        };
        let shape = shape.settled(fixed, &record.result, &record.outcome);
        self.finish(&record.place, shape)
    }
}

impl Shape {
    /// Adds the end that both sides of a handoff share: ladder, result, verdict, findings.
    pub(super) fn settled(mut self, fixed: &Fixed, result: &ResultFacts, outcome: &Outcome) -> Self {
        let Outcome { verdict, mismatches, climbs } = outcome;
        self.events.reserve_exact(climbs.len() + mismatches.len() + usize::from(result.quality.is_some()));
        if let Some(highest) = climbs.iter().max_by_key(|climb| (climb.rung, climb.evidence)) {
            self.attributes.text(names::RUNG, highest.rung.as_str());
            self.attributes.text(names::RUNG_EVIDENCE, highest.evidence.as_str());
        }
        let said_by = |climb: &crate::model::Climb| climb.by.as_ref().map(|by| fixed.text_of(by));
        self.events.extend(climbs.iter().map(|climb| events::rung(climb, said_by(climb))));
        self.attributes.result(result);
        self.attributes.text(names::VERDICT, *verdict);
        self.events.extend(events::quality(result, self.ended));
        self.status = events::status(mismatches);
        self.attributes.mismatches(mismatches);
        self.events.extend(mismatches.iter().map(|mismatch| events::mismatch(mismatch, self.ended)));
        self
    }
}
