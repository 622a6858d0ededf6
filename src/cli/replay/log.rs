//! A recorded conversation as it lies in its file.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

use super::format::{Format, FormatChoice};

/// What a file holds, in the order in which it was said.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) format: Format,
    pub(crate) messages: Vec<Message>,
}

/// One entry of `history`.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) name: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) content: String,
}

impl Log {
    pub(crate) fn read(path: &Path, choice: FormatChoice) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path).context("it could not be read")?;
        Self::parse(&bytes, choice)
    }

    fn parse(bytes: &[u8], choice: FormatChoice) -> anyhow::Result<Self> {
        let whole: Value = serde_json::from_slice(bytes).context("it is not JSON")?;
        let Some(history) = whole.get("history").and_then(Value::as_array) else {
            bail!("it is no recorded conversation: it has no list `history`");
        };
        if history.is_empty() {
            bail!("its `history` is empty: there is nothing to replay");
        }
        let messages =
            history.iter().enumerate().map(|(index, message)| read(index, message)).collect::<Result<Vec<_>, _>>()?;
        let format = choice.settle(&messages)?;
        Ok(Self { format, messages })
    }
}

fn read(index: usize, message: &Value) -> anyhow::Result<Message> {
    let Value::Object(parts) = message else {
        bail!("message {index} is {}, not an object", kind(message));
    };
    let text = |key: &str| match parts.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => bail!("message {index} has {} for its `{key}`, not a text", kind(other)),
    };
    let Some(content) = text("content")? else {
        bail!("message {index} has no `content`");
    };
    Ok(Message { name: text("name")?, role: text("role")?, content })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn error(text: &str) -> String {
        format!("{:#}", Log::parse(text.as_bytes(), FormatChoice::Auto).unwrap_err())
    }

    #[test]
    fn a_message_that_is_no_message_is_named_by_its_index() {
        for (message, what) in [
            ("7", "message 1 is a number, not an object"),
            (r#"{"name":"b"}"#, "message 1 has no `content`"),
            (r#"{"name":"b","content":null}"#, "message 1 has null for its `content`, not a text"),
            (r#"{"name":["b"],"content":"x"}"#, "message 1 has a list for its `name`, not a text"),
        ] {
            let text = format!(r#"{{"history":[{{"name":"a","content":"x"}},{message}]}}"#);
            assert_eq!(error(&text), what);
        }
    }

    #[test]
    fn what_is_no_conversation_is_refused() {
        assert!(error("").starts_with("it is not JSON: "), "{}", error(""));
        assert!(error("{\"history\": [").starts_with("it is not JSON: "));
        for text in ["[]", "{}", "\"history\"", r#"{"history":{}}"#] {
            assert_eq!(error(text), "it is no recorded conversation: it has no list `history`");
        }
        assert_eq!(error(r#"{"history":[]}"#), "its `history` is empty: there is nothing to replay");
    }
}
