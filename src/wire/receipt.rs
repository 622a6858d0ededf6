use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::body::{self, Fields, VERSION, parsed, text, time, whole, within};
use super::{DecodeError, EncodeError, MacCheck, MacKey, Problem, subject};
use crate::model::{AgentName, ContentHash, HandoffId, Intent, MismatchKind, Quality, Refusal, Rung, Timestamp};

/// A message from receiver to sender that climbs one rung of the ladder, or several where they happen together.
///
/// A receipt's rung implies the receiver's lower ones: `received` at [`seen_at`](Self::seen_at), and, unless the rung
/// is `refused`, `accepted` at [`at`](Self::at). So one `understood` receipt says received, accepted and read back.
///
/// Rungs on the wire: `received`, `accepted`, `refused`, `understood`, `in_progress`, `completed`, `failed`.
/// `understood` carries the readback, and only the sender decides whether it agrees.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Receipt {
    v: u64,
    /// The rung that was climbed.
    pub rung: Rung,
    /// The agent that says so.
    pub by: AgentName,
    /// Echo of the header's `at`: when the sender sent the task, in the sender's clock. `None` only where the task's
    /// header had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// When the task arrived, in the receiver's clock.
    pub seen_at: Timestamp,
    /// When this receipt left, in the receiver's clock.
    pub at: Timestamp,
    /// BLAKE3 of the payload as it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
    /// Length of the payload as it arrived, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Where the receiver listens for the sender's decision. Always passes [`subject::check_reply`] when decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<Arc<str>>,
    /// The readback: the receiver's own statement of the intent that it parsed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// How old each context item was by the receiver's clock.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub context_age: Vec<ContextAgeReport>,
    /// Why the task was refused.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "refusal_word")]
    pub refusal: Option<Refusal>,
    /// Why the work failed, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How good the result is held to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// BLAKE3 of the result's payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_hash: Option<ContentHash>,
    /// Length of the result's payload in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_size: Option<u64>,
    /// Kinds of mismatch that the receiver itself found. Words that this version does not know are kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mismatches: Vec<String>,
    /// Progress in words, as in `2 of 5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How old one context item was when the receiver took the task, by the receiver's clock alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ContextAgeReport {
    /// The item's name.
    pub name: String,
    /// Its version, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Receiver's clock less the time observed, in milliseconds; below zero where the clocks disagree by more than that.
    pub age_ms: f64,
}

/// A receipt, the handoff it is about, and what of it could not be used.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DecodedReceipt {
    /// Which handoff it is about.
    pub id: HandoffId,
    /// Everything that was well-formed.
    pub receipt: Receipt,
    /// Everything that was not.
    pub problems: Vec<Problem>,
    /// What the header's `mac` says, body included.
    pub mac: MacCheck,
}

impl Receipt {
    /// A receipt for `rung` by the agent `by`: `sent_at` echoes the task's `at`, `seen_at` is when the task arrived
    /// and `at` when this leaves, both in the receiver's clock.
    pub fn new(rung: Rung, by: AgentName, sent_at: Option<Timestamp>, seen_at: Timestamp, at: Timestamp) -> Self {
        Self {
            v: VERSION,
            rung,
            by,
            sent_at,
            seen_at,
            at,
            hash: None,
            size: None,
            control: None,
            intent: None,
            context_age: Vec::new(),
            refusal: None,
            error: None,
            quality: None,
            result_hash: None,
            result_size: None,
            mismatches: Vec::new(),
            note: None,
        }
    }

    /// Value of the `Wilco` header, and the JSON body. Under a key the header also carries the body's hash, so that
    /// the `mac` covers both.
    ///
    /// # Errors
    /// [`EncodeError`] if a list or the body is over its limit, an age is no number, or `control` is no subject to
    /// publish to.
    pub fn encode(&self, id: HandoffId, key: Option<&MacKey>) -> Result<(String, Vec<u8>), EncodeError> {
        within("context_age", self.context_age.len())?;
        within("mismatches", self.mismatches.len())?;
        if self.context_age.iter().any(|report| !report.age_ms.is_finite()) {
            return Err(EncodeError::Value { part: "context_age", reason: "has an age that is not a number" });
        }
        if let Some(control) = self.control.as_deref() {
            subject::check_reply(control).map_err(|reason| EncodeError::Value { part: "control", reason })?;
        }
        body::encode(id, Some(self.rung), self, key)
    }

