//! The record of a handoff that is over, and its span.

use super::progress::State;
use super::{Entry, Sent};
use crate::channel::hub::Hub;
use crate::channel::lock::lock;
use crate::model::{Mismatch, MismatchKind, Quality};
use crate::telemetry::record::{FactsRef, HandoffRef, OutcomeRef, RecordRef, ResultFacts};
use crate::verify::quality;

impl Entry {
    /// Records its span, unless that was done before.
    pub(crate) fn export(&self, hub: &Hub) {
        let mut state = lock(&self.state);
        if std::mem::replace(&mut state.exported, true) {
            return;
        }
        if let Some(mismatch) = self.judge_quality(&state) {
            state.find(mismatch);
        }
        state.permit = None;
        if hub.telemetry.is_on() {
            let result = self.result_facts(&mut state);
            hub.telemetry.record_lent(&RecordRef::Handoff(self.record(&state, &result, hub)));
        }
    }

    fn record<'a>(&'a self, state: &'a State, result: &'a ResultFacts, hub: &'a Hub) -> HandoffRef<'a> {
        let Sent { lane, handoff, .. } = &self.sent;
        let extras = handoff.extras();
        HandoffRef {
            place: &self.sent.place,
            carried: self.sent.carried.as_deref(),
            facts: FactsRef {
                id: Some(self.sent.id),
                workflow: Some(&self.sent.workflow),
                from: Some(&lane.from),
                to: Some(&lane.to),
                kind: handoff.kind,
                parent: self.sent.parent(),
                subject: &lane.subject_text,
                subject_template: None,
                server: hub.server.as_ref(),
                target: lane.target.as_ref(),
            },
            started: self.sent.at,
            ended: state.settled.unwrap_or_else(|| hub.clock.now()),
            attempt: self.sent.attempt,
            inst: Some(hub.inst),
            seq: Some(self.sent.seq),
            content: Some(self.sent.content),
            intent: handoff.intent.as_ref(),
            read_back: state.read_back.as_ref(),
            contexts: &extras.contexts,
            context_age: state.context_age,
            context_latest: &[],
            inputs: &extras.inputs,
            expected_inputs: extras.owed,
            reason: extras.reason.as_ref(),
            parent_evidence: None,
            triggered_by: extras.triggered_by,
            deadline: self.sent.by,
            result,
            outcome: OutcomeRef { verdict: state.word(), mismatches: &state.found, climbs: &state.climbs },
        }
    }

    fn result_facts(&self, state: &mut State) -> ResultFacts {
        ResultFacts {
            content: state.result.as_ref().map(|arrived| arrived.content),
            quality: state.score.take().or_else(|| state.result.as_ref()?.quality.clone()),
            threshold: self.sent.handoff.extras().threshold,
            used: state.used,
            checked: state.result.is_some().then_some(state.checked),
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
        quality::judge(score, self.sent.handoff.extras().threshold, used, state.checked, state.set_aside)
    }
}
