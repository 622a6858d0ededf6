//! Who hands what to whom: the rules that turn a log into handoffs.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use bytes::Bytes;

use super::format::Format;
use super::log::{Log, Message};
use super::names;
use super::role::{Aside, ORCHESTRATOR, Role};
use crate::model::{AgentName, ContentHash};

/// The agent that stands for all the others of a group chat.
const GROUP: &str = "group";
/// Who began an orchestrated run, and is told how it ended.
pub(crate) const HUMAN: &str = "human";

/// A conversation as handoffs between agents.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) format: Format,
    pub(crate) agents: Vec<Participant>,
    pub(crate) steps: Vec<Step>,
    /// Messages that are thoughts: to nobody, so not handed over.
    pub(crate) thoughts: usize,
}

/// An agent, and who it is in the log.
#[derive(Clone, Debug)]
pub(crate) struct Participant {
    pub(crate) agent: AgentName,
    /// `None` for an agent that stands for the whole group.
    pub(crate) speaker: Option<String>,
}

/// One message, handed from one agent to another.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The message's place in the log, from 0, thoughts included.
    pub(crate) message: usize,
    pub(crate) from: AgentName,
    pub(crate) to: AgentName,
    /// Whether the log names the receiver; otherwise it follows from a rule.
    pub(crate) is_addressed: bool,
    pub(crate) content: Bytes,
    pub(crate) hash: ContentHash,
}

impl Step {
    pub(crate) fn text(&self) -> &str {
        // The content came as text, and is what it was.
        std::str::from_utf8(&self.content).unwrap_or_default()
    }
}

impl Conversation {
    /// Group chat: a message goes to the next speaker other than its own, who is the first that can act on it; what
    /// nobody else spoke after goes to the agent `group`, which stands for all of them.
    ///
    /// Orchestrated: `X (-> Y)` goes to Y; `X (thought)` to nobody; anything else that the Orchestrator says (such as
    /// `Orchestrator (termination condition)`) to `human`, who began the run; anything else that anybody says to the
    /// Orchestrator.
    pub(crate) fn of(log: Log) -> anyhow::Result<Self> {
        let format = log.format;
        let said = match format {
            Format::GroupChat => group_chat(&log.messages)?,
            Format::Orchestrated => orchestrated(&log.messages)?,
        };
        if said.is_empty() {
            bail!("all of its {} messages are thoughts: there is nothing to hand over", log.messages.len());
        }
        let mut speakers: Vec<&str> = Vec::new();
        for name in said.iter().flat_map(|said| [Some(said.from), said.to]).flatten() {
            if !speakers.contains(&name) {
                speakers.push(name);
            }
        }
        let mut agents: Vec<Participant> = names::agent_names(&speakers)?
            .into_iter()
            .zip(&speakers)
            .map(|(agent, speaker)| Participant { agent, speaker: Some((*speaker).to_owned()) })
            .collect();
        let taken: BTreeSet<String> = agents.iter().map(|participant| participant.agent.to_string()).collect();
        let group = AgentName::new(names::free(GROUP, &taken)).context("the group cannot be named")?;
        let agent_of = |name: &str| {
            let place = speakers.iter().position(|speaker| *speaker == name);
            place.map_or_else(|| group.clone(), |place| agents[place].agent.clone())
        };
        let mut steps = Vec::with_capacity(said.len());
        for said in &said {
            let (from, to) = (agent_of(said.from), said.to.map_or_else(|| group.clone(), &agent_of));
            let content = Bytes::copy_from_slice(log.messages[said.message].content.as_bytes());
            let hash = ContentHash::of(&content);
            steps.push(Step { message: said.message, from, to, is_addressed: said.is_addressed, content, hash });
        }
        if steps.iter().any(|step| step.to == group) {
            agents.push(Participant { agent: group, speaker: None });
        }
        let thoughts = log.messages.len() - steps.len();
        Ok(Self { format, agents, steps, thoughts })
    }
}

/// A message with its speaker and its receiver, by the names of the log.
#[derive(Debug)]
struct Said<'a> {
    message: usize,
    from: &'a str,
    /// `None`: the group.
    to: Option<&'a str>,
    is_addressed: bool,
}

fn group_chat(messages: &[Message]) -> anyhow::Result<Vec<Said<'_>>> {
    let mut speakers = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        speakers.push(present(index, "name", message.name.as_deref())?);
    }
    let said = speakers.iter().enumerate().map(|(message, from)| {
        let to = speakers[message..].iter().copied().find(|speaker| speaker != from);
        Said { message, from, to, is_addressed: false }
    });
    Ok(said.collect())
}

