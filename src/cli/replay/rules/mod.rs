//! What a bus can say of a conversation that it carried: one rule a file, each pure.
//!
//! A finding names the messages that show it by their places in the log. Nothing here knows what a message means.

mod errors;
mod exchanges;
mod loops;
mod repeats;
mod suspect;
mod text;
mod unanswered;
mod unused;

pub(crate) use errors::ErrorMention;
pub(crate) use exchanges::Exchange;
pub(crate) use loops::Loop;
pub(crate) use repeats::{Repeat, Sameness};
pub(crate) use suspect::Suspect;
pub(crate) use unanswered::Unanswered;
pub(crate) use unused::UnusedReply;

use super::conversation::Step;

/// All that the rules found.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) loops: Vec<Loop>,
    pub(crate) repeats: Vec<Repeat>,
    pub(crate) unanswered: Vec<Unanswered>,
    pub(crate) unused_replies: Vec<UnusedReply>,
    /// Replies of which nothing can be said, by their messages.
    pub(crate) unjudged_replies: Vec<usize>,
    pub(crate) errors: Vec<ErrorMention>,
    /// Who went back and forth: an observation, not a fault.
    pub(crate) exchanges: Vec<Exchange>,
    /// What to look at first: a guess, and no fault that was found.
    pub(crate) suspect: Option<Suspect>,
}

impl Findings {
    pub(crate) fn of(steps: &[Step]) -> Self {
        let replies = unused::judge(steps);
        let errors = errors::find(steps);
        Self {
            loops: loops::find(steps),
            repeats: repeats::find(steps),
            unanswered: unanswered::find(steps),
            unused_replies: replies.unused,
            unjudged_replies: replies.unjudged,
            suspect: suspect::guess(steps, &errors),
            errors,
            exchanges: exchanges::find(steps),
        }
    }

    /// How many faults were found.
    pub(crate) fn count(&self) -> usize {
        let Self { loops, repeats, unanswered, unused_replies, unjudged_replies: _, errors, exchanges: _, suspect: _ } =
            self;
        loops.len() + repeats.len() + unanswered.len() + unused_replies.len() + errors.len()
    }
}

/// Steps for the tests of the rules: `(from, to, content)`, numbered from 0, receivers named by the log.
#[cfg(test)]
fn steps(said: &[(&str, &str, &str)]) -> Vec<Step> {
    use crate::model::{AgentName, ContentHash};
    let agent = |name: &str| AgentName::new(name).unwrap();
    said.iter()
        .enumerate()
        .map(|(message, (from, to, content))| Step {
            message,
            from: agent(from),
            to: agent(to),
            is_addressed: true,
            content: bytes::Bytes::copy_from_slice(content.as_bytes()),
            hash: ContentHash::of(content.as_bytes()),
        })
        .collect()
}
