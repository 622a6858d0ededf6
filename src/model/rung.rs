use std::fmt;
use std::str::FromStr;

use super::{AgentName, Timestamp};

/// How far a handoff got, from the lowest rung of the ladder to the highest.
///
/// | rung | somebody knows that |
/// |---|---|
/// | `sent` | the sender gave the message to the bus |
/// | `stored` | JetStream holds it |
/// | `delivered` | the bus wrote it to a receiver's connection |
/// | `received` | the receiver decoded it and checked its hash |
/// | `accepted` / `refused` | the receiver took it on, or would not |
/// | `understood` / `misunderstood` | the readback was compared with the intent |
/// | `in_progress` | the receiver works on it |
/// | `completed` / `failed` | there is a result, or there will be none |
/// | `verified` | somebody checked the result |
/// | `used` | the sender built on the result |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rung {
    /// The sender gave the message to the bus.
    Sent,
    /// JetStream holds the message.
    Stored,
    /// The bus wrote the message to a receiver's connection.
    Delivered,
    /// The receiver decoded it and checked its hash.
    Received,
    /// The receiver took the task on.
    Accepted,
    /// The receiver will not do it.
    Refused,
    /// The readback agrees with the intent. In a receipt: the receiver states its readback, and the sender judges.
    Understood,
    /// The readback differs from the intent.
    Misunderstood,
    /// The receiver works on it.
    InProgress,
    /// There is a result.
    Completed,
    /// The receiver gave up.
    Failed,
    /// Somebody checked the result.
    Verified,
    /// The sender built on the result.
    Used,
}

impl Rung {
    /// Every rung, lowest first.
    pub const ALL: [Self; 13] = [
        Self::Sent,
        Self::Stored,
        Self::Delivered,
        Self::Received,
        Self::Accepted,
        Self::Refused,
        Self::Understood,
        Self::Misunderstood,
        Self::InProgress,
        Self::Completed,
        Self::Failed,
        Self::Verified,
        Self::Used,
    ];

    /// The word on the wire and on spans.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Stored => "stored",
            Self::Delivered => "delivered",
            Self::Received => "received",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Understood => "understood",
            Self::Misunderstood => "misunderstood",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Verified => "verified",
            Self::Used => "used",
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Rung {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|rung| rung.as_str() == text).ok_or(())
    }
}

/// How a rung is known to have been reached. No rung is ever reported without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// It was deduced.
    Inferred,
    /// An agent said so.
    Declared,
    /// The bus saw it.
    Wire,
}

impl Evidence {
    /// The word on spans.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inferred => "inferred",
            Self::Declared => "declared",
            Self::Wire => "wire",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One step up the ladder: which rung, how that is known, who says so, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Climb {
    /// The rung that was reached.
    pub rung: Rung,
    /// How that is known.
    pub evidence: Evidence,
    /// The agent that says so; `None` where the bus itself did.
    pub by: Option<AgentName>,
    /// When, in the clock of whoever says so.
    pub at: Timestamp,
}
