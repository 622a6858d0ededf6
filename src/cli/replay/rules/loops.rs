//! A content that comes back to an agent that had it.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::text::normalised;
use crate::cli::replay::conversation::Step;
use crate::model::{AgentName, ContentHash};

/// How often an agent must have had a content before it is a loop.
const ROUNDS: usize = 3;

/// The same content (but for case, spacing and Unicode form) came to one agent in three rounds or more.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Loop {
    /// To whom it came back.
    pub(crate) agent: AgentName,
    /// Who spoke on the way, in the order of their first word.
    pub(crate) ring: Vec<AgentName>,
    pub(crate) rounds: usize,
    /// The messages with that content that the agent got, or sent before it ever got it.
    pub(crate) messages: Vec<usize>,
    /// Of the content as it was when the agent had it first.
    pub(crate) hash: ContentHash,
}

/// One loop per content: the one of the agent to which it came most often.
///
/// An agent has a content when it gets it, or when it is the first to send it. A new round begins only after the agent
/// has spoken: the same message twice in a row is a repeat, and no loop.
pub(super) fn find(steps: &[Step]) -> Vec<Loop> {
    let mut by_content: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, step) in steps.iter().enumerate() {
        by_content.entry(normalised(step.text())).or_default().push(place);
    }
    let mut loops: Vec<Loop> =
        by_content.values().filter(|places| places.len() >= 2).filter_map(|places| widest(steps, places)).collect();
    loops.sort_by(|a, b| a.messages.cmp(&b.messages));
    loops
}

fn widest(steps: &[Step], places: &[usize]) -> Option<Loop> {
    let mut had: BTreeMap<&AgentName, Vec<usize>> = BTreeMap::new();
    for &place in places {
        let step = &steps[place];
        had.entry(&step.from).or_insert_with(|| vec![place]);
        if step.to == step.from {
            continue;
        }
        let rounds = had.entry(&step.to).or_default();
        let spoke_since = |last: usize| steps[last..place].iter().any(|between| between.from == step.to);
        if rounds.last().is_none_or(|last| spoke_since(*last)) {
            rounds.push(place);
        }
    }
    // Of several agents with as many rounds, the one that had it first.
    let (agent, rounds) =
        had.into_iter().max_by_key(|(_, rounds)| (rounds.len(), std::cmp::Reverse(rounds.first().copied())))?;
    if rounds.len() < ROUNDS {
        return None;
    }
    let (first, last) = (*rounds.first()?, *rounds.last()?);
    let mut ring: Vec<AgentName> = Vec::new();
    for step in &steps[first..=last] {
        if !ring.contains(&step.from) {
            ring.push(step.from.clone());
        }
    }
    Some(Loop {
        agent: agent.clone(),
        ring,
        rounds: rounds.len(),
        messages: rounds.iter().map(|place| steps[*place].message).collect(),
        hash: steps[first].hash,
    })
}

#[cfg(test)]
mod tests {
    use super::super::steps;
    use super::*;

    fn found(said: &[(&str, &str, &str)]) -> Vec<(String, Vec<String>, usize, Vec<usize>)> {
        let text = |names: &[AgentName]| names.iter().map(ToString::to_string).collect();
        find(&steps(said)).iter().map(|l| (l.agent.to_string(), text(&l.ring), l.rounds, l.messages.clone())).collect()
    }

    #[test]
    fn a_pair_that_tells_each_other_the_same_for_the_third_time_is_a_loop() {
        let said = [
            ("a", "b", "try one"),
            ("b", "a", "it failed"),
            ("a", "b", "try two"),
            ("b", "a", "It failed"),
            ("a", "b", "try three"),
            ("b", "a", "it  failed"),
        ];
        assert_eq!(found(&said), [("a".into(), vec!["b".into(), "a".into()], 3, vec![1, 3, 5])]);
        assert_eq!(found(&said[..5]), [], "two rounds are none");
    }

    #[test]
    fn a_content_that_goes_round_a_ring_is_a_loop_at_the_agent_that_began_it() {
        let round = [("a", "b", "who?"), ("b", "c", "who?"), ("c", "a", "who?")];
        let said = [round, round].concat();
        let ring = vec!["a".into(), "b".into(), "c".into()];
        assert_eq!(found(&said), [("a".into(), ring, 3, vec![0, 2, 5])]);
        assert_eq!(found(&said[..5]), []);
    }

    #[test]
    fn the_same_message_in_a_row_is_no_loop() {
        assert_eq!(found(&[("a", "b", "x"), ("a", "b", "x"), ("a", "b", "x"), ("a", "b", "x")]), []);
    }

    #[test]
    fn speaking_in_turns_is_no_loop_while_something_new_is_said() {
        let said: Vec<String> = (0..12).map(|n| format!("message {n}")).collect();
        let turn = |(n, text): (usize, &'static str)| if n % 2 == 0 { ("a", "b", text) } else { ("b", "a", text) };
        let said: Vec<_> = said.into_iter().map(|text| &*text.leak()).enumerate().map(turn).collect();
        assert_eq!(found(&said), []);
    }
}
