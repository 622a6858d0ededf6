//! A record becomes the span that the wire contract describes. Runs on the exporter thread, once per handoff a side, so
//! it moves what it can out of the record and allocates once for all attributes.

use std::borrow::Cow;

use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::names;
use super::record::{
    Content, ContextAge, HandoffFacts, HandoffRecord, Outcome, ProcessRecord, Record, ResultFacts, SpanPlace, Step,
    StepRecord, WorkflowRecord,
};
use crate::model::{AgentName, Climb, ContentHash, Context, HandoffId, Mismatch, ShortHash, Timestamp, WorkflowId};

/// Turns records into spans.
#[derive(Debug)]
pub(super) struct SpanBuilder {
    scope: InstrumentationScope,
    session_attributes: bool,
}

impl SpanBuilder {
    pub(super) fn new(session_attributes: bool) -> Self {
        let scope = InstrumentationScope::builder(names::SCOPE)
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(names::SCHEMA_URL)
            .build();
        Self { scope, session_attributes }
    }

    pub(super) fn span(&self, record: Record) -> SpanData {
        match record {
            Record::Handoff(record) => self.handoff(*record),
            Record::Process(record) => self.process(*record),
            Record::Workflow(record) => self.workflow(*record),
            Record::Step(record) => self.step(*record),
        }
    }

    fn handoff(&self, record: HandoffRecord) -> SpanData {
        let mut attributes = Attributes::new();
        let kind = if record.carried.is_some() { SpanKind::Client } else { SpanKind::Producer };
        let name = match &record.facts.to {
            Some(to) => two_words("handoff ", to.as_str()),
            None => Cow::Borrowed("handoff"),
        };
        attributes.messaging("send", "publish", &record.facts, record.attempt);
        if let Some(content) = record.content {
            attributes.int(names::MESSAGING_BODY_SIZE, content.size);
        }
        let target = record.facts.to.clone();
        self.common(&mut attributes, record.facts, target.as_ref());
        attributes.int(names::HANDOFF_ATTEMPT, record.attempt);
        if !record.inputs.is_empty() {
            attributes.texts(names::HANDOFF_INPUTS, record.inputs.iter().map(short_hex).collect());
        }
        attributes.maybe_int(names::HANDOFF_EXPECTED_INPUTS, record.expected_inputs);
        attributes.maybe_text(names::HANDOFF_REASON, record.reason);
        attributes.maybe_text(names::HANDOFF_TRIGGERED_BY, record.triggered_by.map(|id| id.to_string()));
        attributes.maybe_text(names::INST, record.inst.map(|inst| inst.to_string()));
        attributes.maybe_int(names::SEQ, record.seq);
        attributes.content(names::CONTENT_HASH, names::CONTENT_SIZE, record.content);
        attributes.maybe_text(names::INTENT_SENT, record.intent.map(|intent| intent.shared_canonical_json()));
        attributes.maybe_text(names::INTENT_READ_BACK, record.read_back.map(|intent| intent.shared_canonical_json()));
        if !record.contexts.is_empty() {
            attributes.texts(names::CONTEXT, record.contexts.iter().map(context_item).collect());
        }
        attributes.labels(names::CONTEXT_LATEST, record.context_latest);
        attributes.context_age(record.context_age);
        attributes.maybe_text(names::DEADLINE, record.deadline.map(Timestamp::to_rfc3339));
        let links = record.carried.map(|carried| Link::new(carried, Vec::new(), 0));
        let times = (record.started, record.ended);
        self.settled(name, kind, record.place, times, attributes, links, record.result, record.outcome)
    }

    fn process(&self, record: ProcessRecord) -> SpanData {
        let mut attributes = Attributes::new();
        let name = two_words("process ", record.agent.as_str());
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
        let links = record.link.map(|from| Link::new(from, link_type(), 0));
        let times = (record.started, record.ended);
        self.settled(name, SpanKind::Consumer, record.place, times, attributes, links, record.result, record.outcome)
    }

    fn workflow(&self, record: WorkflowRecord) -> SpanData {
        let mut attributes = Attributes::new();
        attributes.text(names::GEN_AI_OPERATION_NAME, "invoke_workflow");
        attributes.text(names::GEN_AI_WORKFLOW_NAME, record.name.clone());
        self.workflow_id(&mut attributes, &record.workflow);
        self.session(&mut attributes, Some(&record.workflow), "CHAIN");
        attributes.maybe_text(names::WORKFLOW_OUTCOME, record.outcome.clone());
        attributes.maybe_flag(names::WORKFLOW_OK, record.ok);
        let status = if record.ok == Some(false) {
            // The value that the conventions reserve for a failure that has no class of its own.
            attributes.text(names::ERROR_TYPE, "_OTHER");
            Status::error(record.outcome.map_or_else(|| "the workflow failed".to_owned(), |words| words.to_string()))
        } else {
            Status::Unset
        };
        let name = two_words("invoke_workflow ", &record.name);
        let times = (record.started, record.ended);
        self.finish(name, SpanKind::Internal, record.place, times, attributes, None, Vec::new(), status)
    }

