use std::collections::{BTreeSet, HashSet};

use crate::diagnose::{Graph, Outline};

/// A pattern that comes so many times in a row is folded.
const ROUNDS: usize = 4;

/// Fewer than these are not worth a fold.
const WORTH: usize = 5;

/// The longest pattern that is looked for: a ring of so many agents.
const LONGEST: usize = 6;

/// So many mismatched handoffs within a fold are shown nevertheless; where there are more, they are the pattern.
const SINGLED_OUT: usize = 8;

/// The most lines of one page.
const MOST: usize = 120;

/// Lines before the one that broke, where not all are shown.
const BEFORE: usize = 20;

/// What is shown of a workflow's handoffs, in the order of sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server::pages) struct Shown {
    pub(super) items: Vec<Item>,
    /// How many lines come before these, and where a page with them begins.
    pub(in crate::server::pages) earlier: usize,
    /// How many lines come after these.
    pub(in crate::server::pages) later: usize,
    /// The number of the first line.
    pub(super) first: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// One handoff: its place in the graph.
    Handoff(usize),
    /// Many that repeat a pattern.
    Fold(Fold),
}

/// Handoffs that repeat what is shown around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fold {
    pub(super) members: Vec<usize>,
    /// The boundaries in it, agents that differ in a number alone taken together.
    pub(super) boundaries: Vec<String>,
    pub(super) mismatched: usize,
}

impl Shown {
    /// `open` is the id of the first handoff of a fold that is to be shown, or `all`. `first` is the number of the first
    /// line; without it the page has the `root`.
    pub(in crate::server::pages) fn of(
        graph: &Graph<'_>,
        order: &[usize],
        root: Option<&str>,
        open: &str,
        first: Option<usize>,
    ) -> Self {
        let items = fold(graph, order, root, open);
        let count = items.len();
        let root_at = items.iter().position(|item| match item {
            Item::Handoff(at) => Some(graph.handoffs[*at].id) == root,
            Item::Fold(_) => false,
        });
        let wanted = first.unwrap_or_else(|| root_at.unwrap_or(0).saturating_sub(BEFORE));
        let first = if count <= MOST { 0 } else { wanted.min(count - 1) };
        let items: Vec<Item> = items.into_iter().skip(first).take(MOST).collect();
        Self { earlier: first, later: count - first - items.len(), first, items }
    }

    /// Where the page before this one begins.
    pub(in crate::server::pages) fn page_before(&self) -> usize {
        self.first.saturating_sub(MOST)
    }

    /// Where the page after this one begins.
    pub(in crate::server::pages) fn page_after(&self) -> usize {
        self.first + self.items.len()
    }
}

fn fold(graph: &Graph<'_>, order: &[usize], root: Option<&str>, open: &str) -> Vec<Item> {
    let keys: Vec<(String, String)> =
        order.iter().map(|at| (role(graph.handoffs[*at].from), role(graph.handoffs[*at].to))).collect();
    let mut items = Vec::new();
    let mut at = 0;
    while at < order.len() {
        let (pattern, length) = longest_run(&keys[at..]);
        if open == "all" || length < pattern * ROUNDS {
            items.push(Item::Handoff(order[at]));
            at += 1;
            continue;
        }
        let run = &order[at..at + length];
        let is_bad = |at: &usize| !Outline::of(&graph.handoffs[*at]).mismatches.is_empty();
        let bad: HashSet<usize> = run.iter().copied().filter(is_bad).collect();
        let edge = pattern.max(2);
        let mut hidden = Vec::new();
        for (index, member) in run.iter().enumerate() {
            let is_edge = index < edge || index + pattern >= length;
            let is_singled_out = bad.len() <= SINGLED_OUT && bad.contains(member);
            if is_edge || is_singled_out || Some(graph.handoffs[*member].id) == root {
                close(graph, &mut hidden, &bad, open, &mut items);
                items.push(Item::Handoff(*member));
            } else {
                hidden.push(*member);
            }
        }
        close(graph, &mut hidden, &bad, open, &mut items);
        at += length;
    }
    items
}

/// Puts what is hidden in its place: as a fold, or as it is where that is not worth it, or it is to be open.
fn close(graph: &Graph<'_>, hidden: &mut Vec<usize>, bad: &HashSet<usize>, open: &str, items: &mut Vec<Item>) {
    let members = std::mem::take(hidden);
    let is_open = members.first().is_some_and(|first| graph.handoffs[*first].id == open);
    if members.len() < WORTH || is_open {
        items.extend(members.into_iter().map(Item::Handoff));
        return;
    }
    let boundaries: BTreeSet<String> = members
        .iter()
        .map(|at| format!("{}<-{}", role(graph.handoffs[*at].to), role(graph.handoffs[*at].from)))
        .collect();
    let mismatched = members.iter().filter(|at| bad.contains(at)).count();
    items.push(Item::Fold(Fold { members, boundaries: boundaries.into_iter().collect(), mismatched }));
}

/// The length of the pattern that repeats the longest from here on, and over how many it goes.
fn longest_run(keys: &[(String, String)]) -> (usize, usize) {
    let mut best = (1, 0);
    for pattern in 1..=LONGEST.min(keys.len()) {
        let same = (pattern..keys.len()).take_while(|at| keys[*at] == keys[*at - pattern]).count();
        let length = (same / pattern + 1) * pattern;
        if length >= pattern * ROUNDS && length > best.1 {
            best = (pattern, length);
        }
    }
    best
}

/// An agent's name with numbers taken out, so that `worker-1` and `worker-2` are of one kind.
fn role(name: Option<&str>) -> String {
    let mut role = String::new();
    for letter in name.unwrap_or("?").chars() {
        match letter {
            '0'..='9' if role.ends_with('#') => {}
            '0'..='9' => role.push('#'),
            other => role.push(other),
        }
    }
    role
}
