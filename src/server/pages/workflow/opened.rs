use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::diagnose::{Diagnosis, Workflow};
use crate::server::api;
use crate::server::error::Problem;
use crate::server::server::Shared;
use crate::store::{SpansPrint, Store, StoreError, WorkflowSummary};

/// The most workflows that are remembered.
const MOST: usize = 64;

/// Of how many bytes of stored spans the decoded ones are kept, with all workflows together. In memory they take a
/// few times as much. Of what is beyond, only the diagnosis is remembered.
const MOST_BYTES: usize = 16 << 20;

/// One workflow with all that is known of it.
pub(super) struct Opened {
    pub(super) workflow: Arc<Workflow>,
    pub(super) diagnosis: Arc<Diagnosis>,
    /// `None` where it is a trace in which nothing names a workflow.
    pub(super) summary: Option<WorkflowSummary>,
    /// Where commands find it.
    pub(super) server: String,
}

/// Workflows that were looked at, with their diagnoses: to read and to judge a large one takes its time, and a page that is
/// open asks again and again. Each is as good as new until a span of it comes or goes.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Diagnoses(Arc<Mutex<VecDeque<Remembered>>>);

/// The one that was looked at last is the last.
#[derive(Debug)]
struct Remembered {
    id: String,
    print: SpansPrint,
    /// `None` where there was no room for its spans.
    workflow: Option<Arc<Workflow>>,
    diagnosis: Arc<Diagnosis>,
}

/// A summary is missing where it is a trace in which nothing names a workflow.
type Known = (Arc<Workflow>, Arc<Diagnosis>, Option<WorkflowSummary>);

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
        // First, so that spans that come meanwhile are seen the next time.
        let print = store.spans_print(id)?;
        let summary = store.summaries(&[id.to_owned()])?.pop();
        let (workflow, diagnosis) = self.recall(id, print).unzip();
        let workflow = match workflow.flatten() {
            Some(workflow) => workflow,
            None => {
                let spans = store.spans(id)?;
                if spans.is_empty() {
                    return Ok(None);
                }
                Arc::new(Workflow::new(id, spans))
            }
        };
        let diagnosis = diagnosis.unwrap_or_else(|| Arc::new(workflow.diagnose()));
        let (kept, told) = (Some(Arc::clone(&workflow)), Arc::clone(&diagnosis));
        self.remember(Remembered { id: id.to_owned(), print, workflow: kept, diagnosis: told });
        Ok(Some((workflow, diagnosis, summary)))
    }

    fn recall(&self, id: &str, print: SpansPrint) -> Option<(Option<Arc<Workflow>>, Arc<Diagnosis>)> {
        let known = self.known();
        let found = known.iter().find(|known| known.id == id && known.print == print)?;
        Some((found.workflow.clone(), Arc::clone(&found.diagnosis)))
    }

    /// In place of what was known of it before; what there is no more room for is forgotten.
    fn remember(&self, looked_at: Remembered) {
        let mut forgotten = Vec::new();
        let mut known = self.known();
        if let Some(before) = known.iter().position(|known| known.id == looked_at.id) {
            forgotten.extend(known.remove(before).and_then(|before| before.workflow));
        }
        known.push_back(looked_at);
        if known.len() > MOST {
            forgotten.extend(known.pop_front().and_then(|first| first.workflow));
        }
        let mut bytes = 0;
        for each in known.iter_mut().rev().filter(|each| each.workflow.is_some()) {
            bytes += each.print.bytes;
            if bytes > MOST_BYTES {
                bytes -= each.print.bytes;
                forgotten.extend(each.workflow.take());
            }
        }
        // To give back many spans takes its time: not while others wait.
        drop(known);
        drop(forgotten);
    }

    fn known(&self) -> MutexGuard<'_, VecDeque<Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreOptions;

    fn looked_at(id: &str, bytes: usize) -> Remembered {
        let mut print = Store::in_memory(StoreOptions::default()).unwrap().spans_print(id).unwrap();
        print.bytes = bytes;
        let workflow = Arc::new(Workflow::new(id, Vec::new()));
        let diagnosis = Arc::new(workflow.diagnose());
        Remembered { id: id.to_owned(), print, workflow: Some(workflow), diagnosis }
    }

    #[test]
    fn only_so_many_workflows_and_bytes_are_kept_and_the_last_ones_of_them() {
        let diagnoses = Diagnoses::default();
        for number in 0..=MOST {
            diagnoses.remember(looked_at(&number.to_string(), MOST_BYTES / 2));
        }
        let known = diagnoses.known();
        assert_eq!((known.len(), known.front().unwrap().id.as_str()), (MOST, "1"));
        let with_spans: Vec<&str> =
            known.iter().filter(|known| known.workflow.is_some()).map(|known| known.id.as_str()).collect();
        assert_eq!(with_spans, ["63", "64"]);
    }

    #[test]
    fn one_that_is_too_large_leaves_the_others_and_its_diagnosis() {
        let diagnoses = Diagnoses::default();
        diagnoses.remember(looked_at("small", 10));
        let large = looked_at("large", MOST_BYTES + 1);
        let print = large.print;
        diagnoses.remember(large);
        assert!(diagnoses.recall("large", print).is_some_and(|(workflow, _)| workflow.is_none()));
        let small = looked_at("small", 10).print;
        assert!(diagnoses.recall("small", small).is_some_and(|(workflow, _)| workflow.is_some()));
    }
}
