use std::time::Duration;

use super::plan::{Job, Leg};
use crate::channel::Receipt;
use crate::model::{Climb, Mismatch};

/// What happens in the newsroom, in order.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A workflow begins.
    Begun(Job),
    /// A handoff climbed its ladder.
    Climbed(Seen),
    /// A handoff is over for its sender.
    Settled(Seen),
    /// A workflow is over.
    Ended { workflow: String, ok: bool, outcome: String },
}

/// A handoff as its sender sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) workflow: String,
    pub(crate) leg: Leg,
    pub(crate) verdict: &'static str,
    pub(crate) climbs: Vec<Climb>,
    pub(crate) mismatches: Vec<Mismatch>,
}

impl Seen {
    pub(crate) fn of(receipt: &Receipt, leg: Leg, workflow: &str) -> Self {
        let mismatches = receipt.mismatches();
        let verdict = if mismatches.is_empty() { receipt.verdict_now().as_str() } else { "mismatched" };
        Self {
            id: receipt.id().to_string(),
            workflow: workflow.to_owned(),
            leg,
            verdict,
            climbs: receipt.climbs(),
            mismatches,
        }
    }

    /// From the first rung to the last.
    pub(crate) fn took(&self) -> Duration {
        match (self.climbs.first(), self.climbs.last()) {
            (Some(first), Some(last)) => last.at.since(first.at),
            _ => Duration::ZERO,
        }
    }
}

/// A workflow and its handoffs, in order of being settled.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) job: Job,
    pub(crate) handoffs: Vec<Seen>,
    pub(crate) ok: bool,
    pub(crate) outcome: String,
}

/// What was seeded, and what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Score {
    pub(crate) seeded: usize,
    /// Seeded, and found at the right handoff with the right kind.
    pub(crate) found: usize,
    /// Found, and not seeded.
    pub(crate) unexpected: usize,
}

impl Story {
    /// Whether `seen` broke as planned, with `kind`.
    fn is_planned(&self, seen: &Seen, mismatch: &Mismatch) -> bool {
        self.job.fault_at(seen.leg).is_some_and(|fault| fault.expected() == mismatch.kind)
    }

    pub(crate) fn score(stories: &[Self]) -> Score {
        let mut score = Score::default();
        for story in stories {
            let findings = || story.handoffs.iter().flat_map(|seen| seen.mismatches.iter().map(move |m| (seen, m)));
            let planned = findings().filter(|(seen, mismatch)| story.is_planned(seen, mismatch)).count();
            score.seeded += usize::from(story.job.fault.is_some());
            score.found += planned.min(1);
            score.unexpected += findings().count() - planned;
        }
        score
    }
}
