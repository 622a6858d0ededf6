//! What a sender knows of one handoff it made, from `sent` to its final verdict.
//!
//! Every change goes through one of the `on_*` methods, which take the time as an argument and do no I/O: what is to
//! be sent back to the receiver is returned as [`Effects`].

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_nats::Subject;
use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::carrier;
use super::delivery::Delivery;
use super::error::NoResult;
use super::handoff::Handoff;
use super::lane::Lane;
use super::lock::lock;
use crate::model::{
    AgentName, Climb, Clock, ContentHash, Context, Evidence, HandoffId, HandoffKind, Intent, Mismatch, MismatchKind,
    Quality, Refusal, Rung, Timestamp, Verdict, WorkflowId,
};
use crate::telemetry::record::{Content, ContextAge, HandoffRecord, ResultFacts};
use crate::verify::intent::{Comparer, Comparison};
use crate::verify::offset::ClockOffset;
use crate::verify::{freshness, intent, quality};
use crate::wire::{Choice, Decision};

/// What was fixed when the handoff was sent, as far as it is asked for later. The rest is on the record.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) token: u64,
    pub(crate) id: HandoffId,
    pub(crate) attempt: u32,
    pub(crate) lane: Arc<Lane>,
    pub(crate) workflow: WorkflowId,
    pub(crate) at: Timestamp,
    pub(crate) by: Option<Timestamp>,
    pub(crate) content: Content,
    /// What was handed over, as the user built it.
    pub(crate) handoff: Handoff,
    /// The task it was handed off from.
    pub(crate) within: Option<Arc<Delivery>>,
}

impl Sent {
    pub(crate) fn from(&self) -> &AgentName {
        &self.lane.from
    }

    pub(crate) fn to(&self) -> &AgentName {
        &self.lane.to
    }
}

/// A handoff as its sender follows it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) sent: Sent,
    state: Mutex<State>,
    changed: Notify,
    /// How many wait for a change.
    waiting: AtomicU32,
    handles: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    /// The record, with what was known at sending; it leaves whole.
    record: Option<Box<HandoffRecord>>,
    climbs: Vec<Climb>,
    found: Vec<Mismatch>,
    understanding: Understanding,
    read_back: Option<Intent>,
    refusal: Option<Refusal>,
    heard: bool,
    answered: bool,
    control: Option<Subject>,
    decision: Option<Choice>,
    result: Option<Arrived>,
    no_result: Option<NoResult>,
    used: Option<bool>,
    checked: bool,
    set_aside: bool,
    score: Option<Quality>,
    context_age: Option<ContextAge>,
    settled: Option<Timestamp>,
    /// Held while the handoff is open, so that open handoffs are bounded.
    permit: Option<OwnedSemaphorePermit>,
}

/// What the readback said.
#[derive(Debug, Default, PartialEq)]
enum Understanding {
    #[default]
    NotSaid,
    Agrees,
    Differs,
    Unknown(&'static str),
}

/// A result that came.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) payload: Bytes,
    pub(crate) content: Content,
    pub(crate) quality: Option<Quality>,
}

/// A reply on the handoff's inbox, taken apart.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The server knows of nobody on the subject.
    NoResponders,
    /// A stream holds the task.
    Stored,
    /// The receiver gave up.
    Failed { error: String },
    /// The receiver would not take it.
    Refused(Refusal),
    /// A result. `claimed` is the hash its header names; `plain` says that no Wilco header came with it.
    Result { arrived: Arrived, claimed: Option<ContentHash>, plain: bool, read_back: Option<Intent> },
}

/// What a receipt says, and the offset of the receiver's clock when it was sent.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) receipt: crate::wire::Receipt,
    pub(crate) control: Option<Subject>,
    /// Receiver's clock minus sender's clock.
    pub(crate) offset: Option<ClockOffset>,
}

/// What a change asks for.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Effects {
    /// A decision for the receiver, and where it goes.
    pub(crate) decision: Option<(Subject, Decision)>,
    /// The verdict was settled by this very change.
    pub(crate) settled: bool,
    /// The span is due now.
    pub(crate) export: bool,
}

