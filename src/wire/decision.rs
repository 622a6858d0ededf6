use serde::Serialize;

use super::body::{self, Fields, VERSION, text, within};
use super::{DecodeError, EncodeError, MacCheck, MacKey, Problem, receipt};
use crate::model::{HandoffId, MismatchKind};

/// A message from sender to receiver, on the `control` subject of a receipt: begin, or stop.
///
/// Its header is `1;id=...`. Under `hold=1` the receiver does not begin until `go`; otherwise a decision comes only
/// where something does not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Decision {
    v: u64,
    /// What the sender decided.
    pub decision: Choice,
    /// Kinds of mismatch that the sender found. Words that this version does not know are kept.
    pub mismatches: Vec<String>,
    /// One `slot: sent -> read back` per differing slot.
    pub diff: Vec<String>,
}

/// What a sender can decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Choice {
    /// Begin, or go on.
    Go,
    /// Stop; the result will not be used.
    Withdraw,
}

/// A decision, the handoff it is about, and what of it could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodedDecision {
    /// Which handoff it is about.
    pub id: HandoffId,
    /// Everything that was well-formed.
    pub decision: Decision,
    /// Everything that was not.
    pub problems: Vec<Problem>,
    /// What the header's `mac` says, body included.
    pub mac: MacCheck,
}

impl Choice {
    /// The word on the wire: `go`, `withdraw`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Withdraw => "withdraw",
        }
    }
}

impl Decision {
    /// A decision without findings.
    pub fn new(decision: Choice) -> Self {
        Self { v: VERSION, decision, mismatches: Vec::new(), diff: Vec::new() }
    }

    /// Value of the `Wilco` header, and the JSON body. Under a key the header also carries the body's hash, so that
    /// the `mac` covers both.
    ///
    /// # Errors
    /// [`EncodeError`] if a list or the body is over its limit.
    pub fn encode(&self, id: HandoffId, key: Option<&MacKey>) -> Result<(String, Vec<u8>), EncodeError> {
        within("mismatches", self.mismatches.len())?;
        within("diff", self.diff.len())?;
        body::encode(id, None, self, key)
    }

    /// Reads a decision from its `Wilco` header and body. Unknown fields are ignored.
    ///
    /// # Errors
    /// [`DecodeError`] if the handoff or the decision is not there, the decision is neither `go` nor `withdraw`, or the
    /// body is too long or no JSON object of version 1. Whatever else is malformed is a problem, and the rest is used.
    pub fn decode(header: Option<&str>, body: &[u8], key: Option<&MacKey>) -> Result<DecodedDecision, DecodeError> {
        let mut fields = Fields::read(header, body, key)?;
        let decision = Self {
            v: VERSION,
            decision: fields.required("decision", |v| match v.as_str() {
                Some("go") => Ok(Choice::Go),
                Some("withdraw") => Ok(Choice::Withdraw),
                _ => Err("is neither `go` nor `withdraw`".into()),
            })?,
            mismatches: fields.list("mismatches", text),
            diff: fields.list("diff", text),
        };
        Ok(DecodedDecision { id: fields.id, decision, problems: fields.problems.into_vec(), mac: fields.mac })
    }

    /// The mismatches that this version has a word for.
    pub fn known_mismatches(&self) -> impl Iterator<Item = MismatchKind> + '_ {
        receipt::known(&self.mismatches)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples;
    use super::*;

    const HEADER: &str = "1;id=019ca8d7-3636-78c7-9041-aadd07892eb8";

    #[test]
    fn a_decision_is_short_on_the_wire() {
        let (header, body) = Decision::new(Choice::Go).encode(HEADER[5..].parse().unwrap(), None).unwrap();
        assert_eq!(header, HEADER);
        assert_eq!(String::from_utf8(body).unwrap(), r#"{"v":1,"decision":"go","mismatches":[],"diff":[]}"#);
    }

    #[test]
    fn unknown_fields_are_ignored_and_unknown_words_kept() {
        let body = br#"{"v":1,"decision":"withdraw","mismatches":["misunderstood","bewitched"],"why":{"a":1}}"#;
        let decoded = Decision::decode(Some(HEADER), body, None).unwrap();
        assert_eq!(decoded.decision.decision, Choice::Withdraw);
        assert_eq!(decoded.decision.mismatches, ["misunderstood", "bewitched"]);
        assert_eq!(decoded.decision.known_mismatches().collect::<Vec<_>>(), [MismatchKind::Misunderstood]);
        assert_eq!(decoded.problems, vec![]);
    }

    #[test]
    fn a_malformed_list_does_not_stop_a_withdrawal() {
        let body = br#"{"decision":"withdraw","mismatches":7,"diff":["a",2]}"#;
        let decoded = Decision::decode(Some(HEADER), body, None).unwrap();
        assert_eq!(
            (decoded.decision.decision, decoded.decision.diff.as_slice()),
            (Choice::Withdraw, &["a".to_owned()][..])
        );
        assert_eq!(decoded.problems.len(), 3, "the version, the list and the item: {:?}", decoded.problems);
    }

    #[test]
    fn another_word_is_no_decision() {
        for body in [r#"{"v":1}"#, r#"{"v":1,"decision":"perhaps"}"#, r#"{"v":1,"decision":true}"#] {
            let error = Decision::decode(Some(HEADER), body.as_bytes(), None).unwrap_err().to_string();
            assert!(error.starts_with("required field `decision` is "), "{error}");
        }
        assert!(Decision::decode(None, br#"{"v":1,"decision":"go"}"#, None).is_err());
    }

    #[test]
    fn a_list_over_its_limit_is_refused_on_writing_and_cut_on_reading() {
        let mut decision = Decision::new(Choice::Withdraw);
        decision.diff = vec!["x".into(); 65];
        let id = HEADER[5..].parse().unwrap();
        assert_eq!(decision.encode(id, None).unwrap_err().to_string(), "`diff` with 65 items is over the limit of 64");
        let decoded = Decision::decode(Some(HEADER), &serde_json::to_vec(&decision).unwrap(), None).unwrap();
        assert_eq!((decoded.decision.diff.len(), decoded.problems.len()), (64, 1));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            id in samples::id(),
            withdraw in any::<bool>(),
            mismatches in proptest::collection::vec(any::<String>(), 0..4),
            diff in proptest::collection::vec(any::<String>(), 0..4),
        ) {
            let choice = if withdraw { Choice::Withdraw } else { Choice::Go };
            let decision = Decision { mismatches, diff, ..Decision::new(choice) };
            let (header, body) = decision.encode(id, None).unwrap();
            let decoded = Decision::decode(Some(&header), &body, None).unwrap();
            prop_assert_eq!((decoded.id, decoded.decision, decoded.problems), (id, decision, vec![]));
        }
    }
}
