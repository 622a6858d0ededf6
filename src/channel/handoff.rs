use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry::trace::SpanId;
use serde::Serialize;

use super::error::PayloadError;
use super::fan_out::Joined;
use super::hub::LONGEST_WAIT;
use super::payload::to_json;
use super::workflow::Workflow;
use crate::model::{ContentHash, Context, HandoffKind, Intent, InvalidName, ShortHash, Timestamp, WorkflowId};

/// A task about to be handed over: payload, intent and context, and what the sender expects back.
///
/// Cloning is cheap, so one handoff can go to several agents, or be sent again.
///
/// ```
/// use std::time::Duration;
/// use wilco::channel::Handoff;
/// use wilco::model::{Context, Intent, Timestamp};
///
/// let handoff = Handoff::new(Intent::new("find_sources").constraint("max", 5), &"solid-state batteries")?
///     .workflow("abc-123")
///     .because("the user asked for cited figures")
///     .context(Context::observed("crm", Timestamp::now()).version("41").max_age(Duration::from_secs(10)))
///     .read_back_within(Duration::from_secs(5))
///     .quality_at_least(0.7);
/// # let _ = handoff;
/// # Ok::<(), wilco::channel::PayloadError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a handoff is only sent by `hand_off`"]
pub struct Handoff {
    pub(crate) payload: Bytes,
    pub(crate) intent: Option<Intent>,
    pub(crate) workflow: Option<Result<WorkflowId, Box<InvalidName>>>,
    pub(crate) kind: HandoffKind,
    pub(crate) receipts: bool,
    pub(crate) hold: bool,
    pub(crate) stored: bool,
    pub(crate) read_back_within: Duration,
    pub(crate) result_within: Option<Duration>,
    /// Elsewhere, as most handoffs say none of it, and each is moved several times on its way.
    extras: Option<Box<Extras>>,
}

/// What only some handoffs say.
#[derive(Clone, Debug)]
pub(crate) struct Extras {
    pub(crate) contexts: Vec<Context>,
    pub(crate) inputs: Vec<ShortHash>,
    pub(crate) owed: Option<u32>,
    pub(crate) missing_inputs: Option<String>,
    pub(crate) reason: Option<Arc<str>>,
    pub(crate) triggered_by: Option<SpanId>,
    pub(crate) threshold: Option<f64>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Extras {
    const NONE: Self = Self {
        contexts: Vec::new(),
        inputs: Vec::new(),
        owed: None,
        missing_inputs: None,
        reason: None,
        triggered_by: None,
        threshold: None,
        headers: Vec::new(),
    };
}

impl Handoff {
    /// How long a sender waits for the readback unless it says otherwise: 10 s.
    pub const READ_BACK_WITHIN: Duration = Duration::from_secs(10);
    /// How long a delegating sender waits for the result unless it says otherwise: 120 s.
    pub const RESULT_WITHIN: Duration = Duration::from_secs(120);

    /// A delegation with a JSON payload.
    ///
    /// # Errors
    /// [`PayloadError`] if the payload cannot be written as JSON.
    pub fn new(intent: Intent, payload: &(impl Serialize + ?Sized)) -> Result<Self, PayloadError> {
        Ok(Self::bytes(intent, to_json(payload)?))
    }

    /// A delegation with a payload of any bytes.
    pub fn bytes(intent: Intent, payload: impl Into<Bytes>) -> Self {
        Self { intent: Some(intent), ..Self::without_intent(payload) }
    }

    /// A delegation whose sender states no intent: no readback is due, and its verdict can be no better than
    /// `unconfirmed`.
    pub fn without_intent(payload: impl Into<Bytes>) -> Self {
        Self {
            payload: payload.into(),
            intent: None,
            workflow: None,
            kind: HandoffKind::Delegation,
            receipts: true,
            hold: false,
            stored: false,
            read_back_within: Self::READ_BACK_WITHIN,
            result_within: None,
            extras: None,
        }
    }

    /// Hands control over for good: nobody waits for a result. The verdict is settled by the readback.
    pub fn transfer(mut self) -> Self {
        self.kind = HandoffKind::Transfer;
        self
    }

