//! What a sender knows of one handoff it made, from `sent` to its final verdict.
//!
//! Every change goes through one of the `on_*` methods, which take the time as an argument and do no I/O: what is to
//! be sent back to the receiver is returned as [`Effects`].

mod events;
mod heard;
mod progress;
mod record;
mod spare;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_nats::Subject;
use opentelemetry::trace::SpanContext;
use tokio::sync::{Notify, OwnedSemaphorePermit};

pub(crate) use self::heard::{Arrived, Heard, Reply};
use self::progress::State;
pub(crate) use self::spare::Spare;
use super::carrier;
use super::delivery::Delivery;
use super::error::NoResult;
use super::handoff::Handoff;
use super::lane::Lane;
use super::lock::lock;
use crate::model::{AgentName, Climb, Clock, Evidence, HandoffId, Mismatch, Rung, Timestamp, Verdict, WorkflowId};
use crate::telemetry::record::{Content, SpanPlace};
use crate::wire::{Choice, Decision};

/// What was fixed when the handoff was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) token: u64,
    pub(crate) id: HandoffId,
    pub(crate) attempt: u32,
    /// Number of the handoff on its lane, from 1; 0 while it is not known yet.
    pub(crate) seq: u64,
    pub(crate) lane: Arc<Lane>,
    pub(crate) workflow: WorkflowId,
    pub(crate) at: Timestamp,
    pub(crate) by: Option<Timestamp>,
    pub(crate) content: Content,
    /// Where its span stands.
    pub(crate) place: SpanPlace,
    /// The context that the caller's own `traceparent` carried.
    pub(crate) carried: Option<Box<SpanContext>>,
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

    /// The handoff that the sender was working on.
    pub(crate) fn parent(&self) -> Option<HandoffId> {
        self.within.as_ref().and_then(|task| task.id())
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
    pub(crate) fn new(sent: Sent, permit: OwnedSemaphorePermit, found: Option<Mismatch>) -> Arc<Self> {
        let mut climbs = Vec::with_capacity(if sent.handoff.receipts { 6 } else { 1 });
        climbs.push(first_climb(&sent));
        let found = found.into_iter().collect();
        Arc::new(Self {
            sent,
            state: Mutex::new(State { climbs, found, permit: Some(permit), ..State::default() }),
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
        self.wait(|state| state.is_over().then_some(())).await;
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

    /// Wakes those who wait. Called after a change, and after the hooks were told of it.
    pub(crate) fn announce(&self) {
        if self.waiting.load(Ordering::Acquire) > 0 {
            self.changed.notify_waiters();
        }
    }

    /// Waits until more than `seen` rungs were climbed, or nothing more can happen.
    pub(crate) async fn climbed(&self, seen: usize) -> Vec<Climb> {
        let ready = |state: &State| state.climbs.len() > seen || state.is_over();
        self.wait(|state| ready(state).then(|| state.climbs.clone())).await
    }

    pub(crate) fn climbs(&self) -> Vec<Climb> {
        lock(&self.state).climbs.clone()
    }

    pub(crate) fn found(&self) -> Vec<Mismatch> {
        lock(&self.state).found.clone()
    }

    pub(crate) fn is_settled(&self) -> bool {
        lock(&self.state).settled.is_some()
    }

    /// Whether the receiver has yet to learn that the task was taken back.
    pub(crate) fn owes_withdrawal(&self) -> bool {
        lock(&self.state).owes_withdrawal(&self.sent)
    }

    /// Whether its span has left.
    pub(crate) fn is_exported(&self) -> bool {
        lock(&self.state).exported
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
        Effects { export: state.settled.is_some() && !state.exported, ..Effects::default() }
    }

    fn change(&self, f: impl FnOnce(&Sent, &mut State) -> Option<(Subject, Decision)>) -> Effects {
        let mut state = lock(&self.state);
        let was_settled = state.settled.is_some();
        let decision = f(&self.sent, &mut state);
        let settled = state.settled.is_some();
        if settled {
            state.permit = None;
        }
        let export = settled && !state.exported && self.handles.load(Ordering::Acquire) == 0;
        drop(state);
        Effects { decision, settled: settled && !was_settled, export }
    }
}

fn first_climb(sent: &Sent) -> Climb {
    Climb { rung: Rung::Sent, evidence: Evidence::Declared, by: Some(sent.from().clone()), at: sent.at }
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
