use opentelemetry::trace::SpanId;

use super::causality::Part;
use crate::model::MismatchKind;

/// Something about one handoff that a rule found: evidence, not yet blame.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// Which handoff.
    pub(super) handoff: usize,
    /// Whether the task was already affected, or only what came of it.
    pub(super) part: Part,
    /// What does not agree.
    pub(super) kind: MismatchKind,
    /// How sure it is that this is a root, 0 to 1, if nothing above it explains it.
    pub(super) weight: f64,
    /// The evidence in words.
    pub(super) words: String,
    /// Spans that show it.
    pub(super) spans: Vec<SpanId>,
}

impl Finding {
    pub(super) fn task(handoff: usize, kind: MismatchKind, weight: f64) -> Self {
        Self { handoff, part: Part::Task, kind, weight, words: String::new(), spans: Vec::new() }
    }

    pub(super) fn result(handoff: usize, kind: MismatchKind, weight: f64) -> Self {
        Self { part: Part::Result, ..Self::task(handoff, kind, weight) }
    }

    pub(super) fn says(mut self, words: impl Into<String>) -> Self {
        self.words = words.into();
        self
    }

    pub(super) fn shown_by(mut self, spans: impl IntoIterator<Item = SpanId>) -> Self {
        self.spans.extend(spans);
        self
    }
}
