//! How far a handoff got, as its sender knows: the ladder, what was found, and what can be said of it.

use async_nats::Subject;
use tokio::sync::OwnedSemaphorePermit;

use super::heard::{Arrived, Heard};
use super::{Sent, carrier};
use crate::channel::error::NoResult;
use crate::model::{
    AgentName, Climb, ContentHash, Context, Evidence, HandoffKind, Intent, Mismatch, MismatchKind, Quality, Refusal,
    Rung, Timestamp, Verdict,
};
use crate::telemetry::record::ContextAge;
use crate::verify::intent::{Comparer, Comparison};
use crate::verify::offset::ClockOffset;
use crate::verify::{freshness, intent};
use crate::wire::{Choice, Decision};

#[derive(Debug, Default)]
pub(super) struct State {
    /// Its span was recorded.
    pub(super) exported: bool,
    pub(super) climbs: Vec<Climb>,
    pub(super) found: Vec<Mismatch>,
    pub(super) understanding: Understanding,
    pub(super) read_back: Option<Intent>,
    pub(super) refusal: Option<Refusal>,
    pub(super) heard: bool,
    pub(super) answered: bool,
    pub(super) control: Option<Subject>,
    pub(super) decision: Option<Choice>,
    pub(super) result: Option<Arrived>,
    pub(super) no_result: Option<NoResult>,
    pub(super) used: Option<bool>,
    pub(super) checked: bool,
    pub(super) set_aside: bool,
    pub(super) score: Option<Quality>,
    pub(super) context_age: Option<ContextAge>,
    pub(super) settled: Option<Timestamp>,
    /// Held while the handoff is open, so that open handoffs are bounded.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// What the readback said.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Understanding {
    #[default]
    NotSaid,
    Agrees,
    Differs,
    Unknown(&'static str),
}

impl State {
    pub(super) fn receipt(
        &mut self,
        sent: &Sent,
        heard: Heard,
        comparer: &Comparer,
        now: Timestamp,
    ) -> Option<(Subject, Decision)> {
        let Heard { receipt, control, offset } = heard;
        let found_before = self.found.len();
        let by = Some(receipt.by.clone());
        self.heard = true;
        // A late receipt proves that somebody was there after all, but not in time: the finding stays.
        if self.control.is_none() {
            self.control = control;
        }
        self.climb(Rung::Received, Evidence::Declared, by.clone(), receipt.seen_at);
        if let Some(by) = by.as_ref().filter(|by| *by != sent.to()) {
            self.find(Mismatch::new(MismatchKind::Misrouted, format!("addressed to {}, taken by {by}", sent.to())));
        }
        if let Some(hash) = receipt.hash {
            let size = receipt.size.unwrap_or(sent.content.size);
            if let Some(mismatch) = crate::verify::content(Some(sent.content.hash), Some(sent.content.size), hash, size)
            {
                self.find(mismatch);
            }
        }
        let declared = |state: &mut Self, rung| state.climb(rung, Evidence::Declared, by.clone(), receipt.at);
        match receipt.rung {
            Rung::Refused => {
                let refusal = receipt.refusal.clone().unwrap_or_else(|| Refusal::from("no reason given"));
                self.refuse(refusal, by.clone(), receipt.at, now);
            }
            Rung::Accepted => declared(self, Rung::Accepted),
            Rung::Understood => {
                declared(self, Rung::Accepted);
                self.freshness(sent, &receipt, offset);
                self.understand(sent, receipt.intent.clone(), comparer, by.clone(), receipt.at);
            }
            Rung::InProgress => {
                declared(self, Rung::Accepted);
                declared(self, Rung::InProgress);
            }
            Rung::Failed => {
                declared(self, Rung::Failed);
                let error = receipt.error.clone().unwrap_or_else(|| "no reason given".to_owned());
                // An agent that dropped its task says so; that is the finding, and `failed` would hide it.
                if receipt.known_mismatches().all(|kind| kind != MismatchKind::Abandoned) {
                    self.find(Mismatch::new(MismatchKind::Failed, error.clone()));
                }
                self.end(NoResult::Failed { error }, now);
            }
            Rung::Completed => {
                declared(self, Rung::Accepted);
                declared(self, Rung::Completed);
                if sent.handoff.kind == HandoffKind::Transfer {
                    self.score = receipt.quality.clone();
                    self.answer(Understanding::Unknown("it was completed without a readback"));
                    self.settle(now);
                }
            }
            _ => {}
        }
        // What this side found itself comes with better evidence, so the receiver's word is taken last.
        for kind in receipt.known_mismatches() {
            self.find(Mismatch::new(kind, format!("{} found it", receipt.by)));
        }
        if receipt.rung == Rung::Received && sent.handoff.intent.is_none() {
            self.answer(Understanding::Unknown("no intent was stated, so no readback was due"));
        }
        if self.answered
            && sent.handoff.kind == HandoffKind::Transfer
            && sent.by.is_none()
            && (!sent.handoff.hold || self.agreed())
        {
            self.settle(now);
        }
        self.after_receipt(sent, receipt.rung, found_before)
    }

