use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::entry::{Effects, Entry};
use super::error::{HandOffError, NoResult};
use super::hub::Hub;
use super::result::TaskResult;
use super::send::{self, Again, Attempt};
use crate::model::{Climb, Evidence, HandoffId, Mismatch, Rung, Verdict, WorkflowId};
use crate::wire::Choice;

/// What the sender of a handoff holds: it answers how far the handoff got, what the receiver understood, and what came
/// of it.
///
/// Dropping it stops nothing: the handoff is still followed to its verdict, and its span is exported then. Only under
/// [`hold_for_agreement`](super::Handoff::hold_for_agreement), where the receiver waits for a word, does dropping an undecided receipt withdraw
/// the task.
#[derive(Debug)]
#[must_use = "a receipt answers what became of the handoff; drop it explicitly if that does not matter"]
pub struct Receipt {
    hub: Arc<Hub>,
    entry: Arc<Entry>,
}

impl Receipt {
    pub(crate) fn new(hub: Arc<Hub>, entry: Arc<Entry>) -> Self {
        Self { hub, entry }
    }

    /// The handoff's id.
    pub fn id(&self) -> HandoffId {
        self.entry.sent.id
    }

    /// The agent it was handed to.
    pub fn to(&self) -> &crate::model::AgentName {
        self.entry.sent.to()
    }

    /// The workflow it belongs to.
    pub fn workflow(&self) -> &WorkflowId {
        &self.entry.sent.workflow
    }

    /// Waits until the readback came and was compared, or until it is clear that none will come in time.
    ///
    /// Never waits longer than the readback deadline. Later findings (a late result, a poor one) do not change what
    /// this said; they are on the span, and in [`Receipt::mismatches`].
    ///
    /// # Cancel safety
    /// Cancel safe: it only looks.
    pub async fn verdict(&self) -> Verdict {
        self.entry.verdict().await
    }

    /// What can be said now; [`Verdict::Pending`] before the readback.
    pub fn verdict_now(&self) -> Verdict {
        self.entry.verdict_now()
    }

    /// Waits for the result, never longer than its deadline.
    ///
    /// # Errors
    /// [`NoResult`] says why there is none: not delivered, refused, failed, too late, withdrawn, or not readable as `T`.
    ///
    /// # Cancel safety
    /// Cancel safe: the result is kept for the next call.
    pub async fn result<T: DeserializeOwned>(&self) -> Result<TaskResult<T>, NoResult> {
        let arrived = self.entry.result().await?;
        let value = serde_json::from_slice(&arrived.payload).map_err(|error| NoResult::Unreadable(Arc::new(error)))?;
        Ok(TaskResult::new(self.hub.clone(), self.entry.clone(), arrived, value))
    }

    /// As [`Receipt::result`], for a result that is not JSON.
    ///
    /// # Errors
    /// As [`Receipt::result`], but never [`NoResult::Unreadable`].
    ///
    /// # Cancel safety
    /// Cancel safe: the result is kept for the next call.
    pub async fn result_bytes(&self) -> Result<TaskResult<bytes::Bytes>, NoResult> {
        let arrived = self.entry.result().await?;
        let payload = arrived.payload.clone();
        Ok(TaskResult::new(self.hub.clone(), self.entry.clone(), arrived, payload))
    }

    /// Waits until nothing more can happen: the result, a refusal, or the deadline.
    ///
    /// # Cancel safety
    /// Cancel safe: it only looks.
    pub async fn settled(&self) {
        self.entry.settled().await;
    }

    /// The ladder as climbed so far, in the order in which it became known.
    pub fn climbs(&self) -> Vec<Climb> {
        self.entry.climbs()
    }

    /// Waits until more than `seen` rungs are climbed, or the handoff is settled; returns the ladder.
    ///
    /// # Cancel safety
    /// Cancel safe: it only looks.
    pub async fn climbed(&self, seen: usize) -> Vec<Climb> {
        self.entry.climbed(seen).await
    }

    /// The highest rung so far, and how that is known.
    pub fn rung(&self) -> (Rung, Evidence) {
        let highest = self.entry.climbs().into_iter().max_by_key(|climb| climb.rung);
        highest.map_or((Rung::Sent, Evidence::Declared), |climb| (climb.rung, climb.evidence))
    }

    /// What was found so far.
    pub fn mismatches(&self) -> Vec<Mismatch> {
        self.entry.found()
    }

    /// Lets the receiver begin, although its readback did not clearly agree. Of use under
    /// [`hold_for_agreement`](super::Handoff::hold_for_agreement); otherwise the receiver has begun already.
    pub fn go_ahead(&self) {
        self.decide(Choice::Go, &[]);
    }

    /// Takes the task back, and tells the receiver why. The receiver learns it at its next word to us, or from
    /// [`super::Task::withdrawn`]; what it did until then is done.
    pub fn withdraw(&self, found: &[Mismatch]) {
        self.decide(Choice::Withdraw, found);
    }

    /// Sends the same handoff once more: same id, same payload, next attempt.
    ///
    /// # Errors
    /// As [`super::Agent::hand_off`].
    ///
    /// # Cancel safety
    /// If it is dropped before it returns, the new attempt may or may not have left.
    pub async fn resend(&self) -> Result<Self, HandOffError> {
        let sent = &self.entry.sent;
        let handoff = sent.handoff.clone();
        let again =
            Some(Again { id: sent.id, attempt: sent.attempt + 1, seq: sent.seq, workflow: sent.workflow.clone() });
        let lanes = self.hub.lanes(sent.from());
        send::send(&self.hub, &lanes, sent.to().as_str(), Attempt { handoff, again }, sent.within.as_ref()).await
    }

    fn decide(&self, kind: Choice, found: &[Mismatch]) {
        let effects = self.entry.decide(kind, found, self.hub.clock.now());
        self.hub.apply(&self.entry, effects);
    }
}

/// Another handle on the same handoff; it is over for its sender when all handles are dropped.
impl Clone for Receipt {
    fn clone(&self) -> Self {
        self.entry.add_handle();
        Self { hub: self.hub.clone(), entry: self.entry.clone() }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let effects: Effects = self.entry.drop_handle(&self.hub.clock);
        self.hub.apply(&self.entry, effects);
    }
}
