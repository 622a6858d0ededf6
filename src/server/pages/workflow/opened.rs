use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::diagnose::{Diagnosis, Workflow};
use crate::server::api;
use crate::server::error::Problem;
use crate::server::server::Shared;
use crate::store::{Store, StoreError, WorkflowSummary};

/// The most diagnoses that are remembered.
const MOST: usize = 64;

/// One workflow with all that is known of it.
pub(super) struct Opened {
    pub(super) workflow: Workflow,
    pub(super) diagnosis: Arc<Diagnosis>,
    /// `None` where it is a trace in which nothing names a workflow.
    pub(super) summary: Option<WorkflowSummary>,
    /// Where commands find it.
    pub(super) server: String,
}

/// Diagnoses of workflows that were looked at, since a large one takes its time.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Diagnoses(Arc<Mutex<Remembered>>);

/// The one that was made first first.
type Remembered = VecDeque<(Version, Arc<Diagnosis>)>;

/// A summary is missing where it is a trace in which nothing names a workflow.
type Known = (Workflow, Arc<Diagnosis>, Option<WorkflowSummary>);

/// Another one for the same workflow when something came of it.
type Version = (String, String, usize);

impl Opened {
    pub(super) async fn find(shared: &Shared, id: &str) -> Result<Option<Self>, Problem> {
        let (wanted, diagnoses) = (id.to_owned(), shared.diagnoses.clone());
        let server = shared.addresses.pages_url();
        api::blocking(shared, move |store| {
            let opened = diagnoses.open(store, &wanted)?;
            Ok(opened.map(|(workflow, diagnosis, summary)| Self { workflow, diagnosis, summary, server }))
        })
        .await
    }
}

impl Diagnoses {
    /// A workflow, or a trace that names none, with its diagnosis. `None` where nothing is known of it. Blocks.
    pub(in crate::server::pages) fn open(&self, store: &Store, id: &str) -> Result<Option<Known>, StoreError> {
        let spans = store.spans(id)?;
        if spans.is_empty() {
            return Ok(None);
        }
        let summary = store.summaries(&[id.to_owned()])?.pop();
        let workflow = Workflow::new(id, spans);
        let heard = summary.as_ref().map(|summary| summary.heard.clone()).unwrap_or_default();
        let diagnosis = self.of((id.to_owned(), heard, workflow.spans().len()), &workflow);
        Ok(Some((workflow, diagnosis, summary)))
    }

    fn of(&self, version: Version, workflow: &Workflow) -> Arc<Diagnosis> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = lock().iter().find(|(known, _)| *known == version) {
            return Arc::clone(known);
        }
        let diagnosis = Arc::new(workflow.diagnose());
        let mut known = lock();
        known.push_back((version, Arc::clone(&diagnosis)));
        if known.len() > MOST {
            known.pop_front();
        }
        diagnosis
    }
}
