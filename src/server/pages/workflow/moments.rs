use super::clocks::Clocks;
use crate::diagnose::{Graph, Handoff};
use crate::model::{Rung, Span, Timestamp, names};

/// When what happened of one handoff, in nanoseconds by clocks that agree; in the order of cause and effect, whatever
/// the clocks say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Moments {
    /// It was handed over.
    pub(super) sent: i64,
    /// It was taken, where anybody took it.
    pub(super) taken: Option<i64>,
    /// The readback was compared.
    pub(super) understood: Option<i64>,
    /// Whoever took it was done.
    pub(super) done: Option<i64>,
    /// The sender saw the end of it: a result, or that none will come. `None` for a transfer.
    pub(super) back: Option<i64>,
    /// By how much the clock of the one was behind that of the other, where that is more than a readable difference.
    pub(super) skew: Option<i64>,
}

/// A difference of clocks that is worth a mark, in nanoseconds.
const SKEW: i64 = 1_000_000;

impl Moments {
    /// The moments of every handoff, in the order of the graph.
    pub(super) fn of(graph: &Graph<'_>, clocks: &Clocks<'_>) -> Vec<Self> {
        let mut moments: Vec<Self> = graph.handoffs.iter().map(|handoff| told(handoff, clocks)).collect();
        let order = from_the_top(graph);
        // Of what left no record it is known that it was before what was done on its behalf.
        for &at in order.iter().rev() {
            if graph.handoffs[at].is_unseen() {
                let below = graph.handoffs[at].children.iter().map(|child| moments[*child].sent).min();
                let time = below.unwrap_or(0);
                moments[at] = Self { sent: time, taken: Some(time), ..Self::default() };
            }
        }
        // Downwards: nothing before what it follows from.
        for &at in &order {
            let above = graph.handoffs[at].parent.and_then(|parent| moments[parent].taken);
            let this = &mut moments[at];
            this.sent = this.sent.max(above.unwrap_or(i64::MIN));
            let taken = later(&mut this.taken, this.sent);
            let understood = later(&mut this.understood, taken);
            let done = later(&mut this.done, understood);
            later(&mut this.back, done);
        }
        moments
    }
}

/// Moves a moment behind what was before it, and gives it; what is not known moves nothing.
fn later(moment: &mut Option<i64>, before: i64) -> i64 {
    match moment {
        Some(time) => {
            *time = (*time).max(before + 1);
            *time
        }
        None => before,
    }
}

fn told(handoff: &Handoff<'_>, clocks: &Clocks<'_>) -> Moments {
    let sent = handoff.attempts.first().map(|attempt| attempt.span);
    let last = handoff.attempts.last();
    let taken = handoff.worked().map(|delivery| delivery.span);
    let time = |span: &Span, at: Timestamp| clocks.at(span, at);
    let skew = sent.zip(taken).and_then(|(sent, taken)| {
        let early = sent.start.nanos_since(taken.start);
        (early > SKEW).then_some(early)
    });
    Moments {
        sent: sent.or(taken).map_or(0, |span| time(span, span.start)),
        taken: taken.map(|span| time(span, span.start)),
        // The sender tells of it as well, with the receiver's time.
        understood: taken.and_then(|span| {
            let told = [Some(span), last.map(|attempt| attempt.span)].into_iter().flatten();
            let at = told.filter_map(|span| climbed(span, &[Rung::Understood, Rung::Misunderstood])).next();
            Some(time(span, at?))
        }),
        done: taken.map(|span| time(span, climbed(span, &[Rung::Completed, Rung::Failed]).unwrap_or(span.end))),
        // A span goes on until the result was used.
        back: last.filter(|_| handoff.is_delegation).map(|attempt| {
            let seen = climbed(attempt.span, &[Rung::Completed, Rung::Failed, Rung::Refused]);
            time(attempt.span, seen.unwrap_or(attempt.span.end))
        }),
        skew,
    }
}

/// When the first of these rungs was climbed.
fn climbed(span: &Span, rungs: &[Rung]) -> Option<Timestamp> {
    let told = span.events.iter().filter(|event| event.name == names::RUNG);
    let of_these = told.filter(|event| {
        let rung = event.attributes.text("rung").and_then(|word| word.parse().ok());
        rung.is_some_and(|rung: Rung| rungs.contains(&rung))
    });
    of_these.map(|event| event.at).min()
}

/// Every handoff, parents before children; those in a circle of parents, which only broken records make, last.
fn from_the_top(graph: &Graph<'_>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..graph.handoffs.len()).filter(|at| graph.handoffs[*at].parent.is_none()).collect();
    let mut seen = vec![false; graph.handoffs.len()];
    let mut next = 0;
    while next < order.len() {
        seen[order[next]] = true;
        order.extend_from_slice(&graph.handoffs[order[next]].children);
        next += 1;
    }
    order.extend((0..graph.handoffs.len()).filter(|at| !seen[*at]));
    order
}
