use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::diagnose::{Status, Workflow};
use crate::store::{Store, StoreError, WorkflowSummary};

/// The most workflows that are remembered.
const MOST: usize = 20_000;

/// How long a listing waits for causes that are not known yet.
const WAITS: Duration = Duration::from_millis(100);

/// Why each workflow broke, as far as somebody looked: remembered until more comes of it.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Causes {
    known: Arc<Mutex<Known>>,
    is_catching_up: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Known {
    glances: HashMap<String, (Version, Glance)>,
    /// In the order of their coming, to forget the first ones first.
    order: VecDeque<String>,
}

/// Changes whenever something comes of a workflow.
type Version = (i64, String);

/// A workflow at a glance.
#[derive(Clone, Debug, serde::Serialize)]
pub(in crate::server) struct Glance {
    /// What is known of its health.
    pub(in crate::server) status: Status,
    /// What there is to say, in one sentence.
    pub(in crate::server) sentence: String,
    /// The handoff that broke, where one did.
    pub(in crate::server) cause: Option<String>,
    /// How many agents took part.
    pub(in crate::server) agents: usize,
}

impl Causes {
    /// A glance at each workflow. `None` where that would have taken too long: it is made up for behind the scenes, and
    /// there the next time. Blocks.
    pub(in crate::server) fn of(
        &self,
        store: &Store,
        workflows: &[WorkflowSummary],
    ) -> Result<Vec<Option<Glance>>, StoreError> {
        let begun = Instant::now();
        let mut glances = Vec::with_capacity(workflows.len());
        let mut late = Vec::new();
        for summary in workflows {
            let mut glance = self.remembered(summary);
            if glance.is_none() && begun.elapsed() < WAITS && summary.spans < 2_000 {
                glance = Some(self.look(store, summary)?);
            }
            if glance.is_none() {
                late.push(summary.clone());
            }
            glances.push(glance);
        }
        if !late.is_empty() && !self.is_catching_up.swap(true, Ordering::AcqRel) {
            let (this, store) = (self.clone(), store.clone());
            tokio::task::spawn_blocking(move || {
                for summary in late {
                    if let Err(error) = this.look(&store, &summary) {
                        tracing::warn!(target: "wilco", "the cause of workflow {:?} was not found: {error}", summary.id);
                    }
                }
                this.is_catching_up.store(false, Ordering::Release);
            });
        }
        Ok(glances)
    }

    fn remembered(&self, summary: &WorkflowSummary) -> Option<Glance> {
        let known = self.known();
        let (version, glance) = known.glances.get(&summary.id)?;
        (*version == self::version(summary)).then(|| glance.clone())
    }

    fn look(&self, store: &Store, summary: &WorkflowSummary) -> Result<Glance, StoreError> {
        let glance = Glance::of(&Workflow::new(&summary.id, store.spans(&summary.id)?));
        let mut known = self.known();
        if known.glances.insert(summary.id.clone(), (version(summary), glance.clone())).is_none() {
            known.order.push_back(summary.id.clone());
        }
        while known.order.len() > MOST {
            if let Some(oldest) = known.order.pop_front() {
                known.glances.remove(&oldest);
            }
        }
        Ok(glance)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Glance {
    fn of(workflow: &Workflow) -> Self {
        let diagnosis = workflow.diagnose();
        let graph = workflow.graph();
        let agents: BTreeSet<&str> =
            graph.handoffs.iter().flat_map(|handoff| [handoff.from, handoff.to]).flatten().collect();
        Self {
            status: diagnosis.status,
            sentence: diagnosis.sentence(),
            cause: diagnosis.failure.map(|failure| failure.cause.handoff),
            agents: agents.len(),
        }
    }
}

fn version(summary: &WorkflowSummary) -> Version {
    (summary.spans, summary.heard.clone())
}
