use std::sync::Arc;

use bytes::Bytes;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::content::{Done, Policy};
use super::fields::Part;
use super::scan::{self, Scanned};
use super::words::{HandoffKey, SpanType, VerdictWord};
use super::{StoreError, body};
use crate::model::{Resource, Rung, Scope, Span, SpanKind};
use crate::store::words;

/// One span, ready to be written: its columns, and all of it as a body. Made outside the writer, which has little time.
/// Texts are places in the body.
#[derive(Debug)]
pub(super) struct SpanRow {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    pub(super) parent_id: Option<[u8; 8]>,
    workflow: Option<Part>,
    pub(super) kind: SpanType,
    subtype: Option<Part>,
    name: Part,
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
    pub(super) error: bool,
    pub(super) origin: Arc<Origin>,
    pub(super) body: Bytes,
    /// The place of its pack among those of the request, and its own in the pack.
    pub(super) pack: usize,
    pub(super) at: u32,
    pub(super) side: Option<Side>,
    pub(super) root: Option<Root>,
}

/// Who made spans.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) digest: [u8; 32],
    pub(super) resource: Vec<u8>,
    pub(super) scope: Vec<u8>,
}

/// What one side says of a handoff, as far as it is looked for.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) id: HandoffKey,
    pub(super) is_sender: bool,
    pub(super) parent: Option<HandoffKey>,
    from: Option<Part>,
    to: Option<Part>,
    /// 0 not said, 1 delegation, 2 transfer.
    pub(super) kind: i64,
    pub(super) verdict: VerdictWord,
    pub(super) mismatches: u32,
    /// Number of the rung, from 0.
    pub(super) rung: i64,
    /// Attempt of a sender, delivery of a receiver.
    pub(super) turn: i64,
    pub(super) size: Option<i64>,
    pub(super) age_ms: Option<f64>,
    pub(super) quality: Option<f64>,
}

/// What the root span of a workflow says; its name is the subtype.
#[derive(Clone, Debug)]
pub(super) struct Root {
    outcome: Option<Part>,
    pub(super) ok: Option<bool>,
}

/// Makes rows of the spans of one request. Spans that share a resource and a scope share an origin.
pub(super) fn rows(spans: Vec<Span>, policy: &Policy, done: &mut Done) -> Result<Vec<SpanRow>, StoreError> {
    let mut last: Option<(Arc<Resource>, Arc<Scope>, Arc<Origin>)> = None;
    let mut rows = Vec::with_capacity(spans.len());
    for mut span in spans {
        let origin = match &last {
            Some((resource, scope, origin))
                if Arc::ptr_eq(resource, &span.resource) && Arc::ptr_eq(scope, &span.scope) =>
            {
                Arc::clone(origin)
            }
            _ => {
                let origin =
                    Arc::new(Origin::new(body::encode_resource(&span.resource), body::encode_scope(&span.scope)));
                last = Some((Arc::clone(&span.resource), Arc::clone(&span.scope), Arc::clone(&origin)));
                origin
            }
        };
        let of_span = policy.apply(&mut span);
        done.left_out += of_span.left_out;
        done.cut += of_span.cut;
        let bytes = Bytes::from(body::encode_span(&span));
        let scanned = scan::span(&bytes).ok_or(StoreError::Unreadable { name: span.name })?;
        rows.push(SpanRow::new(scanned, bytes, origin));
    }
    Ok(rows)
}

impl Origin {
    /// From a `Resource` and an `InstrumentationScope` message.
    pub(super) fn new(resource: Vec<u8>, scope: Vec<u8>) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(resource.len() as u64).to_le_bytes()).update(&resource).update(&scope);
        Self { digest: *hasher.finalize().as_bytes(), resource, scope }
    }
}

impl SpanRow {
    /// A row of a `Span` message and what was read in it.
    pub(super) fn new(span: Scanned, body: Bytes, origin: Arc<Origin>) -> Self {
        let kind = SpanType::of(&span, &body);
        let workflow = span.workflow.clone().or_else(|| span.conversation.clone());
        let subtype = kind.subtype(&span);
        let root = (kind == SpanType::Workflow).then(|| Root { outcome: span.outcome.clone(), ok: span.ok });
        Self {
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent_id: span.parent_id,
            workflow,
            kind,
            subtype,
            name: span.name.clone(),
            start_ns: nanos(span.start_ns),
            end_ns: nanos(span.end_ns),
            error: span.is_error,
            origin,
            side: Side::of(&span, &body, kind),
            root,
            body,
            pack: 0,
            at: 0,
        }
    }

    pub(super) fn workflow(&self) -> Option<&str> {
        self.workflow.as_ref().map(|part| text(&self.body, part))
    }

    pub(super) fn subtype(&self) -> Option<&str> {
        self.subtype.as_ref().map(|part| text(&self.body, part))
    }

