//! A task of which the log holds no reply.

use serde::Serialize;

use crate::cli::replay::conversation::Step;
use crate::model::AgentName;

/// A message to a named agent, who did not speak before its sender spoke again, or at all.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Unanswered {
    pub(crate) message: usize,
    pub(crate) from: AgentName,
    pub(crate) to: AgentName,
    /// The message with which the sender went on; absent where the log ends first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) went_on_at: Option<usize>,
}

/// Only where the log names the receiver: a receiver that follows from who spoke next has always spoken.
pub(super) fn find(steps: &[Step]) -> Vec<Unanswered> {
    let asked = steps.iter().enumerate().filter(|(_, step)| step.is_addressed && step.to != step.from);
    let unanswered = asked.filter_map(|(place, step)| {
        let next = steps[place + 1..].iter().find(|later| later.from == step.from || later.from == step.to);
        let went_on_at = match next {
            Some(later) if later.from == step.to => return None,
            Some(later) => Some(later.message),
            None => None,
        };
        Some(Unanswered { message: step.message, from: step.from.clone(), to: step.to.clone(), went_on_at })
    });
    unanswered.collect()
}

#[cfg(test)]
mod tests {
    use super::super::steps;
    use super::*;

    #[test]
    fn a_task_whose_receiver_is_silent_is_unanswered() {
        let found =
            find(&steps(&[("o", "w", "search"), ("o", "w", "search more"), ("w", "o", "here"), ("o", "c", "sum")]));
        let found: Vec<_> = found.iter().map(|one| (one.message, one.to.as_str(), one.went_on_at)).collect();
        assert_eq!(found, [(0, "w", Some(1)), (3, "c", None)]);
    }

    #[test]
    fn a_receiver_that_only_a_rule_names_owes_no_reply() {
        let mut said = steps(&[("a", "b", "hello")]);
        said[0].is_addressed = false;
        assert_eq!(find(&said), []);
    }
}