    /// Reads a receipt from its `Wilco` header and body. Unknown fields are ignored.
    ///
    /// # Errors
    /// [`DecodeError`] if the handoff, the rung, the agent or a stamp of the receiver's is not there, or the body is
    /// too long or no JSON object of version 1. Whatever else is malformed is a problem, and the rest is used.
    pub fn decode(header: Option<&str>, body: &[u8], key: Option<&MacKey>) -> Result<DecodedReceipt, DecodeError> {
        let mut fields = Fields::read(header, body, key)?;
        let f = &mut fields;
        let by = f.required("by", |v| parsed(v, "an agent name"))?;
        let (seen_at, at) = (f.required("seen_at", time)?, f.required("at", time)?);
        let rung = rung(f)?;
        let receipt = Self {
            sent_at: f.optional("sent_at", time),
            hash: f.optional("hash", |v| parsed(v, "64 lower-case hex digits")),
            size: f.optional("size", whole),
            control: f.optional("control", control),
            intent: f.optional("intent", intent),
            context_age: f.list("context_age", context_age),
            refusal: f.optional("refusal", |v| text(v).map(|word| Refusal::from(word.as_str()))),
            error: f.optional("error", text),
            quality: f.optional("quality", quality),
            result_hash: f.optional("result_hash", |v| parsed(v, "64 lower-case hex digits")),
            result_size: f.optional("result_size", whole),
            mismatches: f.list("mismatches", text),
            note: f.optional("note", text),
            ..Self::new(rung, by, None, seen_at, at)
        };
        Ok(DecodedReceipt { id: fields.id, receipt, problems: fields.problems.into_vec(), mac: fields.mac })
    }

    /// The mismatches that this version has a word for.
    pub fn known_mismatches(&self) -> impl Iterator<Item = MismatchKind> + '_ {
        known(&self.mismatches)
    }
}

impl ContextAgeReport {
    /// A report that the item was `age_ms` milliseconds old.
    pub fn new(name: impl Into<String>, version: Option<String>, age_ms: f64) -> Self {
        Self { name: name.into(), version, age_ms }
    }
}

/// The kinds among some words.
pub(super) fn known(words: &[String]) -> impl Iterator<Item = MismatchKind> + '_ {
    words.iter().filter_map(|word| word.parse().ok())
}

fn refusal_word<S: Serializer>(refusal: &Option<Refusal>, s: S) -> Result<S::Ok, S::Error> {
    refusal.as_ref().map(Refusal::as_str).serialize(s)
}

/// The body's rung; the header's only stands in where the body has none.
fn rung(fields: &mut Fields) -> Result<Rung, DecodeError> {
    let in_header = fields.rung;
    let in_body = fields.required("rung", |v| parsed(v, "a rung that this version knows"));
    match (in_body, in_header) {
        (Ok(body), Some(header)) if body != header => {
            fields.problems.add("rung", "differs between header and body; the body's is used", header.as_str());
            Ok(body)
        }
        (Ok(body), _) => Ok(body),
        (Err(error), Some(header)) => {
            fields.problems.add("rung", "is not in the body; the header's is used", &error.to_string());
            Ok(header)
        }
        (Err(error), None) => Err(error),
    }
}

fn control(value: &Value) -> Result<Arc<str>, String> {
    let control = text(value)?;
    subject::check_reply(&control)?;
    Ok(control.into())
}

fn intent(value: &Value) -> Result<Intent, String> {
    serde::Deserialize::deserialize(value).map_err(|error: serde_json::Error| format!("is not an intent ({error})"))
}

fn quality(value: &Value) -> Result<Quality, String> {
    let score = value.get("score").and_then(Value::as_f64).ok_or("has no `score` that is a number")?;
    let by = value.get("by").and_then(Value::as_str).unwrap_or_default();
    Quality::new(score, by).map_err(|error| format!("is not usable ({error})"))
}

fn context_age(value: &Value) -> Result<ContextAgeReport, String> {
    let name = value.get("name").and_then(Value::as_str).ok_or("has no `name`")?;
    let age_ms = value.get("age_ms").and_then(Value::as_f64).ok_or("has no `age_ms` that is a number")?;
    let version = match value.get("version") {
        Some(Value::String(version)) => Some(version.clone()),
        Some(Value::Number(version)) => Some(version.to_string()),
        _ => None,
    };
    Ok(ContextAgeReport { name: name.to_owned(), version, age_ms })
}
