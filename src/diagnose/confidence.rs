//! How sure it is that the first one is the root.

use super::graph::Graph;
use super::ranking::Ranked;

/// Confidence in each of the ranked, in their order.
pub(super) fn judge(_graph: &Graph<'_>, ranked: &[Ranked]) -> Vec<f64> {
    ranked.iter().map(|each| each.score).collect()
}

/// Below this nobody is accused.
pub(super) const ACCUSED: f64 = 0.35;