impl Entry {
    pub(crate) fn new(
        sent: Sent,
        record: Box<HandoffRecord>,
        permit: Option<OwnedSemaphorePermit>,
        found: Option<Mismatch>,
    ) -> Arc<Self> {
        let first =
            Climb { rung: Rung::Sent, evidence: Evidence::Declared, by: Some(sent.from().clone()), at: sent.at };
        let mut climbs = Vec::with_capacity(if sent.handoff.receipts { 6 } else { 1 });
        climbs.push(first);
        let found = found.into_iter().collect();
        Arc::new(Self {
            sent,
            state: Mutex::new(State { record: Some(record), climbs, found, permit, ..State::default() }),
            changed: Notify::new(),
            waiting: AtomicU32::new(0),
            handles: AtomicU32::new(1),
        })
    }

    // What the user waits for.

    /// Waits until something can be said of the readback.
    pub(crate) async fn verdict(&self) -> Verdict {
        self.wait(|state| state.answered.then(|| state.verdict())).await
    }

    /// What can be said now.
    pub(crate) fn verdict_now(&self) -> Verdict {
        let state = lock(&self.state);
        if state.answered { state.verdict() } else { Verdict::Pending }
    }

    /// Waits for the result, or the reason why there is none.
    pub(crate) async fn result(&self) -> Result<Arrived, NoResult> {
        self.wait(|state| match (&state.result, &state.no_result) {
            (Some(arrived), _) => Some(Ok(arrived.clone())),
            (None, Some(why)) => Some(Err(why.clone())),
            (None, None) => None,
        })
        .await
    }

    /// Waits until the verdict is settled.
    pub(crate) async fn settled(&self) {
        self.wait(|state| state.settled.map(drop)).await;
    }

    async fn wait<T>(&self, ready: impl Fn(&State) -> Option<T>) -> T {
        // Counted before the look: whoever changes the state after it sees that somebody waits.
        let _waiting = Waiting::on(&self.waiting);
        loop {
            // Registered before the look, so that no change between the two is missed.
            let changed = self.changed.notified();
            if let Some(value) = ready(&lock(&self.state)) {
                return value;
            }
            changed.await;
        }
    }

    /// Wakes those who wait, to be called after a change.
    fn announce(&self) {
        if self.waiting.load(Ordering::Acquire) > 0 {
            self.changed.notify_waiters();
        }
    }

    /// Waits until more than `seen` rungs were climbed, or nothing more can happen.
    pub(crate) async fn climbed(&self, seen: usize) -> Vec<Climb> {
        let ready = |state: &State| state.climbs.len() > seen || state.settled.is_some();
        self.wait(|state| ready(state).then(|| state.climbs.clone())).await
    }

    pub(crate) fn climbs(&self) -> Vec<Climb> {
        lock(&self.state).climbs.clone()
    }

    pub(crate) fn found(&self) -> Vec<Mismatch> {
        lock(&self.state).found.clone()
    }

    pub(crate) fn is_exported(&self) -> bool {
        lock(&self.state).record.is_none()
    }

    pub(crate) fn is_settled(&self) -> bool {
        lock(&self.state).settled.is_some()
    }

    // What happens to it.

    /// The server has taken the message, and had somebody to give it to.
    pub(crate) fn on_passed(&self, now: Timestamp) -> Effects {
        self.change(|sent, state| {
            state.passed();
            if !sent.handoff.receipts && sent.handoff.kind == HandoffKind::Transfer {
                state.answer(Understanding::Unknown("no receipt was asked for"));
                state.settle(now);
            }
            None
        })
    }

    /// No word of the server came in time: what is known stays `sent`.
    pub(crate) fn on_not_passed(&self, now: Timestamp) -> Effects {
        self.change(|sent, state| {
            if !sent.handoff.receipts && sent.handoff.kind == HandoffKind::Transfer && state.settled.is_none() {
                state.answer(Understanding::Unknown(
                    "no receipt was asked for, and the server did not confirm the message",
                ));
                state.settle(now);
            }
            None
        })
    }

