//! The two forms of recorded conversations that are understood.

use anyhow::bail;

use super::log::Message;
use super::role::{ORCHESTRATOR, Role};

/// How a log says who spoke, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    GroupChat,
    Orchestrated,
}

/// What `--format` says.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub(crate) enum FormatChoice {
    /// Told from the messages: group-chat if all have a `name`, orchestrated if none has and one is the Orchestrator's
    #[default]
    Auto,
    /// `name` is the speaker; a message goes to whoever speaks next
    GroupChat,
    /// `role` is the speaker, as in `Orchestrator (-> WebSurfer)`, and may name the receiver
    Orchestrated,
}

impl Format {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::GroupChat => "group-chat",
            Self::Orchestrated => "orchestrated",
        }
    }
}

impl FormatChoice {
    /// The format of these messages.
    pub(super) fn settle(self, messages: &[Message]) -> anyhow::Result<Format> {
        match self {
            Self::GroupChat => Ok(Format::GroupChat),
            Self::Orchestrated => Ok(Format::Orchestrated),
            Self::Auto => detect(messages),
        }
    }
}

fn detect(messages: &[Message]) -> anyhow::Result<Format> {
    let named = messages.iter().position(|message| message.name.is_some());
    let unnamed = messages.iter().position(|message| message.name.is_none());
    let why = match (named, unnamed) {
        (_, None) => return Ok(Format::GroupChat),
        (Some(named), Some(unnamed)) => format!("message {named} has a `name`, message {unnamed} has none"),
        (None, Some(_)) => {
            let mut roles = messages.iter().filter_map(|message| message.role.as_deref()).map(Role::read);
            if roles.any(|role| role.speaker == ORCHESTRATOR) {
                return Ok(Format::Orchestrated);
            }
            format!("no message has a `name`, and none has the `role` {ORCHESTRATOR}")
        }
    };
    bail!("its format cannot be told: {why}; say --format group-chat or --format orchestrated");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: Option<&str>, role: Option<&str>) -> Message {
        Message { name: name.map(str::to_owned), role: role.map(str::to_owned), content: String::new() }
    }

    #[test]
    fn the_format_is_told_from_who_is_named() {
        let chat = [message(Some("a"), Some("user")), message(Some("b"), None)];
        assert_eq!(FormatChoice::Auto.settle(&chat).unwrap(), Format::GroupChat);
        let run = [message(None, Some("human")), message(None, Some("Orchestrator (thought)"))];
        assert_eq!(FormatChoice::Auto.settle(&run).unwrap(), Format::Orchestrated);
    }

    #[test]
    fn what_cannot_be_told_is_asked_for() {
        for (messages, why) in [
            ([message(Some("a"), None), message(None, Some("b"))], "message 0 has a `name`, message 1 has none"),
            ([message(None, Some("user")), message(None, None)], "none has the `role` Orchestrator"),
        ] {
            let error = FormatChoice::Auto.settle(&messages).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("--format"), "{error}");
            assert_eq!(FormatChoice::GroupChat.settle(&messages).unwrap(), Format::GroupChat);
        }
    }
}
