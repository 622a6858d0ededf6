//! What happens to a handoff, each told with its time.

use std::sync::atomic::Ordering;

use super::heard::{Heard, Reply};
use super::progress::Understanding;
use super::{Effects, Entry};
use crate::channel::error::NoResult;
use crate::channel::lock::lock;
use crate::model::{Evidence, HandoffKind, Mismatch, MismatchKind, Quality, Rung, Timestamp};
use crate::verify::intent::Comparer;
use crate::wire::Choice;

impl Entry {
    /// The connection has taken the message, which it did not do at once: that was when it was sent.
    pub(crate) fn on_published(&self, now: Timestamp) {
        if let Some(first) = lock(&self.state).climbs.first_mut() {
            first.at = now;
        }
    }

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
                Reply::NotBelieved { doubt } => state.doubt(&format!("a reply: {doubt}")),
                Reply::Result { arrived, claimed, plain, read_back, doubt } => {
                    if let Some(doubt) = doubt {
                        state.doubt(&format!("the result: {doubt}"));
                    }
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

    /// A message about the handoff came that somebody else may have written.
    pub(crate) fn on_doubt(&self, text: &str) -> Effects {
        self.change(|_, state| {
            state.doubt(text);
            None
        })
    }

    /// Whether the receiver holds the work for a decision that is due and not given.
    pub(super) fn waits_for_us(&self) -> bool {
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
            if undecided {
                // Whoever holds the work gives it up by itself: it knows the deadline.
                return None;
            }
            // The receiver would work on for nobody.
            state.decision = Some(Choice::Withdraw);
            state.decision_message(Choice::Withdraw, &state.found)
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
        if !state.answered {
            state.answer(Understanding::Unknown("the channel was closed first"));
        }
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
}