    pub(super) fn refuse(&mut self, refusal: Refusal, by: Option<AgentName>, at: Timestamp, now: Timestamp) {
        self.climb(Rung::Refused, Evidence::Declared, by, at);
        self.find(Mismatch::new(MismatchKind::Refused, refusal.as_str()));
        self.refusal = Some(refusal.clone());
        self.end(NoResult::Refused(refusal), now);
    }

    /// What the receiver must be told after a receipt.
    pub(super) fn after_receipt(
        &mut self,
        sent: &Sent,
        rung: Rung,
        found_before: usize,
    ) -> Option<(Subject, Decision)> {
        if let Some(kind) = self.decision {
            // Decided before the receiver could be told, or a reminder for a receiver that has not heard yet.
            return if kind == Choice::Withdraw { self.decision_message(kind, &self.found) } else { None };
        }
        let over = matches!(rung, Rung::Refused | Rung::Failed | Rung::Completed);
        if over {
            None
        } else if sent.handoff.hold {
            // Only a clear yes starts the work; anything else is the sender's to decide.
            (rung == Rung::Understood && self.agreed()).then(|| {
                self.decision = Some(Choice::Go);
                self.decision_message(Choice::Go, &[])
            })?
        } else if self.found.len() > found_before {
            self.decision_message(Choice::Go, &self.found)
        } else {
            None
        }
    }

    pub(super) fn freshness(&mut self, sent: &Sent, receipt: &crate::wire::Receipt, offset: Option<ClockOffset>) {
        let report = |item: &Context| receipt.context_age.iter().find(|report| report.name == item.name);
        // A receiver that names none has used all.
        let read = |item: &&Context| receipt.context_age.is_empty() || report(item).is_some();
        let used: Vec<&Context> = sent.handoff.extras().contexts.iter().filter(read).collect();
        // Version before age: what the receiver holds to be the current version is fresh however old it is.
        let by_age = |item: &&&Context| !report(item).is_some_and(|report| report.current);
        for item in used.iter().filter(by_age) {
            if let Some(mismatch) = freshness::freshness(item, receipt.at, offset, None).mismatch() {
                self.find(mismatch.clone());
            }
        }
        self.context_age = freshness::worst_age(used, receipt.at, offset).map(carrier::context_age);
    }

    pub(super) fn understand(
        &mut self,
        sent: &Sent,
        read_back: Option<Intent>,
        comparer: &Comparer,
        by: Option<AgentName>,
        at: Timestamp,
    ) {
        let (Some(intent), Some(read_back)) = (&sent.handoff.intent, read_back) else {
            let why =
                if sent.handoff.intent.is_some() { "the readback states no intent" } else { "no intent was stated" };
            return self.answer(Understanding::Unknown(why));
        };
        let comparison = intent::compare(intent, &read_back, comparer);
        if let Some(mismatch) = comparison.mismatch() {
            self.find(mismatch);
        }
        let understanding = match comparison {
            Comparison::Agrees => {
                self.climb(Rung::Understood, Evidence::Declared, by, at);
                Understanding::Agrees
            }
            Comparison::Differs(_) => {
                self.climb(Rung::Misunderstood, Evidence::Declared, by, at);
                Understanding::Differs
            }
            Comparison::Unknown(_) => Understanding::Unknown("the readback is free text that could not be compared"),
        };
        self.read_back = Some(read_back);
        self.answer(understanding);
    }

    #[allow(clippy::too_many_arguments)] // one call, and each is one fact of one message
    pub(super) fn result(
        &mut self,
        sent: &Sent,
        arrived: Arrived,
        claimed: Option<ContentHash>,
        plain: bool,
        read_back: Option<Intent>,
        comparer: &Comparer,
        now: Timestamp,
    ) -> Option<(Subject, Decision)> {
        if self.result.is_some() {
            if !plain {
                self.find(Mismatch::new(MismatchKind::Duplicated, "two results came for one attempt"));
            }
            return None;
        }
        let evidence = if plain { Evidence::Wire } else { Evidence::Declared };
        self.climb(Rung::Completed, evidence, (!plain).then(|| sent.to().clone()), now);
        if self.settled.is_some() {
            // Too late: on the record as a rung, but nobody waits for it.
            return None;
        }
        if let Some(mismatch) = crate::verify::content(claimed, None, arrived.content.hash, arrived.content.size) {
            self.find(Mismatch::new(mismatch.kind, format!("the result: {}", mismatch.evidence)));
        }
        if plain && !self.heard {
            // A peer without the library sends no receipts, so their absence says nothing.
            self.found.retain(|mismatch| mismatch.kind != MismatchKind::Unacknowledged);
        }
        if read_back.is_some() {
            self.understand(sent, read_back, comparer, Some(sent.to().clone()), now);
        } else {
            self.answer(Understanding::Unknown("a result came without a readback"));
        }
        self.result = Some(arrived);
        self.settle(now);
        None
    }