    /// As it is bound to a statement: it was checked to be text when it was read.
    pub(super) fn bound_subtype(&self) -> Option<ToSqlOutput<'_>> {
        self.subtype.as_ref().map(|part| bound(&self.body, part))
    }

    /// As [`SpanRow::bound_subtype`].
    pub(super) fn bound_name(&self) -> ToSqlOutput<'_> {
        bound(&self.body, &self.name)
    }

    /// Whether two spans are of one workflow, or both of none.
    pub(super) fn is_of_workflow_of(&self, other: &Self) -> bool {
        match (&self.workflow, &other.workflow) {
            (Some(here), Some(there)) => bytes(&self.body, here) == bytes(&other.body, there),
            (None, None) => true,
            _ => false,
        }
    }

    pub(super) fn outcome(&self) -> Option<&str> {
        self.root.as_ref()?.outcome.as_ref().map(|part| text(&self.body, part))
    }

    /// Who hands over.
    pub(super) fn from(&self) -> Option<&str> {
        self.side.as_ref()?.from.as_ref().map(|part| text(&self.body, part))
    }

    /// Who takes.
    pub(super) fn to(&self) -> Option<&str> {
        self.side.as_ref()?.to.as_ref().map(|part| text(&self.body, part))
    }

    /// How much memory it takes, about.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + self.body.len() + 128
    }
}

/// The text at a place in a body; it was read there.
pub(super) fn text<'a>(body: &'a [u8], part: &Part) -> &'a str {
    std::str::from_utf8(bytes(body, part)).unwrap_or_default()
}

fn bytes<'a>(body: &'a [u8], part: &Part) -> &'a [u8] {
    body.get(part.start as usize..part.end as usize).unwrap_or_default()
}

fn bound<'a>(body: &'a [u8], part: &Part) -> ToSqlOutput<'a> {
    ToSqlOutput::Borrowed(ValueRef::Text(bytes(body, part)))
}

impl Side {
    fn of(span: &Scanned, body: &[u8], kind: SpanType) -> Option<Self> {
        let is_sender = match kind {
            SpanType::Handoff => true,
            SpanType::Process => false,
            _ => return None,
        };
        let (turn, size) = if is_sender { (span.attempt, span.size) } else { (span.deliveries, span.size_received) };
        let word = |part: &Option<Part>| part.as_ref().map(|part| text(body, part));
        let list = span.mismatches.as_ref().and_then(|part| body.get(part.start as usize..part.end as usize));
        Some(Self {
            id: HandoffKey::new(word(&span.handoff)?),
            is_sender,
            parent: word(&span.parent).map(HandoffKey::new),
            from: span.from.clone(),
            to: span.to.clone(),
            kind: match word(&span.handoff_kind) {
                Some("delegation") => 1,
                Some("transfer") => 2,
                _ => 0,
            },
            verdict: word(&span.verdict).map_or(VerdictWord::Pending, VerdictWord::read),
            mismatches: scan::texts(list.unwrap_or_default())
                .filter_map(words::mismatch_bit)
                .fold(0, |bits, bit| bits | 1 << bit),
            rung: word(&span.rung)
                .and_then(|word| Rung::ALL.iter().position(|rung| rung.as_str() == word))
                .map_or(0, |at| at as i64),
            turn: turn.unwrap_or(1).max(1),
            size,
            age_ms: span.age_ms,
            quality: span.quality,
        })
    }
}

impl SpanType {
    fn of(span: &Scanned, body: &[u8]) -> Self {
        if span.handoff.is_some() {
            match SpanKind::from_number(span.kind.cast_signed()) {
                SpanKind::Consumer => return Self::Process,
                SpanKind::Producer | SpanKind::Client => return Self::Handoff,
                _ => {}
            }
        }
        let first_word = text(body, &span.name).split(' ').next().unwrap_or_default();
        match (first_word, span.operation.as_ref().map(|part| text(body, part))) {
            _ if span.is_decision => Self::Decision,
            _ if span.is_join => Self::Join,
            _ if span.is_iteration => Self::Iteration,
            (_, Some("invoke_workflow")) | ("invoke_workflow", None) => Self::Workflow,
            (_, Some("execute_tool")) | ("execute_tool", None) => Self::Tool,
            (_, Some("invoke_agent")) | ("invoke_agent", None) => Self::Agent,
            _ => Self::Foreign,
        }
    }

    /// What of its type a span is: of a decision which type, of a tool which one.
    fn subtype(self, span: &Scanned) -> Option<Part> {
        match self {
            Self::Decision => span.decision.clone(),
            Self::Tool => span.tool.clone(),
            Self::Agent => span.agent.clone(),
            Self::Workflow => span.workflow_name.clone(),
            _ => None,
        }
    }
}

/// Nanoseconds as SQLite can hold them: to the year 2262.
fn nanos(at: u64) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}
