//! What an agent does with a task, from the offer to the end of the work.

use std::time::Duration;

use bytes::Bytes;

use super::{Delivery, State};
use crate::channel::error::ReplyError;
use crate::channel::hooks::Readback;
use crate::channel::hub::HOLD_UNSAMPLED;
use crate::channel::lock::lock;
use crate::model::{Climb, Evidence, HandoffKind, Intent, Mismatch, MismatchKind, Quality, Refusal, Rung, Timestamp};
use crate::telemetry::record::Content;
use crate::wire::{Choice, Receipt};

impl Delivery {
    /// The agent is still thinking: tell the sender that the task arrived, unless it was told more already.
    pub(crate) fn acknowledge_late(&self) {
        if !lock(&self.state).answered {
            self.say_later(self.receipt(Rung::Received, self.hub().clock.now()));
        }
    }

    pub(crate) async fn acknowledge(&self) -> Result<(), ReplyError> {
        let now = self.hub().clock.now();
        let said = self.say(self.receipt(Rung::Received, now)).await;
        self.finish(now);
        said
    }

    pub(crate) async fn read_back(&self, intent: Intent) -> Result<(), ReplyError> {
        let now = self.hub().clock.now();
        let ages = self.use_contexts(now);
        if let Some(sent) = &self.intent {
            // Only a plain message says its intent in clear; then this side can judge for itself.
            if let Some(mismatch) = crate::verify::intent::compare(sent, &intent, &self.hub().comparer).mismatch() {
                self.find(mismatch);
            }
        }
        {
            let mut state = lock(&self.state);
            state.climb(Rung::Accepted, self.agent(), now);
            state.read_back = Some(intent.clone());
        }
        if let Some(hooks) = &self.hub().hooks {
            hooks.on_readback(&Readback {
                id: self.id(),
                agent: self.agent().clone(),
                intent: intent.clone(),
                contexts: self.contexts_now(),
                mismatches: self.found(),
            });
        }
        let receipt = self.receipt(Rung::Understood, now).map(|mut receipt| {
            receipt.intent = Some(intent);
            receipt.context_age = ages;
            receipt
        });
        if receipt.is_some() {
            self.say(receipt).await?;
        }
        if self.envelope.hold && self.receipts.is_some() { self.wait_for_go(now).await } else { Ok(()) }
    }

    pub(super) async fn wait_for_go(&self, since: Timestamp) -> Result<(), ReplyError> {
        let limit = self.patience(since).unwrap_or(HOLD_UNSAMPLED);
        match tokio::time::timeout(limit, self.decision()).await {
            Ok((Choice::Go, _)) => Ok(()),
            Ok((Choice::Withdraw, mismatches)) => {
                self.finish(self.hub().clock.now());
                Err(ReplyError::Withdrawn { mismatches })
            }
            Err(_) => {
                self.finish(self.hub().clock.now());
                Err(ReplyError::NoDecision { waited: limit })
            }
        }
    }

    /// How long the sender still waits. Its two stamps are of its own clock and this side's of ours, so each pair is
    /// only compared with itself; the time on the wire is not known and counts for nothing.
    pub(super) fn patience(&self, now: Timestamp) -> Option<Duration> {
        let (at, by) = (self.envelope.at?, self.envelope.by?);
        Some(by.since(at).saturating_sub(now.since(self.started)))
    }

    pub(super) async fn decision(&self) -> (Choice, Vec<Mismatch>) {
        loop {
            let decided = self.decided.notified();
            if let Some(decision) = lock(&self.state).decision.clone() {
                return decision;
            }
            decided.await;
        }
    }

    /// Waits until the sender takes the task back.
    pub(crate) async fn withdrawn(&self) -> Vec<Mismatch> {
        loop {
            let decided = self.decided.notified();
            if let Some((Choice::Withdraw, mismatches)) = &lock(&self.state).decision {
                return mismatches.clone();
            }
            decided.await;
        }
    }

    pub(crate) fn is_withdrawn(&self) -> Option<Vec<Mismatch>> {
        match &lock(&self.state).decision {
            Some((Choice::Withdraw, mismatches)) => Some(mismatches.clone()),
            _ => None,
        }
    }

    pub(crate) async fn refuse(&self, refusal: Refusal) -> Result<(), ReplyError> {
        let now = self.hub().clock.now();
        let receipt = self.refused(&refusal, now);
        let said = if receipt.is_some() {
            self.say(receipt).await
        } else {
            self.reply_error(&format!("refused: {refusal}"), Rung::Refused, 409).await
        };
        self.finish(now);
        said
    }

