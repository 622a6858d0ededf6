use std::fmt;
use std::str::FromStr;

/// What can disagree about a handoff. The names are stable, and are what spans and metrics carry.
///
#[doc = include_str!("../docs/mismatches.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MismatchKind {
    /// The server said "no responders", or a durable store proves that no receiver took it.
    Undelivered,
    /// Receipts were asked for and none came within the readback deadline.
    Unacknowledged,
    /// A later rung than `sent` was seen, but no result by the deadline.
    TimedOut,
    /// The receiver would not take it, and said so.
    Refused,
    /// The receiver gave up, and said so.
    Failed,
    /// The content hash differs.
    Corrupted,
    /// The content hash differs, and the payload is shorter than was sent.
    Truncated,
    /// The agent that took it is not the one it was addressed to.
    Misrouted,
    /// One handoff id and attempt was processed twice.
    Duplicated,
    /// Two handoffs of one sender instance took effect in the other order at one receiver.
    Reordered,
    /// The readback differs from the intent.
    Misunderstood,
    /// A slot of the workflow's first intent is changed or lost in a later hop, with no stated reason.
    Drifted,
    /// A context item was used past its longest age, or a version behind the one its receiver could have known.
    StaleContext,
    /// A newer version of a context item passed the bus before this one was used, unknown to the receiver.
    SupersededContext,
    /// The receiver required a context item that did not come, or whose hash differs.
    MissingContext,
    /// The score is under the threshold, and the result was not used.
    LowQuality,
    /// The score is under the threshold, or absent although one was demanded, and the result was used unchecked.
    UnverifiedUse,
    /// Completed in time and good, but set aside, and something older or nothing was used.
    IgnoredResult,
    /// The same content or intent came back to an agent that had it before, three rounds or more.
    Looped,
    /// A join went on with fewer inputs than it was owed.
    IncompleteJoin,
    /// Accepted, then dropped without a result.
    Abandoned,
}

impl MismatchKind {
    /// Every kind, in the order of the vocabulary.
    pub const ALL: [Self; 21] = [
        Self::Undelivered,
        Self::Unacknowledged,
        Self::TimedOut,
        Self::Refused,
        Self::Failed,
        Self::Corrupted,
        Self::Truncated,
        Self::Misrouted,
        Self::Duplicated,
        Self::Reordered,
        Self::Misunderstood,
        Self::Drifted,
        Self::StaleContext,
        Self::SupersededContext,
        Self::MissingContext,
        Self::LowQuality,
        Self::UnverifiedUse,
        Self::IgnoredResult,
        Self::Looped,
        Self::IncompleteJoin,
        Self::Abandoned,
    ];

    /// The word on the wire, on spans and on metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undelivered => "undelivered",
            Self::Unacknowledged => "unacknowledged",
            Self::TimedOut => "timed_out",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Corrupted => "corrupted",
            Self::Truncated => "truncated",
            Self::Misrouted => "misrouted",
            Self::Duplicated => "duplicated",
            Self::Reordered => "reordered",
            Self::Misunderstood => "misunderstood",
            Self::Drifted => "drifted",
            Self::StaleContext => "stale_context",
            Self::SupersededContext => "superseded_context",
            Self::MissingContext => "missing_context",
            Self::LowQuality => "low_quality",
            Self::UnverifiedUse => "unverified_use",
            Self::IgnoredResult => "ignored_result",
            Self::Looped => "looped",
            Self::IncompleteJoin => "incomplete_join",
            Self::Abandoned => "abandoned",
        }
    }
}

impl fmt::Display for MismatchKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MismatchKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// One thing that does not agree about one handoff, with what shows it. A finding, not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// What does not agree.
    pub kind: MismatchKind,
    /// What shows it, in one line for a person: `constraints.max: 5 -> 50`.
    pub evidence: String,
    /// For a misunderstood intent: one `slot: sent -> read back` per differing slot.
    pub diff: Vec<String>,
}

impl Mismatch {
    /// A finding of `kind`, with the line that shows it.
    pub fn new(kind: MismatchKind, evidence: impl Into<String>) -> Self {
        Self { kind, evidence: evidence.into(), diff: Vec::new() }
    }

    /// Adds the slots that differ.
    #[must_use]
    pub fn with_diff(mut self, diff: Vec<String>) -> Self {
        self.diff = diff;
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.evidence.is_empty() { self.kind.fmt(f) } else { write!(f, "{}: {}", self.kind, self.evidence) }
    }
}
