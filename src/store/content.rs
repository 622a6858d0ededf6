//! What agents and models said to each other, as spans of other makers carry it. It is not kept unless that is asked
//! for; then it is redacted first, and cut.

use std::fmt;
use std::sync::Arc;

use crate::model::{AttributeValue, Attributes, ContentHash, Span};

/// The longest text of content that is kept, in bytes, where nothing else is said.
pub const DEFAULT_CONTENT_BYTES: usize = 16 << 10;

/// Beginnings of flattened lists of messages, as in `llm.input_messages.0.message.content`.
const LISTS: [&str; 10] = [
    "gen_ai.completion.",
    "gen_ai.prompt.",
    "gen_ai.input.messages.",
    "gen_ai.output.messages.",
    "llm.completions.",
    "llm.input_messages.",
    "llm.output_messages.",
    "llm.prompts.",
    "embedding.embeddings.",
    "retrieval.documents.",
];

/// Last parts of names in such lists that say who spoke and how, and not what.
const ABOUT: [&str; 8] = ["role", "finish_reason", "name", "id", "type", "score", "mime_type", "tool_call_id"];

/// Whether an attribute of this name holds content. Asked for each attribute of each span.
pub(super) fn is_content(name: &str) -> bool {
    match name {
        // OpenTelemetry's conventions for GenAI, of today and before.
        "gen_ai.completion"
        | "gen_ai.event.content"
        | "gen_ai.input.messages"
        | "gen_ai.output.messages"
        | "gen_ai.prompt"
        | "gen_ai.retrieval.documents"
        | "gen_ai.retrieval.query.text"
        | "gen_ai.system_instructions"
        | "gen_ai.tool.call.arguments"
        | "gen_ai.tool.call.result" => true,
        // OpenInference.
        "input.value"
        | "output.value"
        | "llm.prompt_template.template"
        | "llm.prompt_template.variables"
        | "tool.parameters" => true,
        // OpenLLMetry, MLflow, Pydantic AI.
        "traceloop.entity.input"
        | "traceloop.entity.output"
        | "mlflow.spanInputs"
        | "mlflow.spanOutputs"
        | "all_messages_events"
        | "pydantic_ai.all_messages" => true,
        _ => matches!(name.bytes().next(), Some(b'g' | b'l' | b'e' | b'r')) && is_in_list(name),
    }
}

fn is_in_list(name: &str) -> bool {
    LISTS.iter().any(|list| name.starts_with(list)) && !ABOUT.contains(&name.rsplit('.').next().unwrap_or_default())
}

/// Takes out of content what nobody shall read. Called for each text of an attribute with content, before it is cut and
/// kept; on the thread that takes the request, so it should be quick.
///
/// A closure of the same form is one, too.
pub trait Redact: Send + Sync {
    /// What is kept of the text of the attribute of this name.
    fn redact(&self, name: &str, text: String) -> String;
}

impl<F: Fn(&str, String) -> String + Send + Sync> Redact for F {
    fn redact(&self, name: &str, text: String) -> String {
        self(name, text)
    }
}

/// What is done with content.
#[derive(Clone, Default)]
pub(super) struct Policy {
    /// The longest text that is kept; `None` keeps none.
    pub(super) most_bytes: Option<usize>,
    pub(super) redactor: Option<Arc<dyn Redact>>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("most_bytes", &self.most_bytes)
            .field("redacts", &self.redactor.is_some())
            .finish()
    }
}

/// What became of the content of a span, in attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    /// Not kept.
    pub(super) left_out: u64,
    /// Kept, but not to the end.
    pub(super) cut: u64,
}

impl Policy {
    /// Leaves out of a span what is not to be kept; a note of its size and hash takes its place.
    pub(super) fn apply(&self, span: &mut Span) -> Done {
        let mut done = Done::default();
        self.attributes(&mut span.attributes, &mut done);
        for event in &mut span.events {
            self.attributes(&mut event.attributes, &mut done);
        }
        for link in &mut span.links {
            self.attributes(&mut link.attributes, &mut done);
        }
        done
    }

    fn attributes(&self, attributes: &mut Attributes, done: &mut Done) {
        if !attributes.iter().any(|(name, _)| is_content(name)) {
            return;
        }
        *attributes = std::mem::take(attributes)
            .into_iter()
            .map(|(name, value)| {
                let value = if is_content(&name) { self.value(&name, value, done) } else { value };
                (name, value)
            })
            .collect();
    }

    fn value(&self, name: &str, value: AttributeValue, done: &mut Done) -> AttributeValue {
        let Some(most_bytes) = self.most_bytes else {
            if is_note(&value) {
                // Left out on the way here.
                return value;
            }
            done.left_out += 1;
            return AttributeValue::Text(note(&value));
        };
        let (mut left, mut cut) = (most_bytes, false);
        let kept = self.kept(name, value, &mut left, &mut cut);
        done.cut += u64::from(cut);
        kept
    }

