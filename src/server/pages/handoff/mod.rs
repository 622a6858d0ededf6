//! One handoff: what was sent and what was received, face to face.

mod context;
mod diff;
mod found;
mod ladder;
mod sides;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

pub(crate) use self::context::{Age, Item};
pub(crate) use self::diff::{Outcome, Row};
pub(crate) use self::found::{Finding, Why};
pub(crate) use self::ladder::{Climb, tone};
use super::frame::{Frame, Live, Page, Tab};
use super::workflow::attributes;
use super::workflow::cause::shell;
use super::{link, words};
use crate::diagnose::{Diagnosis, Graph, Handoff, Outline, Workflow};
use crate::model::{AttributeValue, Span, names};
use crate::server::api;
use crate::server::error::Problem;
use crate::server::server::Shared;
use crate::store::HandoffSummary;

/// The most neighbours of one kind that are listed.
const MOST: usize = 12;

/// What the page shows of one handoff, for programs.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct HandoffView {
    pub(crate) handoff: HandoffSummary,
    pub(crate) findings: Vec<Finding>,
    pub(crate) why: Option<Why>,
    pub(crate) ladder: Vec<Climb>,
    pub(crate) intent: Vec<Row>,
    pub(crate) context: Vec<Item>,
    pub(crate) worst_context: Option<Age>,
    /// Ids of what was handed on while this one was worked on.
    pub(crate) children: Vec<String>,
    /// The spans of both sides: OTLP/JSON.
    pub(crate) spans: serde_json::Value,
}

/// A handoff with the workflow around it.
struct Opened {
    summary: HandoffSummary,
    workflow: Arc<Workflow>,
    diagnosis: Arc<Diagnosis>,
    /// Where commands find it.
    server: String,
}

/// `GET /handoffs/{id}`, and with `.json` behind it for programs.
pub(super) async fn page(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    frame: Frame,
) -> Result<Response, Problem> {
    if let Some(opened) = Opened::find(&shared, &id).await? {
        let drawn = tokio::task::spawn_blocking(move || (body(&opened), opened)).await;
        let (body, opened) =
            drawn.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        let body = body.ok_or_else(|| Problem::not_found(format!("no span of handoff {id:?} is kept any more")))?;
        let title = format!("{} · {}", opened.summary.boundary(), opened.summary.verdict);
        let live = match &opened.summary.workflow {
            Some(workflow) => Live::Workflow(workflow),
            None => Live::Still,
        };
        return Ok(frame.show(Page { title: &title, tab: Some(Tab::Workflows), live, body }));
    }
    let unknown = || Problem::not_found(format!("no handoff {id:?} is known"));
    let plain = id.strip_suffix(".json").ok_or_else(unknown)?;
    twin(&shared, plain).await?.ok_or_else(unknown)
}

async fn twin(shared: &Shared, id: &str) -> Result<Option<Response>, Problem> {
    let Some(opened) = Opened::find(shared, id).await? else { return Ok(None) };
    HandoffView::of(&opened).map(|view| api::answer(&view)).transpose()
}

impl HandoffView {
    /// `None` where no span tells of it.
    fn of(opened: &Opened) -> Option<Self> {
        let graph = opened.workflow.graph();
        let handoff = graph.handoff(&opened.summary.id)?;
        let spans: Vec<Span> = sides::spans(handoff).cloned().collect();
        Some(Self {
            handoff: opened.summary.clone(),
            findings: found::findings(opened, handoff),
            why: found::why(opened, handoff),
            ladder: ladder::climbs(handoff),
            intent: diff::rows(handoff),
            context: context::items(handoff),
            worst_context: context::worst(handoff),
            children: handoff.children.iter().map(|at| graph.handoffs[*at].id.to_owned()).collect(),
            spans: serde_json::from_str(&crate::otlp::to_json(&spans)).unwrap_or_default(),
        })
    }
}

impl Opened {
    async fn find(shared: &Shared, id: &str) -> Result<Option<Self>, Problem> {
        let wanted = id.to_owned();
        let (server, diagnoses) = (shared.addresses.pages_url(), shared.diagnoses.clone());
        api::blocking(shared, move |store| {
            let Some(summary) = store.handoff(&wanted)? else { return Ok(None) };
            if let Some(id) = &summary.workflow
                && let Some((workflow, diagnosis, _)) = diagnoses.open(store, id)?
            {
                return Ok(Some(Self { summary, workflow, diagnosis, server }));
            }
            // One without a workflow is in a trace that nothing names; only its own spans are known by its id.
            let workflow = Arc::new(Workflow::new("", store.spans_of_handoff(&wanted)?));
            let diagnosis = Arc::new(workflow.diagnose());
            Ok(Some(Self { summary, workflow, diagnosis, server }))
        })
        .await
    }
}

