use axum::Router;
use axum::extract::{Path, Query as Parameters, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use super::error::{Problem, json};
use super::server::Shared;
use super::{events, metrics};
use crate::diagnose::{self, Cause, Diagnosis, Status};
use crate::model::{MismatchKind, Timestamp};
use crate::otlp;
use crate::store::query::{MOST_LINES, Query};
use crate::store::{HandoffSummary, Store, StoreError, WorkflowSummary};

/// What the API promises, for programs.
const OPENAPI: &str = include_str!("openapi.json");

/// The routes of the API. What they give is in `openapi.json`.
pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/openapi.json", get(|| async { json(StatusCode::OK, OPENAPI.to_owned()) }))
        .route("/api/workflows", get(workflows))
        .route("/api/workflows/{id}", get(workflow))
        .route("/api/workflows/{id}/spans", get(spans))
        .route("/api/workflows/{id}/failure", get(failure))
        .route("/api/handoffs/{id}", get(handoff))
        .route("/api/query", get(query))
        .route("/api/stats", get(stats))
        .route("/api/events", get(events::events))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics::metrics))
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
    #[serde(default)]
    mismatched: bool,
}

#[derive(Debug, Serialize)]
struct Workflows {
    workflows: Vec<WorkflowSummary>,
    next: Option<usize>,
}

/// `GET /api/workflows`: those first to which something came last.
async fn workflows(
    State(shared): State<Shared>,
    parameters: Result<Parameters<Page>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Parameters(page) = parameters.map_err(|error| Problem::bad(error.body_text()))?;
    let limit = page.limit.unwrap_or(100);
    if !(1..=MOST_LINES).contains(&limit) {
        return Err(Problem::bad(format!("limit: expected a number from 1 to {MOST_LINES}, found {limit}")));
    }
    let mut workflows =
        blocking(&shared, move |store| store.workflows(limit + 1, page.offset, page.mismatched)).await?;
    let more = workflows.len() > limit;
    workflows.truncate(limit);
    answer(&Workflows { workflows, next: more.then(|| page.offset + limit) })
}

#[derive(Debug, Serialize)]
struct Workflow {
    #[serde(flatten)]
    summary: WorkflowSummary,
    lines: Vec<HandoffSummary>,
}

/// `GET /api/workflows/{id}`: one workflow with its handoffs.
async fn workflow(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let wanted = id.clone();
    let found = blocking(&shared, move |store| store.workflow(&wanted)).await?;
    let (summary, lines) = found.ok_or_else(|| Problem::not_found(format!("no workflow {id:?} is known")))?;
    answer(&Workflow { summary, lines })
}

/// `GET /api/workflows/{id}/spans`: every span of a workflow, or of a trace, whole: OTLP/JSON.
async fn spans(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let wanted = id.clone();
    let text = blocking(&shared, move |store| {
        let spans = store.spans(&wanted)?;
        Ok(if spans.is_empty() { None } else { Some(otlp::to_json(&spans)) })
    })
    .await?;
    let text = text.ok_or_else(|| Problem::not_found(format!("no workflow or trace {id:?} is known")))?;
    Ok(json(StatusCode::OK, text))
}

/// A handoff that may have broken the workflow.
#[derive(Debug, Serialize)]
struct CauseLine {
    handoff: String,
    boundary: String,
    kind: MismatchKind,
    confidence: f64,
    evidence: Vec<String>,
    words: String,
}

impl CauseLine {
    fn new(cause: &Cause) -> Self {
        Self {
            handoff: cause.handoff.clone(),
            boundary: cause.boundary.clone(),
            kind: cause.kind,
            confidence: cause.confidence,
            evidence: cause.evidence.iter().map(ToString::to_string).collect(),
            words: cause.words.clone(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct FailureAnswer {
    workflow: String,
    status: Status,
    ranked: Vec<CauseLine>,
    explains: Vec<CauseLine>,
    blast_radius: usize,
}

impl FailureAnswer {
    pub(super) fn new(found: &Diagnosis) -> Self {
        let lines = |causes: &[Cause]| causes.iter().map(CauseLine::new).collect();
        Self {
            workflow: found.workflow.clone(),
            status: found.status,
            ranked: lines(&found.ranked),
            explains: found.failure.as_ref().map(|failure| lines(&failure.explains)).unwrap_or_default(),
            blast_radius: found.failure.as_ref().map_or(0, |failure| failure.blast_radius),
        }
    }
}

/// `GET /api/workflows/{id}/failure`: what broke, best first, and what it explains.
async fn failure(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let wanted = id.clone();
    let spans = blocking(&shared, move |store| store.spans(&wanted)).await?;
    if spans.is_empty() {
        return Err(Problem::not_found(format!("no workflow or trace {id:?} is known")));
    }
    let found = tokio::task::spawn_blocking(move || diagnose::Workflow::new(id, spans).diagnose()).await;
    let found = found.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    answer(&FailureAnswer::new(&found))
}

/// `GET /api/handoffs/{id}`: one handoff in a line.
async fn handoff(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let wanted = id.clone();
    let found = blocking(&shared, move |store| store.handoff(&wanted)).await?;
    answer(&found.ok_or_else(|| Problem::not_found(format!("no handoff {id:?} is known")))?)
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    q: String,
    limit: Option<usize>,
}

/// `GET /api/query?q=...`: what a query finds.
async fn query(
    State(shared): State<Shared>,
    parameters: Result<Parameters<Asked>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Parameters(asked) = parameters.map_err(|error| Problem::bad(error.body_text()))?;
    let query = Query::parse(&asked.q)
        .map_err(StoreError::from)?
        .at_most(asked.limit.unwrap_or(MOST_LINES).clamp(1, MOST_LINES));
    answer(&blocking(&shared, move |store| store.query(&query, Timestamp::now())).await?)
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    since: Option<String>,
}

/// `GET /api/stats`: numbers per boundary, per agent, per type of decision.
async fn stats(
    State(shared): State<Shared>,
    parameters: Result<Parameters<Since>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Parameters(asked) = parameters.map_err(|error| Problem::bad(error.body_text()))?;
    let since = match asked.since.as_deref() {
        None | Some("") => Timestamp::EPOCH,
        Some(text) => text
            .parse::<jiff::Timestamp>()
            .ok()
            .and_then(|time| u64::try_from(time.as_nanosecond()).ok())
            .map(Timestamp::from_unix_nanos)
            .ok_or_else(|| Problem::bad(format!("since: {text:?} is no time such as 2026-01-15T10:00:00Z")))?,
    };
    answer(&blocking(&shared, move |store| store.stats(since)).await?)
}

/// `GET /healthz`: whether the store can be read.
async fn healthz(State(shared): State<Shared>) -> Result<Response, Problem> {
    blocking(&shared, |store| store.workflows(1, 0, false)).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain")], "ok\n").into_response())
}

pub(super) fn answer(body: &impl Serialize) -> Result<Response, Problem> {
    let text = serde_json::to_string(body)
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(json(StatusCode::OK, text))
}

/// Asks the store on a thread that may wait for the disk.
pub(super) async fn blocking<T: Send + 'static>(
    shared: &Shared,
    question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    let store = shared.store.clone();
    let asked = tokio::task::spawn_blocking(move || question(&store)).await;
    Ok(asked.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))??)
}