    /// As [`Delivery::refuse`], from where nobody can wait.
    pub(crate) fn refuse_later(&self, refusal: &Refusal) {
        let now = self.hub().clock.now();
        let receipt = self.refused(refusal, now);
        // Over on this side, and its hooks told, before the sender can know.
        self.finish(now);
        match receipt {
            Some(receipt) => self.say_later(Some(receipt)),
            None => {
                if let Some(message) = self.error_message(&format!("refused: {refusal}"), Rung::Refused, 409) {
                    self.hub().send_later(message);
                }
            }
        }
    }

    pub(super) fn refused(&self, refusal: &Refusal, now: Timestamp) -> Option<Receipt> {
        self.climb(Rung::Refused, now);
        let receipt = self.receipt(Rung::Refused, now).map(|mut receipt| {
            receipt.refusal = Some(refusal.clone());
            receipt
        });
        self.find(Mismatch::new(MismatchKind::Refused, refusal.as_str()));
        receipt
    }

    pub(crate) async fn progress(&self, note: String) -> Result<(), ReplyError> {
        if let Some(mismatches) = self.is_withdrawn() {
            return Err(ReplyError::Withdrawn { mismatches });
        }
        let now = self.hub().clock.now();
        self.climb(Rung::InProgress, now);
        let receipt = self.receipt(Rung::InProgress, now).map(|mut receipt| {
            receipt.note = Some(note);
            receipt
        });
        self.say(receipt).await
    }

    /// The end of the work: a result for a delegation, a last receipt for a transfer whose sender waits for one. After
    /// a success the caller lets go with [`Delivery::finish_last`]; a result that cannot be sent is abandoned.
    pub(crate) async fn complete(&self, payload: Bytes, quality: Option<Quality>) -> Result<Timestamp, ReplyError> {
        let now = self.hub().clock.now();
        let content = Content { hash: crate::model::ContentHash::of(&payload), size: payload.len() as u64 };
        let said = match &self.reply {
            Some(subject) if self.kind == HandoffKind::Delegation => {
                self.publish(self.result_message(subject.clone(), payload, content, quality.clone())).await
            }
            // Without a deadline nobody waits for it.
            _ if self.receipts.is_some() && self.envelope.by.is_some() => {
                let receipt = self.receipt(Rung::Completed, now).map(|mut receipt| {
                    receipt.quality = quality.clone();
                    receipt.result_hash = Some(content.hash);
                    receipt.result_size = Some(content.size);
                    receipt
                });
                self.say(receipt).await
            }
            _ => {
                lock(&self.state).answered = true;
                Ok(())
            }
        };
        if let Err(error) = said {
            self.abandon_because(format!("the result could not be sent: {error}"));
            return Err(error);
        }
        let mut state = lock(&self.state);
        state.climb(Rung::Completed, self.agent(), now);
        state.result.content = Some(content);
        state.result.quality = quality;
        Ok(now)
    }

    pub(crate) async fn fail(&self, error: String) -> Result<(), ReplyError> {
        let now = self.hub().clock.now();
        self.climb(Rung::Failed, now);
        let receipt = self.failed(&error, now);
        self.find(Mismatch::new(MismatchKind::Failed, error.clone()));
        let said =
            if receipt.is_some() { self.say(receipt).await } else { self.reply_error(&error, Rung::Failed, 500).await };
        self.finish(now);
        said
    }

    pub(super) fn failed(&self, error: &str, now: Timestamp) -> Option<Receipt> {
        self.receipt(Rung::Failed, now).map(|mut receipt| {
            receipt.error = Some(error.to_owned());
            receipt
        })
    }

    /// An offer or a task was dropped with nothing said.
    pub(crate) fn abandon(&self, what: &str) {
        if self.is_ended() {
            return; // the channel was closed over it, and its sender told
        }
        if self.is_withdrawn().is_some() {
            // Stopping is what the sender asked for.
            return self.finish(self.hub().clock.now());
        }
        self.abandon_because(format!("the {what} was dropped without a word"));
    }

    /// It was here before, and its agent is not asked again: on record as one more delivery, and no more.
    pub(crate) fn suppress(&self, now: Timestamp) {
        let (evidence, by) = (Evidence::Declared, Some(self.agent().clone()));
        let climbs = vec![Climb { rung: Rung::Delivered, evidence, by, at: now }];
        self.record(&State { climbs, ended: Some(now), ..State::default() });
    }

    pub(super) fn abandon_because(&self, text: String) {
        let now = self.hub().clock.now();
        if let Some(id) = self.id() {
            self.hub().add_abandoned(id, self.attempt());
        }
        self.find(Mismatch::new(MismatchKind::Abandoned, text.clone()));
        if self.receipts.is_some() {
            self.say_later(self.failed(&text, now));
        } else if let Some(message) = self.error_message(&text, Rung::Failed, 500) {
            self.hub().send_later(message);
        }
        self.finish(now);
    }
}
