use std::fmt;

use serde_json::Value;

use crate::model::{Mismatch, MismatchKind, Slot};

/// How many characters of a value a difference shows; the rest is an ellipsis.
pub const SHOWN_CHARACTERS: usize = 400;

/// What a difference shows in place of a value that is not there.
pub const ABSENT: &str = "(absent)";

/// What comparing a readback with the intent gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Comparison {
    /// Every slot says the same.
    Agrees,
    /// These slots do not, in the order of [`Slot`]. Wins over `Unknown`.
    Differs(Vec<SlotDifference>),
    /// All that could be decided agrees, but these slots hold free text that may or may not say the same.
    Unknown(Vec<Slot>),
}

/// One slot in which a readback differs. Prints as `slot: sent -> read back`, in one line.
///
/// ```
/// use wilco::model::Slot;
/// use wilco::verify::intent::{Change, SlotDifference};
/// let change = Change::Changed { sent: 5.into(), read_back: 50.into() };
/// assert_eq!(SlotDifference::new(Slot::Constraint("max".into()), change).to_string(), "constraints.max: 5 -> 50");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SlotDifference {
    /// The slot, by its name in the intent that was sent (in the readback, if it was added there).
    pub slot: Slot,
    /// What became of it.
    pub change: Change,
    /// What decided it, where that is not plain from the two values: for free text, the anchor that differs.
    pub why: Option<String>,
}

/// What became of a slot.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It says something else.
    Changed {
        /// What the sender wants.
        sent: Value,
        /// What the receiver understood.
        read_back: Value,
    },
    /// The receiver did not read it back.
    Missing {
        /// What the sender wants.
        sent: Value,
    },
    /// The receiver read something that was not sent.
    Added {
        /// What the receiver understood.
        read_back: Value,
    },
}

/// How many differing slots a finding shows.
const MOST_SHOWN: usize = 32;

impl Comparison {
    /// Whether every slot says the same.
    pub const fn agrees(&self) -> bool {
        matches!(self, Self::Agrees)
    }

    /// The differences; empty unless [`Comparison::Differs`].
    pub fn differences(&self) -> &[SlotDifference] {
        if let Self::Differs(differences) = self { differences } else { &[] }
    }

    /// The finding, of kind `misunderstood`: all differences as evidence in one line, and one by one in its `diff`.
    /// `None` unless [`Comparison::Differs`].
    pub fn mismatch(&self) -> Option<Mismatch> {
        let Self::Differs(differences) = self else { return None };
        // A peer's readback may differ in any number of slots; what is told of it is bounded.
        let shown = &differences[..differences.len().min(MOST_SHOWN)];
        let more = differences.len() - shown.len();
        let mut evidence: Vec<_> = shown
            .iter()
            .map(|difference| match &difference.why {
                Some(why) => format!("{difference} ({why})"),
                None => difference.to_string(),
            })
            .collect();
        let mut diff: Vec<_> = shown.iter().map(ToString::to_string).collect();
        if more > 0 {
            evidence.push(format!("and {more} more"));
            diff.push(format!("and {more} more"));
        }
        Some(Mismatch::new(MismatchKind::Misunderstood, evidence.join("; ")).with_diff(diff))
    }
}

impl SlotDifference {
    /// A difference that its two values explain.
    pub const fn new(slot: Slot, change: Change) -> Self {
        Self { slot, change, why: None }
    }

    /// Adds what decided it.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }
}

impl fmt::Display for SlotDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sent, read_back) = match &self.change {
            Change::Changed { sent, read_back } => (Some(sent), Some(read_back)),
            Change::Missing { sent } => (Some(sent), None),
            Change::Added { read_back } => (None, Some(read_back)),
        };
        write!(f, "{}: {} -> {}", OneLine(&self.slot.to_string()), Shown(sent), Shown(read_back))
    }
}

/// A value as a person reads it: text without quotes, the rest as JSON.
struct Shown<'a>(Option<&'a Value>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str(ABSENT),
            Some(Value::String(text)) => OneLine(text).fmt(f),
            Some(value) => OneLine(&value.to_string()).fmt(f),
        }
    }
}

struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for (n, c) in self.0.chars().enumerate() {
            if n == SHOWN_CHARACTERS {
                return f.write_char('…');
            }
            f.write_char(if c.is_control() { ' ' } else { c })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(slot: Slot, change: Change) -> String {
        SlotDifference::new(slot, change).to_string()
    }

    #[test]
    fn a_difference_prints_as_slot_sent_arrow_read_back() {
        let (sent, read_back) = (json!("2025-01-01"), json!("2024-01-01"));
        assert_eq!(
            shown(Slot::Constraint("since".into()), Change::Changed { sent: sent.clone(), read_back }),
            "constraints.since: 2025-01-01 -> 2024-01-01"
        );
        assert_eq!(shown(Slot::Deadline, Change::Missing { sent }), "deadline: 2025-01-01 -> (absent)");
        let read_back = json!(["paywalled"]);
        assert_eq!(shown(Slot::Prohibitions, Change::Added { read_back }), "prohibitions: (absent) -> [\"paywalled\"]");
    }

    #[test]
    fn what_is_shown_is_one_line_of_bounded_length() {
        let long = json!("x\n".repeat(1000));
        let text = shown(Slot::Object, Change::Changed { sent: long.clone(), read_back: long });
        assert!(!text.contains('\n') && text.contains('…'));
        assert!(text.chars().count() < 2 * SHOWN_CHARACTERS + 20, "{}", text.chars().count());
    }
}
