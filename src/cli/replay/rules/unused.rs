//! Replies that were never used, as far as words can tell: inferred, never known.
//!
//! The rule: a message is a reply if its receiver had handed something to its sender before, unless the log itself
//! names its receiver: then it is a new task. Its fragments are three words in a row of twelve characters or more, words
//! of eight characters or more, and words of two or more that hold a digit (numbers, dates, ids, addresses); only those
//! count that nobody had said before. If no later message of anybody but its own sender holds any of them, the reply was
//! never used. (Anybody, since both kinds of systems show a message to all of their agents.) A reply with fewer than four
//! such fragments, or after which the others say fewer than eight words, is not judged.
//!
//! What was done with a reply without a word of it being said again, such as running the code in it, is not seen: that
//! is why a finding of this rule is inferred.

use std::collections::HashSet;

use serde::Serialize;

use super::text::{normalised, words};
use crate::cli::replay::conversation::Step;
use crate::model::{AgentName, Evidence};

const WORDS_IN_A_ROW: usize = 3;
const SHORTEST_ROW: usize = 12;
const SHORTEST_WORD: usize = 8;
const SHORTEST_NUMBER: usize = 2;
/// How many new fragments a reply must have before their absence says anything.
const FEWEST_FRAGMENTS: usize = 4;
/// What the others must say at least before silence on a reply says anything.
const FEWEST_LATER_WORDS: usize = 8;

/// A reply of which no later message holds a fragment.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct UnusedReply {
    pub(crate) message: usize,
    pub(crate) from: AgentName,
    pub(crate) to: AgentName,
    /// How many fragments were looked for.
    pub(crate) fragments: usize,
    pub(crate) evidence: Evidence,
}

/// Replies that were never used, and those that could not be judged.
#[derive(Debug, Default)]
pub(super) struct Replies {
    pub(super) unused: Vec<UnusedReply>,
    pub(super) unjudged: Vec<usize>,
}

pub(super) fn judge(steps: &[Step]) -> Replies {
    let said: Vec<Said> = steps.iter().map(|step| Said::of(step.text())).collect();
    let mut replies = Replies::default();
    let mut known: HashSet<&String> = HashSet::new();
    for (place, step) in steps.iter().enumerate() {
        let new: Vec<&String> = said[place].fragments.iter().filter(|fragment| !known.contains(fragment)).collect();
        known.extend(&said[place].fragments);
        if !is_reply(&steps[..place], step) {
            continue;
        }
        let others = |later: &usize| steps[*later].from != step.from;
        let later = || (place + 1..steps.len()).filter(others).map(|later| &said[later]);
        if new.len() < FEWEST_FRAGMENTS || later().map(|said| said.words).sum::<usize>() < FEWEST_LATER_WORDS {
            replies.unjudged.push(step.message);
        } else if !later().any(|said| new.iter().any(|fragment| said.fragments.contains(*fragment))) {
            replies.unused.push(UnusedReply {
                message: step.message,
                from: step.from.clone(),
                to: step.to.clone(),
                fragments: new.len(),
                evidence: Evidence::Inferred,
            });
        }
    }
    replies
}

fn is_reply(before: &[Step], step: &Step) -> bool {
    !step.is_addressed && before.iter().any(|earlier| earlier.from == step.to && earlier.to == step.from)
}

struct Said {
    words: usize,
    fragments: HashSet<String>,
}

impl Said {
    fn of(text: &str) -> Self {
        let text = normalised(text);
        let words = words(&text);
        let rows = words.windows(WORDS_IN_A_ROW).map(|row| row.join(" "));
        let rows = rows.filter(|row| row.chars().count() >= SHORTEST_ROW);
        let is_long = |word: &&String| {
            let shortest = if word.contains(|c: char| c.is_ascii_digit()) { SHORTEST_NUMBER } else { SHORTEST_WORD };
            word.chars().count() >= shortest
        };
        let long = words.iter().filter(is_long).cloned();
        Self { words: words.len(), fragments: rows.chain(long).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::steps;
    use super::*;

    const TASK: (&str, &str, &str) = ("boss", "clerk", "How many boxes are in the northern hall?");
    const AWAY: (&str, &str, &str) = ("boss", "carrier", "Bring what there is to the harbour by noon today, please.");

    fn unused(said: &[(&str, &str, &str)]) -> (Vec<usize>, Vec<usize>) {
        let mut steps = steps(said);
        steps.iter_mut().for_each(|step| step.is_addressed = false);
        let replies = judge(&steps);
        (replies.unused.iter().map(|reply| reply.message).collect(), replies.unjudged)
    }

    #[test]
    fn a_reply_of_which_nothing_is_said_again_was_never_used() {
        let reply = ("clerk", "boss", "I saw 1,204 boxes on top of it, all counterclockwise.");
        assert_eq!(unused(&[TASK, reply, AWAY]), (vec![1], vec![]));
        for used in [
            "Please bring all 1204 of them to the harbour by noon.",
            "Bring the Boxes  ON top of each to the harbour by noon.",
            "Count them counterclockwise, and once more by noon, please.",
        ] {
            assert_eq!(unused(&[TASK, reply, ("boss", "carrier", used)]), (vec![], vec![]), "{used}");
        }
    }

    #[test]
    fn words_that_were_known_before_and_words_of_its_own_sender_do_not_count() {
        let reply = ("clerk", "boss", "In the northern hall I have found nothing of the kind.");
        let again = ("boss", "clerk", "I ask again: how many boxes are in the northern hall?");
        let own = ("clerk", "boss", "As I said, I have found nothing of the kind.");
        assert_eq!(unused(&[TASK, reply, again, own]).0, [1]);
    }

    #[test]
    fn nothing_is_said_of_a_reply_that_is_too_short_or_comes_last() {
        let last = ("clerk", "boss", "I counted 1,204 boxes there, all of them on the upper shelves.");
        assert_eq!(unused(&[TASK, last, ("boss", "carrier", "TERMINATE")]), (vec![], vec![1]));
        assert_eq!(unused(&[TASK, ("clerk", "boss", "ok"), AWAY]), (vec![], vec![1]));
    }

    #[test]
    fn what_nobody_asked_for_and_what_the_log_addresses_is_no_reply() {
        let said = [("clerk", "boss", "Good morning, 17 letters came overnight."), TASK, ("carrier", "clerk", "done")];
        assert_eq!(unused(&said).0, [0; 0]);
        assert!(!unused(&said).1.contains(&0));
        let reply = ("clerk", "boss", "I saw 1,204 boxes on the upper shelves.");
        let addressed = judge(&steps(&[TASK, reply, AWAY]));
        assert!(addressed.unused.is_empty() && addressed.unjudged.is_empty());
    }
}
