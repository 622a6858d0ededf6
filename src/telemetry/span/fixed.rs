use std::sync::Arc;

use opentelemetry::KeyValue;

use super::attributes::Attributes;
use crate::model::{AgentName, InstanceId};
use crate::telemetry::names;
use crate::telemetry::record::HandoffFacts;

/// What the spans of one side of one boundary have in common: written once, and copied from then on.
///
/// Its texts are its own. A reference count that the data path changes too would cost both threads more than the text.
#[derive(Debug)]
pub(super) struct Fixed {
    /// `handoff writer`
    pub(super) name: String,
    pub(super) attributes: Vec<KeyValue>,
    /// By what it is known again.
    facts: HandoffFacts,
    agent: Option<AgentName>,
    queue_group: Option<Arc<str>>,
    inst: Option<InstanceId>,
    from: Option<Arc<str>>,
    to: Option<Arc<str>>,
}

/// Which of the two spans of a handoff it is, and what tells it from others of its boundary.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side<'r> {
    /// The receiver; `None` on the sender's side.
    pub(super) agent: Option<&'r AgentName>,
    pub(super) queue_group: Option<&'r Arc<str>>,
    pub(super) inst: Option<InstanceId>,
}

/// The boundaries whose handoffs came last.
#[derive(Debug, Default)]
pub(super) struct Boundaries {
    known: Vec<Fixed>,
    /// The one that makes room next.
    oldest: usize,
}

/// With more than these in turn, each is written anew, which costs time and nothing else.
const REMEMBERED: usize = 32;

impl Boundaries {
    pub(super) fn of(&mut self, facts: &HandoffFacts, side: Side<'_>, session: bool) -> &Fixed {
        let at = match self.known.iter().position(|fixed| fixed.is_of(facts, side)) {
            Some(at) => at,
            None if self.known.len() < REMEMBERED => {
                self.known.push(Fixed::new(facts, side, session));
                self.known.len() - 1
            }
            None => {
                let at = self.oldest;
                self.oldest = (at + 1) % REMEMBERED;
                self.known[at] = Fixed::new(facts, side, session);
                at
            }
        };
        &self.known[at]
    }
}

impl Fixed {
    fn new(facts: &HandoffFacts, side: Side<'_>, session: bool) -> Self {
        let own = |name: &AgentName| Arc::<str>::from(name.as_str());
        let (from, to) = (facts.from.as_ref().map(own), facts.to.as_ref().map(own));
        let (verb, target, kind, operation) = match side.agent {
            None => ("handoff", to.clone(), "send", "publish"),
            Some(agent) => ("process", Some(own(agent)), "process", "process"),
        };
        let name = target.as_ref().map_or_else(|| verb.to_owned(), |target| format!("{verb} {target}"));

        let mut attributes = Attributes::with_room(20);
        attributes.text(names::MESSAGING_SYSTEM, "nats");
        attributes.text(names::MESSAGING_OPERATION_TYPE, kind);
        attributes.text(names::MESSAGING_OPERATION_NAME, operation);
        attributes.text(names::MESSAGING_DESTINATION_NAME, facts.subject.to_string());
        attributes
            .maybe_text(names::MESSAGING_DESTINATION_TEMPLATE, facts.subject_template.as_deref().map(str::to_owned));
        attributes.maybe_text(names::MESSAGING_CONSUMER_GROUP, side.queue_group.map(|group| group.to_string()));
        if let Some(server) = &facts.server {
            attributes.text(names::SERVER_ADDRESS, server.host.to_string());
            attributes.int(names::SERVER_PORT, server.port);
        }
        attributes.text(names::GEN_AI_OPERATION_NAME, "invoke_agent");
        attributes.maybe_text(names::GEN_AI_AGENT_NAME, target);
        if let Some(from) = &from {
            attributes.text(names::GEN_AI_CALLER_TYPE, "agent");
            attributes.text(names::GEN_AI_CALLER_NAME, from.clone());
        }
        if session {
            attributes.text(names::OPENINFERENCE_KIND, "AGENT");
        }
        attributes.maybe_text(names::HANDOFF_FROM, from.clone());
        attributes.maybe_text(names::HANDOFF_TO, to.clone());
        attributes.text(names::HANDOFF_KIND, facts.kind.as_str());
        attributes.maybe_text(names::INST, side.inst.map(|inst| inst.to_string()));
        Self {
            name,
            attributes: attributes.into_shared(),
            facts: HandoffFacts { id: None, workflow: None, parent: None, ..facts.clone() },
            agent: side.agent.cloned(),
            queue_group: side.queue_group.cloned(),
            inst: side.inst,
            from,
            to,
        }
    }

    fn is_of(&self, facts: &HandoffFacts, side: Side<'_>) -> bool {
        let known = &self.facts;
        side.inst == self.inst
            && same(Some(&facts.subject), Some(&known.subject))
            && facts.from == known.from
            && facts.to == known.to
            && facts.kind == known.kind
            && side.agent == self.agent.as_ref()
            && same(side.queue_group, self.queue_group.as_ref())
            && same(facts.subject_template.as_ref(), known.subject_template.as_ref())
            && match (&facts.server, &known.server) {
                (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
                (one, other) => one == other,
            }
    }

    /// The name as spans of this boundary have it.
    pub(super) fn text_of(&self, name: &AgentName) -> Arc<str> {
        match (&self.facts.from, &self.facts.to, &self.from, &self.to) {
            (_, Some(to), _, Some(text)) if to == name => text.clone(),
            (Some(from), _, Some(text), _) if from == name => text.clone(),
            _ => name.shared(),
        }
    }
}

/// Whether it is the same text, most likely the very one.
fn same(one: Option<&Arc<str>>, other: Option<&Arc<str>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
        (one, other) => one.is_none() && other.is_none(),
    }
}
