use super::causality::Causality;
use super::graph::Graph;
use super::handoff::Handoff;

/// What the rules look at.
pub(super) struct View<'g, 'a> {
    pub(super) graph: &'g Graph<'a>,
    pub(super) causality: &'g Causality,
}

/// Words by which a sender says that a result may never be needed.
const OPTIONAL: [&str; 6] =
    ["speculative", "optional", "best effort", "may not be needed", "nice to have", "just in case"];

impl<'g, 'a> View<'g, 'a> {
    /// The handoffs with their places, those left out that their sender called optional and whose result nobody used:
    /// what becomes of these is nobody's loss.
    pub(super) fn handoffs(&self) -> impl Iterator<Item = (usize, &'g Handoff<'a>)> {
        self.graph.handoffs.iter().enumerate().filter(|(_, handoff)| !is_optional(handoff))
    }
}

fn is_optional(handoff: &Handoff<'_>) -> bool {
    let reason = handoff.reason();
    let used = handoff.sent().and_then(|sent| sent.used()) == Some(true);
    !reason.is_empty() && !used && OPTIONAL.iter().any(|word| reason.to_ascii_lowercase().contains(word))
}
