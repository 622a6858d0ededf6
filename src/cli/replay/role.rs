//! The `role` of a message in an orchestrated run.

/// The agent that leads an orchestrated run.
pub(crate) const ORCHESTRATOR: &str = "Orchestrator";

/// A role taken apart: `WebSurfer`, `Orchestrator (thought)`, `Orchestrator (-> WebSurfer)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Role<'a> {
    pub(crate) speaker: &'a str,
    pub(crate) aside: Aside<'a>,
}

/// What a role says in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aside<'a> {
    Nothing,
    /// To nobody: it never left the agent.
    Thought,
    /// To this agent.
    To(&'a str),
    /// Anything else, such as `termination condition`: said aloud, to nobody that is named.
    Other,
}

impl<'a> Role<'a> {
    pub(crate) fn read(role: &'a str) -> Self {
        let role = role.trim();
        let Some((speaker, bracketed)) = role.strip_suffix(')').and_then(|role| role.split_once(" (")) else {
            return Self { speaker: role, aside: Aside::Nothing };
        };
        let bracketed = bracketed.trim();
        let aside = match bracketed.strip_prefix("->") {
            Some(receiver) => Aside::To(receiver.trim()),
            None if bracketed == "thought" => Aside::Thought,
            None => Aside::Other,
        };
        Self { speaker: speaker.trim_end(), aside }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_a_speaker_and_perhaps_an_aside() {
        let read = |role| {
            let Role { speaker, aside } = Role::read(role);
            (speaker, aside)
        };
        assert_eq!(read("WebSurfer"), ("WebSurfer", Aside::Nothing));
        assert_eq!(read("Orchestrator (-> WebSurfer)"), ("Orchestrator", Aside::To("WebSurfer")));
        assert_eq!(read("Orchestrator (->Web (beta))"), ("Orchestrator", Aside::To("Web (beta)")));
        assert_eq!(read("Orchestrator (thought)"), ("Orchestrator", Aside::Thought));
        assert_eq!(read("Orchestrator (termination condition)"), ("Orchestrator", Aside::Other));
        assert_eq!(read("Orchestrator (-> )"), ("Orchestrator", Aside::To("")));
        assert_eq!(read("a)"), ("a)", Aside::Nothing));
        assert_eq!(read(" (thought)"), ("(thought)", Aside::Nothing));
        assert_eq!(read(""), ("", Aside::Nothing));
    }
}
