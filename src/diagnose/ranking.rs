//! Own evidence less what is inherited from upstream.

use std::collections::BTreeMap;

use super::causality::node;
use super::finding::Finding;
use super::view::{Missing, View};
use crate::model::MismatchKind;

/// A handoff with evidence, and what is left of it when what lies above is taken off.
#[derive(Clone, Debug)]
pub(super) struct Ranked {
    /// The finding that counts for it.
    pub(super) finding: Finding,
    /// What is left, 0 to 1.
    pub(super) score: f64,
}

/// How much of a finding an equally certain one above it explains.
///
/// What goes wrong on the way cannot follow from what the task says; what an agent makes of its task can.
const fn explained(kind: MismatchKind) -> f64 {
    match kind {
        MismatchKind::Undelivered
        | MismatchKind::Unacknowledged
        | MismatchKind::Corrupted
        | MismatchKind::Misrouted
        | MismatchKind::Reordered
        | MismatchKind::Looped
        | MismatchKind::Drifted
        | MismatchKind::Abandoned
        | MismatchKind::IgnoredResult => 0.4,
        MismatchKind::Failed
        | MismatchKind::Refused
        | MismatchKind::TimedOut
        | MismatchKind::LowQuality
        | MismatchKind::UnverifiedUse
        | MismatchKind::IncompleteJoin => 0.8,
        _ => 0.7,
    }
}

/// How certain it is that something above a task that lacks a part is broken, even where nothing on record shows it.
const LACKS_A_PART: f64 = 0.6;

/// What is left of a score for each better one of the same kind.
const ONCE_MORE: f64 = 0.9;

/// The handoffs with evidence, best first.
pub(super) fn rank(view: &View<'_, '_>, findings: Vec<Finding>) -> Vec<Ranked> {
    let mut own = vec![0.0_f64; 2 * view.graph.handoffs.len()];
    for finding in &findings {
        let at = node(finding.handoff, finding.part).index();
        own[at] = own[at].max(finding.weight);
    }
    let inherited = view.causality.inherited(&own);
    let mut best: BTreeMap<usize, Ranked> = BTreeMap::new();
    for finding in findings {
        let mut inherited = inherited[node(finding.handoff, finding.part).index()];
        let is_broken_above = matches!(view.missing_parts(finding.handoff), Missing::NeverMade | Missing::Unknown);
        if is_broken_above && finding.kind != MismatchKind::IncompleteJoin {
            inherited = inherited.max(LACKS_A_PART);
        }
        let score = finding.weight * (1.0 - explained(finding.kind) * inherited);
        let ranked = Ranked { finding, score };
        best.entry(ranked.finding.handoff)
            .and_modify(|best| {
                if key(&ranked) > key(best) {
                    *best = ranked.clone();
                }
            })
            .or_insert(ranked);
    }
    let depths = view.causality.depths();
    let depth = |ranked: &Ranked| depths[node(ranked.finding.handoff, ranked.finding.part).index()];
    let mut ranked: Vec<(usize, Ranked)> = best.into_values().map(|ranked| (depth(&ranked), ranked)).collect();
    vary(&mut ranked);
    ranked.into_iter().map(|(_, ranked)| ranked).collect()
}

/// Takes a little off for each better one of the same kind, and sorts: of several that are about as likely, the next to
/// look at is the one that would explain it in another way. Of equal ones the better is the one that less leads to; where
/// even that is equal they stay so, as nothing but chance would tell them apart.
fn vary(ranked: &mut [(usize, Ranked)]) {
    let best_first = |ranked: &mut [(usize, Ranked)]| {
        ranked.sort_by(|left, right| right.1.score.total_cmp(&left.1.score).then(left.0.cmp(&right.0)));
    };
    best_first(ranked);
    // Of each kind: how many there were, and how many of them are better than the last one.
    let mut before: BTreeMap<MismatchKind, (i32, i32, (f64, usize))> = BTreeMap::new();
    for (depth, each) in &mut *ranked {
        let last = (each.score, *depth);
        let (count, better, at) = before.entry(each.finding.kind).or_insert((0, 0, last));
        if *at != last {
            (*better, *at) = (*count, last);
        }
        each.score *= ONCE_MORE.powi(*better);
        *count += 1;
    }
    best_first(ranked);
}

fn key(ranked: &Ranked) -> (u64, std::cmp::Reverse<MismatchKind>) {
    (ranked.score.to_bits(), std::cmp::Reverse(ranked.finding.kind))
}
