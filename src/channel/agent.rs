use std::sync::Arc;

use super::channel::Channel;
use super::error::{HandOffError, JoinError};
use super::fan_out::FanOut;
use super::handoff::Handoff;
use super::inbox::Inbox;
use super::lane::AgentLanes;
use super::lock::lock;
use super::receipt::Receipt;
use super::send::{self, Attempt};
use super::step::{Step, StepSpan};
use super::workflow::Workflow;
use crate::model::AgentName;

/// An agent on a channel: it hands tasks to others, and has an inbox for those handed to it. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Agent {
    channel: Channel,
    lanes: Arc<AgentLanes>,
}

impl Agent {
    pub(crate) fn new(channel: Channel, name: &AgentName) -> Self {
        let lanes = channel.hub().lanes(name);
        Self { channel, lanes }
    }

    /// The agent's name.
    pub fn name(&self) -> &AgentName {
        &self.lanes.agent
    }

    /// Hands a task to another agent. Returns when the message has been given to the connection; what became of it is
    /// the [`Receipt`]'s to say.
    ///
    /// Handoffs of one agent to another leave in the order of these calls. When too many are open, or the connection
    /// is slower than the agents, it waits a little (5 s at most) before it gives up.
    ///
    /// # Errors
    /// [`HandOffError`] if the task could not be sent at all. That nobody took it is no error but a finding.
    ///
    /// # Cancel safety
    /// If it is dropped before it returns, the task may or may not have left; it is then not followed.
    pub async fn hand_off(&self, to: impl AsRef<str>, handoff: Handoff) -> Result<Receipt, HandOffError> {
        send::send(self.channel.hub(), &self.lanes, to.as_ref(), Attempt { handoff, again: None }, None).await
    }

    /// Hands the same task to several agents, one handoff each.
    ///
    /// # Errors
    /// [`HandOffError`] at the first agent to which it could not be sent; those before it have it, and are followed.
    ///
    /// # Cancel safety
    /// If it is dropped before it returns, some agents may have the task.
    pub async fn fan_out<A: AsRef<str>>(
        &self,
        to: impl IntoIterator<Item = A>,
        handoff: Handoff,
    ) -> Result<FanOut, HandOffError> {
        FanOut::send(self.channel.hub(), &self.lanes, to, handoff, None).await
    }

    /// Begins a step of this agent in a workflow, outside of any task: what the one who begins a workflow decides. It is
    /// on record when it is ended or dropped.
    pub fn begin(&self, workflow: &Workflow, step: impl Into<Step>) -> StepSpan {
        StepSpan::begin(self.channel.hub(), self.name(), Some(workflow.id()), None, step.into())
    }

    /// Opens the agent's inbox. Several inboxes of one agent, here or elsewhere, share its tasks.
    ///
    /// # Errors
    /// [`JoinError::Subscribe`] if the subscription could not be made, [`JoinError::Closed`] if the channel is closed.
    ///
    /// # Cancel safety
    /// If it is dropped before it returns, there is no inbox.
    pub async fn inbox(&self) -> Result<Inbox, JoinError> {
        let hub = self.channel.hub();
        if hub.is_closed() {
            return Err(JoinError::Closed);
        }
        let subject = hub.subject_of(self.name());
        let subscriber = hub
            .client
            .queue_subscribe(subject.clone(), self.name().to_string())
            .await
            .map_err(|source| JoinError::Subscribe { subject: subject.clone(), source: Box::new(source) })?;
        // The subscription must be with the server before anyone is told that the agent is there.
        hub.confirm().await.map_err(|source| JoinError::Subscribe { subject: subject.clone(), source })?;
        Ok(Inbox::new(self.channel.clone(), self.name().clone(), &subject, subscriber))
    }

    /// Declares which version of a context is the current one, as this agent knows from its source. All agents of
    /// this process on the channel know it then. A task that rests
    /// on an older one is stale whatever its age, and one that rests on this one is fresh.
    pub fn knows_context(&self, name: &str, version: &str) {
        lock(&self.channel.hub().known).declare_current(name, version);
    }
}
