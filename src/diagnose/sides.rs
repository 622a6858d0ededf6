//! What each side of a handoff put on record, read from its span.

use super::reading::Reading;
use crate::model::{MismatchKind, Rung, Span, SpanStatus, names};

/// One attempt to hand a task over: what the sender's span tells.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The span.
    pub span: &'a Span,
    /// 1, 2, ...
    pub number: i64,
    pub(super) told: Reading<'a>,
}

/// One delivery of the task: what the receiver's span tells.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The span.
    pub span: &'a Span,
    /// The attempt that it belongs to, as far as it can be told.
    pub attempt: i64,
    pub(super) told: Reading<'a>,
}

/// The rungs that a span tells of, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rungs(u16);

impl Rungs {
    const fn bit(rung: Rung) -> u16 {
        1 << rung as u16
    }

    pub(super) const fn insert(&mut self, rung: Rung) {
        self.0 |= Self::bit(rung);
    }

    const fn has(self, rung: Rung) -> bool {
        self.0 & Self::bit(rung) != 0
    }
}

impl<'a> Attempt<'a> {
    /// Content hashes of earlier results that the task rests on.
    pub fn inputs(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.told.inputs.iter()
    }

    /// How many parts the task was owed, where that was said.
    pub(super) fn expected_inputs(&self) -> usize {
        self.told.expected_inputs.map_or(0, |count| usize::try_from(count).unwrap_or(0))
    }

    /// How long the sender was going to wait, from when this attempt began; in its own clock at both ends.
    pub(super) fn patience_nanos(&self) -> Option<i64> {
        let deadline: jiff::Timestamp = self.span.attributes.text(names::DEADLINE)?.parse().ok()?;
        let start = i128::from(self.span.start.unix_nanos());
        i64::try_from(deadline.as_nanosecond() - start).ok()
    }

    /// Whether the server said that nobody listens.
    pub(super) fn had_no_responders(&self) -> bool {
        status_says(self.span, "no responders") || self.declares(MismatchKind::Undelivered)
    }

    /// Whether the sender stopped waiting because time was up.
    pub(super) fn ran_out_of_time(&self) -> bool {
        self.declares(MismatchKind::TimedOut)
            || ["deadline", "timed out", "timed_out", "timeout"].iter().any(|words| status_says(self.span, words))
    }

    pub(super) const fn declares(&self, kind: MismatchKind) -> bool {
        self.told.declared.has(kind)
    }

    /// Whether the sender says that it saw a result.
    pub const fn has_result(&self) -> bool {
        self.reached(Rung::Completed) || self.told.result_hash.is_some()
    }

    /// Whether this rung is among those that the sender saw climbed.
    pub const fn reached(&self, rung: Rung) -> bool {
        self.told.rungs.has(rung)
    }

    /// Whether its receiver is known to have begun: who reads a task back, or tells of progress, has it in hand.
    pub(super) const fn was_begun(&self) -> bool {
        self.reached(Rung::Understood) || self.reached(Rung::Misunderstood) || self.reached(Rung::InProgress)
    }

    /// Whether anything beyond `sent` and `stored` was seen: somebody took it.
    pub(super) const fn was_taken(&self) -> bool {
        self.told.rungs.0 > Rungs::bit(Rung::Stored) || self.has_result()
    }

    /// Whether the ladder is on record at all.
    pub(super) const fn tells_rungs(&self) -> bool {
        self.told.rungs.0 != 0
    }

    /// Score, and the threshold it was held against.
    pub(super) fn quality(&self) -> Option<(f64, f64)> {
        quality(&self.told)
    }

    /// Whether a score was demanded, and none came.
    pub(super) const fn lacks_score(&self) -> bool {
        self.told.threshold.is_some() && self.told.quality.is_none()
    }

    /// What became of the result, where that was said.
    pub(super) const fn used(&self) -> Option<bool> {
        self.told.used
    }

    pub(super) fn checked(&self) -> bool {
        self.told.checked.unwrap_or(false)
    }
}

impl<'a> Delivery<'a> {
    /// The agent that took it: who the receiver says it is.
    pub fn agent(&self) -> Option<&'a str> {
        self.told.agent.or_else(|| self.span.service())
    }

    /// Whether it was worked on: anything beyond having been received, or a result.
    pub(super) fn had_effect(&self) -> bool {
        self.result_hash().is_some() || self.reached(Rung::InProgress) || self.reached(Rung::Completed)
    }

    /// Whether the task was read back.
    pub(super) const fn read_back(&self) -> bool {
        self.told.intent_read_back.is_some()
    }

    /// Hash of the result that this delivery made.
    pub(super) const fn result_hash(&self) -> Option<&'a str> {
        self.told.result_hash
    }

    /// Whether the content that arrived is known to be another than this.
    pub(super) fn received_other(&self, hash: &str) -> bool {
        self.told.hash_received.is_some_and(|received| received != hash)
    }

    pub(super) fn count(&self) -> i64 {
        self.told.delivery_count.unwrap_or(1)
    }

    pub(super) const fn reached(&self, rung: Rung) -> bool {
        self.told.rungs.has(rung)
    }

    pub(super) const fn declares(&self, kind: MismatchKind) -> bool {
        self.told.declared.has(kind)
    }

    pub(super) fn quality(&self) -> Option<(f64, f64)> {
        quality(&self.told)
    }
}

fn status_says(span: &Span, words: &str) -> bool {
    matches!(&span.status, SpanStatus::Error(message) if message.to_ascii_lowercase().contains(words))
}

fn quality(told: &Reading<'_>) -> Option<(f64, f64)> {
    Some((told.quality?, told.threshold.unwrap_or(0.0)))
}
