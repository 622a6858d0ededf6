use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::came::what_came;
use super::delivery::Delivery;
use super::error::{HandOffError, ReplyError};
use super::fan_out::{FanOut, Joined};
use super::handoff::Handoff;
use super::payload::to_json;
use super::receipt::Receipt;
use super::send::{self, Attempt};
use super::step::{Step, StepSpan};
use crate::model::{Mismatch, MismatchKind, Quality};

/// A task that this agent has read back and works on.
///
/// What is handed off from it belongs to the same workflow and trace, names this handoff as its parent, and rests on the
/// results that were used within it, without being told so. A task that is dropped with nothing said leaves the finding
/// `abandoned` on both sides.
#[derive(Debug)]
#[must_use = "complete the task or let it fail; dropped, it counts as abandoned"]
pub struct Task {
    delivery: Option<Arc<Delivery>>,
}

impl Task {
    pub(crate) fn new(delivery: Arc<Delivery>) -> Self {
        Self { delivery: Some(delivery) }
    }
}

what_came!(Task);

impl Task {
    /// The task's span as an OpenTelemetry context, to be the parent of the application's own spans.
    pub fn trace_context(&self) -> opentelemetry::Context {
        use opentelemetry::trace::TraceContextExt;
        opentelemetry::Context::current().with_remote_span_context(self.delivery().span_context())
    }

    /// Says how far the work is, as in `2 of 5`.
    ///
    /// # Errors
    /// [`ReplyError::Withdrawn`] if the sender took the task back in the meantime: stop working on it. Others if the
    /// word could not leave.
    ///
    /// # Cancel safety
    /// If it is dropped before it returns, the word may or may not have left.
    pub async fn progress(&self, note: impl Into<String>) -> Result<(), ReplyError> {
        self.delivery().progress(note.into()).await
    }

    /// Waits until the sender takes the task back; returns what did not agree. Of use in a `select!` beside the work.
    ///
    /// # Cancel safety
    /// Cancel safe: it only looks.
    pub async fn withdrawn(&self) -> Vec<Mismatch> {
        self.delivery().withdrawn().await
    }

    /// Whether the sender took the task back.
    pub fn is_withdrawn(&self) -> bool {
        self.delivery().is_withdrawn().is_some()
    }

    /// Begins a step within the task; it is on record when it is ended or dropped.
    pub fn begin(&self, step: impl Into<Step>) -> StepSpan {
        let delivery = self.delivery();
        StepSpan::begin(delivery.hub(), delivery.agent(), self.workflow(), Some(delivery), step.into())
    }

    /// Hands a task off from within this one.
    ///
    /// # Errors
    /// As [`super::Agent::hand_off`].
    ///
    /// # Cancel safety
    /// As [`super::Agent::hand_off`].
    pub async fn hand_off(&self, to: impl AsRef<str>, handoff: Handoff) -> Result<Receipt, HandOffError> {
        let delivery = self.delivery();
        let lanes = delivery.hub().lanes(delivery.agent());
        send::send(delivery.hub(), &lanes, to.as_ref(), Attempt { handoff, again: None }, Some(delivery)).await
    }

    /// Hands the same task off to several agents from within this one.
    ///
    /// # Errors
    /// As [`super::Agent::fan_out`].
    ///
    /// # Cancel safety
    /// As [`super::Agent::fan_out`].
    pub async fn fan_out<A: AsRef<str>>(
        &self,
        to: impl IntoIterator<Item = A>,
        handoff: Handoff,
    ) -> Result<FanOut, HandOffError> {
        let delivery = self.delivery();
        let lanes = delivery.hub().lanes(delivery.agent());
        FanOut::send(delivery.hub(), &lanes, to, handoff, Some(delivery)).await
    }

    /// The work went on with the results of a join. With fewer than were owed, that is the finding `incomplete_join`
    /// on this task.
    pub fn went_on_with<T>(&self, joined: &Joined<T>) {
        if let Some(text) = joined.shortfall() {
            self.delivery().find(Mismatch::new(MismatchKind::IncompleteJoin, text));
        }
    }

    /// Completes the task with a result, written as JSON. Await what is returned:
    /// `task.complete(&findings).quality(0.83, "schema").await?`.
    pub fn complete(self, result: &(impl Serialize + ?Sized)) -> Completion {
        let payload = to_json(result).map_err(ReplyError::Payload);
        Completion { task: self, payload, quality: Ok(None) }
    }

    /// Completes the task with a result of any bytes.
    pub fn complete_bytes(self, result: impl Into<Bytes>) -> Completion {
        Completion { task: self, payload: Ok(result.into()), quality: Ok(None) }
    }

    /// Ends the task with nothing to show for it: the usual end of a transfer. The sender of a delegation gets an empty
    /// result.
    ///
    /// # Errors
    /// [`ReplyError`] if the word could not leave.
    ///
    /// # Cancel safety
    /// If it is dropped before it returns, the word may or may not have left.
    pub async fn done(self) -> Result<(), ReplyError> {
        self.finish(Bytes::new(), None).await
    }

    /// Gives up, and says why.
    ///
    /// # Errors
    /// [`ReplyError`] if the word could not leave.
    ///
    /// # Cancel safety
    /// If it is dropped before it returns, the word may or may not have left.
    pub async fn fail(self, error: impl Into<String>) -> Result<(), ReplyError> {
        // Kept until it is said, so that dropping this future leaves an abandoned task rather than nothing.
        self.delivery().fail(error.into()).await
    }

    /// The task is kept until all is said, so that dropping this future abandons it.
    async fn finish(self, payload: Bytes, quality: Option<Quality>) -> Result<(), ReplyError> {
        let now = self.delivery().complete(payload, quality).await?;
        self.end().finish(now);
        Ok(())
    }

    pub(crate) fn delivery(&self) -> &Arc<Delivery> {
        match &self.delivery {
            Some(delivery) => delivery,
            // Whatever takes the delivery consumes the task.
            None => unreachable!("a task is ended once"),
        }
    }

    /// Takes the delivery out, so that dropping the task is no longer abandoning it.
    pub(crate) fn end(mut self) -> Arc<Delivery> {
        match self.delivery.take() {
            Some(delivery) => delivery,
            None => unreachable!("a task is ended once"),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(delivery) = self.delivery.take() {
            delivery.abandon("task");
        }
    }
}

/// A result about to be sent; it is sent when awaited.
///
/// # Errors
/// Awaiting it gives a [`ReplyError`] if the result cannot be written as JSON, the score is out of bounds, or the
/// message is too large or could not leave. The task then counts as abandoned, and its sender is told so.
///
/// # Cancel safety
/// If the future is dropped before it is ready, the result may or may not have left.
#[derive(Debug)]
#[must_use = "the result is sent when this is awaited"]
pub struct Completion {
    task: Task,
    payload: Result<Bytes, ReplyError>,
    quality: Result<Option<Quality>, ReplyError>,
}

impl Completion {
    /// How good the result is held to be, 0..=1, and who or what says so.
    pub fn quality(mut self, score: f64, by: impl Into<Arc<str>>) -> Self {
        self.quality = Quality::new(score, by).map(Some).map_err(ReplyError::from);
        self
    }
}

impl IntoFuture for Completion {
    type Output = Result<(), ReplyError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { task, payload, quality } = self;
            task.finish(payload?, quality?).await
        })
    }
}
