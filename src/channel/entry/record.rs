//! The record of a handoff that is over, and its span.

use std::sync::atomic::Ordering;

use super::progress::State;
use super::{Entry, Sent};
use crate::channel::hub::Hub;
use crate::channel::lock::lock;
use crate::model::{Mismatch, MismatchKind, Quality};
use crate::telemetry::record::{HandoffFacts, HandoffRecord, Outcome, RecordRef, ResultFacts};
use crate::verify::quality;

impl Entry {
    /// Records its span, unless that was done before.
    pub(crate) fn export(&self, hub: &Hub) {
        let mut record = {
            let mut state = lock(&self.state);
            if std::mem::replace(&mut state.exported, true) {
                return;
            }
            if let Some(mismatch) = self.judge_quality(&state) {
                state.find(mismatch);
            }
            state.permit = None;
            if !hub.telemetry.is_on() {
                return;
            }
            self.record(&mut state, hub)
        };
        hub.telemetry.record_lent(RecordRef::Handoff(&record));
        // Their room is there for the next handoff.
        let mut state = lock(&self.state);
        if state.climbs.is_empty() {
            record.outcome.climbs.clear();
            state.climbs = record.outcome.climbs;
        }
    }

    fn record(&self, state: &mut State, hub: &Hub) -> HandoffRecord {
        let Sent { lane, handoff, .. } = &self.sent;
        // Whoever still holds a receipt may still ask, and a hook may be about to; otherwise all this is moved.
        let (read_back, mismatches, climbs) = if hub.hooks.is_some() || self.handles.load(Ordering::Acquire) > 0 {
            (state.read_back.clone(), state.found.clone(), state.climbs.clone())
        } else {
            (state.read_back.take(), std::mem::take(&mut state.found), std::mem::take(&mut state.climbs))
        };
        HandoffRecord {
            place: self.sent.place.clone(),
            carried: self.sent.carried.clone(),
            facts: HandoffFacts {
                id: Some(self.sent.id),
                workflow: Some(self.sent.workflow.clone()),
                from: Some(lane.from.clone()),
                to: Some(lane.to.clone()),
                kind: handoff.kind,
                parent: self.sent.parent(),
                subject: lane.subject_text.clone(),
                subject_template: None,
                server: hub.server.clone(),
                target: lane.target.clone(),
            },
            started: self.sent.at,
            ended: state.settled.unwrap_or_else(|| hub.clock.now()),
            attempt: self.sent.attempt,
            inst: Some(hub.inst),
            seq: Some(self.sent.seq),
            content: Some(self.sent.content),
            intent: handoff.intent.clone(),
            read_back,
            contexts: handoff.contexts.clone(),
            context_age: state.context_age,
            context_latest: Vec::new(),
            inputs: handoff.inputs.clone(),
            expected_inputs: handoff.owed,
            reason: handoff.reason.clone(),
            parent_evidence: None,
            triggered_by: handoff.triggered_by,
            deadline: self.sent.by,
            result: ResultFacts {
                content: state.result.as_ref().map(|arrived| arrived.content),
                quality: state.score.take().or_else(|| state.result.as_ref()?.quality.clone()),
                threshold: handoff.threshold,
                used: state.used,
                checked: state.result.is_some().then_some(state.checked),
            },
            outcome: Outcome { verdict: state.word(&mismatches), mismatches, climbs },
        }
    }

    /// What is to be said of the quality of its result, as far as it is known what became of it.
    pub(super) fn judge_quality(&self, state: &State) -> Option<Mismatch> {
        let arrived = state.result.as_ref()?;
        if state.has(MismatchKind::LowQuality) || state.has(MismatchKind::IgnoredResult) {
            return None;
        }
        let score = state.score.as_ref().or(arrived.quality.as_ref()).map(Quality::score);
        // A poor score is a finding even if nobody said what became of the result.
        let used = Some(state.used.unwrap_or(false));
        quality::judge(score, self.sent.handoff.threshold, used, state.checked, state.set_aside)
    }
}
