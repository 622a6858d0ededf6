use opentelemetry::trace::SpanId;

use super::sides::{Attempt, Delivery};
use crate::model::MismatchKind;

/// One handoff, joined from what both of its sides put on record.
#[derive(Clone, Debug)]
pub struct Handoff<'a> {
    /// Handoff id, as it is on the spans.
    pub id: &'a str,
    /// Source, where it is known.
    pub from: Option<&'a str>,
    /// Agent that it was addressed to, where it is known.
    pub to: Option<&'a str>,
    /// Whether the source waits for a result.
    pub is_delegation: bool,
    /// Id of the handoff that the source was working on.
    pub parent_id: Option<&'a str>,
    /// That handoff, where it is in the workflow: its place in [`Graph::handoffs`](super::Graph::handoffs).
    pub parent: Option<usize>,
    /// What the sender told, by number of the attempt.
    pub attempts: Vec<Attempt<'a>>,
    /// What receivers told, by attempt and delivery count.
    pub deliveries: Vec<Delivery<'a>>,
    /// Handoffs that were made while working on this one.
    pub children: Vec<usize>,
    pub(super) last_attempt: i64,
}

impl<'a> Handoff<'a> {
    pub(super) const fn new(id: &'a str) -> Self {
        Self {
            id,
            from: None,
            to: None,
            is_delegation: false,
            parent_id: None,
            parent: None,
            attempts: Vec::new(),
            deliveries: Vec::new(),
            children: Vec::new(),
            last_attempt: 1,
        }
    }

    /// What the sender told of the attempt that counts, the last one; `None` where that record is missing.
    pub fn sent(&self) -> Option<&Attempt<'a>> {
        self.attempts.last().filter(|attempt| attempt.number >= self.last_attempt)
    }

    /// The deliveries of the attempt that counts.
    pub fn taken(&self) -> impl Iterator<Item = &Delivery<'a>> {
        self.deliveries.iter().filter(|delivery| delivery.attempt >= self.last_attempt)
    }

    /// The delivery that was worked on, else the first one.
    pub fn worked(&self) -> Option<&Delivery<'a>> {
        self.taken().find(|delivery| delivery.had_effect()).or_else(|| self.taken().next())
    }

    /// Whether neither side put anything on record: it is known by what others say of it.
    pub const fn is_unseen(&self) -> bool {
        self.attempts.is_empty() && self.deliveries.is_empty()
    }

    /// `to<-from`, with a question mark where a side is not known.
    pub fn boundary(&self) -> String {
        format!("{}<-{}", self.to.unwrap_or("?"), self.from.unwrap_or("?"))
    }

    /// The intent that was sent, as JSON.
    pub(super) fn intent_sent(&self) -> Option<&'a str> {
        self.attempts.last().and_then(|attempt| attempt.told.intent_sent)
    }

    /// The intent that was read back, as JSON.
    pub(super) fn intent_read_back(&self) -> Option<&'a str> {
        self.taken().find_map(|delivery| delivery.told.intent_read_back)
    }

    /// Hash of the content as it was sent, else as it was received.
    pub(super) fn content_hash(&self) -> Option<&'a str> {
        let sent = self.attempts.last().and_then(|attempt| attempt.told.content_hash);
        sent.or_else(|| self.taken().find_map(|each| each.told.hash_received))
    }

    /// Whether either side declares this mismatch about the attempt that counts.
    pub(super) fn declares(&self, kind: MismatchKind) -> bool {
        self.sent().is_some_and(|sent| sent.declares(kind)) || self.taken().any(|taken| taken.declares(kind))
    }

    /// The sender's reason for this handoff, in its own words.
    pub(super) fn reason(&self) -> &'a str {
        self.attempts.last().and_then(|attempt| attempt.told.reason).unwrap_or_default()
    }

    /// Whether anybody is known to have worked on it.
    pub(super) fn was_worked_on(&self) -> bool {
        self.taken().any(Delivery::had_effect) || !self.children.is_empty()
    }

    /// Whether a result is known to have been made, on either side.
    pub(super) fn has_result(&self) -> bool {
        self.sent().is_some_and(Attempt::has_result) || self.taken().any(|taken| taken.result_hash().is_some())
    }

    /// Ids of the spans that tell of the attempt that counts.
    pub(super) fn span_ids(&self) -> Vec<SpanId> {
        let sent = self.sent().map(|sent| sent.span.span_id);
        sent.into_iter().chain(self.taken().map(|taken| taken.span.span_id)).collect()
    }
}
