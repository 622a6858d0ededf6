use std::sync::Arc;

use super::body;
use super::words::{HandoffKey, SpanType, VerdictWord};
use crate::model::{AttributeValue, Resource, Rung, Scope, Span, Timestamp};
use crate::store::words;

/// One span, ready to be written: its columns, and all of it as a body. Made outside the writer, which has little time.
#[derive(Debug)]
pub(super) struct SpanRow {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    pub(super) parent_id: Option<[u8; 8]>,
    pub(super) workflow: Option<String>,
    pub(super) kind: SpanType,
    pub(super) subtype: Option<String>,
    pub(super) name: String,
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
    pub(super) error: bool,
    pub(super) origin: Arc<Origin>,
    pub(super) body: Vec<u8>,
    pub(super) side: Option<Box<Side>>,
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
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
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

/// What the root span of a workflow says.
#[derive(Clone, Debug)]
pub(super) struct Root {
    pub(super) name: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) ok: Option<bool>,
}

/// Makes rows of the spans of one request. Spans that share a resource and a scope share an origin.
pub(super) fn rows(spans: Vec<Span>) -> Vec<SpanRow> {
    let mut last: Option<(Arc<Resource>, Arc<Scope>, Arc<Origin>)> = None;
    let mut rows = Vec::with_capacity(spans.len());
    for span in spans {
        let origin = match &last {
            Some((resource, scope, origin))
                if Arc::ptr_eq(resource, &span.resource) && Arc::ptr_eq(scope, &span.scope) =>
            {
                Arc::clone(origin)
            }
            _ => {
                let origin = Arc::new(Origin::new(&span.resource, &span.scope));
                last = Some((Arc::clone(&span.resource), Arc::clone(&span.scope), Arc::clone(&origin)));
                origin
            }
        };
        rows.push(SpanRow::new(span, origin));
    }
    rows
}

impl Origin {
    fn new(resource: &Resource, scope: &Scope) -> Self {
        let (resource, scope) = (body::encode_resource(resource), body::encode_scope(scope));
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(resource.len() as u64).to_le_bytes()).update(&resource).update(&scope);
        Self { digest: *hasher.finalize().as_bytes(), resource, scope }
    }
}

impl SpanRow {
    fn new(span: Span, origin: Arc<Origin>) -> Self {
        let kind = SpanType::of(&span);
        let workflow = ["wilco.workflow.id", "gen_ai.conversation.id"]
            .into_iter()
            .find_map(|name| span.attributes.text(name).filter(|id| !id.is_empty()))
            .map(str::to_owned);
        Self {
            trace_id: span.trace_id.to_bytes(),
            span_id: span.span_id.to_bytes(),
            parent_id: span.parent_span_id.map(|id| id.to_bytes()),
            workflow,
            kind,
            subtype: kind.subtype(&span),
            start_ns: nanos(span.start),
            end_ns: nanos(span.end),
            error: span.status.is_error(),
            origin,
            body: body::encode_span(&span),
            side: Side::of(&span, kind).map(Box::new),
            root: (kind == SpanType::Workflow).then(|| Root {
                name: kind.subtype(&span),
                outcome: span.attributes.text("wilco.workflow.outcome").map(str::to_owned),
                ok: span.attributes.bool("wilco.workflow.ok"),
            }),
            name: span.name,
        }
    }

    /// How much memory it takes, about.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + size_of::<Side>() + self.body.len() + self.name.len() + 128
    }
}

impl Side {
    fn of(span: &Span, kind: SpanType) -> Option<Self> {
        let is_sender = match kind {
            SpanType::Handoff => true,
            SpanType::Process => false,
            _ => return None,
        };
        let attributes = &span.attributes;
        let owned = |name: &str| attributes.text(name).map(str::to_owned);
        let (turn, size) = if is_sender {
            ("wilco.handoff.attempt", "wilco.content.size")
        } else {
            ("wilco.delivery.count", "wilco.content.size.received")
        };
        Some(Self {
            id: HandoffKey::new(attributes.text("wilco.handoff.id")?),
            is_sender,
            parent: attributes.text("wilco.handoff.parent").map(HandoffKey::new),
            from: owned("wilco.handoff.from"),
            to: owned("wilco.handoff.to"),
            kind: match attributes.text("wilco.handoff.kind") {
                Some("delegation") => 1,
                Some("transfer") => 2,
                _ => 0,
            },
            verdict: attributes.text("wilco.verdict").map_or(VerdictWord::Pending, VerdictWord::read),
            mismatches: attributes
                .get("wilco.mismatches")
                .and_then(AttributeValue::as_list)
                .unwrap_or_default()
                .iter()
                .filter_map(|word| words::mismatch_bit(word.as_text()?))
                .fold(0, |bits, bit| bits | 1 << bit),
            rung: attributes
                .text("wilco.rung")
                .and_then(|word| Rung::ALL.iter().position(|rung| rung.as_str() == word))
                .map_or(0, |at| at as i64),
            turn: attributes.int(turn).unwrap_or(1).max(1),
            size: attributes.int(size),
            age_ms: attributes.number("wilco.context.age_ms"),
            quality: attributes.number("wilco.result.quality"),
        })
    }
}

/// Nanoseconds as SQLite can hold them: to the year 2262.
fn nanos(at: Timestamp) -> i64 {
    i64::try_from(at.unix_nanos()).unwrap_or(i64::MAX)
}
