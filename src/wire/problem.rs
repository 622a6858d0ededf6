use std::borrow::Cow;
use std::fmt;

use super::limits::MAX_PROBLEMS;

/// One part of a message that could not be used, and why. The rest of the message was.
///
/// Prints as a line for a person: `` `at` is not a time in unix nanoseconds: "yesterday" ``.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The key, JSON field or header that it is about, as in `ctx`, `quality` or `Wilco-From`.
    pub part: Cow<'static, str>,
    /// Why it could not be used, to be read after the part's name.
    pub reason: Cow<'static, str>,
    /// The beginning of what was there, at most 80 characters; empty where that would say nothing.
    pub value: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.part, self.reason)?;
        if self.value.is_empty() { Ok(()) } else { write!(f, ": {:?}", self.value) }
    }
}

/// The problems of one message, never more than [`MAX_PROBLEMS`]. Allocates nothing while there are none.
#[derive(Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    #[cold]
    pub(super) fn add(&mut self, part: &str, reason: impl Into<Cow<'static, str>>, value: &str) {
        if self.0.len() < MAX_PROBLEMS {
            self.0.push(Problem { part: Cow::Owned(beginning(part)), reason: reason.into(), value: beginning(value) });
        }
    }

    pub(super) fn extend(&mut self, more: Vec<Problem>) {
        self.0.extend(more);
        self.0.truncate(MAX_PROBLEMS);
    }

    pub(super) fn into_vec(self) -> Vec<Problem> {
        self.0
    }
}

fn beginning(text: &str) -> String {
    text.chars().take(80).collect()
}
