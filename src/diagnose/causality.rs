//! What could have caused what: from parents, inputs and results, never from wall clocks.

use std::collections::{HashMap, HashSet};

use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::graph::Graph;

/// A fact of a handoff that others rest on: the task that was handed over, or what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Part {
    Task,
    Result,
}

/// A part of a handoff, as a node.
pub(super) fn node(handoff: usize, part: Part) -> NodeIndex {
    NodeIndex::new(2 * handoff + part as usize)
}

/// How much of what is known of a cause is passed on over a link that is only guessed.
const GUESSED: f64 = 0.85;
/// The same where even the sender is guessed.
const VAGUE: f64 = 0.5;
/// Tasks whose lineage is guessed at once: bits of a mask.
const BATCH: usize = 64;
/// The most batches. Beyond them nothing is guessed, so that the work stays within bounds.
const BATCHES: usize = 64;

/// The causal graph of a workflow: each handoff is a task and a result; an edge says that the second rests on the first.
#[derive(Debug)]
pub(super) struct Causality {
    edges: DiGraph<(), f64>,
    /// Groups of nodes that rest on each other (mostly single ones), causes first.
    order: Vec<Vec<NodeIndex>>,
    /// The same with every guess, also those that contradict each other: what may have led to what. `None` where no guess
    /// was dropped.
    may: Option<Box<Self>>,
}

impl Causality {
    pub(super) fn of(graph: &Graph<'_>) -> Self {
        let mut edges = DiGraph::with_capacity(2 * graph.handoffs.len(), 4 * graph.handoffs.len());
        for _ in 0..2 * graph.handoffs.len() {
            edges.add_node(());
        }
        for (at, handoff) in graph.handoffs.iter().enumerate() {
            edges.add_edge(node(at, Part::Task), node(at, Part::Result), 1.0);
            for maker in
                handoff.attempts.last().iter().flat_map(|sent| sent.inputs()).filter_map(|hash| graph.makers.get(hash))
            {
                if *maker != at {
                    edges.add_edge(node(*maker, Part::Result), node(at, Part::Task), 1.0);
                }
            }
            if let Some(parent) = handoff.parent {
                edges.add_edge(node(parent, Part::Task), node(at, Part::Task), 1.0);
                if handoff.is_delegation {
                    // Whoever delegates while working waits for it, and builds on it.
                    edges.add_edge(node(at, Part::Result), node(parent, Part::Result), 1.0);
                } else {
                    edges.add_edge(node(parent, Part::Result), node(at, Part::Task), 1.0);
                }
            }
        }
        let mut causality = Self { order: order(&edges), edges, may: None };
        causality.guess(graph);
        causality
    }

    /// For each node the strongest of what `own` says of the nodes that it rests on, itself not counted.
    pub(super) fn inherited(&self, own: &[f64]) -> Vec<f64> {
        let mut inherited = vec![0.0_f64; own.len()];
        for group in &self.order {
            // In a circle nobody is above anybody, so that only what comes from outside it counts, for all of it alike.
            let circle: HashSet<NodeIndex> =
                if group.len() == 1 { HashSet::new() } else { group.iter().copied().collect() };
            let above = group.iter().flat_map(|at| self.edges.edges_directed(*at, Direction::Incoming));
            let outside = above.filter(|edge| !circle.contains(&edge.source()));
            let strongest = outside.map(|edge| {
                let cause = edge.source().index();
                edge.weight() * own[cause].max(inherited[cause])
            });
            let strongest = strongest.fold(0.0, f64::max);
            for at in group {
                inherited[at.index()] = strongest;
            }
        }
        inherited
    }

    /// Marks which of up to 64 nodes lead to each node.
    pub(super) fn led_from(&self, marked: &[NodeIndex]) -> Vec<u64> {
        let mut masks = vec![0_u64; self.edges.node_count()];
        for (bit, node) in marked.iter().take(BATCH).enumerate() {
            masks[node.index()] |= 1 << bit;
        }
        for group in &self.order {
            self.gather(group, Direction::Incoming, &mut masks);
        }
        masks
    }

    /// Marks which of up to 64 nodes each node may lead to.
    pub(super) fn leading_to(&self, marked: &[NodeIndex]) -> Vec<u64> {
        if let Some(may) = &self.may {
            return may.leading_to(marked);
        }
        let mut masks = vec![0_u64; self.edges.node_count()];
        for (bit, node) in marked.iter().take(BATCH).enumerate() {
            masks[node.index()] |= 1 << bit;
        }
        for group in self.order.iter().rev() {
            self.gather(group, Direction::Outgoing, &mut masks);
        }
        masks
    }

    fn gather(&self, group: &[NodeIndex], direction: Direction, masks: &mut [u64]) {
        let mut all = 0;
        for &at in group {
            let near = self.edges.neighbors_directed(at, direction).map(|near| masks[near.index()]);
            all |= near.fold(masks[at.index()], |all, mask| all | mask);
        }
        for at in group {
            masks[at.index()] |= all;
        }
    }

    /// Everything that rests on a node, at most `most` of it, nearest first.
    pub(super) fn below(&self, from: NodeIndex, most: usize) -> Vec<NodeIndex> {
        let mut seen = HashSet::from([from]);
        let mut found = vec![from];
        let mut next = 0;
        while next < found.len() && found.len() <= most {
            for near in self.edges.neighbors_directed(found[next], Direction::Outgoing) {
                if seen.insert(near) {
                    found.push(near);
                }
            }
            next += 1;
        }
        found.remove(0);
        found.truncate(most);
        found
    }

