//! Words of spans as the numbers under which they are stored. A number is never given to another word.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::model::MismatchKind;

/// The bit of a mismatch kind: its place in the vocabulary. `None` for a word that is no kind.
pub(super) fn mismatch_bit(word: &str) -> Option<u32> {
    MismatchKind::ALL.iter().position(|kind| kind.as_str() == word).map(|at| at as u32)
}

/// The words of set bits, in the order of the vocabulary.
pub(super) fn mismatch_words(bits: i64) -> Vec<&'static str> {
    let set = |at: &usize| bits & (1 << at) != 0;
    (0..MismatchKind::ALL.len()).filter(set).map(|at| MismatchKind::ALL[at].as_str()).collect()
}

/// What a span is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum SpanType {
    Handoff = 1,
    Process = 2,
    Workflow = 3,
    Decision = 4,
    Tool = 5,
    Agent = 6,
    Iteration = 7,
    Join = 8,
    /// Of any other maker.
    Foreign = 9,
}

impl SpanType {
    pub(super) const ALL: [(Self, &'static str); 9] = [
        (Self::Handoff, "handoff"),
        (Self::Process, "process"),
        (Self::Workflow, "workflow"),
        (Self::Decision, "decision"),
        (Self::Tool, "tool"),
        (Self::Agent, "agent"),
        (Self::Iteration, "iteration"),
        (Self::Join, "join"),
        (Self::Foreign, "other"),
    ];

    pub(super) fn word(number: i64) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind as i64 == number).map_or("other", |(_, word)| word)
    }
}

/// The verdict on a handoff, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum VerdictWord {
    Pending = 0,
    Agreed = 1,
    Unconfirmed = 2,
    Mismatched = 3,
}

impl VerdictWord {
    pub(super) const ALL: [(Self, &'static str); 4] = [
        (Self::Pending, "pending"),
        (Self::Agreed, "agreed"),
        (Self::Unconfirmed, "unconfirmed"),
        (Self::Mismatched, "mismatched"),
    ];

    /// The verdict of a word; what is no verdict is pending.
    pub(super) fn read(word: &str) -> Self {
        Self::ALL.into_iter().find(|(_, known)| *known == word).map_or(Self::Pending, |(verdict, _)| verdict)
    }

    pub(super) fn word(number: i64) -> &'static str {
        Self::ALL.into_iter().find(|(verdict, _)| *verdict as i64 == number).map_or("pending", |(_, word)| word)
    }

    pub(super) fn from_number(number: i64) -> Self {
        Self::ALL
            .into_iter()
            .find(|(verdict, _)| *verdict as i64 == number)
            .map_or(Self::Pending, |(verdict, _)| verdict)
    }
}

/// The id of a handoff as it is stored: 16 bytes of a UUID in its usual spelling, else the text as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum HandoffKey {
    Uuid([u8; 16]),
    Text(String),
}

impl HandoffKey {
    pub(super) fn new(text: &str) -> Self {
        match uuid::Uuid::try_parse(text) {
            // Only what comes out again as it went in.
            Ok(uuid) if text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                Self::Uuid(uuid.into_bytes())
            }
            _ => Self::Text(text.to_owned()),
        }
    }

    /// The text of a stored id; empty for what is none.
    pub(super) fn text_of(value: ValueRef<'_>) -> String {
        match value {
            ValueRef::Blob(bytes) => {
                <[u8; 16]>::try_from(bytes).map_or_else(|_| String::new(), |id| uuid::Uuid::from_bytes(id).to_string())
            }
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            _ => String::new(),
        }
    }

    pub(super) fn of(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Blob(bytes) => bytes.try_into().ok().map(Self::Uuid),
            ValueRef::Text(text) => Some(Self::Text(String::from_utf8_lossy(text).into_owned())),
            _ => None,
        }
    }
}

impl ToSql for HandoffKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Uuid(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}
