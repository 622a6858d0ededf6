use opentelemetry::trace::{SpanContext, SpanKind};

use super::text::Text;
use crate::model::{AgentName, Climb, InstanceId, Timestamp, WorkflowId};
use crate::telemetry::record::{FactsRef, SpanPlace};
use std::sync::Arc;

/// What a span is written with. What a span says is told once, in terms of this; there is a writer for the SDK's
/// `SpanData`, and one for OTLP's bytes.
///
/// Between `begin` and `end`, attributes are the span's, but within `event` and `link`, where they are theirs.
pub(super) trait Writer {
    fn begin(&mut self, place: &SpanPlace, shape: Shape<'_>);
    fn text(&mut self, key: &'static str, value: impl Text);
    fn texts<T: Text>(&mut self, key: &'static str, values: impl ExactSizeIterator<Item = T>);
    fn int(&mut self, key: &'static str, value: i64);
    fn number(&mut self, key: &'static str, value: f64);
    fn flag(&mut self, key: &'static str, value: bool);
    fn event(&mut self, name: &'static str, at: Timestamp, about: impl FnOnce(&mut Self));
    fn link(&mut self, to: &SpanContext, about: impl FnOnce(&mut Self));
    /// The span failed.
    fn fail(&mut self, why: &str);
    fn end(&mut self);

    /// Attributes that all spans of one side of a boundary share: `write` writes them. A writer may remember them.
    fn boundary(&mut self, _of: &Boundary<'_>, write: impl FnOnce(&mut Self)) {
        write(self);
    }

    /// Attributes that all spans of one kind in a workflow share: `write` writes them. A writer may remember them.
    fn workflow(&mut self, _id: &WorkflowId, _kind: &'static str, write: impl FnOnce(&mut Self)) {
        write(self);
    }

    /// The event of a rung: `write` writes it. A writer may remember it, but for its time, which comes first.
    fn rung(&mut self, _climb: &Climb, write: impl FnOnce(&mut Self)) {
        write(self);
    }

    fn maybe_text(&mut self, key: &'static str, value: Option<impl Text>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A count that is too large for OTLP's signed numbers, which none is, is their greatest.
    fn count(&mut self, key: &'static str, value: u64) {
        self.int(key, i64::try_from(value).unwrap_or(i64::MAX));
    }
}

/// What a span is, apart from where it stands.
pub(super) struct Shape<'a> {
    /// The name, in two parts: `verb` as it is, or followed by the noun.
    pub(super) verb: &'static str,
    pub(super) noun: &'a str,
    pub(super) kind: SpanKind,
    pub(super) started: Timestamp,
    pub(super) ended: Timestamp,
}

/// All on which the shared attributes of one side of a boundary depend.
pub(super) struct Boundary<'a> {
    pub(super) facts: FactsRef<'a>,
    pub(super) side: Side<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Side<'a> {
    Sender { inst: Option<InstanceId> },
    Receiver { agent: &'a AgentName, group: Option<&'a Arc<str>> },
}
