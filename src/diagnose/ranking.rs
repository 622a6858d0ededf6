//! Own evidence less what is inherited from upstream.

use std::collections::BTreeMap;

use super::causality::node;
use super::finding::Finding;
use super::view::View;
use crate::model::MismatchKind;

/// A handoff with evidence, and what is left of it when what lies above is taken off.
#[derive(Clone, Debug)]
pub(super) struct Ranked {
    /// The finding that counts for it.
    pub(super) finding: Finding,
    /// What is left, 0 to 1.
    pub(super) score: f64,
    /// The strongest evidence above it.
    pub(super) inherited: f64,
}

/// How much of a finding an equally strong one above it explains.
const EXPLAINED: f64 = 0.7;

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
        let inherited = inherited[node(finding.handoff, finding.part).index()];
        let score = finding.weight * (1.0 - EXPLAINED * inherited);
        let ranked = Ranked { finding, score, inherited };
        best.entry(ranked.finding.handoff)
            .and_modify(|best| {
                if key(&ranked) > key(best) {
                    *best = ranked.clone();
                }
            })
            .or_insert(ranked);
    }
    let mut ranked: Vec<Ranked> = best.into_values().collect();
    ranked.sort_by(|left, right| right.score.total_cmp(&left.score));
    ranked
}

fn key(ranked: &Ranked) -> (u64, std::cmp::Reverse<MismatchKind>) {
    (ranked.score.to_bits(), std::cmp::Reverse(ranked.finding.kind))
}
