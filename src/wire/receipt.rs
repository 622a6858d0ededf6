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
    /// The context items that were used, and how old each was by the receiver's clock.
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

/// A context item that the receiver used, and how old it was then (when it read back, at [`Receipt::at`]), by its clock
/// alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ContextAgeReport {
    /// The item's name.
    pub name: String,
    /// Its version, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Receiver's clock less the time observed, in milliseconds; below zero where the clocks disagree by more than that.
    /// `None` where the item does not say when it was observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<f64>,
    /// The receiver holds this version to be the current one: the item was fresh, whatever its age.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub current: bool,
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
        if self.context_age.iter().filter_map(|report| report.age_ms).any(|age| !age.is_finite()) {
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
    /// A report that the item was used, `age_ms` milliseconds old where that is known.
    pub fn new(name: impl Into<String>, version: Option<String>, age_ms: Option<f64>) -> Self {
        Self { name: name.into(), version, age_ms, current: false }
    }

    /// The same, of a version that the receiver holds to be the current one (or not).
    #[must_use]
    pub fn current(mut self, current: bool) -> Self {
        self.current = current;
        self
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
    let age_ms = match value.get("age_ms") {
        None | Some(Value::Null) => None,
        Some(age) => Some(age.as_f64().ok_or("has an `age_ms` that is not a number")?),
    };
    let version = match value.get("version") {
        Some(Value::String(version)) => Some(version.clone()),
        Some(Value::Number(version)) => Some(version.to_string()),
        _ => None,
    };
    let current = value.get("current") == Some(&Value::Bool(true));
    Ok(ContextAgeReport { name: name.to_owned(), version, age_ms, current })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::samples;
    use super::*;

    const ID: &str = "019ca8d7-3636-78c7-9041-aadd07892eb8";

    fn minimal() -> Value {
        json!({"v": 1, "rung": "received", "by": "researcher", "sent_at": 1, "seen_at": 2, "at": 3})
    }

    fn decode(body: &Value) -> Result<DecodedReceipt, DecodeError> {
        Receipt::decode(Some(&format!("1;id={ID};rung=received")), body.to_string().as_bytes(), None)
    }

    #[test]
    fn a_receipt_needs_little() {
        let decoded = decode(&minimal()).unwrap();
        let at = Timestamp::from_unix_nanos;
        let expected = Receipt::new(Rung::Received, "researcher".try_into().unwrap(), Some(at(1)), at(2), at(3));
        assert_eq!(decoded.receipt, expected);
        assert_eq!((decoded.id.to_string().as_str(), decoded.problems), (ID, vec![]));
    }

    #[test]
    fn a_malformed_optional_field_is_a_problem_and_the_rest_is_used() {
        for (field, value) in [
            ("sent_at", json!(-1)),
            ("hash", json!("xyz")),
            ("size", json!(1.5)),
            ("control", json!("a b")),
            ("control", json!("$JS.API.STREAM.DELETE.x")),
            ("intent", json!({"object": "no goal"})),
            ("intent", json!("goal")),
            ("context_age", json!({})),
            ("refusal", json!(["busy"])),
            ("error", json!(5)),
            ("quality", json!({"score": 2, "by": "me"})),
            ("quality", json!(0.5)),
            ("result_hash", json!("AF")),
            ("result_size", json!("-1")),
            ("mismatches", json!("stale_context")),
            ("note", json!({})),
        ] {
            let mut body = minimal();
            body["note"] = json!("kept");
            body["error"] = json!("kept too");
            body[field] = value;
            let decoded = decode(&body).unwrap();
            assert_eq!(decoded.problems.len(), 1, "{field}: {:?}", decoded.problems);
            assert_eq!(decoded.problems[0].part, field);
            assert!(field == "note" || decoded.receipt.note.as_deref() == Some("kept"), "{field}");
            assert!(field == "error" || decoded.receipt.error.as_deref() == Some("kept too"), "{field}");
        }
    }

    #[test]
    fn a_malformed_item_of_a_list_costs_only_itself() {
        let mut body = minimal();
        body["context_age"] = json!([
            {"name": "crm", "version": 41, "age_ms": 12034},
            {"name": "style", "current": true},
            {"name": "late", "age_ms": "late"},
            {"age_ms": 1},
            {"name": "notes", "age_ms": -0.5, "later": true},
        ]);
        body["mismatches"] = json!(["stale_context", 5, "stale_kontext"]);
        let decoded = decode(&body).unwrap();
        let names: Vec<_> = decoded.receipt.context_age.iter().map(|r| (r.name.as_str(), r.age_ms)).collect();
        assert_eq!(names, [("crm", Some(12034.0)), ("style", None), ("notes", Some(-0.5))]);
        assert!(decoded.receipt.context_age[1].current && !decoded.receipt.context_age[0].current);
        assert_eq!(decoded.receipt.context_age[0].version.as_deref(), Some("41"));
        assert_eq!(decoded.receipt.mismatches, ["stale_context", "stale_kontext"]);
        assert_eq!(decoded.receipt.known_mismatches().collect::<Vec<_>>(), [MismatchKind::StaleContext]);
        assert_eq!(decoded.problems.len(), 3, "{:?}", decoded.problems);
    }

    #[test]
    fn without_a_required_field_there_is_no_receipt() {
        for field in ["by", "seen_at", "at"] {
            let mut body = minimal();
            body.as_object_mut().unwrap().remove(field);
            assert_eq!(decode(&body).unwrap_err().to_string(), format!("required field `{field}` is absent"));
        }
        let mut body = minimal();
        body["by"] = json!("a.b");
        assert_eq!(decode(&body).unwrap_err().to_string(), "required field `by` is not an agent name");
    }

    #[test]
    fn the_headers_rung_stands_in_for_the_bodys() {
        let mut body = minimal();
        body["rung"] = json!("levitating");
        let decoded = decode(&body).unwrap();
        assert_eq!(decoded.receipt.rung, Rung::Received);
        assert_eq!(decoded.problems.len(), 1);
        body["rung"] = json!("accepted");
        let decoded = decode(&body).unwrap();
        assert_eq!((decoded.receipt.rung, decoded.problems.len()), (Rung::Accepted, 1));
        body.as_object_mut().unwrap().remove("rung");
        let header = format!("1;id={ID}");
        let error = Receipt::decode(Some(&header), body.to_string().as_bytes(), None).unwrap_err();
        assert_eq!(error.to_string(), "required field `rung` is absent");
    }

    #[test]
    fn what_is_no_receipt_at_all_is_refused_with_a_reason() {
        let refused = |header: Option<&str>, body: &[u8]| Receipt::decode(header, body, None).unwrap_err().to_string();
        let header = format!("1;id={ID}");
        let body = minimal().to_string();
        assert_eq!(refused(None, b"{}"), "no `Wilco` header with a handoff id: there is no such header");
        assert_eq!(
            refused(Some("1;rung=received"), body.as_bytes()),
            "no `Wilco` header with a handoff id: `id` is absent"
        );
        assert!(refused(Some("1;id=5"), body.as_bytes()).contains("is not a handoff id"));
        assert!(refused(Some(&header), b"").starts_with("the body is not a JSON object"));
        assert!(refused(Some(&header), b"[]").starts_with("the body is not a JSON object"));
        assert!(refused(Some(&header), b"{\"v\":1").starts_with("the body is not a JSON object"));
        assert!(refused(Some(&header), "[".repeat(9_000).as_bytes()).starts_with("the body is not a JSON object"));
        assert_eq!(
            refused(Some(&header), br#"{"v":2}"#),
            "version 2 of the body is not known; this library reads version 1"
        );
        assert_eq!(
            refused(Some(&header), &vec![b' '; super::super::limits::MAX_BODY_BYTES + 1]),
            "a body of 262145 bytes is over the limit of 262144"
        );
    }

    #[test]
    fn numbers_may_come_as_doubles_or_digits() {
        let mut body = minimal();
        body["seen_at"] = json!("1772359202358506115");
        body["at"] = json!(1.772_359_202_358_506e18);
        body["size"] = json!(1832.0);
        let decoded = decode(&body).unwrap();
        assert_eq!(decoded.receipt.seen_at.unix_nanos(), 1_772_359_202_358_506_115);
        assert_eq!(decoded.receipt.at.unix_nanos(), 1_772_359_202_358_505_984);
        assert_eq!((decoded.receipt.size, decoded.problems.len()), (Some(1832), 0));
    }

    #[test]
    fn an_age_that_is_no_number_and_a_wild_subject_are_not_written() {
        let at = Timestamp::EPOCH;
        let mut receipt = Receipt::new(Rung::Received, "a".try_into().unwrap(), None, at, at);
        let id = ID.parse().unwrap();
        receipt.context_age.push(ContextAgeReport::new("crm", None, Some(f64::NAN)));
        assert_eq!(receipt.encode(id, None).unwrap_err().to_string(), "`context_age` has an age that is not a number");
        receipt.context_age.clear();
        receipt.control = Some("a.>".into());
        assert!(receipt.encode(id, None).unwrap_err().to_string().starts_with("`control` is a subject with"));
        receipt.control = None;
        receipt.note = Some("x".repeat(super::super::limits::MAX_BODY_BYTES));
        assert!(receipt.encode(id, None).unwrap_err().to_string().contains("over the limit of 262144"));
    }

    #[test]
    fn under_a_key_the_body_is_covered_too() {
        let key = MacKey::from_bytes([7; 32]);
        let at = Timestamp::from_unix_nanos(5);
        let receipt = Receipt::new(Rung::Completed, "a".try_into().unwrap(), Some(at), at, at);
        let (header, body) = receipt.encode(ID.parse().unwrap(), Some(&key)).unwrap();
        let check = |header: &str, body: &[u8], key| Receipt::decode(Some(header), body, key).unwrap().mac;
        assert_eq!(check(&header, &body, Some(&key)), MacCheck::Right);
        assert_eq!(check(&header, &body, None), MacCheck::Unchecked);
        let changed = String::from_utf8(body.clone()).unwrap().replace("completed", "failed");
        assert_eq!(check(&header, changed.as_bytes(), Some(&key)), MacCheck::Wrong);
        let without_hash =
            super::super::Envelope { id: ID.parse().ok(), ..Default::default() }.encode(Some(&key)).unwrap();
        assert_eq!(check(&without_hash, &body, Some(&key)), MacCheck::Wrong);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(receipt in samples::receipt(), id in samples::id(), secret in proptest::option::of(any::<[u8; 32]>())) {
            let key = secret.map(MacKey::from_bytes);
            let (header, body) = receipt.encode(id, key.as_ref()).unwrap();
            let decoded = Receipt::decode(Some(&header), &body, key.as_ref()).unwrap();
            prop_assert_eq!(decoded.receipt, receipt);
            prop_assert_eq!((decoded.id, decoded.problems), (id, vec![]));
            prop_assert_eq!(decoded.mac, if key.is_some() { MacCheck::Right } else { MacCheck::Absent });
        }

        #[test]
        fn a_body_cut_anywhere_does_not_panic(receipt in samples::receipt(), id in samples::id(), cut in any::<proptest::sample::Index>()) {
            let (header, body) = receipt.encode(id, None).unwrap();
            let cut = &body[..cut.index(body.len())];
            prop_assert!(Receipt::decode(Some(&header), cut, None).is_err());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(header in ".*", body in any::<Vec<u8>>()) {
            let _ = Receipt::decode(Some(&header), &body, None);
            let _ = Receipt::decode(Some(&format!("1;id={ID}")), &body, None);
        }
    }
}
