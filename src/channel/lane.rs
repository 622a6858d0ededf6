use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_nats::Subject;

use super::lock::lock;
use crate::model::{AgentName, Timestamp};
use crate::telemetry::record::AgentInfo;
use crate::verify::offset::{ClockOffset, OffsetEstimator};

/// The sending side of one agent: a lane to each agent it hands tasks to.
#[derive(Debug)]
pub(crate) struct AgentLanes {
    pub(crate) agent: AgentName,
    lanes: Mutex<BTreeMap<AgentName, Arc<Lane>>>,
}

/// The way from one agent to another: where it leads, and how many handoffs went along it.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) from: AgentName,
    pub(crate) to: AgentName,
    pub(crate) subject: Subject,
    pub(crate) subject_text: Arc<str>,
    pub(crate) target: Option<Arc<AgentInfo>>,
    /// Number of the last handoff. Held while one is published, so that numbers leave in order.
    pub(crate) seq: tokio::sync::Mutex<u64>,
    clocks: Mutex<PeerClocks>,
}

/// The clocks of the receiving agent's instances, by the inbox that their receipts name.
#[derive(Debug, Default)]
struct PeerClocks {
    by_instance: HashMap<String, OffsetEstimator>,
}

/// Instances of one agent whose clocks are remembered; more would be a fleet whose spread says nothing.
const MOST_INSTANCES: usize = 64;

impl AgentLanes {
    pub(crate) fn new(agent: AgentName) -> Self {
        Self { agent, lanes: Mutex::default() }
    }

    pub(crate) fn known(&self, to: &str) -> Option<Arc<Lane>> {
        lock(&self.lanes).get(to).cloned()
    }

    pub(crate) fn open(&self, to: AgentName, subject: String, target: Option<Arc<AgentInfo>>) -> Arc<Lane> {
        let mut lanes = lock(&self.lanes);
        lanes.entry(to.clone()).or_insert_with(|| Arc::new(Lane::new(self.agent.clone(), to, subject, target))).clone()
    }
}

impl Lane {
    fn new(from: AgentName, to: AgentName, subject: String, target: Option<Arc<AgentInfo>>) -> Self {
        let subject_text: Arc<str> = subject.as_str().into();
        let seq = tokio::sync::Mutex::new(0);
        Self { from, to, subject: subject.into(), subject_text, target, seq, clocks: Mutex::default() }
    }

    /// Takes in the four stamps of an exchange; returns the offset of that instance's clock, as now known.
    pub(crate) fn exchange(&self, instance: &str, stamps: [Timestamp; 4]) -> Option<ClockOffset> {
        let [t1, t2, t3, t4] = stamps;
        let mut clocks = lock(&self.clocks);
        if !clocks.by_instance.contains_key(instance) {
            if clocks.by_instance.len() >= MOST_INSTANCES {
                clocks.by_instance.clear();
            }
            clocks.by_instance.insert(instance.to_owned(), OffsetEstimator::default());
        }
        let estimator = clocks.by_instance.get_mut(instance)?;
        estimator.observe(t1, t2, t3, t4);
        estimator.estimate(t4)
    }

    /// The receiver's clock against ours, whichever instance takes the next handoff.
    pub(crate) fn offset(&self, now: Timestamp) -> Option<ClockOffset> {
        let clocks = lock(&self.clocks);
        ClockOffset::union_all(clocks.by_instance.values().filter_map(|estimator| estimator.estimate(now)))
    }
}
