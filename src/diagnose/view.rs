use std::collections::{HashMap, HashSet};

use super::causality::Causality;
use super::graph::Graph;
use super::handoff::Handoff;
use crate::verify::intent::Comparer;

/// What the rules look at.
pub(super) struct View<'g, 'a> {
    pub(super) graph: &'g Graph<'a>,
    pub(super) causality: &'g Causality,
    /// Who, working on what, used results that nobody on record made.
    nameless: HashSet<Place<'a>>,
    /// Who, working on what, went on without parts that were owed.
    short: HashSet<Place<'a>>,
    /// Which handoffs are optional.
    pub(super) optional: Vec<bool>,
    /// Whether some task names the result of each handoff among its inputs.
    claimed: Vec<bool>,
    /// Whether some handoff gave no result that was owed.
    some_never_made: bool,
    /// Who, working on what, joined parts, and whether none of these joins was short.
    joins: HashMap<Place<'a>, bool>,
    /// How readbacks are compared with intents.
    pub(super) comparer: Comparer,
}

/// An agent, and the handoff that it was working on.
type Place<'a> = (Option<&'a str>, Option<usize>);

/// What is known of the parts that a task lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// It lacks none.
    None,
    /// One of them came after it was sent.
    CameLater,
    /// They were made, so it could have had them.
    Made,
    /// Nothing on record tells where they should have come from, and everything on record gave a result.
    Nowhere,
    /// Something that they could have come from broke.
    NeverMade,
    /// Nothing on record tells where they should have come from.
    Unknown,
}

/// What is left of the weight of an attempt that failed, where a later one may have made it good.
pub(super) const MADE_GOOD: f64 = 0.3;

/// Words by which a sender says that a result may never be needed.
const OPTIONAL: [&str; 6] =
    ["speculative", "optional", "best effort", "may not be needed", "nice to have", "just in case"];

impl<'g, 'a> View<'g, 'a> {
    pub(super) fn of(graph: &'g Graph<'a>, causality: &'g Causality) -> Self {
        let (mut nameless, mut short) = (HashSet::new(), HashSet::new());
        for handoff in &graph.handoffs {
            let Some(sent) = handoff.attempts.last() else { continue };
            if sent.inputs().count() < sent.expected_inputs() {
                short.insert((handoff.from, handoff.parent));
            } else if sent.inputs().any(|hash| !graph.makers.contains_key(hash)) {
                nameless.insert((handoff.from, handoff.parent));
            }
        }
        let optional: Vec<bool> = graph.handoffs.iter().map(is_optional).collect();
        let owed = graph.handoffs.iter().zip(&optional).filter(|(_, is_optional)| !**is_optional);
        let some_never_made = owed.into_iter().any(|(handoff, _)| handoff.sent().is_some() && !handoff.has_result());
        let claimed = graph.claimed();
        let mut joins = HashMap::new();
        for join in graph.joins.iter().filter(|join| join.within.is_some()) {
            *joins.entry((join.agent(), join.within)).or_insert(true) &= join.arrived >= join.expected;
        }
        let comparer = Comparer::new();
        Self { joins, comparer, graph, causality, nameless, short, optional, claimed, some_never_made }
    }

    /// Whether the result of a handoff went into another task: its sender says so, or a task names it among its inputs.
    pub(super) fn is_used(&self, at: usize) -> bool {
        let told = self.graph.handoffs[at].sent().and_then(|sent| sent.used());
        told.unwrap_or_else(|| self.claimed[at])
    }

    /// Which parts a task was owed and does not have, as far as it can be told.
    pub(super) fn missing_parts(&self, at: usize) -> Missing {
        let handoff = &self.graph.handoffs[at];
        let Some(sent) = handoff.sent() else { return Missing::None };
        if sent.inputs().count() >= sent.expected_inputs() {
            return Missing::None;
        }
        let parts: Vec<&Handoff<'_>> =
            self.causality.guessed_parts(at).map(|part| &self.graph.handoffs[part]).collect();
        // One sender's own order, in its own clock.
        let was_open = |part: &Handoff<'_>| {
            let span = part.sent().filter(|_| part.from == handoff.from).map(|part| part.span);
            span.is_some_and(|span| span.start <= sent.span.start && sent.span.start < span.end)
        };
        if parts.iter().any(|part| part.has_result() && was_open(part)) {
            Missing::CameLater
        } else if parts.iter().any(|part| !part.has_result()) {
            Missing::NeverMade
        } else if !parts.is_empty() {
            Missing::Made
        } else if self.some_never_made {
            Missing::Unknown
        } else {
            Missing::Nowhere
        }
    }

    /// Whether nobody seems to lack what this handoff should have given, so that a later attempt, of which no record is
    /// left, may have made it good.
    pub(super) fn may_be_made_good(&self, at: usize) -> bool {
        let handoff = &self.graph.handoffs[at];
        let place = (handoff.from, handoff.parent);
        let none_short = self.joins.get(&place).copied().unwrap_or_default();
        !self.short.contains(&place) && (none_short || self.nameless.contains(&place))
    }

    /// The handoffs with their places, those left out that their sender called optional and whose result nobody used:
    /// what becomes of these is nobody's loss.
    pub(super) fn handoffs(&self) -> impl Iterator<Item = (usize, &'g Handoff<'a>)> {
        self.graph.handoffs.iter().enumerate().filter(|(at, _)| !self.optional[*at])
    }
}

/// Whether its sender called it optional, and nobody used it.
pub(super) fn is_optional(handoff: &Handoff<'_>) -> bool {
    let reason = handoff.reason();
    let used = handoff.sent().and_then(|sent| sent.used()) == Some(true);
    if reason.is_empty() || used {
        return false;
    }
    let reason = reason.to_ascii_lowercase();
    OPTIONAL.iter().any(|word| reason.contains(word))
}
