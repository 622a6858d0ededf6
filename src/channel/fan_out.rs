use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde::de::DeserializeOwned;

use super::delivery::Delivery;
use super::error::{HandOffError, NoResult};
use super::handoff::Handoff;
use super::hub::Hub;
use super::lane::AgentLanes;
use super::receipt::Receipt;
use super::result::TaskResult;
use super::send::{self, Attempt};
use super::step;
use crate::model::{AgentName, ShortHash, WorkflowId};
use crate::telemetry::record::{Record, Step, StepRecord};

/// One task in the hands of several agents, to be joined.
#[derive(Debug)]
#[must_use = "join the results, or drop it if they do not matter"]
pub struct FanOut {
    hub: Arc<Hub>,
    agent: AgentName,
    workflow: Option<WorkflowId>,
    within: Option<Arc<Delivery>>,
    receipts: Vec<Receipt>,
}

/// The results of a fan-out: those that came, and who is missing.
#[derive(Debug)]
#[must_use = "the results are in here"]
pub struct Joined<T> {
    /// The results that came, in the order in which the agents were named.
    pub results: Vec<TaskResult<T>>,
    /// Who is missing, and why.
    pub missing: Vec<(AgentName, NoResult)>,
}

impl FanOut {
    pub(crate) async fn send<A: AsRef<str>>(
        hub: &Arc<Hub>,
        lanes: &AgentLanes,
        to: impl IntoIterator<Item = A>,
        mut handoff: Handoff,
        within: Option<&Arc<Delivery>>,
    ) -> Result<Self, HandOffError> {
        // One workflow for all, also where it has to be made up here.
        let inherited = within.and_then(|task| task.workflow());
        let workflow = match handoff.workflow.take() {
            Some(id) => id.map_err(|error| *error)?,
            None => inherited.unwrap_or_else(WorkflowId::random),
        };
        let handoff = handoff.workflow(&workflow);
        let mut receipts = Vec::new();
        for agent in to {
            let attempt = Attempt { handoff: handoff.clone(), again: None };
            receipts.push(send::send(hub, lanes, agent.as_ref(), attempt, within).await?);
        }
        let (agent, within) = (lanes.agent.clone(), within.cloned());
        Ok(Self { hub: hub.clone(), agent, workflow: Some(workflow), within, receipts })
    }

    /// The receipts, in the order in which the agents were named.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// Waits for every result, each at most until its own deadline, and emits a `join` span.
    ///
    /// # Cancel safety
    /// If it is dropped before it returns, the results are lost to the caller; the handoffs are followed all the same.
    pub async fn join<T: DeserializeOwned>(self) -> Joined<T> {
        self.join_within(Duration::MAX).await
    }

    /// As [`FanOut::join`], but waits no longer than `limit` in all. Who has not answered by then is missing with
    /// [`NoResult::TimedOut`]; its handoff is still followed to its own deadline.
    ///
    /// # Cancel safety
    /// As [`FanOut::join`].
    pub async fn join_within<T: DeserializeOwned>(self, limit: Duration) -> Joined<T> {
        let started = self.hub.clock.now();
        let waits = self.receipts.iter().map(|receipt| async move {
            let result = tokio::time::timeout(limit, receipt.result::<T>()).await;
            (receipt.to().clone(), result.unwrap_or(Err(NoResult::TimedOut { waited: limit })))
        });
        let mut joined = Joined { results: Vec::new(), missing: Vec::new() };
        for (agent, result) in join_all(waits).await {
            match result {
                Ok(result) => joined.results.push(result),
                Err(why) => joined.missing.push((agent, why)),
            }
        }
        self.record(started, &joined);
        joined
    }

    fn record<T>(&self, started: crate::model::Timestamp, joined: &Joined<T>) {
        if self.within.is_none() && self.workflow.is_none() {
            return;
        }
        let place = step::place(&self.hub, self.workflow.as_ref(), self.within.as_deref());
        let ended = self.hub.clock.now();
        self.hub.telemetry.record(Record::Step(Box::new(StepRecord {
            place,
            workflow: self.workflow.clone(),
            agent: Some(self.agent.clone()),
            started,
            ended,
            step: Step::Join {
                expected: joined.owed(),
                arrived: u32::try_from(joined.results.len()).unwrap_or(u32::MAX),
                wait: ended.since(started),
            },
            failed: None,
            mismatches: Vec::new(),
        })));
    }
}

impl<T> Joined<T> {
    /// How many results were owed.
    pub fn owed(&self) -> u32 {
        u32::try_from(self.results.len() + self.missing.len()).unwrap_or(u32::MAX)
    }

    /// Whether all came.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    pub(crate) fn inputs(&self) -> impl Iterator<Item = ShortHash> + '_ {
        self.results.iter().map(|result| result.hash().short())
    }

    /// What is wrong with going on like this, if anything is.
    pub(crate) fn shortfall(&self) -> Option<String> {
        if self.is_complete() {
            return None;
        }
        let missing: Vec<&str> = self.missing.iter().map(|(agent, _)| agent.as_str()).collect();
        Some(format!("went on with {} of {} inputs; missing: {}", self.results.len(), self.owed(), missing.join(", ")))
    }
}
