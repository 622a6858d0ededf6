//! What one line of the tree tells of a handoff.

use crate::diagnose::Handoff;
use crate::model::{Rung, Span, names};

/// The facts of one handoff, as either side told them.
#[derive(Debug)]
pub(super) struct Row {
    /// Rungs climbed, lowest first.
    pub(super) rungs: Vec<Rung>,
    pub(super) verdict: Option<String>,
    pub(super) mismatches: Vec<String>,
    pub(super) age_ms: Option<f64>,
    pub(super) quality: Option<f64>,
    /// The sender's wait, else the receiver's work.
    pub(super) duration_ms: Option<f64>,
}

impl Row {
    pub(super) fn of(handoff: &Handoff<'_>) -> Self {
        let sent = handoff.sent().map(|sent| sent.span);
        let taken: Vec<&Span> = handoff.taken().map(|taken| taken.span).collect();
        let both = || sent.into_iter().chain(taken.iter().copied());
        let text = |name| both().find_map(|span: &Span| span.attributes.text(name).map(str::to_owned));
        let number = |name| both().find_map(|span: &Span| span.attributes.number(name));
        let mut mismatches: Vec<String> =
            both().flat_map(|span| span.attributes.texts(names::MISMATCHES)).map(str::to_owned).collect();
        mismatches.sort();
        mismatches.dedup();
        Self {
            rungs: rungs(both()),
            verdict: text(names::VERDICT),
            mismatches,
            age_ms: number(names::CONTEXT_AGE),
            quality: number(names::RESULT_QUALITY),
            duration_ms: both().next().map(|span| span.nanos() as f64 / 1e6),
        }
    }

    /// `sent > understood > completed`: the first rung, the last ones.
    pub(super) fn ladder(&self) -> String {
        const SHOWN: [Rung; 9] = [
            Rung::Sent,
            Rung::Received,
            Rung::Refused,
            Rung::Understood,
            Rung::Misunderstood,
            Rung::InProgress,
            Rung::Completed,
            Rung::Failed,
            Rung::Used,
        ];
        let highest = self.rungs.last();
        let shown = self.rungs.iter().filter(|rung| SHOWN.contains(rung) || Some(*rung) == highest);
        // What the highest rung implies need not be said.
        let shown: Vec<&str> = shown.map(|rung| rung.as_str()).collect();
        match shown.as_slice() {
            [first, .., before, last] if shown.len() > 3 => format!("{first} .. {before} > {last}"),
            _ => shown.join(" > "),
        }
    }
}

fn rungs<'a>(spans: impl Iterator<Item = &'a Span>) -> Vec<Rung> {
    let mut rungs: Vec<Rung> = spans
        .flat_map(|span| {
            let events = span.events.iter().filter(|event| event.name == names::RUNG);
            let told = events.filter_map(|event| event.attributes.text("rung"));
            told.chain(span.attributes.text(names::RUNG)).filter_map(|word| word.parse().ok())
        })
        .collect();
    rungs.sort_unstable();
    rungs.dedup();
    rungs
}
