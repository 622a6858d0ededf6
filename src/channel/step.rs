//! The steps of an agent between the handoffs: what it decided, which tool it called, which round it was in.

use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::{SpanId, TraceContextExt, TraceId, TraceState};

use super::delivery::Delivery;
use super::hub::Hub;
use crate::model::{AgentName, WorkflowId};
use crate::telemetry::record::{self, DecisionFacts, Record, SpanPlace, StepRecord};
use crate::wire::trace;

/// A step inside an agent, of interest to whoever reads the trace: a decision, a call of a tool, one round of a loop, or
/// the agent's work as a whole. All are optional.
///
/// ```no_run
/// # async fn f(task: wilco::channel::Task, brief: wilco::channel::Handoff) -> Result<(), Box<dyn std::error::Error>> {
/// use wilco::channel::{Decision, Step};
/// let search = task.begin(Step::tool("search"));
/// // ... the call itself ...
/// search.end();
/// let decision = task.begin(Decision::new("delegate").choice("researcher").confidence(0.8).alternative("writer"));
/// let receipt = task.hand_off("researcher", brief.triggered_by(decision.end())).await?;
/// # drop(receipt);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a step is on record once it was begun and ended"]
pub struct Step(record::Step);

impl Step {
    /// A call of a tool: span `execute_tool {name}`.
    pub fn tool(name: impl Into<Arc<str>>) -> Self {
        Self(record::Step::Tool { name: name.into() })
    }

    /// One round of a loop, from 1: span `iteration`.
    pub fn iteration(number: u32) -> Self {
        Self(record::Step::Iteration { number })
    }

    /// The agent's own work on a task as a whole, as its framework runs it: span `invoke_agent {agent}`.
    pub fn work() -> Self {
        Self(record::Step::Work)
    }
}

impl From<Decision> for Step {
    fn from(decision: Decision) -> Self {
        Self(record::Step::Decision(Box::new(decision.0)))
    }
}

/// What an agent decided, and why: span `decision {kind}`.
#[derive(Clone, Debug)]
#[must_use = "a decision is on record once it was begun and ended"]
pub struct Decision(DecisionFacts);

impl Decision {
    /// A decision of a kind: a word of low cardinality such as `approve` or `route`.
    pub fn new(kind: impl Into<Arc<str>>) -> Self {
        Self(DecisionFacts { kind: kind.into(), ..DecisionFacts::default() })
    }

    /// What was chosen.
    pub fn choice(mut self, choice: impl Into<Arc<str>>) -> Self {
        self.0.choice = Some(choice.into());
        self
    }

    /// How sure the agent is, 0..=1; what is outside is taken to its nearer end, and NaN is left out.
    pub fn confidence(mut self, confidence: f64) -> Self {
        self.0.confidence = (!confidence.is_nan()).then(|| confidence.clamp(0.0, 1.0));
        self
    }

    /// Why.
    pub fn because(mut self, reason: impl Into<Arc<str>>) -> Self {
        self.0.reason = Some(reason.into());
        self
    }

    /// Adds what else could have been chosen.
    pub fn alternative(mut self, alternative: impl Into<String>) -> Self {
        self.0.alternatives.push(alternative.into());
        self
    }

    /// Adds one step of the reasoning.
    pub fn step(mut self, step: impl Into<String>) -> Self {
        self.0.steps.push(step.into());
        self
    }

    /// What came of it, where that is known by its end.
    pub fn outcome(mut self, outcome: impl Into<Arc<str>>) -> Self {
        self.0.outcome = Some(outcome.into());
        self
    }
}

/// A step that was begun. It is on record when it is ended, or dropped.
#[must_use = "a step ends when this is dropped"]
pub struct StepSpan {
    hub: Arc<Hub>,
    record: Option<Box<StepRecord>>,
}

impl StepSpan {
    pub(crate) fn begin(
        hub: &Arc<Hub>,
        agent: &AgentName,
        workflow: Option<&WorkflowId>,
        within: Option<&Delivery>,
        step: Step,
    ) -> Self {
        let now = hub.clock.now();
        let record = StepRecord {
            place: place(hub, workflow, within),
            workflow: workflow.cloned(),
            agent: Some(agent.clone()),
            started: now,
            ended: now,
            step: step.0,
            failed: None,
            mismatches: Vec::new(),
        };
        Self { hub: hub.clone(), record: Some(Box::new(record)) }
    }

    /// The id of its span, for [`triggered_by`](super::Handoff::triggered_by).
    pub fn span_id(&self) -> SpanId {
        self.place().span_id
    }

    /// The step as an OpenTelemetry context, to be the parent of the application's own spans.
    pub fn trace_context(&self) -> opentelemetry::Context {
        opentelemetry::Context::current().with_remote_span_context(self.place().context())
    }

    /// Ends the step; gives the id of its span.
    pub fn end(self) -> SpanId {
        self.span_id()
    }

    /// Ends the step, which failed, and says why; gives the id of its span.
    pub fn fail(mut self, why: impl Into<Arc<str>>) -> SpanId {
        if let Some(record) = &mut self.record {
            record.failed = Some(why.into());
        }
        self.end()
    }

    fn place(&self) -> &SpanPlace {
        match &self.record {
            Some(record) => &record.place,
            None => unreachable!("only dropping takes the record"),
        }
    }
}

impl Drop for StepSpan {
    fn drop(&mut self) {
        if let Some(mut record) = self.record.take() {
            record.ended = self.hub.clock.now();
            self.hub.telemetry.record(Record::Step(record));
        }
    }
}

impl fmt::Debug for StepSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StepSpan").field(&self.record).finish()
    }
}

/// Where the span of a step stands: under the current span where that is of the same trace, else under the task's, else
/// under the root of its workflow.
pub(crate) fn place(hub: &Hub, workflow: Option<&WorkflowId>, within: Option<&Delivery>) -> SpanPlace {
    let outer = within.map(Delivery::span_context);
    let (trace_id, parent, trace_state, flag) = match (&outer, workflow) {
        (Some(task), _) => (task.trace_id(), task.span_id(), task.trace_state().clone(), Some(task.is_sampled())),
        (None, Some(workflow)) => {
            let (trace_id, root) = hub.trace_of(workflow);
            (trace_id, root, TraceState::NONE, None)
        }
        (None, None) => (TraceId::from(fastrand::u128(1..)), SpanId::INVALID, TraceState::NONE, None),
    };
    let current = opentelemetry::Context::map_current(|context| {
        let span = context.span();
        let current = span.span_context();
        (current.is_valid() && current.trace_id() == trace_id).then(|| current.span_id())
    });
    SpanPlace {
        trace_id,
        span_id: trace::new_span_id(),
        parent_span_id: current.unwrap_or(parent),
        parent_is_remote: false,
        trace_state,
        sampled: hub.telemetry.sample(trace_id, flag),
    }
}