    pub(super) fn decision_message(&self, kind: Choice, mismatches: &[Mismatch]) -> Option<(Subject, Decision)> {
        let control = self.control.clone()?;
        let diff = mismatches.iter().flat_map(|mismatch| mismatch.diff.iter().cloned()).collect();
        let words = mismatches.iter().map(|mismatch| mismatch.kind.as_str().to_owned()).collect();
        let mut decision = Decision::new(kind);
        (decision.mismatches, decision.diff) = (words, diff);
        Some((control, decision))
    }

    /// The server has spoken of the message, so it saw it.
    pub(super) fn passed(&mut self) {
        if let Some(first) = self.climbs.first_mut() {
            first.evidence = Evidence::Wire;
        }
    }

    pub(super) fn climb(&mut self, rung: Rung, evidence: Evidence, by: Option<AgentName>, at: Timestamp) {
        if !self.climbs.iter().any(|climb| climb.rung == rung) {
            self.climbs.push(Climb { rung, evidence, by, at });
        }
    }

    pub(super) fn has(&self, kind: MismatchKind) -> bool {
        self.found.iter().any(|mismatch| mismatch.kind == kind)
    }

    /// Somebody else may have written what came. Once the verdict is settled it is too late to be one of its reasons.
    pub(super) fn doubt(&mut self, text: &str) {
        if self.settled.is_none() {
            self.find(Mismatch::new(MismatchKind::Corrupted, text));
        }
    }

    /// Whether the receiver has yet to learn that the task was taken back: it gave no word that said where to.
    pub(super) fn owes_withdrawal(&self, sent: &Sent) -> bool {
        self.decision == Some(Choice::Withdraw) && self.control.is_none() && sent.handoff.receipts
    }

    /// Each kind once: the first evidence is the best.
    pub(super) fn find(&mut self, mismatch: Mismatch) {
        if !self.has(mismatch.kind) {
            self.found.push(mismatch);
        }
    }

    /// Whether anything more can become known: not once it is settled, nor when the channel is closed.
    pub(super) fn is_over(&self) -> bool {
        self.settled.is_some() || matches!(self.no_result, Some(NoResult::Closed))
    }

    pub(super) fn agreed(&self) -> bool {
        self.found.is_empty() && self.understanding == Understanding::Agrees
    }

    pub(super) fn answer(&mut self, understanding: Understanding) {
        if self.understanding == Understanding::NotSaid || matches!(self.understanding, Understanding::Unknown(_)) {
            self.understanding = understanding;
        }
        self.answered = true;
    }

    pub(super) fn end(&mut self, why: NoResult, now: Timestamp) {
        if self.result.is_none() && self.no_result.is_none() {
            self.no_result = Some(why);
        }
        self.answered = true;
        self.settle(now);
    }

    pub(super) fn settle(&mut self, now: Timestamp) {
        if self.settled.is_none() {
            self.settled = Some(now);
        }
        if self.result.is_none() && self.no_result.is_none() {
            self.no_result = Some(NoResult::Transferred);
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        if let Some(refusal) = &self.refusal {
            return Verdict::Refused(refusal.clone());
        }
        if !self.found.is_empty() {
            return Verdict::Mismatched(self.found.clone());
        }
        match (&self.understanding, &self.read_back) {
            (Understanding::Agrees, Some(read_back)) => Verdict::Agreed { readback: read_back.clone() },
            (Understanding::Unknown(why), _) => Verdict::Unconfirmed { why: (*why).to_owned() },
            _ => Verdict::Unconfirmed { why: "nothing was read back".to_owned() },
        }
    }

    /// The word of the final verdict.
    pub(super) fn word(&self) -> &'static str {
        if !self.found.is_empty() {
            "mismatched"
        } else if self.understanding == Understanding::Agrees {
            if self.settled.is_some() { "agreed" } else { "pending" }
        } else if self.settled.is_some() {
            "unconfirmed"
        } else {
            "pending"
        }
    }
}