    pub(crate) fn on_reply(&self, reply: Reply, comparer: &Comparer, now: Timestamp) -> Effects {
        self.change(|sent, state| {
            match reply {
                Reply::NoResponders => {
                    // A status that comes after a receipt speaks of some other message on this inbox.
                    if state.heard || state.result.is_some() {
                        return None;
                    }
                    state.passed();
                    state.find(Mismatch::new(
                        MismatchKind::Undelivered,
                        format!("the server said \"no responders\" for {}", sent.lane.subject_text),
                    ));
                    state.end(NoResult::Undelivered { subject: sent.lane.subject_text.clone() }, now);
                }
                Reply::Stored => state.climb(Rung::Stored, Evidence::Wire, None, now),
                Reply::Failed { error } => {
                    state.climb(Rung::Failed, Evidence::Declared, Some(sent.to().clone()), now);
                    state.find(Mismatch::new(MismatchKind::Failed, error.clone()));
                    state.end(NoResult::Failed { error }, now);
                }
                Reply::Refused(refusal) => state.refuse(refusal, Some(sent.to().clone()), now, now),
                Reply::Result { arrived, claimed, plain, read_back } => {
                    return state.result(sent, arrived, claimed, plain, read_back, comparer, now);
                }
            }
            None
        })
    }

    pub(crate) fn on_receipt(&self, heard: Heard, comparer: &Comparer, now: Timestamp) -> Effects {
        let effects = self.change(|sent, state| state.receipt(sent, heard, comparer, now));
        if effects.decision.is_none() && self.handles.load(Ordering::Acquire) == 0 && self.waits_for_us() {
            let withdrawn = self.decide(Choice::Withdraw, &self.found(), now);
            return Effects { settled: effects.settled || withdrawn.settled, ..withdrawn };
        }
        effects
    }

    /// Whether the receiver holds the work for a decision that is due and not given.
    fn waits_for_us(&self) -> bool {
        let state = lock(&self.state);
        self.sent.handoff.hold && state.answered && state.decision.is_none() && state.settled.is_none()
    }

    pub(crate) fn on_readback_deadline(&self, now: Timestamp) -> Effects {
        self.change(|sent, state| {
            if state.answered || state.settled.is_some() {
                return None;
            }
            if state.heard {
                state.answer(Understanding::Unknown("it was received, but not read back in time"));
            } else if sent.handoff.receipts {
                let waited = now.since(sent.at).as_millis();
                state.find(Mismatch::new(MismatchKind::Unacknowledged, format!("no receipt within {waited} ms")));
                state.answered = true;
            } else {
                state.answer(Understanding::Unknown("no receipt was asked for"));
            }
            if sent.handoff.kind == HandoffKind::Transfer && sent.by.is_none() {
                state.settle(now);
            }
            None
        })
    }

    pub(crate) fn on_deadline(&self, now: Timestamp) -> Effects {
        self.change(|sent, state| {
            if state.settled.is_some() {
                return None;
            }
            let waited = now.since(sent.at);
            let undecided = sent.handoff.hold && state.decision.is_none() && !state.found.is_empty();
            if sent.handoff.receipts && !state.heard {
                // Never acknowledged is the stronger finding; both would tell one fault twice.
                let text = format!("no receipt within {} ms", waited.as_millis());
                state.find(Mismatch::new(MismatchKind::Unacknowledged, text));
            } else if !undecided {
                let highest = state.climbs.iter().map(|climb| climb.rung).max().unwrap_or(Rung::Sent);
                let text = format!("no result within {} ms; the last rung seen was {highest}", waited.as_millis());
                state.find(Mismatch::new(MismatchKind::TimedOut, text));
            }
            state.end(NoResult::TimedOut { waited }, now);
            None
        })
    }

    /// The sender's decision.
    ///
    /// Returns what to send; without a `control` subject yet, the decision goes out with the first receipt.
    pub(crate) fn decide(&self, kind: Choice, mismatches: &[Mismatch], now: Timestamp) -> Effects {
        self.change(|sent, state| {
            if state.settled.is_some() && kind == Choice::Go {
                return None;
            }
            state.decision = Some(kind);
            if kind == Choice::Withdraw {
                state.end(NoResult::Withdrawn, now);
            } else if state.answered && sent.handoff.kind == HandoffKind::Transfer && sent.by.is_none() {
                // Nothing more is waited for.
                state.settle(now);
            }
            state.decision_message(kind, mismatches)
        })
    }

