//! The sender's decision on a task, the end of the work, and the record that leaves then.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::{Delivery, State};
use crate::channel::hooks::{Decided, Settled};
use crate::channel::hub::HOLD_UNSAMPLED;
use crate::channel::lock::lock;
use crate::channel::timers::Timer;
use crate::model::{Context, Evidence, Mismatch, Rung, Timestamp, Verdict};
use crate::telemetry::record::{ProcessRecord, RecordRef};
use crate::wire::{Choice, Decision, Envelope};

impl Delivery {
    pub(crate) fn on_decision(&self, decision: &Decision) {
        let mismatches: Vec<Mismatch> = decision
            .known_mismatches()
            .map(|kind| Mismatch::new(kind, decision.diff.join("; ")).with_diff(decision.diff.clone()))
            .collect();
        lock(&self.state).decision = Some((decision.decision, mismatches.clone()));
        self.decided.notify_waiters();
        if let Some(hooks) = &self.hub.hooks {
            let (id, agent) = (self.id(), self.record.agent.clone());
            hooks.on_decision(&Decided { id, agent, choice: decision.decision, mismatches });
        }
        if lock(&self.state).ended.is_some() {
            self.export();
        }
    }

    /// The work is over.
    pub(super) fn finish(&self, now: Timestamp) {
        if self.end(now) {
            self.export();
        }
    }

    /// Whether the work ended now and the record leaves at once: it does unless only a decision can tell whether it is
    /// of interest.
    pub(super) fn end(&self, now: Timestamp) -> bool {
        let (undecided, clean) = {
            let mut state = lock(&self.state);
            if state.ended.is_some() {
                return false;
            }
            state.ended = Some(now);
            (self.receipts.is_some() && state.decision.is_none(), state.found.is_empty())
        };
        if let Some(hooks) = &self.hub.hooks {
            hooks.on_settled(&self.settled());
        }
        let dull = !self.record.place.sampled && clean;
        if undecided && (dull || self.hub.hooks.is_some()) && !self.hub.is_closed() {
            self.hub.timers.add(Instant::now() + HOLD_UNSAMPLED, Timer::Undecided(self.token));
        }
        !(undecided && dull)
    }

    /// No decision came, so there was nothing that did not agree.
    pub(crate) fn on_undecided(&self) {
        self.export();
        self.hub.end_delivery(self.token);
    }

    pub(crate) fn is_ended(&self) -> bool {
        lock(&self.state).ended.is_some()
    }

    /// The channel is going. Whoever waits for the work learns it, if there is still time.
    pub(crate) fn on_closed(&self) {
        if !self.is_ended() {
            self.abandon_because("the channel was closed before the work ended".to_owned());
        }
        self.export();
    }

    pub(super) fn export(&self) {
        if self.leave() {
            self.hub.telemetry.record_lent(&RecordRef::Process(&self.copied_record()));
        }
    }

    pub(super) fn copied_record(&self) -> ProcessRecord {
        let mut record = ProcessRecord::clone(&self.record);
        let mut state = lock(&self.state);
        state.complete(&mut record, &self.envelope);
        (record.outcome.mismatches, record.outcome.climbs) = (state.found.clone(), state.climbs.clone());
        record
    }

    /// As `finish`, by the last who holds the delivery, as a rule: then the record is completed where it is, not copied.
    pub(crate) fn finish_last(mut self: Arc<Self>, now: Timestamp) {
        if !self.end(now) || !self.leave() {
            return;
        }
        match Arc::get_mut(&mut self) {
            Some(Self { hub, record, envelope, state, .. }) => {
                let state = &mut *lock(state);
                state.complete(record, envelope);
                // Nobody is left who could ask.
                record.outcome.mismatches = std::mem::take(&mut state.found);
                record.outcome.climbs = std::mem::take(&mut state.climbs);
                hub.telemetry.record_lent(&RecordRef::Process(record));
            }
            None => self.hub.telemetry.record_lent(&RecordRef::Process(&self.copied_record())),
        }
    }

    /// Marks the record as gone; `false` if it went before.
    pub(super) fn leave(&self) -> bool {
        if self.exported.swap(true, Ordering::AcqRel) {
            return false;
        }
        // A decision that comes later is of interest to hooks alone.
        if self.receipts.is_some() && (self.hub.hooks.is_none() || lock(&self.state).decision.is_some()) {
            self.hub.end_delivery(self.token);
        }
        true
    }

    pub(super) fn settled(&self) -> Settled {
        let state = lock(&self.state);
        let told = state.decision.iter().flat_map(|(_, mismatches)| mismatches.iter().cloned());
        let mismatches: Vec<Mismatch> = state.found.iter().cloned().chain(told).collect();
        let rung = state.climbs.iter().max_by_key(|climb| climb.rung);
        let verdict = match (&state.decision, &state.read_back) {
            _ if !mismatches.is_empty() => Verdict::Mismatched(mismatches.clone()),
            (Some((Choice::Go, _)), Some(readback)) => Verdict::Agreed { readback: readback.clone() },
            _ => Verdict::Unconfirmed { why: "the sender has said nothing against the readback".to_owned() },
        };
        Settled {
            id: self.id(),
            agent: self.record.agent.clone(),
            is_sender: false,
            rung: rung.map_or((Rung::Received, Evidence::Declared), |climb| (climb.rung, climb.evidence)),
            verdict,
            mismatches,
        }
    }
}

impl State {
    /// Moves what was learnt since the arrival into the record, but for findings and rungs, which are asked for later.
    fn complete(&mut self, record: &mut ProcessRecord, envelope: &Envelope) {
        let told = self.decision.as_ref().is_some_and(|(_, mismatches)| !mismatches.is_empty());
        // The sender's finding makes this side of interest too, but not faulty.
        record.place.sampled |= told;
        let label = |name: &String| {
            let item = envelope.contexts.iter().find(|item| item.name == *name);
            item.map_or_else(|| name.clone(), Context::label)
        };
        record.ended = self.ended.unwrap_or(record.started);
        record.read_back = self.read_back.take();
        record.contexts_read = self.read.iter().map(label).collect();
        record.context_latest = std::mem::take(&mut self.latest);
        record.context_age = self.context_age;
        record.result = std::mem::take(&mut self.result);
        record.outcome.verdict = verdict_word(&self.found, told, self.decision.as_ref());
    }
}

/// A receiver knows of an agreement only if the sender said so.
fn verdict_word(found: &[Mismatch], told: bool, decision: Option<&(Choice, Vec<Mismatch>)>) -> &'static str {
    match decision {
        _ if told || !found.is_empty() => "mismatched",
        Some((Choice::Go, _)) => "agreed",
        _ => "unconfirmed",
    }
}
