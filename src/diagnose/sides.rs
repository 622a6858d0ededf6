//! What each side of a handoff put on record, read from its span.

use crate::model::{AttributeValue, MismatchKind, Rung, Span, SpanStatus, names};

/// One attempt to hand a task over: what the sender's span tells.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The span.
    pub span: &'a Span,
    /// 1, 2, ...
    pub number: i64,
    rungs: Rungs,
}

/// One delivery of the task: what the receiver's span tells.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The span.
    pub span: &'a Span,
    /// The attempt that it belongs to, as far as it can be told.
    pub attempt: i64,
    rungs: Rungs,
}

/// The rungs that a span tells of, a bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rungs(u16);

impl Rungs {
    fn of(span: &Span) -> Self {
        Self(climbed(span).fold(0, |all, rung| all | Self::bit(rung)))
    }

    const fn bit(rung: Rung) -> u16 {
        1 << rung as u16
    }

    const fn has(self, rung: Rung) -> bool {
        self.0 & Self::bit(rung) != 0
    }
}

impl<'a> Attempt<'a> {
    pub(super) fn new(span: &'a Span, number: i64) -> Self {
        Self { span, number, rungs: Rungs::of(span) }
    }

    /// Content hashes of earlier results that the task rests on.
    pub fn inputs(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.span.attributes.texts(names::HANDOFF_INPUTS)
    }

    /// How many parts the task was owed, where that was said.
    pub(super) fn expected_inputs(&self) -> usize {
        self.span.attributes.int(names::HANDOFF_EXPECTED_INPUTS).map_or(0, |count| usize::try_from(count).unwrap_or(0))
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

    pub(super) fn declares(&self, kind: MismatchKind) -> bool {
        declares(self.span, kind)
    }

    /// Whether the sender says that it saw a result.
    pub fn has_result(&self) -> bool {
        self.reached(Rung::Completed) || self.span.attributes.get(names::RESULT_HASH).is_some()
    }

    /// Whether this rung is among those that the sender saw climbed.
    pub fn reached(&self, rung: Rung) -> bool {
        self.rungs.has(rung)
    }

    /// Whether anything beyond `sent` and `stored` was seen: somebody took it.
    pub(super) fn was_taken(&self) -> bool {
        self.rungs.0 > Rungs::bit(Rung::Stored) || self.has_result()
    }

    /// Whether the ladder is on record at all.
    pub(super) fn tells_rungs(&self) -> bool {
        self.rungs.0 != 0
    }

    /// Score, and the threshold it was held against.
    pub(super) fn quality(&self) -> Option<(f64, f64)> {
        quality(self.span)
    }

    /// What became of the result, where that was said.
    pub(super) fn used(&self) -> Option<bool> {
        self.span.attributes.bool(names::RESULT_USED)
    }

    pub(super) fn checked(&self) -> bool {
        self.span.attributes.bool(names::RESULT_CHECKED).unwrap_or(false)
    }
}

impl<'a> Delivery<'a> {
    pub(super) fn new(span: &'a Span, attempt: i64) -> Self {
        Self { span, attempt, rungs: Rungs::of(span) }
    }

    /// The agent that took it: who the receiver says it is.
    pub fn agent(&self) -> Option<&'a str> {
        self.span.attributes.text(names::GEN_AI_AGENT_NAME).or_else(|| self.span.service())
    }

    /// Whether it was worked on: anything beyond having been received, or a result.
    pub(super) fn had_effect(&self) -> bool {
        self.result_hash().is_some() || self.reached(Rung::InProgress) || self.reached(Rung::Completed)
    }

    /// Hash of the result that this delivery made.
    pub(super) fn result_hash(&self) -> Option<&'a str> {
        self.span.attributes.text(names::RESULT_HASH)
    }

    /// Whether the content that arrived is known to be another than this.
    pub(super) fn received_other(&self, hash: &str) -> bool {
        self.span.attributes.text(names::CONTENT_HASH_RECEIVED).is_some_and(|received| received != hash)
    }

    pub(super) fn count(&self) -> i64 {
        self.span.attributes.int(names::DELIVERY_COUNT).unwrap_or(1)
    }

    pub(super) fn reached(&self, rung: Rung) -> bool {
        self.rungs.has(rung)
    }

    pub(super) fn declares(&self, kind: MismatchKind) -> bool {
        declares(self.span, kind)
    }

    pub(super) fn quality(&self) -> Option<(f64, f64)> {
        quality(self.span)
    }
}

fn status_says(span: &Span, words: &str) -> bool {
    matches!(&span.status, SpanStatus::Error(message) if message.to_ascii_lowercase().contains(words))
}

fn declares(span: &Span, kind: MismatchKind) -> bool {
    span.attributes.texts(names::MISMATCHES).any(|word| word == kind.as_str())
}

fn quality(span: &Span) -> Option<(f64, f64)> {
    let score = span.attributes.number(names::RESULT_QUALITY)?;
    Some((score, span.attributes.number(names::RESULT_QUALITY_THRESHOLD).unwrap_or(0.0)))
}

/// Every rung on record, in no order; the highest one is also an attribute.
fn climbed(span: &Span) -> impl Iterator<Item = Rung> {
    let events = span.events.iter().filter(|event| event.name == names::RUNG);
    let rungs = events.filter_map(|event| event.attributes.text("rung"));
    rungs.chain(span.attributes.text(names::RUNG)).filter_map(|word| word.parse().ok())
}

/// Who said so at any rung.
pub(super) fn climbers(span: &Span) -> impl Iterator<Item = &str> {
    span.events.iter().filter(|event| event.name == names::RUNG).filter_map(|event| event.attributes.text("by"))
}

/// `name@version` texts under a key, as pairs.
pub(super) fn versions<'a>(span: &'a Span, key: &str) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
    let list = span.attributes.get(key).and_then(AttributeValue::as_list).unwrap_or_default();
    let texts = list.iter().filter_map(AttributeValue::as_text);
    // Context items go on after a slash: `name@version/observed-at/max-age/hash`.
    texts.filter_map(|text| text.split('/').next().and_then(|item| item.split_once('@')))
}
