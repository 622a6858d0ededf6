use std::borrow::Cow;

use opentelemetry::trace::{Link, SpanKind};
use opentelemetry_sdk::trace::SpanData;

use super::attributes::Attributes;
use super::{Shape, SpanBuilder, events, text};
use crate::model::{AgentName, Evidence};
use crate::telemetry::names;
use crate::telemetry::record::{HandoffFacts, HandoffRecord, Outcome, ResultFacts};
use crate::wire;

// A transfer has some thirty attributes; whoever waits for a result learns up to sixteen more.
const ROOM: usize = 32;
const ROOM_WITH_MORE: usize = 48;

impl SpanBuilder {
    pub(super) fn handoff(&mut self, record: HandoffRecord) -> SpanData {
        let more =
            record.result.content.is_some() || record.read_back.is_some() || !record.outcome.mismatches.is_empty();
        let mut attributes = Attributes::with_room(if more { ROOM_WITH_MORE } else { ROOM });
        let kind = if record.carried.is_some() { SpanKind::Client } else { SpanKind::Producer };
        let name = match &record.facts.to {
            Some(to) => text::two_words("handoff ", to.as_str()),
            None => Cow::Borrowed("handoff"),
        };
        attributes.messaging("send", "publish", &record.facts, record.attempt);
        if let Some(content) = record.content {
            attributes.int(names::MESSAGING_BODY_SIZE, content.size);
        }
        let target = record.facts.to.clone();
        self.common(&mut attributes, record.facts, target.as_ref());
        attributes.int(names::HANDOFF_ATTEMPT, record.attempt);
        let inputs = record.inputs.iter().map(|hash| text::short_hex(hash).into());
        attributes.texts(names::HANDOFF_INPUTS, inputs.collect());
        attributes.maybe_int(names::HANDOFF_EXPECTED_INPUTS, record.expected_inputs);
        attributes.maybe_text(names::HANDOFF_REASON, record.reason);
        attributes.maybe_text(names::HANDOFF_PARENT_EVIDENCE, record.parent_evidence.map(Evidence::as_str));
        attributes.maybe_text(names::HANDOFF_TRIGGERED_BY, record.triggered_by.map(|id| id.to_string()));
        attributes.maybe_text(names::INST, record.inst.map(|inst| self.inst_text(inst)));
        attributes.maybe_int(names::SEQ, record.seq);
        attributes.content(names::CONTENT_HASH, names::CONTENT_SIZE, record.content);
        attributes.maybe_text(names::INTENT_SENT, record.intent.map(|intent| intent.shared_canonical_json()));
        attributes.maybe_text(names::INTENT_READ_BACK, record.read_back.map(|intent| intent.shared_canonical_json()));
        // What the header could not carry was not sent.
        let contexts = record.contexts.iter().filter_map(|context| wire::context_item(context).ok());
        attributes.texts(names::CONTEXT, contexts.map(Into::into).collect());
        attributes.labels(names::CONTEXT_LATEST, record.context_latest);
        attributes.context_age(record.context_age);
        attributes.maybe_text(names::DEADLINE, record.deadline.map(text::rfc3339));
        let shape = Shape {
            name,
            kind,
            started: record.started,
            ended: record.ended,
            attributes,
            events: Vec::new(),
            link: record.carried.map(|carried| Link::new(carried, Vec::new(), 0)),
            status: Default::default(),
        };
        self.finish(record.place, shape.settled(record.result, record.outcome))
    }

    /// What both sides of a handoff carry after the messaging attributes.
    pub(super) fn common(&self, attributes: &mut Attributes, facts: HandoffFacts, target: Option<&AgentName>) {
        attributes.text(names::GEN_AI_OPERATION_NAME, "invoke_agent");
        attributes.maybe_text(names::GEN_AI_AGENT_NAME, target.map(AgentName::shared));
        if let Some(info) = &facts.target {
            attributes.maybe_text(names::GEN_AI_AGENT_VERSION, info.version.clone());
            attributes.maybe_text(names::GEN_AI_REQUEST_MODEL, info.model.clone());
        }
        if let Some(from) = &facts.from {
            attributes.text(names::GEN_AI_CALLER_TYPE, "agent");
            attributes.text(names::GEN_AI_CALLER_NAME, from.shared());
        }
        if let Some(workflow) = &facts.workflow {
            self.workflow_id(attributes, workflow);
        }
        self.session(attributes, facts.workflow.as_ref(), "AGENT");
        attributes.maybe_text(names::HANDOFF_ID, facts.id.as_ref().map(text::id));
        attributes.maybe_text(names::HANDOFF_FROM, facts.from.map(|from| from.shared()));
        attributes.maybe_text(names::HANDOFF_TO, facts.to.map(|to| to.shared()));
        attributes.text(names::HANDOFF_KIND, facts.kind.as_str());
        attributes.maybe_text(names::HANDOFF_PARENT, facts.parent.as_ref().map(text::id));
    }
}

impl Shape {
    /// Adds the end that both sides of a handoff share: ladder, result, verdict, findings.
    pub(super) fn settled(mut self, result: ResultFacts, outcome: Outcome) -> Self {
        let Outcome { verdict, mut mismatches, climbs } = outcome;
        self.events.reserve_exact(climbs.len() + mismatches.len() + usize::from(result.quality.is_some()));
        if let Some(highest) = climbs.iter().max_by_key(|climb| (climb.rung, climb.evidence)) {
            self.attributes.text(names::RUNG, highest.rung.as_str());
            self.attributes.text(names::RUNG_EVIDENCE, highest.evidence.as_str());
        }
        self.events.extend(climbs.into_iter().map(events::rung));
        self.attributes.result(&result);
        self.attributes.text(names::VERDICT, verdict);
        self.events.extend(events::quality(&result, self.ended));
        self.status = events::status(&mismatches);
        self.attributes.mismatches(&mut mismatches);
        self.events.extend(mismatches.into_iter().map(|mismatch| events::mismatch(mismatch, self.ended)));
        self
    }
}
