use super::handoff::Handoff;
use crate::model::{Rung, Span, names};

/// The facts of one handoff in short, as either side told them.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// Rungs climbed, lowest first.
    pub rungs: Vec<Rung>,
    /// The verdict, where one was told.
    pub verdict: Option<String>,
    /// What either side found, by name.
    pub mismatches: Vec<String>,
    /// Age of the worst context item, in milliseconds.
    pub age_ms: Option<f64>,
    /// Score of the result.
    pub quality: Option<f64>,
    /// The sender's wait, else the receiver's work, in milliseconds.
    pub duration_ms: Option<f64>,
}

impl Outline {
    /// The facts of this handoff, by the attempt that counts.
    pub fn of(handoff: &Handoff<'_>) -> Self {
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
    pub fn ladder(&self) -> String {
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