    /// The workflow it belongs to: an id of at most 128 bytes, or a [`Workflow`]. Default: the workflow of the task
    /// it is handed off from, else a new one. An id that breaks the rule is reported by `hand_off`.
    pub fn workflow(mut self, id: impl AsRef<str>) -> Self {
        self.workflow = Some(WorkflowId::new(id.as_ref()).map_err(Box::new));
        self
    }

    /// As [`Handoff::workflow`], without another look at the id.
    pub fn in_workflow(mut self, workflow: &Workflow) -> Self {
        self.workflow = Some(Ok(workflow.id().clone()));
        self
    }

    /// Why this agent, why now: for whoever reads the trace.
    pub fn because(mut self, reason: impl Into<Arc<str>>) -> Self {
        self.extras_mut().reason = Some(reason.into());
        self
    }

    /// The span of the decision that caused this handoff.
    pub fn triggered_by(mut self, decision: SpanId) -> Self {
        self.extras_mut().triggered_by = Some(decision);
        self
    }

    /// Adds a context item that the task rests on.
    pub fn context(mut self, context: Context) -> Self {
        self.extras_mut().contexts.push(context);
        self
    }

    /// Adds an earlier result that this task rests on, by its hash. Results used inside a task are added to the
    /// tasks handed off from it without being asked.
    pub fn rests_on(mut self, result: ContentHash) -> Self {
        self.extras_mut().inputs.push(result.short());
        self
    }

    /// Adds the results of a join, and how many there should have been. Going on with fewer is the finding
    /// `incomplete_join`.
    pub fn joins<T>(mut self, joined: &Joined<T>) -> Self {
        let extras = self.extras_mut();
        extras.inputs.extend(joined.inputs());
        extras.owed = Some(joined.owed());
        extras.missing_inputs = joined.shortfall();
        self
    }

    /// How long to wait for the readback. Default [`Handoff::READ_BACK_WITHIN`].
    pub fn read_back_within(mut self, limit: Duration) -> Self {
        self.read_back_within = limit.min(LONGEST_WAIT);
        self
    }

    /// How long to wait for the result; the receiver is told. Default [`Handoff::RESULT_WITHIN`] for a delegation,
    /// none for a transfer (with a limit, a transfer's receiver reports completion by a receipt).
    pub fn result_within(mut self, limit: Duration) -> Self {
        self.result_within = Some(limit.min(LONGEST_WAIT));
        self
    }

    /// The score, 0..=1, that the result must have; what is outside is taken to its nearer end, and NaN asks for the
    /// best. Using a poorer or unscored result without a check is the finding `unverified_use`.
    pub fn quality_at_least(mut self, score: f64) -> Self {
        self.extras_mut().threshold = Some(if score.is_nan() { 1.0 } else { score.clamp(0.0, 1.0) });
        self
    }

    /// The receiver does not begin before the sender agrees with its readback: it costs one more message.
    pub fn hold_for_agreement(mut self) -> Self {
        self.hold = true;
        self.receipts = true;
        self
    }

    /// Asks for no receipts: fewer messages, and nothing can be said of what the receiver understood.
    pub fn without_receipts(mut self) -> Self {
        self.receipts = false;
        self.hold = false;
        self
    }

    /// The subject is captured by a JetStream stream: sends `Nats-Msg-Id` (handoff id and attempt), so that the
    /// stream drops what it holds already.
    pub fn stored(mut self) -> Self {
        self.stored = true;
        self
    }

    /// Adds a header of the caller's own. Headers named here are never overwritten; with a `traceparent` of the
    /// caller's, the handoff's span becomes its child. A name or a value that is no header's is reported by
    /// `hand_off`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extras_mut().headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn extras(&self) -> &Extras {
        static NONE: Extras = Extras::NONE;
        self.extras.as_deref().unwrap_or(&NONE)
    }

    pub(crate) fn extras_mut(&mut self) -> &mut Extras {
        self.extras.get_or_insert_with(|| Box::new(Extras::NONE))
    }

    pub(crate) fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let default = (self.kind == HandoffKind::Delegation).then_some(Self::RESULT_WITHIN);
        self.result_within.or(default).map(|limit| now + limit)
    }
}
