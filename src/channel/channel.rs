use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::agent::Agent;
use super::builder::ChannelBuilder;
use super::error::{JoinError, TraceError};
use super::hub::Hub;
use super::workflow::Workflow;
use crate::client::Client;
use crate::diagnose;
use crate::model::{AgentName, ChannelName, InvalidName, WorkflowId};

/// How long records may take to leave before the trace is asked for.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);

/// A named group of agents over NATS subjects, and this process' connection to them. Cloning is cheap.
///
/// Tasks for agent `researcher` of channel `newsroom` travel on `wilco.newsroom.researcher`. Dropping the last clone
/// (its agents, inboxes and workflows count) ends the connection; [`Channel::close`] does so in order.
#[derive(Clone, Debug)]
pub struct Channel {
    owner: Arc<Owner>,
}

/// Ends the channel's tasks when the application has let go of the channel.
#[derive(Debug)]
struct Owner {
    hub: Arc<Hub>,
    dispatcher: tokio::task::AbortHandle,
    /// Where what was traced is kept.
    traces: Option<Client>,
}

/// What a channel counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelStats {
    /// Handoffs that are followed: open ones, and settled ones whose result was not used yet.
    pub followed: usize,
    /// Receipts and decisions that could not be queued; each handoff concerned runs into a deadline.
    pub lost: u64,
}

impl Channel {
    /// Begins a channel with this name.
    pub fn builder(name: impl Into<String>) -> ChannelBuilder {
        ChannelBuilder::new(name.into())
    }

    pub(crate) fn new(hub: Arc<Hub>, dispatcher: tokio::task::AbortHandle, traces: Option<Client>) -> Self {
        Self { owner: Arc::new(Owner { hub, dispatcher, traces }) }
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.owner.hub
    }

    /// The channel's name.
    pub fn name(&self) -> &ChannelName {
        &self.owner.hub.channel
    }

    /// Takes part as an agent. Joining alone subscribes to nothing: see [`Agent::inbox`].
    ///
    /// # Errors
    /// [`JoinError`] if the name is not one, or not on the channel's list.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn join(&self, agent: impl AsRef<str>) -> Result<Agent, JoinError> {
        let hub = &self.owner.hub;
        let agent = AgentName::new(agent.as_ref())?;
        if hub.is_closed() {
            return Err(JoinError::Closed);
        }
        if !hub.has_agent(&agent) {
            let (channel, known) = (hub.channel.to_string(), hub.known_agents());
            return Err(JoinError::UnknownAgent { agent, channel, known });
        }
        Ok(Agent::new(self.clone(), &agent))
    }

    /// Opens a workflow, so that it can be closed.
    ///
    /// # Errors
    /// [`InvalidName`] if the id is empty, over 128 bytes, or holds control characters.
    pub fn workflow(&self, id: impl AsRef<str>) -> Result<Workflow, InvalidName> {
        Ok(Workflow::new(self.clone(), WorkflowId::new(id.as_ref())?))
    }

    /// What was traced of a workflow, by all of its agents, from the server that [`ChannelBuilder::traces`] names: ask it
    /// to `find_failure()`. What this process has recorded leaves first, for which it gets 2 s at most; a handoff that is
    /// still open, or whose result waits to be used, is not recorded yet.
    ///
    /// # Errors
    /// [`TraceError`] if the channel knows no such server, or the server is not there, says no, or knows nothing of the
    /// workflow.
    ///
    /// # Cancel safety
    /// Nothing changes.
    pub async fn get_trace(&self, workflow: impl AsRef<str>) -> Result<diagnose::Workflow, TraceError> {
        let traces = self.owner.traces.as_ref().ok_or(TraceError::NoServer)?;
        // What did not leave in time is missing from the trace, as that of another process would be.
        let _ = self.owner.hub.telemetry.flush(FLUSH_WITHIN).await;
        Ok(traces.get_trace(workflow.as_ref()).await?)
    }

    /// What the channel counts.
    pub fn stats(&self) -> ChannelStats {
        let hub = &self.owner.hub;
        ChannelStats { followed: hub.followed(), lost: hub.lost.load(Ordering::Relaxed) }
    }

    /// Whether the server can be reached at the moment.
    pub fn is_connected(&self) -> bool {
        self.owner.hub.client.connection_state() == async_nats::connection::State::Connected
    }

    /// Waits until the server has done all that this process asked of it on the channel so far, as a flush by PING and
    /// PONG would. Handing off does not need it.
    ///
    /// # Errors
    /// [`JoinError::Unconfirmed`] if the server did not answer within 5 s.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn confirm(&self) -> Result<(), JoinError> {
        self.owner.hub.confirm().await.map_err(JoinError::Unconfirmed)
    }

    /// Closes the channel: open handoffs get up to `grace` to be settled, and tasks in hand to be ended. What is still
    /// open then is recorded as `pending`; what is still in hand as `abandoned`, and its sender is told. Telemetry is
    /// flushed within the same bound. Never takes much longer than
    /// twice `grace`.
    ///
    /// # Cancel safety
    /// If it is dropped before it returns, the channel is closed all the same, but records may not have left.
    pub async fn close(self, grace: Duration) {
        let hub = &self.owner.hub;
        let grace = grace.min(super::hub::LONGEST_WAIT);
        let deadline = tokio::time::Instant::now() + grace;
        while (hub.followed_open() > 0 || hub.working() > 0) && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5).min(grace)).await;
        }
        hub.closed.store(true, Ordering::Release);
        hub.closing.notify_waiters();
        hub.export_all();
        // After that, since it has last words for the senders of what is still being worked on.
        hub.drain_courier(deadline.max(soon())).await;
        let _ = hub.telemetry.flush(grace.max(Duration::from_millis(100))).await;
    }
}

fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_millis(100)
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.hub.closed.store(true, Ordering::Release);
        self.hub.closing.notify_waiters();
        self.hub.export_all();
        // The courier goes by itself when all is said.
        self.dispatcher.abort();
    }
}