    pub(crate) fn on_workflow_closed(&self, now: Timestamp) -> Effects {
        self.change(|_, state| {
            if state.settled.is_some() {
                return None;
            }
            let highest = state.climbs.iter().map(|climb| climb.rung).max().unwrap_or(Rung::Sent);
            if highest >= Rung::Accepted {
                let evidence = format!("the workflow was closed while the handoff was {highest}");
                state.find(Mismatch::new(MismatchKind::Abandoned, evidence));
            }
            // The receiver would work on for nobody.
            state.decision = Some(Choice::Withdraw);
            state.end(NoResult::WorkflowClosed, now);
            state.decision_message(Choice::Withdraw, &state.found)
        })
    }

    /// The channel is going: what is still open can no longer be followed.
    pub(crate) fn on_closed(&self) {
        let mut state = lock(&self.state);
        if state.settled.is_none() && state.no_result.is_none() {
            state.no_result = Some(NoResult::Closed);
        }
        state.answered = true;
        drop(state);
        self.announce();
    }

    pub(crate) fn mark_checked(&self, by: Option<Quality>, now: Timestamp) {
        let mut state = lock(&self.state);
        state.checked = true;
        state.climb(Rung::Verified, Evidence::Declared, Some(self.sent.from().clone()), now);
        if by.is_some() {
            state.score = by;
        }
    }

    pub(crate) fn mark_used(&self, now: Timestamp) {
        let mut state = lock(&self.state);
        state.used = Some(true);
        state.climb(Rung::Used, Evidence::Declared, Some(self.sent.from().clone()), now);
        if let Some(mismatch) = self.judge_quality(&state) {
            state.find(mismatch);
        }
        drop(state);
        self.announce();
    }

    pub(crate) fn mark_discarded(&self, why: &str) {
        let mut state = lock(&self.state);
        state.used = Some(false);
        state.set_aside = true;
        if let Some(mismatch) = self.judge_quality(&state) {
            state.find(Mismatch::new(mismatch.kind, format!("{} ({why})", mismatch.evidence)));
        }
    }

    // Handles and export.

    pub(crate) fn add_handle(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    /// A receipt or a result of it was dropped. With the last one, what is settled is due for export.
    pub(crate) fn drop_handle(&self, clock: &Clock) -> Effects {
        if self.handles.fetch_sub(1, Ordering::AcqRel) > 1 {
            return Effects::default();
        }
        if self.sent.handoff.hold && self.waits_for_us() {
            // The receiver waits for a word that nobody is left to give.
            return self.decide(Choice::Withdraw, &self.found(), clock.now());
        }
        let state = lock(&self.state);
        Effects { export: state.settled.is_some() && state.record.is_some(), ..Effects::default() }
    }

    /// The finished record; `None` where it was taken before.
    pub(crate) fn take_record(&self, clock: &Clock) -> Option<Box<HandoffRecord>> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let mut record = state.record.take()?;
        if let Some(mismatch) = self.judge_quality(state) {
            state.find(mismatch);
        }
        state.permit = None;
        record.ended = state.settled.unwrap_or_else(|| clock.now());
        record.context_age = state.context_age;
        record.result = ResultFacts {
            content: state.result.as_ref().map(|arrived| arrived.content),
            quality: state.score.take().or_else(|| state.result.as_ref()?.quality.clone()),
            threshold: self.sent.handoff.threshold,
            used: state.used,
            checked: state.result.is_some().then_some(state.checked),
        };
        record.outcome.verdict = state.final_verdict();
        // Whoever still holds a receipt may still ask; otherwise all this is moved.
        if self.handles.load(Ordering::Acquire) > 0 {
            record.read_back = state.read_back.clone();
            (record.outcome.mismatches, record.outcome.climbs) = (state.found.clone(), state.climbs.clone());
        } else {
            record.read_back = state.read_back.take();
            record.outcome.mismatches = std::mem::take(&mut state.found);
            record.outcome.climbs = std::mem::take(&mut state.climbs);
        }
        Some(record)
    }

    fn judge_quality(&self, state: &State) -> Option<Mismatch> {
        let arrived = state.result.as_ref()?;
        if state.has(MismatchKind::LowQuality) || state.has(MismatchKind::IgnoredResult) {
            return None;
        }
        let score = state.score.as_ref().or(arrived.quality.as_ref()).map(Quality::score);
        // A poor score is a finding even if nobody said what became of the result.
        let used = Some(state.used.unwrap_or(false));
        quality::judge(score, self.sent.handoff.threshold, used, state.checked, state.set_aside)
    }