fn orchestrated(messages: &[Message]) -> anyhow::Result<Vec<Said<'_>>> {
    let mut said = Vec::new();
    for (message, entry) in messages.iter().enumerate() {
        let Role { speaker: from, aside } = Role::read(present(message, "role", entry.role.as_deref())?);
        let (to, is_addressed) = match aside {
            Aside::Thought => continue,
            Aside::To("") => bail!("message {message} goes to nobody: its `role` ends in `(-> )`"),
            Aside::To(receiver) => (receiver, true),
            Aside::Nothing | Aside::Other if from == ORCHESTRATOR => (HUMAN, false),
            Aside::Nothing | Aside::Other => (ORCHESTRATOR, false),
        };
        said.push(Said { message, from, to: Some(to), is_addressed });
    }
    Ok(said)
}

/// The speaker of a message.
fn present<'a>(index: usize, key: &str, value: Option<&'a str>) -> anyhow::Result<&'a str> {
    match value.map(str::trim) {
        None => bail!("message {index} has no `{key}`, so its speaker is unknown"),
        Some("") => bail!("message {index} has an empty `{key}`, so its speaker is unknown"),
        Some(speaker) => Ok(speaker),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(speakers: &[&str], by_name: bool) -> Vec<Message> {
        let message = |(index, speaker): (usize, &&str)| Message {
            name: by_name.then(|| (*speaker).to_owned()),
            role: (!by_name).then(|| (*speaker).to_owned()),
            content: format!("message {index}"),
        };
        speakers.iter().enumerate().map(message).collect()
    }

    #[track_caller]
    fn boundaries(format: Format, speakers: &[&str]) -> Vec<String> {
        let log = Log { format, messages: messages(speakers, format == Format::GroupChat) };
        let conversation = Conversation::of(log).unwrap();
        conversation.steps.iter().map(|step| format!("{} {}<-{}", step.message, step.to, step.from)).collect()
    }

    #[test]
    fn a_chat_message_goes_to_the_next_other_speaker_and_the_last_to_the_group() {
        let found = boundaries(Format::GroupChat, &["A", "A", "B", "A", "A"]);
        assert_eq!(found, ["0 B<-A", "1 B<-A", "2 A<-B", "3 group<-A", "4 group<-A"]);
        assert_eq!(boundaries(Format::GroupChat, &["group", "A"]), ["0 A<-group", "1 group-2<-A"]);
    }

    #[test]
    fn an_orchestrated_message_goes_where_its_role_says_and_a_thought_goes_nowhere() {
        let roles = [
            "human",
            "Orchestrator (thought)",
            "Orchestrator (-> WebSurfer)",
            "WebSurfer",
            "WebSurfer (-> Coder)",
            "Orchestrator (termination condition)",
            "Orchestrator",
        ];
        let found = boundaries(Format::Orchestrated, &roles);
        let expected = [
            "0 Orchestrator<-human",
            "2 WebSurfer<-Orchestrator",
            "3 Orchestrator<-WebSurfer",
            "4 Coder<-WebSurfer",
            "5 human<-Orchestrator",
            "6 human<-Orchestrator",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_payload_is_the_content_and_every_participant_is_an_agent() {
        let log = Log { format: Format::GroupChat, messages: messages(&["a b", "a_b"], true) };
        let conversation = Conversation::of(log).unwrap();
        assert_eq!(conversation.steps[1].content, "message 1");
        assert_eq!(conversation.steps[1].hash, ContentHash::of(b"message 1"));
        let agents: Vec<_> =
            conversation.agents.iter().map(|one| (one.agent.as_str(), one.speaker.as_deref())).collect();
        assert_eq!(agents, [("a_b-2", Some("a b")), ("a_b", Some("a_b")), ("group", None)]);
    }

    #[test]
    fn a_message_without_a_speaker_or_a_receiver_is_named() {
        let error = |format, speakers: &[&str], by_name| {
            let log = Log { format, messages: messages(speakers, by_name) };
            Conversation::of(log).unwrap_err().to_string()
        };
        assert!(error(Format::GroupChat, &["a"], false).contains("message 0 has no `name`"));
        assert!(error(Format::GroupChat, &["a", " "], true).contains("message 1 has an empty `name`"));
        assert!(error(Format::Orchestrated, &["a"], true).contains("message 0 has no `role`"));
        assert!(error(Format::Orchestrated, &["a (-> )"], false).contains("message 0 goes to nobody"));
        assert!(error(Format::Orchestrated, &["a (thought)"], false).contains("all of its 1 messages are thoughts"));
    }
}
