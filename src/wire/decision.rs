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