    fn change(&self, f: impl FnOnce(&Sent, &mut State) -> Option<(Subject, Decision)>) -> Effects {
        let mut state = lock(&self.state);
        let was_settled = state.settled.is_some();
        let decision = f(&self.sent, &mut state);
        let settled = state.settled.is_some();
        if settled {
            state.permit = None;
        }
        let export = settled && state.record.is_some() && self.handles.load(Ordering::Acquire) == 0;
        drop(state);
        self.announce();
        Effects { decision, settled: settled && !was_settled, export }
    }
}

/// One who waits for a change, as long as it lives.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn on(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl State {
    fn receipt(
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

    fn refuse(&mut self, refusal: Refusal, by: Option<AgentName>, at: Timestamp, now: Timestamp) {
        self.climb(Rung::Refused, Evidence::Declared, by, at);
        self.find(Mismatch::new(MismatchKind::Refused, refusal.as_str()));
        self.refusal = Some(refusal.clone());
        self.end(NoResult::Refused(refusal), now);
    }

    /// What the receiver must be told after a receipt.
    fn after_receipt(&mut self, sent: &Sent, rung: Rung, found_before: usize) -> Option<(Subject, Decision)> {
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

    fn freshness(&mut self, sent: &Sent, receipt: &crate::wire::Receipt, offset: Option<ClockOffset>) {
        let read = |item: &&Context| {
            receipt.context_age.is_empty() || receipt.context_age.iter().any(|age| age.name == item.name)
        };
        let used: Vec<&Context> = sent.handoff.contexts.iter().filter(read).collect();
        for item in &used {
            if let Some(mismatch) = freshness::freshness(item, receipt.at, offset, None).mismatch() {
                self.find(mismatch.clone());
            }
        }
        self.context_age = freshness::worst_age(used, receipt.at, offset).map(carrier::context_age);
    }

    fn understand(
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
    fn result(
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

    fn decision_message(&self, kind: Choice, mismatches: &[Mismatch]) -> Option<(Subject, Decision)> {
        let control = self.control.clone()?;
        let diff = mismatches.iter().flat_map(|mismatch| mismatch.diff.iter().cloned()).collect();
        let words = mismatches.iter().map(|mismatch| mismatch.kind.as_str().to_owned()).collect();
        let mut decision = Decision::new(kind);
        (decision.mismatches, decision.diff) = (words, diff);
        Some((control, decision))
    }

    /// The server has spoken of the message, so it saw it.
    fn passed(&mut self) {
        if let Some(first) = self.climbs.first_mut() {
            first.evidence = Evidence::Wire;
        }
    }

    fn climb(&mut self, rung: Rung, evidence: Evidence, by: Option<AgentName>, at: Timestamp) {
        if !self.climbs.iter().any(|climb| climb.rung == rung) {
            self.climbs.push(Climb { rung, evidence, by, at });
        }
    }

    fn has(&self, kind: MismatchKind) -> bool {
        self.found.iter().any(|mismatch| mismatch.kind == kind)
    }

    /// Each kind once: the first evidence is the best.
    fn find(&mut self, mismatch: Mismatch) {
        if !self.has(mismatch.kind) {
            self.found.push(mismatch);
        }
    }

    fn agreed(&self) -> bool {
        self.found.is_empty() && self.understanding == Understanding::Agrees
    }

    fn answer(&mut self, understanding: Understanding) {
        if self.understanding == Understanding::NotSaid || matches!(self.understanding, Understanding::Unknown(_)) {
            self.understanding = understanding;
        }
        self.answered = true;
    }

    fn end(&mut self, why: NoResult, now: Timestamp) {
        if self.result.is_none() && self.no_result.is_none() {
            self.no_result = Some(why);
        }
        self.answered = true;
        self.settle(now);
    }

    fn settle(&mut self, now: Timestamp) {
        if self.settled.is_none() {
            self.settled = Some(now);
        }
        if self.result.is_none() && self.no_result.is_none() {
            self.no_result = Some(NoResult::Transferred);
        }
    }

    fn verdict(&self) -> Verdict {
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

    fn final_verdict(&self) -> &'static str {
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
