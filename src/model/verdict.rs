use super::{Intent, Mismatch, Refusal};

/// What the two sides of a handoff agree on, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// The readback says what the intent says, and everything else that could be checked agrees.
    Agreed {
        /// What the receiver said it understood.
        readback: Intent,
    },
    /// Something does not agree: one or more findings, first the one that was found first.
    Mismatched(Vec<Mismatch>),
    /// The receiver would not take the task.
    Refused(Refusal),
    /// No readback was due or possible, so nothing can be said. Not a failure, and not a yes.
    Unconfirmed {
        /// Why nothing can be said.
        why: String,
    },
    /// Not known yet.
    Pending,
}

impl Verdict {
    /// The word on spans: `agreed`, `mismatched` (a refusal too), `unconfirmed`, `pending`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Agreed { .. } => "agreed",
            Self::Mismatched(_) | Self::Refused(_) => "mismatched",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::Pending => "pending",
        }
    }

    /// Whether the readback agreed.
    pub const fn is_agreed(&self) -> bool {
        matches!(self, Self::Agreed { .. })
    }

    /// What did not agree; empty unless [`Verdict::Mismatched`].
    pub fn mismatches(&self) -> &[Mismatch] {
        if let Self::Mismatched(found) = self { found } else { &[] }
    }
}