    fn step(&self, record: StepRecord) -> SpanData {
        let mut attributes = Attributes::new();
        attributes.maybe_text(names::GEN_AI_AGENT_NAME, record.agent.map(|agent| agent.shared()));
        if let Some(workflow) = &record.workflow {
            self.workflow_id(&mut attributes, workflow);
        }
        self.session(&mut attributes, record.workflow.as_ref(), "CHAIN");
        let name = match record.step {
            Step::Join { expected, arrived, wait } => {
                attributes.int(names::JOIN_EXPECTED, expected);
                attributes.int(names::JOIN_ARRIVED, arrived);
                attributes.number(names::JOIN_WAIT, wait.as_secs_f64() * 1e3);
                Cow::Borrowed("join")
            }
        };
        let mut events = Vec::with_capacity(record.mismatches.len());
        let status = attributes.findings(record.mismatches, record.ended, &mut events);
        let times = (record.started, record.ended);
        self.finish(name, SpanKind::Internal, record.place, times, attributes, None, events, status)
    }

    /// What both sides of a handoff carry after the messaging attributes.
    fn common(&self, attributes: &mut Attributes, facts: HandoffFacts, target: Option<&AgentName>) {
        attributes.text(names::GEN_AI_OPERATION_NAME, "invoke_agent");
        attributes.maybe_text(names::GEN_AI_AGENT_NAME, target.map(AgentName::shared));
        if let Some(from) = &facts.from {
            attributes.text(names::GEN_AI_CALLER_TYPE, "agent");
            attributes.text(names::GEN_AI_CALLER_NAME, from.shared());
        }
        if let Some(workflow) = &facts.workflow {
            self.workflow_id(attributes, workflow);
        }
        self.session(attributes, facts.workflow.as_ref(), "AGENT");
        attributes.maybe_text(names::HANDOFF_ID, facts.id.as_ref().map(id_text));
        attributes.maybe_text(names::HANDOFF_FROM, facts.from.map(|from| from.shared()));
        attributes.maybe_text(names::HANDOFF_TO, facts.to.map(|to| to.shared()));
        attributes.text(names::HANDOFF_KIND, facts.kind.as_str());
        attributes.maybe_text(names::HANDOFF_PARENT, facts.parent.as_ref().map(id_text));
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

    /// The end that both sides of a handoff share: result, ladder, verdict, findings.
    #[expect(clippy::too_many_arguments, reason = "each is a part of one span, named at its two callers")]
    fn settled(
        &self,
        name: Cow<'static, str>,
        kind: SpanKind,
        place: SpanPlace,
        times: (Timestamp, Timestamp),
        mut attributes: Attributes,
        link: Option<Link>,
        result: ResultFacts,
        outcome: Outcome,
    ) -> SpanData {
        let Outcome { verdict, mismatches, climbs } = outcome;
        let mut events = Vec::with_capacity(climbs.len() + mismatches.len() + usize::from(result.quality.is_some()));
        if let Some(highest) = climbs.iter().max_by_key(|climb| (climb.rung, climb.evidence)) {
            attributes.text(names::RUNG, highest.rung.as_str());
            attributes.text(names::RUNG_EVIDENCE, highest.evidence.as_str());
        }
        events.extend(climbs.into_iter().map(rung_event));
        attributes.result(&result);
        attributes.text(names::VERDICT, verdict);
        events.extend(quality_event(&result, times.1));
        let status = attributes.findings(mismatches, times.1, &mut events);
        self.finish(name, kind, place, times, attributes, link, events, status)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a part of one span")]
    fn finish(
        &self,
        name: Cow<'static, str>,
        span_kind: SpanKind,
        place: SpanPlace,
        (started, ended): (Timestamp, Timestamp),
        attributes: Attributes,
        link: Option<Link>,
        recorded: Vec<Event>,
        status: Status,
    ) -> SpanData {
        let flags = if place.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
        let mut events = SpanEvents::default();
        events.events = recorded;
        let mut links = SpanLinks::default();
        links.links.extend(link);
        SpanData {
            span_context: SpanContext::new(place.trace_id, place.span_id, flags, false, place.trace_state),
            parent_span_id: place.parent_span_id,
            parent_span_is_remote: place.parent_is_remote && place.parent_span_id != SpanId::INVALID,
            span_kind,
            name,
            start_time: started.into(),
            // A clock that was set back in between must not make a span of negative length.
            end_time: ended.max(started).into(),
            attributes: attributes.0,
            dropped_attributes_count: 0,
            events,
            links,
            status,
            instrumentation_scope: self.scope.clone(),
        }
    }
}

/// The attributes of one span, in the order of the contract.
struct Attributes(Vec<KeyValue>);

// A full handoff span has some forty.
const ROOM: usize = 48;

impl Attributes {
    fn new() -> Self {
        Self(Vec::with_capacity(ROOM))
    }

    fn text(&mut self, key: &'static str, value: impl Into<StringValue>) {
        self.0.push(KeyValue::new(key, Value::String(value.into())));
    }

    fn maybe_text(&mut self, key: &'static str, value: Option<impl Into<StringValue>>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn texts(&mut self, key: &'static str, values: Vec<StringValue>) {
        self.0.push(KeyValue::new(key, Value::Array(Array::String(values))));
    }

    fn labels(&mut self, key: &'static str, labels: Vec<String>) {
        if !labels.is_empty() {
            self.texts(key, labels.into_iter().map(StringValue::from).collect());
        }
    }

    fn int(&mut self, key: &'static str, value: impl TryInto<i64>) {
        self.0.push(KeyValue::new(key, value.try_into().unwrap_or(i64::MAX)));
    }

    fn maybe_int(&mut self, key: &'static str, value: Option<impl TryInto<i64>>) {
        if let Some(value) = value {
            self.int(key, value);
        }
    }

    fn number(&mut self, key: &'static str, value: f64) {
        self.0.push(KeyValue::new(key, value));
    }

    fn maybe_flag(&mut self, key: &'static str, value: Option<bool>) {
        if let Some(value) = value {
            self.0.push(KeyValue::new(key, value));
        }
    }

    fn messaging(&mut self, kind: &'static str, name: &'static str, facts: &HandoffFacts, attempt: u32) {
        self.text(names::MESSAGING_SYSTEM, "nats");
        self.text(names::MESSAGING_OPERATION_TYPE, kind);
        self.text(names::MESSAGING_OPERATION_NAME, name);
        self.text(names::MESSAGING_DESTINATION_NAME, facts.subject.clone());
        self.maybe_text(names::MESSAGING_DESTINATION_TEMPLATE, facts.subject_template.clone());
        if let Some(id) = &facts.id {
            self.text(names::MESSAGING_MESSAGE_ID, message_id(id, attempt));
        }
        self.maybe_text(names::MESSAGING_CONVERSATION_ID, facts.workflow.as_ref().map(WorkflowId::shared));
        if let Some(server) = &facts.server {
            self.text(names::SERVER_ADDRESS, server.host.clone());
            self.int(names::SERVER_PORT, server.port);
        }
    }

    fn content(&mut self, hash: &'static str, size: &'static str, content: Option<Content>) {
        if let Some(content) = content {
            self.text(hash, prefixed_hex(&content.hash));
            self.int(size, content.size);
        }
    }

    fn context_age(&mut self, age: Option<ContextAge>) {
        let Some(age) = age else { return };
        self.number(names::CONTEXT_AGE, age.age_ms);
        if let Some(max_age_ms) = age.max_age_ms {
            self.number(names::CONTEXT_MAX_AGE, max_age_ms);
        }
        if let Some(uncertainty_ms) = age.uncertainty_ms {
            self.number(names::CONTEXT_AGE_UNCERTAINTY, uncertainty_ms);
        }
    }

    fn result(&mut self, result: &ResultFacts) {
        self.content(names::RESULT_HASH, names::RESULT_SIZE, result.content);
        if let Some(quality) = &result.quality {
            self.number(names::RESULT_QUALITY, quality.score());
            self.text(names::RESULT_QUALITY_BY, quality.by().to_owned());
        }
        if let Some(threshold) = result.threshold {
            self.number(names::RESULT_QUALITY_THRESHOLD, threshold);
        }
        self.maybe_flag(names::RESULT_USED, result.used);
        self.maybe_flag(names::RESULT_CHECKED, result.checked);
    }

    /// What this side found: attributes, one event each, and the status.
    fn findings(&mut self, mismatches: Vec<Mismatch>, at: Timestamp, events: &mut Vec<Event>) -> Status {
        let Some(first) = mismatches.first() else { return Status::Unset };
        let status = Status::error(first.to_string());
        self.text(names::ERROR_TYPE, first.kind.as_str());
        let kinds = mismatches.iter().map(|mismatch| StringValue::from(mismatch.kind.as_str()));
        self.texts(names::MISMATCHES, kinds.collect());
        let mut diff = Vec::new();
        for mismatch in mismatches {
            diff.extend(mismatch.diff);
            let mut about = Vec::with_capacity(4);
            about.push(KeyValue::new(names::EVALUATION_NAME, mismatch.kind.as_str()));
            about.push(KeyValue::new(names::EVALUATION_SCORE, 0.0));
            about.push(KeyValue::new(names::EVALUATION_LABEL, "fail"));
            if !mismatch.evidence.is_empty() {
                about.push(KeyValue::new(names::EVALUATION_EXPLANATION, mismatch.evidence));
            }
            events.push(Event::new(names::EVALUATION_EVENT, at.into(), about, 0));
        }
        self.labels(names::INTENT_DIFF, diff);
        status
    }
}

fn rung_event(climb: Climb) -> Event {
    let mut about = Vec::with_capacity(3);
    about.push(KeyValue::new("rung", climb.rung.as_str()));
    about.push(KeyValue::new("evidence", climb.evidence.as_str()));
    if let Some(by) = climb.by {
        about.push(KeyValue::new("by", by.shared()));
    }
    Event::new(names::RUNG, climb.at.into(), about, 0)
}

fn quality_event(result: &ResultFacts, at: Timestamp) -> Option<Event> {
    let quality = result.quality.as_ref()?;
    let mut about = Vec::with_capacity(4);
    about.push(KeyValue::new(names::EVALUATION_NAME, "quality"));
    about.push(KeyValue::new(names::EVALUATION_SCORE, quality.score()));
    if let Some(threshold) = result.threshold {
        let label = if quality.score() < threshold { "fail" } else { "pass" };
        about.push(KeyValue::new(names::EVALUATION_LABEL, label));
    }
    about.push(KeyValue::new(names::EVALUATION_EXPLANATION, format!("scored by {}", quality.by())));
    Some(Event::new(names::EVALUATION_EVENT, at.into(), about, 0))
}

fn two_words(verb: &str, noun: &str) -> Cow<'static, str> {
    let mut name = String::with_capacity(verb.len() + noun.len());
    name.push_str(verb);
    name.push_str(noun);
    Cow::Owned(name)
}

fn id_text(id: &HandoffId) -> String {
    let mut text = String::with_capacity(36);
    id.write(&mut text);
    text
}

fn message_id(id: &HandoffId, attempt: u32) -> String {
    let mut text = String::with_capacity(40);
    id.write(&mut text);
    text.push('.');
    push_number(&mut text, attempt);
    text
}

fn push_number(text: &mut String, n: u32) {
    use std::fmt::Write;
    let _ = write!(text, "{n}");
}

fn prefixed_hex(hash: &ContentHash) -> String {
    let mut text = String::with_capacity(71);
    text.push_str("blake3:");
    hash.write_hex(&mut text);
    text
}

fn short_hex(hash: &ShortHash) -> StringValue {
    let mut text = String::with_capacity(32);
    hash.write_hex(&mut text);
    text.into()
}

/// An item as in the header's `ctx`: `name@version/observed-at-ns/max-age-ms/hash32`, with empty parts.
fn context_item(context: &Context) -> StringValue {
    use std::fmt::Write;
    let mut text = String::with_capacity(96);
    push_escaped(&mut text, &context.name);
    text.push('@');
    push_escaped(&mut text, context.version.as_deref().unwrap_or_default());
    text.push('/');
    if let Some(at) = context.observed_at {
        let _ = write!(text, "{}", at.unix_nanos());
    }
    text.push('/');
    if let Some(max_age) = context.max_age {
        let _ = write!(text, "{}", max_age.as_millis());
    }
    text.push('/');
    if let Some(hash) = &context.hash {
        hash.write_hex(&mut text);
    }
    text.into()
}

/// The escapes of the header's list parts.
fn push_escaped(text: &mut String, part: &str) {
    use std::fmt::Write;
    let core = part.trim_matches(' ');
    let leading = part.len() - part.trim_start_matches(' ').len();
    for (at, c) in part.char_indices() {
        let blank_at_an_end = c == ' ' && (at < leading || at >= leading + core.len());
        if blank_at_an_end || c.is_control() || matches!(c, '%' | ';' | ',' | '/' | '@') {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(text, "%{byte:02X}");
            }
        } else {
            text.push(c);
        }
    }
}
