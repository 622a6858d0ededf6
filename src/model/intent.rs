use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ContentHash, ShortHash, Timestamp};

/// What a sender wants, or what a receiver understood, as slots: goal, object, constraints, prohibitions, deadline and
/// expected output. Only the goal is required.
///
/// A readback is an `Intent` too: the receiver's own statement of what it parsed. Cloning is cheap, and the canonical
/// form is computed once for all clones.
///
/// ```
/// use wilco::model::Intent;
/// let intent = Intent::new("find_sources").object("solid-state batteries").constraint("max", 5).prohibit("paywalled");
/// assert_eq!(
///     intent.canonical_json(),
///     r#"{"constraints":{"max":5},"goal":"find_sources","object":"solid-state batteries","prohibitions":["paywalled"]}"#
/// );
/// ```
#[derive(Clone)]
pub struct Intent(Arc<Inner>);

#[derive(Default, Serialize, Deserialize)]
struct Inner {
    goal: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    constraints: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    prohibitions: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    // Slots that this version does not know are kept and compared, so that nothing a peer said is lost.
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
    #[serde(skip)]
    canonical: OnceLock<Canonical>,
}

struct Canonical {
    json: Arc<str>,
    digest: ShortHash,
}

/// A text was not an intent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntentError {
    /// Not JSON, or a slot has the wrong type.
    #[error("an intent is a JSON object such as {{\"goal\":\"find_sources\"}}: {0}")]
    Json(#[from] serde_json::Error),
    /// The goal is empty.
    #[error("an intent needs a goal, and this one's is empty")]
    NoGoal,
}

/// The name of one slot of an intent; prints as `goal` or `constraints.max`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Slot {
    /// What is to be done.
    Goal,
    /// What it is to be done to.
    Object,
    /// One named constraint.
    Constraint(String),
    /// What must not be done.
    Prohibitions,
    /// By when.
    Deadline,
    /// What is to come out.
    Output,
    /// A slot that this version has no word for.
    Other(String),
}

impl Intent {
    /// An intent with a goal: a short verb such as `find_sources`, or a sentence in free text.
    pub fn new(goal: impl Into<String>) -> Self {
        Self(Arc::new(Inner { goal: goal.into(), ..Inner::default() }))
    }

    /// What it is to be done to.
    #[must_use]
    pub fn object(mut self, object: impl Into<String>) -> Self {
        self.edit().object = Some(object.into());
        self
    }

    /// One named constraint; the value is any JSON value. Naming one again replaces it.
    #[must_use]
    pub fn constraint(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.edit().constraints.insert(name.into(), value.into());
        self
    }

    /// Adds something that must not be done or used.
    #[must_use]
    pub fn prohibit(mut self, what: impl Into<String>) -> Self {
        self.edit().prohibitions.insert(what.into());
        self
    }

    /// By when.
    #[must_use]
    pub fn deadline(mut self, deadline: impl Into<Timestamp>) -> Self {
        self.edit().deadline = Some(deadline.into().to_rfc3339());
        self
    }

    /// What is to come out, as in `list of urls`.
    #[must_use]
    pub fn output(mut self, output: impl Into<String>) -> Self {
        self.edit().output = Some(output.into());
        self
    }

    /// Reads an intent from JSON.
    ///
    /// # Errors
    /// [`IntentError`] if it is not a JSON object with a goal, or a slot has the wrong type.
    pub fn from_json(json: &[u8]) -> Result<Self, IntentError> {
        let inner: Inner = serde_json::from_slice(json)?;
        if inner.goal.trim().is_empty() { Err(IntentError::NoGoal) } else { Ok(Self(Arc::new(inner))) }
    }

    /// The intent as canonical JSON (RFC 8785); empty slots are left out.
    ///
    /// Numbers are IEEE 754 doubles there, so an integer beyond 2^53 should be given as text.
    pub fn canonical_json(&self) -> &str {
        &self.canonical().json
    }

    /// The canonical JSON, shared.
    pub fn shared_canonical_json(&self) -> Arc<str> {
        self.canonical().json.clone()
    }

    /// First 32 hex digits of the BLAKE3 of the canonical JSON: all that travels of an intent.
    pub fn digest(&self) -> ShortHash {
        self.canonical().digest
    }

    /// What is to be done.
    pub fn goal(&self) -> &str {
        &self.0.goal
    }

