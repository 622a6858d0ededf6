//! Who went back and forth: the same pair or ring of speakers, round after round.
//!
//! That is how work is done between agents, so it is an observation and no fault; what makes it a loop is a content that
//! comes back.

use serde::Serialize;

use crate::cli::replay::conversation::Step;
use crate::model::AgentName;

/// Rounds from which an exchange is worth a line.
const ROUNDS: usize = 3;
/// The largest ring that is looked for.
const LARGEST_RING: usize = 6;

/// The same ring of speakers, in the same order, three whole rounds or more.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Exchange {
    pub(crate) ring: Vec<AgentName>,
    pub(crate) rounds: usize,
    pub(crate) first_message: usize,
    pub(crate) last_message: usize,
}

/// The longest exchange from each place on, without overlaps. Several messages of one speaker in a row count as one turn.
pub(super) fn find(steps: &[Step]) -> Vec<Exchange> {
    let turns: Vec<&[Step]> = steps.chunk_by(|a, b| a.from == b.from).collect();
    let speaker = |turn: usize| &turns[turn][0].from;
    let mut found = Vec::new();
    let mut at = 0;
    while at < turns.len() {
        let run = |size: usize| {
            let ring: Vec<_> = (at..turns.len().min(at + size)).map(speaker).collect();
            let is_ring = ring.len() == size && ring.iter().enumerate().all(|(n, name)| !ring[..n].contains(name));
            let kept = (at + size..turns.len()).take_while(|turn| speaker(*turn) == speaker(turn - size)).count();
            if is_ring { (size + kept) / size } else { 0 }
        };
        // Of two rings that fit, the one that covers more turns, and then the smaller one.
        let best = (2..=LARGEST_RING).rev().map(|size| (run(size) * size, size)).max_by_key(|(covered, _)| *covered);
        match best {
            Some((covered, size)) if covered >= ROUNDS * size => {
                let last = turns[at + covered - 1];
                found.push(Exchange {
                    ring: (at..at + size).map(|turn| speaker(turn).clone()).collect(),
                    rounds: covered / size,
                    first_message: turns[at][0].message,
                    last_message: last[last.len() - 1].message,
                });
                at += covered;
            }
            _ => at += 1,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::steps;
    use super::*;

    #[track_caller]
    fn found(speakers: &str) -> Vec<(String, usize, usize, usize)> {
        let names: Vec<String> = speakers.chars().map(String::from).collect();
        let said: Vec<_> = names.iter().map(|name| (name.as_str(), "x", "text")).collect();
        let ring = |exchange: &Exchange| exchange.ring.iter().map(AgentName::as_str).collect();
        find(&steps(&said)).iter().map(|e| (ring(e), e.rounds, e.first_message, e.last_message)).collect()
    }

    #[test]
    fn pairs_and_rings_are_found_from_three_rounds_on() {
        assert_eq!(found("habababc"), [("ab".into(), 3, 1, 6)]);
        assert_eq!(found("abcabcabca"), [("abc".into(), 3, 0, 8)]);
        assert_eq!(found("ababa"), []);
        assert_eq!(found("aaabbabb"), []);
        assert_eq!(found("aabbabaab"), [("ab".into(), 3, 0, 8)]);
        assert_eq!(found(""), []);
    }

    #[test]
    fn one_exchange_after_the_other_are_two() {
        assert_eq!(found("ababab".repeat(2).as_str()), [("ab".into(), 6, 0, 11)]);
        assert_eq!(found("abababcdcdcd"), [("ab".into(), 3, 0, 5), ("cd".into(), 3, 6, 11)]);
    }
}
