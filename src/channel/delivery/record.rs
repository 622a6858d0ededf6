//! The sender's decision on a task, the end of the work, and the record that leaves then.

use std::sync::atomic::Ordering;

use opentelemetry::trace::SpanContext;
use tokio::time::Instant;

use super::{Address, Delivery, State};
use crate::channel::hooks::{Decided, Settled};
use crate::channel::hub::HOLD_UNSAMPLED;
use crate::channel::lock::lock;
use crate::channel::timers::Timer;
use crate::model::{Context, Evidence, Mismatch, Rung, Timestamp, Verdict};
use crate::telemetry::record::{FactsRef, OutcomeRef, ProcessRef, RecordRef, SpanPlace};
use crate::wire::{Choice, Decision};

impl Delivery {
    pub(crate) fn on_decision(&self, decision: &Decision) {
        let mismatches: Vec<Mismatch> = decision
            .known_mismatches()
            .map(|kind| Mismatch::new(kind, decision.diff.join("; ")).with_diff(decision.diff.clone()))
            .collect();
        lock(&self.state).decision = Some((decision.decision, mismatches.clone()));
        self.decided.notify_waiters();
        if let Some(hooks) = &self.hub().hooks {
            let (id, agent) = (self.id(), self.agent().clone());
            hooks.on_decision(&Decided { id, agent, choice: decision.decision, mismatches });
        }
        if lock(&self.state).ended.is_some() {
            self.export();
        }
    }

    /// The work is over.
    pub(crate) fn finish(&self, now: Timestamp) {
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
        if let Some(hooks) = &self.hub().hooks {
            hooks.on_settled(&self.settled());
        }
        let dull = !self.place.sampled && clean;
        if undecided && (dull || self.hub().hooks.is_some()) && !self.hub().is_closed() {
            self.hub().timers.add(Instant::now() + HOLD_UNSAMPLED, Timer::Undecided(self.token));
        }
        !(undecided && dull)
    }

    /// No decision came, so there was nothing that did not agree.
    pub(crate) fn on_undecided(&self) {
        self.export();
        self.hub().end_delivery(self.token);
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
            self.record(&lock(&self.state));
        }
    }

    /// Records the span of a delivery that came to `state`.
    pub(super) fn record(&self, state: &State) {
        let told = state.decision.as_ref().is_some_and(|(_, mismatches)| !mismatches.is_empty());
        // The sender's finding makes this side of interest too, but not faulty.
        let noticed = (told && !self.place.sampled).then(|| SpanPlace { sampled: true, ..self.place.clone() });
        let place = noticed.as_ref().unwrap_or(&self.place);
        let link = self.came_with.map(|flags| {
            SpanContext::new(place.trace_id, place.parent_span_id, flags, true, place.trace_state.clone())
        });
        let Address { hub, agent, subject, queue_group, info } = &*self.address;
        let envelope = &self.envelope;
        let contexts = state.contexts.as_deref();
        let label = |name: &String| {
            let item = envelope.contexts.iter().find(|item| item.name == *name);
            item.map_or_else(|| name.clone(), Context::label)
        };
        let contexts_read: Vec<String> = contexts.iter().flat_map(|contexts| &contexts.read).map(label).collect();
        hub.telemetry.record_lent(&RecordRef::Process(ProcessRef {
            place,
            link: link.as_ref(),
            facts: FactsRef {
                id: envelope.id,
                workflow: envelope.workflow.as_ref(),
                from: envelope.from.as_ref(),
                to: Some(envelope.to.as_ref().unwrap_or(agent)),
                kind: self.kind,
                parent: envelope.parent,
                subject: self.subject.as_ref().unwrap_or(subject),
                // Where the agent listens on a pattern, the pattern is what its subjects have in common.
                subject_template: self.subject.is_some().then_some(subject),
                server: hub.server.as_ref(),
                target: info.as_ref(),
            },
            agent,
            queue_group: Some(queue_group),
            started: self.started,
            ended: state.ended.unwrap_or(self.started),
            attempt: self.attempt(),
            delivery_count: self.delivery_count,
            inst: envelope.inst,
            seq: envelope.seq,
            received: self.received,
            read_back: state.read_back.as_ref(),
            contexts_read: &contexts_read,
            context_latest: contexts.map_or(&[], |contexts| &contexts.latest),
            context_age: contexts.and_then(|contexts| contexts.age),
            result: &state.result,
            outcome: OutcomeRef {
                verdict: verdict_word(&state.found, told, state.decision.as_ref()),
                mismatches: &state.found,
                climbs: &state.climbs,
            },
        }));
    }

    /// Marks the record as gone; `false` if it went before.
    pub(super) fn leave(&self) -> bool {
        if self.exported.swap(true, Ordering::AcqRel) {
            return false;
        }
        // A decision that comes later is of interest to hooks alone.
        if self.receipts.is_some() && (self.hub().hooks.is_none() || lock(&self.state).decision.is_some()) {
            self.hub().end_delivery(self.token);
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
            agent: self.agent().clone(),
            is_sender: false,
            rung: rung.map_or((Rung::Received, Evidence::Declared), |climb| (climb.rung, climb.evidence)),
            verdict,
            mismatches,
        }
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
