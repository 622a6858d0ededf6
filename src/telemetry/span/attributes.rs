use std::sync::Arc;

use opentelemetry::{Array, KeyValue, StringValue, Value};

use super::text;
use crate::model::Mismatch;
use crate::telemetry::names;
use crate::telemetry::record::{Content, ContextAge, HandoffFacts, Outcome, ResultFacts};

/// The attributes of one span, in the order of the contract.
pub(super) struct Attributes(Vec<KeyValue>);

impl Attributes {
    pub(super) fn with_room(room: usize) -> Self {
        Self(Vec::with_capacity(room))
    }

    /// A copy of `first`, and room for so many more.
    pub(super) fn starting_with(first: &[KeyValue], more: usize) -> Self {
        let mut list = Vec::with_capacity(first.len() + more);
        list.extend_from_slice(first);
        Self(list)
    }

    pub(super) fn into_list(self) -> Vec<KeyValue> {
        self.0
    }

    /// The list, with texts of which a copy costs no allocation.
    pub(super) fn into_shared(self) -> Vec<KeyValue> {
        let shared = |attribute: KeyValue| match attribute.value {
            Value::String(text) => KeyValue::new(attribute.key, Arc::<str>::from(text.as_str())),
            value => KeyValue::new(attribute.key, value),
        };
        self.0.into_iter().map(shared).collect()
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

    pub(super) fn labels(&mut self, key: &'static str, labels: &[String]) {
        if !labels.is_empty() {
            self.texts(key, labels.iter().cloned().map(StringValue::from).collect());
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

    /// Room for what is not fixed: some fourteen attributes, of which whoever waits for a result learns up to sixteen
    /// more.
    pub(super) fn room(outcome: &Outcome, result: &ResultFacts, read_back: bool) -> usize {
        let more = result.content.is_some() || read_back || !outcome.mismatches.is_empty();
        if more { 24 } else { 14 }
    }

    /// What tells one handoff of a boundary from another, on both sides.
    pub(super) fn facts(&mut self, facts: &HandoffFacts, workflow: Option<Arc<str>>, session: bool, attempt: u32) {
        if let Some(id) = &facts.id {
            self.text(names::MESSAGING_MESSAGE_ID, text::message_id(id, attempt));
            self.text(names::HANDOFF_ID, text::id(id));
        }
        if let Some(workflow) = workflow {
            if session {
                self.text(names::SESSION_ID, workflow.clone());
            }
            self.text(names::MESSAGING_CONVERSATION_ID, workflow.clone());
            self.text(names::GEN_AI_CONVERSATION_ID, workflow.clone());
            self.text(names::WORKFLOW_ID, workflow);
        }
        self.maybe_text(names::HANDOFF_PARENT, facts.parent.as_ref().map(text::id));
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

    /// What this side found, first found first.
    pub(super) fn mismatches(&mut self, mismatches: &[Mismatch]) {
        let Some(first) = mismatches.first() else { return };
        self.text(names::ERROR_TYPE, first.kind.as_str());
        self.texts(names::MISMATCHES, mismatches.iter().map(|mismatch| mismatch.kind.as_str().into()).collect());
        let diff = mismatches.iter().flat_map(|mismatch| mismatch.diff.iter().cloned());
        self.texts(names::INTENT_DIFF, diff.map(StringValue::from).collect());
    }
}