/// `None` where no span tells of it.
fn body(opened: &Opened) -> Option<Markup> {
    let graph = opened.workflow.graph();
    let handoff = graph.handoff(&opened.summary.id)?;
    let summary = &opened.summary;
    Some(html! {
        (head(opened, handoff))
        (found::section(opened, handoff))
        section.faces aria-label="Sent and received" {
            (sides::sent(handoff))
            (sides::received(handoff))
        }
        (diff::section(handoff))
        (context::section(handoff))
        (ladder::section(handoff))
        (neighbours(&graph, handoff))
        section aria-labelledby="raw-title" {
            h2 #raw-title { "Raw" }
            @for span in sides::spans(handoff) { (attributes(span)) }
            div.command { pre #query-command { "wilco query " (shell(&format!("id = \"{}\"", summary.id))) " --server " (opened.server) } button.copy type="button" hidden data-copy="query-command" { "Copy" } }
            @if let Some(workflow) = &summary.workflow {
                div.command { pre #trace-command { "wilco trace " (shell(workflow)) " --server " (opened.server) } button.copy type="button" hidden data-copy="trace-command" { "Copy" } }
            }
        }
    })
}

fn head(opened: &Opened, handoff: &Handoff<'_>) -> Markup {
    let summary = &opened.summary;
    html! {
        div.head {
            div {
                p.crumbs {
                    a href="/" { "Workflows" } span aria-hidden="true" { "›" }
                    @if let Some(workflow) = &summary.workflow { a.mono href=(link::workflow(workflow)) { (workflow) } }
                    span aria-hidden="true" { "›" } "handoff"
                }
                h1 { span.boundary { (handoff.boundary()) } }
                p { a.quiet #boundary-link href=(link::boundary("", handoff.from.unwrap_or_default(), handoff.to.unwrap_or_default())) { "All handoffs of this boundary" } }
                p.mono.faint #handoff-id { (handoff.id) }
            }
            (words::verdict(&summary.verdict))
        }
        dl.numbers #numbers data-live {
            div { dt { "Kind" } dd { (summary.kind.as_deref().unwrap_or("unknown")) } }
            div { dt { "Highest rung" } dd { (words::kind(&summary.rung)) } }
            div { dt { "Took" } dd { (words::duration(summary.duration_ms)) } }
            div { dt { "Attempts" } dd { (handoff.attempts.len()) } }
            div { dt { "Deliveries" } dd { (handoff.deliveries.len()) } }
            div { dt { "Quality" } dd { (quality(handoff)) } }
        }
    }
}

/// The score, against what was asked for, and whether it was checked and used.
fn quality(handoff: &Handoff<'_>) -> Markup {
    let get = |name: &str| sides::spans(handoff).find_map(|span| span.attributes.get(name)).cloned();
    let number = |name| get(name).as_ref().and_then(AttributeValue::as_number);
    let flag = |name| get(name).as_ref().and_then(AttributeValue::as_bool);
    let text = |name| get(name).as_ref().and_then(AttributeValue::as_text).map(str::to_owned);
    let (score, least) = (number(names::RESULT_QUALITY), number(names::RESULT_QUALITY_THRESHOLD));
    let is_poor = score.zip(least).is_some_and(|(score, least)| score < least);
    html! {
        @match score {
            Some(score) => span.bad[is_poor] { (score) },
            None => span.faint { "no score" },
        }
        @if let Some(least) = least { span.faint { " of at least " (least) } }
        @if let Some(by) = text(names::RESULT_QUALITY_BY) { span.faint { " by " (by) } }
        @match flag(names::RESULT_CHECKED) { Some(true) => span.tag { "checked" }, Some(false) => span.tag { "not checked" }, None => {} }
        @match flag(names::RESULT_USED) { Some(true) => span.tag { "used" }, Some(false) => span.tag { "set aside" }, None => {} }
    }
}

fn neighbours(graph: &Graph<'_>, handoff: &Handoff<'_>) -> Markup {
    let inputs: Vec<&str> = handoff.attempts.last().map(|sent| sent.inputs().collect()).unwrap_or_default();
    let makers: Vec<&Handoff<'_>> = inputs.iter().filter_map(|hash| graph.maker(hash)).collect();
    let line = |other: &Handoff<'_>| {
        let facts = Outline::of(other);
        html! { li { a href=(link::handoff(other.id)) { (other.boundary()) } " " (words::verdict(facts.verdict.as_deref().unwrap_or("no record"))) @for kind in &facts.mismatches { " " span.tag { (words::kind(kind)) } } } }
    };
    html! {
        section aria-labelledby="near-title" {
            h2 #near-title { "Around it" }
            div.near {
                div { h3 { "Parent" }
                    @match handoff.parent { Some(parent) => ul.lines { (line(&graph.handoffs[parent])) }, None => p.faint { "none: its sender began by itself" } }
                }
                div { h3 { "Rests on" }
                    @if inputs.is_empty() { p.faint { "no earlier result" } }
                    ul.lines { @for maker in makers.iter().take(MOST) { (line(maker)) } }
                    @if inputs.len() > makers.len() { p.faint { (words::count(inputs.len() - makers.len(), "input")) " of which no maker is on record" } }
                }
                div { h3 { "Handed on" }
                    @if handoff.children.is_empty() { p.faint { "nothing" } }
                    ul.lines { @for child in handoff.children.iter().take(MOST) { (line(&graph.handoffs[*child])) } }
                    @if handoff.children.len() > MOST { p.faint { "and " (handoff.children.len() - MOST) " more" } }
                }
            }
        }
    }
}