    /// What a task may rest on, of which it is only guessed that it does.
    pub(super) fn guessed_parts(&self, at: usize) -> impl Iterator<Item = usize> {
        let above = self.edges.edges_directed(node(at, Part::Task), Direction::Incoming);
        above.filter(|edge| *edge.weight() < 1.0).map(|edge| edge.source().index() / 2)
    }

    /// How many steps of cause lie above each node.
    pub(super) fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.edges.node_count()];
        for group in &self.order {
            let above = group.iter().flat_map(|at| self.edges.neighbors_directed(*at, Direction::Incoming));
            let depth = above.map(|near| depths[near.index()] + 1).max().unwrap_or(0);
            for at in group {
                depths[at.index()] = depth;
            }
        }
        depths
    }

    /// A task of which it is not known what it rests on, rests on whatever its sender held that nobody else is known to
    /// have used.
    fn guess(&mut self, graph: &Graph<'_>) {
        let handoffs = &graph.handoffs;
        let claimed = graph.claimed();
        // Results by who holds them and what it was working on.
        let mut held: HashMap<(Option<&str>, Option<usize>), Vec<usize>> = HashMap::new();
        let mut unheld = Vec::new();
        for (at, handoff) in handoffs.iter().enumerate().filter(|(at, _)| !claimed[*at]) {
            if handoff.is_delegation {
                held.entry((handoff.from, handoff.parent)).or_default().push(at);
            } else if handoff.children.is_empty() {
                held.entry((handoff.to, Some(at))).or_default().push(at);
                unheld.push(at);
            }
        }
        let unseen: Vec<usize> = (0..handoffs.len()).filter(|at| handoffs[*at].is_unseen()).collect();
        let incomplete: Vec<usize> = (0..handoffs.len()).filter(|at| lacks_lineage(graph, *at)).collect();
        let mut guessed = Vec::new();
        for batch in incomplete.chunks(BATCH).take(BATCHES) {
            let marked: Vec<_> = batch.iter().map(|at| node(*at, Part::Task)).collect();
            let led = self.led_from(&marked);
            for (bit, &at) in batch.iter().enumerate() {
                let handoff = &handoffs[at];
                let free = |maker: &usize| led[node(*maker, Part::Result).index()] & (1 << bit) == 0;
                if handoff.is_unseen() {
                    let vague = unheld.iter().filter(|maker| free(maker));
                    guessed.extend(vague.map(|maker| (*maker, at, VAGUE)));
                    continue;
                }
                let makers = held.get(&(handoff.from, handoff.parent)).into_iter().flatten();
                // What never gave a result can be what is missing, whenever it was sent.
                let owed = |maker: &usize| !handoffs[*maker].has_result() || !began_later(graph, at, *maker);
                let makers = makers.filter(|maker| free(maker) && owed(maker));
                guessed.extend(makers.map(|maker| (*maker, at, GUESSED)));
                if handoff.attempts.last().is_none_or(|sent| sent.inputs().any(|hash| !graph.makers.contains_key(hash)))
                {
                    guessed.extend(unseen.iter().filter(|maker| free(maker)).map(|maker| (*maker, at, GUESSED)));
                }
            }
        }
        for (maker, at, weight) in guessed {
            self.edges.add_edge(node(maker, Part::Result), node(at, Part::Task), weight);
        }
        self.order = order(&self.edges);
        if self.order.len() < self.edges.node_count() {
            self.may = Some(Box::new(Self { edges: self.edges.clone(), order: self.order.clone(), may: None }));
        }
        // A guess that closes a circle is wrong somewhere: first those go that their sender's own order speaks against.
        self.drop_guesses_in_circles(|maker, at| began_later(graph, at, maker));
        self.drop_guesses_in_circles(|_, _| true);
    }

    fn drop_guesses_in_circles(&mut self, drops: impl Fn(usize, usize) -> bool) {
        if self.order.len() == self.edges.node_count() {
            return;
        }
        let mut circle_of = vec![0; self.edges.node_count()];
        for (circle, group) in self.order.iter().enumerate() {
            for node in group {
                circle_of[node.index()] = circle;
            }
        }
        self.edges.retain_edges(|edges, edge| {
            let Some((cause, effect)) = edges.edge_endpoints(edge) else { return true };
            let (cause, effect) = (cause.index(), effect.index());
            let is_sure = edges[edge] >= 1.0 || circle_of[cause] != circle_of[effect];
            is_sure || !drops(cause / 2, effect / 2)
        });
        self.order = order(&self.edges);
    }
}

fn order(edges: &DiGraph<(), f64>) -> Vec<Vec<NodeIndex>> {
    // The algorithm gives groups in reverse; it is the one of petgraph's that does not recurse.
    let mut order = kosaraju_scc(edges);
    order.reverse();
    order
}

/// Whether it is unknown what a task rests on: its sender's record is missing, or parts of it are from nobody known.
fn lacks_lineage(graph: &Graph<'_>, at: usize) -> bool {
    let Some(sent) = graph.handoffs[at].attempts.last() else { return true };
    let known = sent.inputs().filter(|hash| graph.makers.contains_key(hash)).count();
    known < sent.expected_inputs().max(sent.inputs().count())
}

/// Whether one sender was still without the end of `maker` when it sent `at`: one process, so one clock.
fn began_later(graph: &Graph<'_>, at: usize, maker: usize) -> bool {
    let (task, maker) = (&graph.handoffs[at], &graph.handoffs[maker]);
    match (task.attempts.first(), maker.attempts.last()) {
        (Some(task_sent), Some(maker_sent)) if task.from == maker.from => task_sent.span.start < maker_sent.span.start,
        _ => false,
    }
}
