use rusqlite::Row;

use super::span_key;
use super::words::{HandoffKey, SpanType, VerdictWord, mismatch_words};
use crate::model::{Rung, Timestamp};

/// One handoff in a line, joined from both sides. Times are RFC 3339 in UTC, by the sender's clock where it said
/// anything.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct HandoffSummary {
    /// Handoff id.
    pub id: String,
    /// Workflow id, where one was told.
    pub workflow: Option<String>,
    /// Id of the handoff that the source was working on.
    pub parent: Option<String>,
    /// Agent that handed over.
    pub from: Option<String>,
    /// Agent that it was handed to.
    pub to: Option<String>,
    /// `delegation` or `transfer`, where it was told.
    pub kind: Option<String>,
    /// `agreed`, `mismatched`, `unconfirmed` or `pending`.
    pub verdict: String,
    /// What was found by either side, in the order of the vocabulary.
    pub mismatches: Vec<String>,
    /// The highest rung that was reached.
    pub rung: String,
    /// When it began.
    pub timestamp: String,
    /// From the first attempt to the last end, in milliseconds.
    pub duration_ms: f64,
    /// Highest attempt that was seen; 0 where the sender told nothing.
    pub attempts: i64,
    /// Highest delivery that was seen; 0 where the receiver told nothing.
    pub deliveries: i64,
    /// Payload in bytes, the larger of what both sides saw.
    pub size: Option<i64>,
    /// Age of the worst context item, in milliseconds.
    pub age_ms: Option<f64>,
    /// The lowest score that either side gave the result.
    pub quality: Option<f64>,
}

impl HandoffSummary {
    /// `to<-from`; an agent that is not told is a question mark.
    pub fn boundary(&self) -> String {
        format!("{}<-{}", self.to.as_deref().unwrap_or("?"), self.from.as_deref().unwrap_or("?"))
    }

    /// Columns of a handoff `{h}` and its workflow `{w}`, in the order in which they are read.
    pub(super) fn columns(h: &str, w: &str) -> String {
        format!(
            "{h}.id, {w}.id, {h}.parent, {h}.from_agent, {h}.to_agent, {h}.kind, {h}.verdict, {h}.mismatches, {h}.rung, \
             {h}.start_ns, {h}.duration_ns, {h}.attempts, {h}.deliveries, {h}.size, {h}.age_ms, {h}.quality"
        )
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: HandoffKey::text_of(row.get_ref(0)?),
            workflow: row.get(1)?,
            parent: Some(HandoffKey::text_of(row.get_ref(2)?)).filter(|id| !id.is_empty()),
            from: row.get(3)?,
            to: row.get(4)?,
            kind: kind_word(row.get(5)?).map(str::to_owned),
            verdict: VerdictWord::word(row.get(6)?).to_owned(),
            mismatches: mismatch_words(row.get(7)?).into_iter().map(str::to_owned).collect(),
            rung: rung_word(row.get(8)?).to_owned(),
            timestamp: timestamp(row.get(9)?),
            duration_ms: millis(row.get(10)?),
            attempts: row.get(11)?,
            deliveries: row.get(12)?,
            size: row.get(13)?,
            age_ms: row.get(14)?,
            quality: row.get(15)?,
        })
    }
}

/// One workflow in a line.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct WorkflowSummary {
    /// Workflow id.
    pub id: String,
    /// Name, where its root span told one.
    pub name: Option<String>,
    /// Business outcome, where it was told.
    pub outcome: Option<String>,
    /// Whether it went well, where it was told.
    pub ok: Option<bool>,
    /// Whether its root span says that it failed.
    pub error: bool,
    /// When its first span began, RFC 3339 in UTC.
    pub timestamp: String,
    /// When something last came of it, RFC 3339 in UTC by the store's own clock.
    #[serde(default)]
    pub heard: String,
    /// From the begin of its first span to the end of its last, in milliseconds.
    pub duration_ms: f64,
    /// How many spans came that name it.
    pub spans: i64,
    /// How many handoffs it has.
    pub handoffs: i64,
    /// How many of them are mismatched.
    pub mismatched: i64,
}

impl WorkflowSummary {
    pub(super) fn columns(w: &str) -> String {
        format!(
            "{w}.id, {w}.name, {w}.outcome, {w}.ok, {w}.error, {w}.first_ns, {w}.last_ns, {w}.spans, {w}.handoffs, \
             {w}.mismatched, {w}.arrived_ns"
        )
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (first, last): (i64, i64) = (row.get(5)?, row.get(6)?);
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            outcome: row.get(2)?,
            ok: row.get(3)?,
            error: row.get(4)?,
            timestamp: timestamp(first),
            heard: timestamp(row.get(10)?),
            duration_ms: millis(last.saturating_sub(first).max(0)),
            spans: row.get(7)?,
            handoffs: row.get(8)?,
            mismatched: row.get(9)?,
        })
    }
}

/// One span in a line.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct SpanSummary {
    /// `handoff`, `process`, `workflow`, `decision`, `tool`, `agent`, `iteration`, `join` or `other`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name, as in `decision approve`.
    pub name: String,
    /// Trace id, 32 hex digits.
    pub trace_id: String,
    /// Span id, 16 hex digits.
    pub span_id: String,
    /// Id of the span above it.
    pub parent_span_id: Option<String>,
    /// Workflow id, where the span tells one.
    pub workflow: Option<String>,
    /// When it began, RFC 3339 in UTC.
    pub timestamp: String,
    /// How long it took, in milliseconds.
    pub duration_ms: f64,
    /// Whether its status is an error.
    pub error: bool,
}

impl SpanSummary {
    pub(super) fn columns(s: &str, w: &str) -> String {
        format!(
            "{s}.type, {s}.name, {}, {s}.span_id, {s}.parent_id, {w}.id, {s}.start_ns, {s}.end_ns, {s}.error",
            span_key::trace_id(s)
        )
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (start, end): (i64, i64) = (row.get(6)?, row.get(7)?);
        let hex = |bytes: Vec<u8>| {
            let mut text = String::with_capacity(bytes.len() * 2);
            for byte in bytes {
                use std::fmt::Write;
                let _ = write!(text, "{byte:02x}");
            }
            text
        };
        Ok(Self {
            kind: SpanType::word(row.get(0)?).to_owned(),
            name: row.get(1)?,
            trace_id: hex(row.get(2)?),
            span_id: hex(row.get(3)?),
            parent_span_id: row.get::<_, Option<Vec<u8>>>(4)?.map(hex),
            workflow: row.get(5)?,
            timestamp: timestamp(start),
            duration_ms: millis(end.saturating_sub(start).max(0)),
            error: row.get(8)?,
        })
    }
}

pub(super) fn kind_word(number: i64) -> Option<&'static str> {
    match number {
        1 => Some("delegation"),
        2 => Some("transfer"),
        _ => None,
    }
}

pub(super) fn rung_word(number: i64) -> &'static str {
    usize::try_from(number).ok().and_then(|at| Rung::ALL.get(at)).map_or("sent", |rung| rung.as_str())
}

pub(super) fn timestamp(ns: i64) -> String {
    Timestamp::from_unix_nanos(u64::try_from(ns).unwrap_or(0)).to_rfc3339()
}

pub(super) fn millis(ns: i64) -> f64 {
    ns as f64 / 1e6
}