    /// What is kept of a value while there is room for `left` bytes.
    fn kept(&self, name: &str, value: AttributeValue, left: &mut usize, cut: &mut bool) -> AttributeValue {
        match value {
            AttributeValue::Text(text) => {
                let text = match &self.redactor {
                    Some(redactor) => redactor.redact(name, text),
                    None => text,
                };
                if text.len() <= *left {
                    *left -= text.len();
                    return AttributeValue::Text(text);
                }
                *cut = true;
                let end = (0..=*left).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                *left = 0;
                AttributeValue::Text(format!("{}[cut: the first {end} of {} bytes]", &text[..end], text.len()))
            }
            AttributeValue::List(values) => {
                AttributeValue::List(values.into_iter().map(|each| self.kept(name, each, left, cut)).collect())
            }
            AttributeValue::Map(map) => AttributeValue::Map(
                map.into_iter()
                    .map(|(key, each)| {
                        let kept = self.kept(name, each, left, cut);
                        (key, kept)
                    })
                    .collect(),
            ),
            // A redactor reads text; bytes that it cannot read are not kept past it.
            AttributeValue::Bytes(bytes) if bytes.len() > *left || self.redactor.is_some() => {
                *cut = true;
                AttributeValue::Text(note(&AttributeValue::Bytes(bytes)))
            }
            AttributeValue::Bytes(bytes) => {
                *left -= bytes.len();
                AttributeValue::Bytes(bytes)
            }
            other => other,
        }
    }
}

/// What stands in the place of content that is not kept.
fn note(value: &AttributeValue) -> String {
    let of = |bytes: &[u8]| format!("{NOTE}{} bytes, blake3:{}]", bytes.len(), ContentHash::of(bytes));
    match value {
        AttributeValue::Text(text) => of(text.as_bytes()),
        AttributeValue::Bytes(bytes) => of(bytes),
        other => of(&super::body::encode_value(other)),
    }
}

const NOTE: &str = "[not kept: ";

fn is_note(value: &AttributeValue) -> bool {
    value.as_text().is_some_and(|text| text.starts_with(NOTE) && text.ends_with(']') && text.len() < 128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples;

    #[test]
    fn content_is_told_from_what_is_said_about_it() {
        for name in [
            "gen_ai.input.messages",
            "gen_ai.prompt",
            "gen_ai.prompt.0.content",
            "gen_ai.completion.0.tool_calls.0.arguments",
            "llm.input_messages.1.message.content",
            "input.value",
            "output.value",
            "traceloop.entity.input",
            "mlflow.spanInputs",
            "retrieval.documents.0.document.content",
        ] {
            assert!(is_content(name), "{name}");
        }
        for name in [
            "gen_ai.prompt.0.role",
            "gen_ai.usage.input_tokens",
            "llm.input_messages.0.message.role",
            "llm.token_count.prompt",
            "input.mime_type",
            "wilco.intent.sent",
            "gen_ai.tool.name",
            "error.type",
            "",
        ] {
            assert!(!is_content(name), "{name}");
        }
    }

    fn with(value: impl Into<AttributeValue>) -> Span {
        let mut span = samples::everything();
        span.attributes.insert("input.value", value);
        span
    }

    #[test]
    fn by_default_a_note_of_size_and_hash_takes_its_place() {
        let mut span = with("my card is 4111");
        assert_eq!(Policy::default().apply(&mut span), Done { left_out: 1, cut: 0 });
        let text = span.attributes.text("input.value").unwrap();
        assert_eq!(text, format!("[not kept: 15 bytes, blake3:{}]", ContentHash::of(b"my card is 4111")));
        // Again, as when it was exported from one store to another, it stays.
        let before = span.clone();
        assert_eq!(Policy::default().apply(&mut span), Done::default());
        assert_eq!(span, before);
    }

    #[test]
    fn what_is_kept_is_redacted_first_and_cut_with_a_mark() {
        let redactor = |name: &str, text: String| {
            assert_eq!(name, "input.value");
            text.replace("4111", "[redacted]")
        };
        let policy = Policy { most_bytes: Some(24), redactor: Some(Arc::new(redactor)) };
        let mut span = with("my card is 4111");
        assert_eq!(policy.apply(&mut span), Done::default());
        assert_eq!(span.attributes.text("input.value"), Some("my card is [redacted]"));
        let mut span = with("grüße 4111, und noch mehr Text");
        assert_eq!(policy.apply(&mut span), Done { left_out: 0, cut: 1 });
        assert_eq!(span.attributes.text("input.value"), Some("grüße [redacted], und [cut: the first 24 of 38 bytes]"));
        let policy_of_three = Policy { most_bytes: Some(3), redactor: None };
        let mut span = with("grüße");
        policy_of_three.apply(&mut span);
        assert_eq!(span.attributes.text("input.value"), Some("gr[cut: the first 2 of 7 bytes]"));
        let mut span = with(vec!["4111", "0123456789", "0123456789"]);
        policy.apply(&mut span);
        let texts: Vec<_> = span.attributes.texts("input.value").collect();
        assert_eq!(texts, ["[redacted]", "0123456789", "0123[cut: the first 4 of 10 bytes]"]);
    }
}
