//! The tree: which handoff stands where, and how a line of it looks.

use crate::cli::printer::{BAD, FAINT, GOOD, STRONG, UNKNOWN};
use crate::diagnose::{Graph, Handoff, Outline};
use crate::model::Timestamp;

/// Where a handoff stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) depth: usize,
    /// Whether it was sent while the one before it, of the same sender, was still open.
    pub(super) is_parallel: bool,
    /// How long its sender waited after the one before had ended.
    pub(super) waited_ms: Option<f64>,
}

/// Deeper handoffs stand no further to the right than this, so that a line keeps its width.
const DEEPEST: usize = 12;
/// How wide a boundary is shown, with its indentation.
const BOUNDARY: usize = 36;
const LADDER: usize = 30;
/// A wait shorter than this is not worth a mark, in milliseconds.
const WAIT: f64 = 100.0;

/// Every handoff once: below the one that its sender was working on, siblings in the order of sending.
pub(super) fn order(graph: &Graph<'_>) -> Vec<Place> {
    let roots: Vec<usize> = (0..graph.handoffs.len()).filter(|at| graph.handoffs[*at].parent.is_none()).collect();
    let mut seen = vec![false; graph.handoffs.len()];
    let mut places = Vec::with_capacity(graph.handoffs.len());
    let mut open: Vec<Place> = Vec::new();
    push(graph, &roots, 0, &mut open);
    // What is left stands in a circle of parents, which only broken records make: each begins a tree of its own.
    let mut rest = 0..graph.handoffs.len();
    loop {
        while let Some(place) = open.pop() {
            if std::mem::replace(&mut seen[place.at], true) {
                continue;
            }
            places.push(place);
            push(graph, &graph.handoffs[place.at].children, place.depth + 1, &mut open);
        }
        match rest.find(|at| !seen[*at]) {
            Some(at) => open.push(Place { at, depth: 0, is_parallel: false, waited_ms: None }),
            None => return places,
        }
    }
}

fn push(graph: &Graph<'_>, siblings: &[usize], depth: usize, open: &mut Vec<Place>) {
    let mut siblings = siblings.to_vec();
    siblings.sort_by_key(|at| (began(&graph.handoffs[*at]), graph.handoffs[*at].id));
    let mut placed = Vec::with_capacity(siblings.len());
    for (index, at) in siblings.iter().enumerate() {
        // Two times of one sender are in one clock; of others they say nothing.
        let before = index.checked_sub(1).map(|index| &graph.handoffs[siblings[index]]);
        let gap = before.and_then(|before| gap(before, &graph.handoffs[*at]));
        let waited_ms = gap.filter(|nanos| *nanos >= 0).map(|nanos| nanos as f64 / 1e6);
        placed.push(Place { at: *at, depth, is_parallel: gap.is_some_and(|nanos| nanos < 0), waited_ms });
    }
    open.extend(placed.into_iter().rev());
}

/// When the next was sent less when the one before ended, in their sender's clock.
fn gap(before: &Handoff<'_>, next: &Handoff<'_>) -> Option<i64> {
    let (done, sent) = (before.attempts.last()?, next.attempts.first()?);
    (before.from == next.from).then(|| sent.span.start.nanos_since(done.span.end))
}

fn began(handoff: &Handoff<'_>) -> Timestamp {
    let sent = handoff.attempts.first().map(|sent| sent.span.start);
    sent.or_else(|| handoff.taken().next().map(|taken| taken.span.start)).unwrap_or_default()
}

/// The lines of the tree, at most 100 columns each. `root` is the id of the handoff to mark.
pub(super) fn lines(graph: &Graph<'_>, root: Option<&str>) -> Vec<String> {
    order(graph).into_iter().map(|place| line(&graph.handoffs[place.at], place, root)).collect()
}

fn line(handoff: &Handoff<'_>, place: Place, root: Option<&str>) -> String {
    let row = Outline::of(handoff);
    let is_root = root == Some(handoff.id);
    let indent = "  ".repeat(place.depth.min(DEEPEST));
    let parallel = if place.is_parallel { "||" } else { "" };
    let boundary = fit(&format!("{indent}{parallel}{}", handoff.boundary()), BOUNDARY);
    let mark = if is_root { '!' } else { ' ' };
    let (style, verdict) = match row.verdict.as_deref() {
        _ if handoff.is_unseen() => (UNKNOWN, "no record"),
        Some("agreed") => (GOOD, "agreed"),
        Some("mismatched") => (BAD, "mismatched"),
        Some("pending") => (UNKNOWN, "pending"),
        Some("unconfirmed") => (UNKNOWN, "unconfirmed"),
        _ => (UNKNOWN, "-"),
    };
    let ladder = fit(&row.ladder(), LADDER);
    let duration = row.duration_ms.map(duration).unwrap_or_default();
    let mut facts = Vec::new();
    if handoff.attempts.len() > 1 {
        facts.push(format!("{}x", handoff.attempts.len()));
    }
    if let Some(waited) = place.waited_ms.filter(|waited| *waited >= WAIT) {
        facts.push(format!("+{}", self::duration(waited)));
    }
    if let Some(age) = row.age_ms {
        facts.push(format!("age {}", self::duration(age)));
    }
    if let Some(quality) = row.quality {
        facts.push(format!("q {quality:.2}"));
    }
    facts.extend(row.mismatches.iter().cloned());
    let strong = if is_root { STRONG } else { anstyle::Style::new() };
    let first = format!(
        "{BAD}{mark}{BAD:#} {strong}{boundary:<BOUNDARY$}{strong:#} {ladder:<LADDER$} {style}{verdict:<11}{style:#} {duration:>8}"
    );
    let facts = facts.join("  ");
    let first = first.trim_end().to_owned();
    if facts.is_empty() {
        first
    } else {
        format!("{first}\n{:>width$}{FAINT}{facts}{FAINT:#}", "", width = BOUNDARY + 3)
    }
}

/// Cut to a number of characters, and marked where it is.
fn fit(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - 2).collect();
    format!("{kept}..")
}

fn duration(ms: f64) -> String {
    if ms.abs() < 9_995.0 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms / 1e3) }
}
