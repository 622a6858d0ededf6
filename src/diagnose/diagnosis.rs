use opentelemetry::trace::SpanId;

use super::causality::node;
use super::confidence::suffices;
use super::finding::Finding;
use super::lead;
use super::owed::{Owed, Records, owed};
use super::ranking::Ranked;
use super::view::View;
use crate::model::MismatchKind;

/// What is known of a workflow's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A handoff broke, and it is told which.
    Failure,
    /// Nothing is wrong, as far as the records tell.
    Clean,
    /// It failed, or may have, and what is on record does not tell where.
    Unknown,
}

impl Status {
    /// The word, as in `failure`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Clean => "clean",
            Self::Unknown => "unknown",
        }
    }
}

/// What [`find_failure`](super::find_failure) says of one workflow.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// Workflow id.
    pub workflow: String,
    /// What is known of its health.
    pub status: Status,
    /// The failure, where there is one.
    pub failure: Option<Failure>,
    /// Every handoff with evidence that something is wrong with it, best first. Where the status is not
    /// [`Status::Failure`], these are what was seen and did not suffice.
    pub ranked: Vec<Cause>,
    /// What was due and is not on record.
    pub owed: Vec<Owed>,
    /// How much of the workflow is on record.
    pub records: Records,
}

/// A handoff that broke.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The root.
    pub cause: Cause,
    /// What it explains downstream: handoffs with evidence of their own that rest on it, nearest first.
    pub explains: Vec<Cause>,
    /// How many handoffs rest on it, with evidence or without: the blast radius.
    pub blast_radius: usize,
    /// Ids of these, nearest first.
    pub spoiled: Vec<String>,
    /// What else could be the root, best first.
    pub suspected: Vec<Cause>,
}

/// A handoff, what is wrong with it, and what shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// Handoff id.
    pub handoff: String,
    /// `to<-from`.
    pub boundary: String,
    /// What does not agree.
    pub kind: MismatchKind,
    /// How sure it is that this is the root, 0 to 1.
    pub confidence: f64,
    /// Spans that show it.
    pub evidence: Vec<SpanId>,
    /// The evidence in words.
    pub words: String,
}

/// The most of what a failure explains that is listed.
const LISTED: usize = 64;
/// The most handoffs that are counted below a failure.
const COUNTED: usize = 100_000;

impl Diagnosis {
    pub(super) fn new(
        workflow: &str,
        view: &View<'_, '_>,
        ranked: &[Ranked],
        confidences: Vec<f64>,
        records: Records,
    ) -> Self {
        let mut causes: Vec<Cause> = ranked
            .iter()
            .zip(confidences)
            .map(|(ranked, confidence)| cause(view, &ranked.finding, confidence))
            .collect();
        if let (Some(root), Some(first)) = (ranked.first(), causes.first_mut())
            && first.kind == MismatchKind::StaleContext
            && let Some(words) = lead::superseded(view, root.finding.handoff)
        {
            first.words = words;
        }
        let accused = causes.first().is_some_and(|first| suffices(first.confidence, view.graph.ok));
        let status = match view.graph.ok {
            _ if accused => Status::Failure,
            Some(true) => Status::Clean,
            Some(false) => Status::Unknown,
            None if causes.is_empty() => Status::Clean,
            None => Status::Unknown,
        };
        let failure = accused.then(|| failure(view, ranked, &causes)).flatten();
        Self { workflow: workflow.to_owned(), status, failure, ranked: causes, owed: owed(view.graph), records }
    }
}

fn cause(view: &View<'_, '_>, finding: &Finding, confidence: f64) -> Cause {
    let handoff = &view.graph.handoffs[finding.handoff];
    let mut evidence = finding.spans.clone();
    evidence.dedup();
    Cause {
        handoff: handoff.id.to_owned(),
        boundary: handoff.boundary(),
        kind: finding.kind,
        confidence,
        evidence,
        words: finding.words.clone(),
    }
}

fn failure(view: &View<'_, '_>, ranked: &[Ranked], causes: &[Cause]) -> Option<Failure> {
    let (root, rest) = ranked.split_first()?;
    let below = view.causality.below(node(root.finding.handoff, root.finding.part), COUNTED);
    let mut reached = std::collections::HashMap::new();
    for (distance, node) in below.iter().enumerate() {
        reached.entry(node.index() / 2).or_insert(distance);
    }
    reached.remove(&root.finding.handoff);
    let mut spoiled: Vec<(usize, usize)> = reached.iter().map(|(handoff, distance)| (*distance, *handoff)).collect();
    spoiled.sort_unstable();
    let others = || rest.iter().zip(&causes[1..]);
    let mut explains: Vec<(usize, &Cause)> =
        others().filter_map(|(each, cause)| Some((*reached.get(&each.finding.handoff)?, cause))).collect();
    explains.sort_by_key(|(distance, _)| *distance);
    let suspected = others().filter(|(each, _)| !reached.contains_key(&each.finding.handoff));
    Some(Failure {
        cause: causes[0].clone(),
        explains: explains.into_iter().take(LISTED).map(|(_, cause)| cause.clone()).collect(),
        blast_radius: reached.len(),
        spoiled: spoiled.into_iter().map(|(_, handoff)| view.graph.handoffs[handoff].id.to_owned()).collect(),
        suspected: suspected.take(LISTED).map(|(_, cause)| cause.clone()).collect(),
    })
}
