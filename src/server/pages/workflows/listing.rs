use std::collections::HashSet;
use std::time::Duration;

use super::Wanted;
use super::spark::Spark;
use crate::model::Timestamp;
use crate::server::api::blocking;
use crate::server::error::Problem;
use crate::server::pages::causes::{Causes, Glance};
use crate::server::pages::range::Range;
use crate::server::server::Shared;
use crate::store::query::{Line, Query, QueryError};
use crate::store::{Store, StoreError, WorkflowSummary};

/// Workflows on one page.
pub(super) const PAGE: usize = 50;

/// Lines of handoffs or spans that are asked for at once to find the workflows that they are in.
const LINES: usize = 1_000;

/// All that the page shows.
#[derive(Debug, serde::Serialize)]
pub(super) struct Listing {
    #[serde(flatten)]
    pub(super) found: Found,
    /// The offset of the next page.
    pub(super) next: Option<usize>,
    pub(super) spark: Spark,
    #[serde(skip)]
    pub(super) agents: Vec<String>,
    /// Why the filter was not understood.
    #[serde(skip)]
    pub(super) error: Option<QueryError>,
    /// Whether there is no workflow at all.
    #[serde(skip)]
    pub(super) is_empty: bool,
}

/// What a filter gives.
#[derive(Debug, serde::Serialize)]
#[serde(untagged)]
pub(super) enum Found {
    Workflows { workflows: Vec<Row> },
    Groups { columns: Vec<String>, lines: Vec<serde_json::Map<String, serde_json::Value>> },
}

/// One workflow.
#[derive(Debug, serde::Serialize)]
pub(super) struct Row {
    #[serde(flatten)]
    pub(super) summary: WorkflowSummary,
    #[serde(flatten)]
    pub(super) glance: Option<Glance>,
}

impl Listing {
    pub(super) async fn of(shared: &Shared, wanted: Wanted) -> Result<Self, Problem> {
        let causes = shared.causes.clone();
        let sparks = shared.sparks.clone();
        let query = if wanted.q.trim().is_empty() { Ok(None) } else { Query::parse(&wanted.q).map(Some) };
        blocking(shared, move |store| {
            let now = Timestamp::now();
            let agents = store.agents()?;
            let is_empty = store.workflows(1, 0, false)?.is_empty();
            let (found, next, error) = match query {
                Ok(None) => {
                    let mut summaries = store.heard_of(wanted.range.since(now), PAGE + 1, wanted.offset, false)?;
                    let more = summaries.len() > PAGE;
                    summaries.truncate(PAGE);
                    (rows(store, &causes, summaries)?, more.then(|| wanted.offset + PAGE), None)
                }
                Ok(Some(query)) => {
                    let (found, next) = filtered(store, &causes, query, &wanted, now)?;
                    (found, next, None)
                }
                Err(error) => (Found::Workflows { workflows: Vec::new() }, None, Some(error)),
            };
            let spark = sparks.of(store, wanted.range, now)?;
            Ok(Self { found, next, spark, agents, error, is_empty })
        })
        .await
    }

    /// Whether some cause is still looked for.
    pub(super) fn is_late(&self) -> bool {
        matches!(&self.found, Found::Workflows { workflows } if workflows.iter().any(|row| row.glance.is_none()))
    }
}

fn rows(store: &Store, causes: &Causes, summaries: Vec<WorkflowSummary>) -> Result<Found, StoreError> {
    let glances = causes.of(store, &summaries)?;
    let workflows = summaries.into_iter().zip(glances).map(|(summary, glance)| Row { summary, glance }).collect();
    Ok(Found::Workflows { workflows })
}

/// The workflows that what the query finds is in, newest first.
fn filtered(
    store: &Store,
    causes: &Causes,
    query: Query,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<(Found, Option<usize>), StoreError> {
    let query = match wanted.range.length() {
        Some(length) => query.within(length),
        None => query,
    };
    let answer = store.query(&query.at_most(LINES), now)?;
    if answer.what == "groups" {
        let lines = answer.lines.into_iter();
        let lines = lines.filter_map(|line| if let Line::Group(group) = line { Some(group) } else { None }).collect();
        return Ok((Found::Groups { columns: answer.columns, lines }, None));
    }
    let mut seen = HashSet::new();
    let ids = answer.lines.into_iter().filter_map(|line| match line {
        Line::Workflow(workflow) => Some(workflow.id),
        Line::Handoff(handoff) => handoff.workflow,
        Line::Span(span) => span.workflow,
        Line::Group(_) => None,
    });
    let mut ids: Vec<String> = ids.filter(|id| seen.insert(id.clone())).skip(wanted.offset).take(PAGE + 1).collect();
    let more = ids.len() > PAGE;
    ids.truncate(PAGE);
    Ok((rows(store, causes, store.summaries(&ids)?)?, more.then(|| wanted.offset + PAGE)))
}

/// How long what was counted over a range may be shown again.
pub(super) fn stays(range: Range) -> Duration {
    match range.length() {
        Some(length) => (length / 3_600).clamp(Duration::from_secs(1), Duration::from_secs(60)),
        None => Duration::from_secs(5),
    }
}
