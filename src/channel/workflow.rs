use std::sync::Arc;

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceState};

use super::channel::Channel;
use crate::model::{Timestamp, WorkflowId};
use crate::telemetry::record::{Record, SpanPlace, WorkflowRecord};
use crate::wire::trace;

/// One end-to-end job: the handoffs that share a workflow id, and one trace.
///
/// Whoever knows how the job ended closes it; that emits the root span `invoke_workflow {name}`. A workflow that is
/// only dropped emits no root: another process may still close it.
#[derive(Debug)]
#[must_use = "a workflow is over when it is closed"]
pub struct Workflow {
    channel: Channel,
    id: WorkflowId,
    name: Arc<str>,
    started: Timestamp,
    /// The span it was opened in, where there was one: a trace that is already there wins.
    within: SpanContext,
}

impl Workflow {
    pub(crate) fn new(channel: Channel, id: WorkflowId) -> Self {
        let (name, started) = (channel.name().shared(), channel.hub().clock.now());
        let within = opentelemetry::Context::current().span().span_context().clone();
        Self { channel, id, name, started, within }
    }

    /// The workflow's id.
    pub fn id(&self) -> &WorkflowId {
        &self.id
    }

    /// What kind of workflow it is, for the root span's name; of low cardinality. Default: the channel's name.
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// The workflow reached what it was for.
    pub fn succeed(self, outcome: impl Into<Arc<str>>) {
        self.close(Some(outcome.into()), Some(true));
    }

    /// The workflow did not reach what it was for.
    pub fn fail(self, outcome: impl Into<Arc<str>>) {
        self.close(Some(outcome.into()), Some(false));
    }

    /// Closes the workflow without a word on its outcome.
    ///
    /// Handoffs of it that this channel made and that are still open are settled: what was accepted is `abandoned`.
    pub fn finish(self) {
        self.close(None, None);
    }

    fn close(self, outcome: Option<Arc<str>>, ok: Option<bool>) {
        self.channel.hub().close_workflow(&self.id);
        let (own_trace, span_id) = trace::workflow_trace(&self.id);
        let within = self.within.is_valid().then_some(&self.within);
        let trace_id = within.map_or(own_trace, SpanContext::trace_id);
        let place = SpanPlace {
            trace_id,
            span_id,
            parent_span_id: within.map_or(SpanId::INVALID, SpanContext::span_id),
            parent_is_remote: within.is_some_and(SpanContext::is_remote),
            trace_state: within.map_or(TraceState::NONE, |parent| parent.trace_state().clone()),
            sampled: self.channel.hub().telemetry.sample(trace_id, within.map(SpanContext::is_sampled)),
        };
        self.channel.hub().telemetry.record(Record::Workflow(Box::new(WorkflowRecord {
            place,
            workflow: self.id,
            name: self.name,
            started: self.started,
            ended: self.channel.hub().clock.now(),
            outcome,
            ok,
        })));
    }
}

/// The workflow's id.
impl AsRef<str> for Workflow {
    fn as_ref(&self) -> &str {
        self.id.as_str()
    }
}