    /// What slots are filled, with their values. Text slots are JSON strings.
    pub fn slots(&self) -> impl Iterator<Item = (Slot, Value)> + '_ {
        let inner = &*self.0;
        let text = |slot: Slot, value: &Option<String>| value.clone().map(|v| (slot, Value::String(v)));
        let prohibitions = (!inner.prohibitions.is_empty())
            .then(|| (Slot::Prohibitions, inner.prohibitions.iter().cloned().map(Value::String).collect()));
        std::iter::once((Slot::Goal, Value::String(inner.goal.clone())))
            .chain(text(Slot::Object, &inner.object))
            .chain(inner.constraints.iter().map(|(name, value)| (Slot::Constraint(name.clone()), value.clone())))
            .chain(prohibitions)
            .chain(text(Slot::Deadline, &inner.deadline))
            .chain(text(Slot::Output, &inner.output))
            .chain(inner.other.iter().map(|(name, value)| (Slot::Other(name.clone()), value.clone())))
    }

    fn canonical(&self) -> &Canonical {
        self.0.canonical.get_or_init(|| {
            let inner = &*self.0;
            // The library refuses only what `Value` cannot hold (NaN, infinities), so the fallback is never taken.
            let json = serde_json_canonicalizer::to_string(inner)
                .or_else(|_| serde_json::to_string(inner))
                .unwrap_or_default();
            Canonical { digest: ContentHash::of(json.as_bytes()).short(), json: json.into() }
        })
    }

    fn edit(&mut self) -> &mut Inner {
        let inner = Arc::make_mut(&mut self.0);
        inner.canonical = OnceLock::new();
        inner
    }
}

impl Clone for Inner {
    fn clone(&self) -> Self {
        Self {
            goal: self.goal.clone(),
            object: self.object.clone(),
            constraints: self.constraints.clone(),
            prohibitions: self.prohibitions.clone(),
            deadline: self.deadline.clone(),
            output: self.output.clone(),
            other: self.other.clone(),
            canonical: OnceLock::new(),
        }
    }
}

/// Equal to the letter (equal canonical JSON). Whether a readback *agrees* is for [`crate::verify`] to say.
impl PartialEq for Intent {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.canonical_json() == other.canonical_json()
    }
}

impl Eq for Intent {}

impl fmt::Debug for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Intent({})", self.canonical_json())
    }
}

/// The canonical JSON.
impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.canonical_json())
    }
}

impl Serialize for Intent {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(s)
    }
}

impl<'de> Deserialize<'de> for Intent {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let inner = Inner::deserialize(d)?;
        if inner.goal.trim().is_empty() {
            return Err(serde::de::Error::custom(IntentError::NoGoal));
        }
        Ok(Self(Arc::new(inner)))
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Goal => f.write_str("goal"),
            Self::Object => f.write_str("object"),
            Self::Constraint(name) => write!(f, "constraints.{name}"),
            Self::Prohibitions => f.write_str("prohibitions"),
            Self::Deadline => f.write_str("deadline"),
            Self::Output => f.write_str("output"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_sorts_keys_and_writes_numbers_as_ecmascript_does() {
        let intent = Intent::new("g").constraint("b", 5.0).constraint("a", 1e21).constraint("é", "x\u{1}").output("o");
        assert_eq!(
            intent.canonical_json(),
            "{\"constraints\":{\"a\":1e+21,\"b\":5,\"é\":\"x\\u0001\"},\"goal\":\"g\",\"output\":\"o\"}"
        );
    }

    #[test]
    fn editing_a_clone_leaves_the_original_and_renews_the_digest() {
        let first = Intent::new("find_sources");
        let digest = first.digest();
        let second = first.clone().constraint("max", 5);
        assert_eq!(first.digest(), digest);
        assert_ne!(second.digest(), digest);
        assert_eq!(Intent::from_json(second.canonical_json().as_bytes()).expect("own JSON"), second);
    }

    #[test]
    fn unknown_slots_are_kept() {
        let intent = Intent::from_json(br#"{"goal":"g","priority":"high"}"#).expect("an intent");
        assert!(intent.slots().any(|(slot, value)| slot == Slot::Other("priority".into()) && value == "high"));
        assert_eq!(intent.canonical_json(), r#"{"goal":"g","priority":"high"}"#);
    }

    #[test]
    fn what_is_no_intent_is_refused_with_a_reason() {
        for bad in ["", "5", "{}", r#"{"goal":""}"#, r#"{"goal":7}"#, r#"{"goal":"g","object":7}"#] {
            assert!(Intent::from_json(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
