//! What receipts and decisions share: a `Wilco` header that names the handoff, and a small JSON object.

use serde_json::{Map, Value};

use super::limits::{MAX_BODY_BYTES, MAX_LIST_ITEMS};
use super::problem::Problems;
use super::{DecodeError, EncodeError, Envelope, MacCheck, MacKey};
use crate::model::{ContentHash, HandoffId, Rung, Timestamp};

/// The version of the bodies that this library writes and reads.
pub(super) const VERSION: u64 = 1;

/// Header and body of a message about the handoff `id`.
///
/// Under a key the header also carries the body's hash, so that the `mac`, which is over the header, covers both.
pub(super) fn encode(
    id: HandoffId,
    rung: Option<Rung>,
    body: &impl serde::Serialize,
    key: Option<&MacKey>,
) -> Result<(String, Vec<u8>), EncodeError> {
    let unwritable = |_| EncodeError::Value { part: "body", reason: "cannot be written as JSON" };
    let body = serde_json::to_vec(body).map_err(unwritable)?;
    if body.len() > MAX_BODY_BYTES {
        return Err(EncodeError::BodyTooLong { len: body.len() });
    }
    let hash = key.map(|_| ContentHash::of(&body));
    let header = Envelope { id: Some(id), hash, rung, ..Envelope::default() }.encode(key)?;
    Ok((header, body))
}

/// The fields of a body, taken one by one.
pub(super) struct Fields {
    pub(super) id: HandoffId,
    pub(super) rung: Option<Rung>,
    pub(super) mac: MacCheck,
    pub(super) problems: Problems,
    object: Map<String, Value>,
}

impl Fields {
    pub(super) fn read(header: Option<&str>, body: &[u8], key: Option<&MacKey>) -> Result<Self, DecodeError> {
        if body.len() > MAX_BODY_BYTES {
            return Err(DecodeError::BodyTooLong { len: body.len() });
        }
        let Some(header) = header else { return Err(DecodeError::NoId("there is no such header".into())) };
        let mut decoded = Envelope::decode(header, key);
        let Some(id) = decoded.envelope.id else {
            let why = decoded.problems.first().map_or_else(|| "`id` is absent".to_owned(), ToString::to_string);
            return Err(DecodeError::NoId(why));
        };
        let mut problems = Problems::default();
        problems.extend(std::mem::take(&mut decoded.problems));
        let mac = match decoded.envelope.hash {
            Some(hash) if hash != ContentHash::of(body) => {
                problems.add("hash", "is not the hash of the body", "");
                if decoded.mac == MacCheck::Right { MacCheck::Wrong } else { decoded.mac }
            }
            // A right mac over a header that says nothing of the body would vouch for any body.
            None if decoded.mac == MacCheck::Right => {
                problems.add("hash", "is absent, so the mac does not cover the body", "");
                MacCheck::Wrong
            }
            _ => decoded.mac,
        };
        let object = match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return Err(DecodeError::NotAnObject("it is some other JSON value".into())),
            Err(error) => return Err(DecodeError::NotAnObject(error.to_string())),
        };
        let mut fields = Self { id, rung: decoded.envelope.rung, mac, problems, object };
        fields.check_version()?;
        Ok(fields)
    }

    fn check_version(&mut self) -> Result<(), DecodeError> {
        match self.object.remove("v") {
            None => self.problems.add("v", "is absent; taken for 1", ""),
            Some(v) if v == VERSION => {}
            Some(v) => return Err(DecodeError::Version(v.to_string().chars().take(80).collect())),
        }
        Ok(())
    }

    /// A required field, read by `parse`.
    pub(super) fn required<T>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Result<T, DecodeError> {
        let failed = |reason| DecodeError::Field { field, reason };
        let value = self.object.remove(field).ok_or_else(|| failed("is absent".into()))?;
        parse(&value).map_err(failed)
    }

    /// An optional field; `null` is the same as absent, and what `parse` refuses is a problem.
    pub(super) fn optional<T>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.object.remove(field).filter(|value| !value.is_null())?;
        parse(&value).map_err(|reason| self.problems.add(field, reason, &shown(&value))).ok()
    }

    /// An optional list; an item that `parse` refuses is a problem, and the others are read.
    pub(super) fn list<T>(&mut self, field: &'static str, parse: impl Fn(&Value) -> Result<T, String>) -> Vec<T> {
        let Some(items) = self.optional(field, |v| v.as_array().cloned().ok_or_else(|| "is not a list".to_owned()))
        else {
            return Vec::new();
        };
        if items.len() > MAX_LIST_ITEMS {
            let reason = format!("has {} items, over the limit of {MAX_LIST_ITEMS}; the first are used", items.len());
            self.problems.add(field, reason, "");
        }
        let mut read = Vec::new();
        for item in items.iter().take(MAX_LIST_ITEMS) {
            match parse(item) {
                Ok(item) => read.push(item),
                Err(reason) => self.problems.add(field, format!("has an item that {reason}"), &shown(item)),
            }
        }
        read
    }
}

/// The beginning of a value, without printing all of a large one.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.chars().take(80).collect(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        other => other.to_string(),
    }
}

/// A text.
pub(super) fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "is not a text".into())
}

/// A text that the type's own parser takes.
pub(super) fn parsed<T: std::str::FromStr>(value: &Value, what: &str) -> Result<T, String> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| format!("is not {what}"))
}

/// A whole number, also as digits in a text or as a double, for languages whose numbers are doubles.
pub(super) fn whole(value: &Value) -> Result<u64, String> {
    const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
    let from_double =
        |double: f64| (double.fract() == 0.0 && (0.0..TWO_TO_64).contains(&double)).then_some(double as u64);
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(from_double)),
        Value::String(text) => digits(text),
        _ => None,
    }
    .ok_or_else(|| "is not a whole number from 0 to 2^64 - 1".into())
}

/// A time in unix nanoseconds.
pub(super) fn time(value: &Value) -> Result<Timestamp, String> {
    whole(value).map(Timestamp::from_unix_nanos)
}

/// Refuses a list over its limit.
pub(super) fn within(part: &'static str, len: usize) -> Result<(), EncodeError> {
    if len > MAX_LIST_ITEMS { Err(EncodeError::TooManyItems { part, len }) } else { Ok(()) }
}
