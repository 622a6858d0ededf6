use std::collections::HashMap;

use opentelemetry::trace::TraceId;

use super::{Diagnosis, Failure, Graph, find_failure};
use crate::model::{Span, names};

/// The spans of one workflow, of any origin, in any order.
#[derive(Clone, Debug, Default)]
pub struct Workflow {
    id: String,
    spans: Vec<Span>,
}

impl Workflow {
    /// A workflow of these spans. A span that comes twice (same trace, same id) counts once.
    pub fn new(id: impl Into<String>, spans: Vec<Span>) -> Self {
        let mut seen = std::collections::HashSet::with_capacity(spans.len());
        let spans = spans.into_iter().filter(|span| seen.insert((span.trace_id, span.span_id))).collect();
        Self { id: id.into(), spans }
    }

    /// Sorts spans into workflows, in the order in which each workflow is first heard of.
    ///
    /// A span belongs to the workflow that it names (`wilco.workflow.id`, else `gen_ai.conversation.id`); one that names
    /// none, to the workflow of its trace, and where no span of its trace names one, the trace is the workflow.
    pub fn group(spans: impl IntoIterator<Item = Span>) -> Vec<Self> {
        let spans: Vec<Span> = spans.into_iter().collect();
        let mut of_trace: HashMap<TraceId, &str> = HashMap::new();
        for span in &spans {
            if let Some(id) = workflow_id(span) {
                of_trace.entry(span.trace_id).or_insert(id);
            }
        }
        let ids: Vec<String> = spans
            .iter()
            .map(|span| match workflow_id(span).or_else(|| of_trace.get(&span.trace_id).copied()) {
                Some(id) => id.to_owned(),
                None => span.trace_id.to_string(),
            })
            .collect();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut groups: Vec<(String, Vec<Span>)> = Vec::new();
        for (id, span) in ids.into_iter().zip(spans) {
            let place = *places.entry(id).or_insert_with_key(|id| {
                groups.push((id.clone(), Vec::new()));
                groups.len() - 1
            });
            groups[place].1.push(span);
        }
        groups.into_iter().map(|(id, spans)| Self::new(id, spans)).collect()
    }

    /// Workflow id, or the trace id where nothing names one.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Every span once.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The graph of its handoffs.
    pub fn graph(&self) -> Graph<'_> {
        Graph::of(&self.spans)
    }

    /// Whether something failed in it, and where it began: see [`find_failure`].
    pub fn diagnose(&self) -> Diagnosis {
        find_failure(self)
    }

    /// The failure, if [`Workflow::diagnose`] finds one.
    pub fn find_failure(&self) -> Option<Failure> {
        self.diagnose().failure
    }
}

fn workflow_id(span: &Span) -> Option<&str> {
    let named = |name| span.attributes.text(name).filter(|id: &&str| !id.is_empty());
    named(names::WORKFLOW_ID).or_else(|| named(names::GEN_AI_CONVERSATION_ID))
}
