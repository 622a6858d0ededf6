//! Which message to look at first, if the conversation went wrong. A guess from its form, and no finding.
//!
//! The rule was fixed before it was held against any label, and is not to be tuned: the message that the first mention of
//! an error answers, and where nothing mentions one, the first message of an agent that neither asked nor leads, since all
//! that follows rests on it.

use serde::Serialize;

use super::errors::ErrorMention;
use crate::cli::replay::conversation::{HUMAN, Step};
use crate::cli::replay::role::ORCHESTRATOR;
use crate::model::AgentName;

/// A message that is suspected, and why.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Suspect {
    pub(crate) message: usize,
    pub(crate) from: AgentName,
    pub(crate) why: String,
}

/// `None` where nobody but those who ask and lead said anything.
pub(super) fn guess(steps: &[Step], errors: &[ErrorMention]) -> Option<Suspect> {
    if let Some(error) = errors.first() {
        let before = steps.iter().take_while(|step| step.message < error.message);
        let answered = before.filter(|step| step.from != error.from).last();
        let (message, from) = answered.map_or((error.message, &error.from), |step| (step.message, &step.from));
        let why = if message == error.message {
            "it mentions an error, and answers nobody".to_owned()
        } else {
            format!("message {}, which answers it, is the first to mention an error", error.message)
        };
        return Some(Suspect { message, from: from.clone(), why });
    }
    let leads = |step: &Step| [HUMAN, ORCHESTRATOR].iter().any(|name| step.from.as_str().eq_ignore_ascii_case(name));
    let first = steps.iter().find(|step| !leads(step))?;
    let why = "nothing mentions an error, and all else rests on this one".to_owned();
    Some(Suspect { message: first.message, from: first.from.clone(), why })
}

#[cfg(test)]
mod tests {
    use super::super::{errors, steps};
    use super::*;

    fn guessed(said: &[(&str, &str, &str)]) -> Option<(usize, String)> {
        let steps = steps(said);
        guess(&steps, &errors::find(&steps)).map(|suspect| (suspect.message, suspect.from.to_string()))
    }

    #[test]
    fn whoever_asked_for_what_first_failed_is_suspected() {
        let said = [
            ("planner", "coder", "write it"),
            ("coder", "terminal", "print(x)"),
            ("terminal", "coder", "exitcode: 1 (execution failed)"),
            ("coder", "terminal", "print(y)"),
            ("terminal", "coder", "exitcode: 1 (execution failed)"),
        ];
        assert_eq!(guessed(&said), Some((1, "coder".to_owned())));
    }

    #[test]
    fn where_nothing_failed_it_is_the_first_that_neither_asked_nor_leads() {
        let said = [
            ("human", "orchestrator", "find it"),
            ("orchestrator", "web-surfer", "look there"),
            ("web-surfer", "orchestrator", "I looked"),
        ];
        assert_eq!(guessed(&said), Some((2, "web-surfer".to_owned())));
        assert_eq!(guessed(&said[..2]), None);
    }

    #[test]
    fn an_error_that_answers_nobody_is_suspected_itself() {
        assert_eq!(guessed(&[("coder", "planner", "ValueError: no")]), Some((0, "coder".to_owned())));
    }
}
