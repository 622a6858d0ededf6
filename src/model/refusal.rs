use std::borrow::Cow;
use std::fmt;

/// Why an agent will not take a task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The context it rests on is too old.
    Stale,
    /// It rests on a context that did not come.
    MissingContext,
    /// The payload is not what was sent.
    Corrupted,
    /// It was meant for another agent.
    Misrouted,
    /// No capacity now; another time, or another instance, may do.
    Busy,
    /// This agent does not do that.
    NotMine,
    /// In the agent's own words.
    Other(Cow<'static, str>),
}

impl Refusal {
    /// The word on the wire: `stale`, `missing_context`, `corrupted`, `misrouted`, `busy`, `not_mine`, or the agent's own.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Stale => "stale",
            Self::MissingContext => "missing_context",
            Self::Corrupted => "corrupted",
            Self::Misrouted => "misrouted",
            Self::Busy => "busy",
            Self::NotMine => "not_mine",
            Self::Other(reason) => reason,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&str> for Refusal {
    fn from(text: &str) -> Self {
        match text {
            "stale" => Self::Stale,
            "missing_context" => Self::MissingContext,
            "corrupted" => Self::Corrupted,
            "misrouted" => Self::Misrouted,
            "busy" => Self::Busy,
            "not_mine" => Self::NotMine,
            other => Self::Other(Cow::Owned(other.to_owned())),
        }
    }
}
