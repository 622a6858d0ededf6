use opentelemetry::{Array, KeyValue, StringValue, Value};

use super::text;
use crate::model::Mismatch;
use crate::telemetry::names;
use crate::telemetry::record::{Content, ContextAge, HandoffFacts, ResultFacts};

/// The attributes of one span, in the order of the contract.
pub(super) struct Attributes(Vec<KeyValue>);

impl Attributes {
    pub(super) fn with_room(room: usize) -> Self {
        Self(Vec::with_capacity(room))
    }

    pub(super) fn into_list(self) -> Vec<KeyValue> {
        self.0
    }

    pub(super) fn text(&mut self, key: &'static str, value: impl Into<StringValue>) {
        self.0.push(KeyValue::new(key, Value::String(value.into())));
    }

    pub(super) fn maybe_text(&mut self, key: &'static str, value: Option<impl Into<StringValue>>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    pub(super) fn texts(&mut self, key: &'static str, values: Vec<StringValue>) {
        if !values.is_empty() {
            self.0.push(KeyValue::new(key, Value::Array(Array::String(values))));
        }
    }

    pub(super) fn labels(&mut self, key: &'static str, labels: Vec<String>) {
        if !labels.is_empty() {
            self.texts(key, labels.into_iter().map(StringValue::from).collect());
        }
    }

    pub(super) fn int(&mut self, key: &'static str, value: impl TryInto<i64>) {
        self.0.push(KeyValue::new(key, value.try_into().unwrap_or(i64::MAX)));
    }

    pub(super) fn maybe_int(&mut self, key: &'static str, value: Option<impl TryInto<i64>>) {
        if let Some(value) = value {
            self.int(key, value);
        }
    }

    pub(super) fn number(&mut self, key: &'static str, value: f64) {
        self.0.push(KeyValue::new(key, value));
    }

    pub(super) fn maybe_flag(&mut self, key: &'static str, value: Option<bool>) {
        if let Some(value) = value {
            self.0.push(KeyValue::new(key, value));
        }
    }

    pub(super) fn messaging(&mut self, kind: &'static str, name: &'static str, facts: &HandoffFacts, attempt: u32) {
        self.text(names::MESSAGING_SYSTEM, "nats");
        self.text(names::MESSAGING_OPERATION_TYPE, kind);
        self.text(names::MESSAGING_OPERATION_NAME, name);
        self.text(names::MESSAGING_DESTINATION_NAME, facts.subject.clone());
        self.maybe_text(names::MESSAGING_DESTINATION_TEMPLATE, facts.subject_template.clone());
        if let Some(id) = &facts.id {
            self.text(names::MESSAGING_MESSAGE_ID, text::message_id(id, attempt));
        }
        self.maybe_text(names::MESSAGING_CONVERSATION_ID, facts.workflow.as_ref().map(|id| id.shared()));
        if let Some(server) = &facts.server {
            self.text(names::SERVER_ADDRESS, server.host.clone());
            self.int(names::SERVER_PORT, server.port);
        }
    }

    pub(super) fn content(&mut self, hash: &'static str, size: &'static str, content: Option<Content>) {
        if let Some(content) = content {
            self.text(hash, text::prefixed_hex(&content.hash));
            self.int(size, content.size);
        }
    }

    pub(super) fn context_age(&mut self, age: Option<ContextAge>) {
        let Some(age) = age else { return };
        self.number(names::CONTEXT_AGE, age.age_ms);
        if let Some(max_age_ms) = age.max_age_ms {
            self.number(names::CONTEXT_MAX_AGE, max_age_ms);
        }
        if let Some(uncertainty_ms) = age.uncertainty_ms {
            self.number(names::CONTEXT_AGE_UNCERTAINTY, uncertainty_ms);
        }
    }

    pub(super) fn result(&mut self, result: &ResultFacts) {
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

    /// What this side found, first found first. `mismatches` lose their diffs to the attribute for these.
    pub(super) fn mismatches(&mut self, mismatches: &mut [Mismatch]) {
        let Some(first) = mismatches.first() else { return };
        self.text(names::ERROR_TYPE, first.kind.as_str());
        self.texts(names::MISMATCHES, mismatches.iter().map(|mismatch| mismatch.kind.as_str().into()).collect());
        let diff = mismatches.iter_mut().flat_map(|mismatch| std::mem::take(&mut mismatch.diff));
        self.texts(names::INTENT_DIFF, diff.map(StringValue::from).collect());
    }
}
