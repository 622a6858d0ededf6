//! Picks one value out of a JSON payload without reading the rest into memory.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Largest payload that is looked into, in bytes.
pub(crate) const LARGEST: usize = 256 << 10;

/// A way into a JSON value: names of members and numbers of items with dots between them, as in `meta.steps.0.id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<Box<str>>);

impl JsonPath {
    /// Reads one. A leading `$.` is forgiven.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let steps: Vec<Box<str>> = text.strip_prefix("$.").unwrap_or(text).split('.').map(Into::into).collect();
        if steps.iter().any(|step| step.is_empty()) {
            return Err(format!("JSON path {text:?} has an empty step; write one as in meta.workflow_id"));
        }
        Ok(Self(steps))
    }

    /// The value at the end of the way. `None` if the payload is too large, is no JSON up to there, or has no such value.
    pub(crate) fn find(&self, payload: &[u8]) -> Option<Value> {
        let looks_like_json =
            payload.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|b| b"{[".contains(b));
        if payload.len() > LARGEST || !looks_like_json {
            return None;
        }
        let mut reader = serde_json::Deserializer::from_slice(payload);
        Step(&self.0).deserialize(&mut reader).ok().flatten()
    }

    /// The text at the end of the way; numbers are texts too.
    pub(crate) fn text(&self, payload: &[u8]) -> Option<String> {
        match self.find(payload)? {
            Value::String(text) if !text.is_empty() => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

struct Step<'p>(&'p [Box<str>]);

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        if self.0.is_empty() {
            return serde::Deserialize::deserialize(reader).map(Some);
        }
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (wanted, rest) = (&*self.0[0], &self.0[1..]);
        let mut found = None;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if found.is_none() && key == wanted {
                found = map.next_value_seed(Step(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let wanted: Option<usize> = self.0[0].parse().ok();
        let mut found = None;
        let mut index = 0;
        loop {
            if Some(index) == wanted {
                match items.next_element_seed(Step(&self.0[1..]))? {
                    Some(value) => found = value,
                    None => return Ok(found),
                }
            } else if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            index += 1;
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str, payload: &str) -> Option<String> {
        JsonPath::new(path).unwrap().text(payload.as_bytes())
    }

    #[test]
    fn the_value_at_the_end_of_the_way_is_found() {
        let payload = r#"{"a":1,"meta":{"x":[1,{"id":"w-7"}],"workflow_id":"wf"},"z":{"meta":2}}"#;
        assert_eq!(text("meta.workflow_id", payload).as_deref(), Some("wf"));
        assert_eq!(text("$.meta.x.1.id", payload).as_deref(), Some("w-7"));
        assert_eq!(text("a", payload).as_deref(), Some("1"));
        for missing in ["b", "a.b", "meta", "meta.x.2", "meta.x.id", "z.meta.q"] {
            assert_eq!(text(missing, payload), None, "{missing}");
        }
        let intent = JsonPath::new("task.intent").unwrap().find(br#" {"task":{"intent":{"goal":"g"}}}"#).unwrap();
        assert_eq!(intent, serde_json::json!({"goal": "g"}));
    }

    #[test]
    fn what_is_no_json_has_no_value() {
        let deep = "[".repeat(100_000);
        for payload in ["", "hello", "{", "{\"a\"", "{\"a\":}", "[1,", "\u{0}", &deep] {
            assert_eq!(text("a", payload), None, "{payload:.10}");
        }
        assert_eq!(text("a", &format!("{{\"a\":\"{}\"}}", "x".repeat(LARGEST))), None);
    }

    #[test]
    fn an_empty_step_is_refused() {
        assert!(JsonPath::new("a..b").unwrap_err().contains("empty step"));
        assert!(JsonPath::new("").is_err());
    }
}
