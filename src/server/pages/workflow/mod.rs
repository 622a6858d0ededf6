//! One workflow: why it broke, its handoffs between lanes, its spans.

pub(super) mod cause;
mod clocks;
mod lanes;
mod moments;
mod opened;
mod waterfall;

use std::sync::Arc;

use axum::extract::{Path, Query as Parameters, State};
use axum::response::Response;
use maud::{Markup, html};

pub(in crate::server) use self::opened::Diagnoses;
pub(in crate::server::pages) use self::waterfall::attributes;

use self::clocks::Clocks;
use self::lanes::{Chart, Shown};
use self::moments::Moments;
use self::opened::Opened;
use self::waterfall::{View, Waterfall};
use super::frame::{Frame, Live, Page, Tab};
use super::words;
use super::{Asked, answered, link};
use crate::diagnose::{Graph, Outline};
use crate::model::Timestamp;
use crate::server::api;
use crate::server::error::Problem;
use crate::server::server::Shared;

/// What of a workflow is wanted, in its address.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub(super) struct Wanted {
    /// Which fold of the lanes is open: the id of its first handoff, or `all`.
    #[serde(default)]
    open: String,
    /// The first line of the lanes.
    first: Option<usize>,
    /// The span to look at.
    #[serde(default)]
    span: String,
    /// How many of its children are passed over.
    #[serde(default)]
    after: usize,
    /// The part of the time: `from-to` in microseconds.
    #[serde(default)]
    t: String,
}

/// `GET /workflows/{id}`, and with `.json` behind it for programs.
pub(super) async fn page(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    wanted: Asked<Parameters<Wanted>>,
    frame: Frame,
) -> Result<Response, Problem> {
    let Parameters(wanted) = answered(wanted)?;
    if let Some(opened) = Opened::find(&shared, &id).await? {
        let opened = Arc::new(opened);
        let drawn = {
            let opened = Arc::clone(&opened);
            tokio::task::spawn_blocking(move || body(&opened, &wanted)).await
        };
        let body =
            drawn.map_err(|error| Problem::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        let live = Live::Workflow(opened.workflow.id());
        return Ok(frame.show(Page { title: opened.workflow.id(), tab: Some(Tab::Workflows), live, body }));
    }
    let unknown = || Problem::not_found(format!("no workflow or trace {id:?} is known"));
    let plain = id.strip_suffix(".json").ok_or_else(unknown)?;
    twin(&shared, plain).await?.ok_or_else(unknown)
}

/// The same for programs.
async fn twin(shared: &Shared, id: &str) -> Result<Option<Response>, Problem> {
    #[derive(serde::Serialize)]
    struct Twin {
        workflow: Option<crate::store::WorkflowSummary>,
        sentence: String,
        failure: api::FailureAnswer,
        handoffs: Vec<crate::store::HandoffSummary>,
        spans: usize,
    }
    let Some(opened) = Opened::find(shared, id).await? else { return Ok(None) };
    let wanted = id.to_owned();
    let handoffs = api::blocking(shared, move |store| store.workflow(&wanted)).await?;
    let twin = Twin {
        sentence: opened.diagnosis.sentence(),
        failure: api::FailureAnswer::new(&opened.diagnosis),
        spans: opened.workflow.spans().len(),
        workflow: opened.summary,
        handoffs: handoffs.map(|(_, handoffs)| handoffs).unwrap_or_default(),
    };
    api::answer(&twin).map(Some)
}

fn body(opened: &Opened, wanted: &Wanted) -> Markup {
    let graph = opened.workflow.graph();
    let clocks = Clocks::of(&graph);
    let moments = Moments::of(&graph, &clocks);
    let diagnosis = &opened.diagnosis;
    let address = link::workflow(opened.workflow.id());
    let mut order: Vec<usize> = (0..graph.handoffs.len()).collect();
    order.sort_by_key(|at| (moments[*at].sent, moments[*at].taken, graph.handoffs[*at].id));
    let root = diagnosis.failure.as_ref().map(|failure| failure.cause.handoff.as_str());
    let shown = Shown::of(&graph, &order, root, &wanted.open, wanted.first);
    let chart = Chart::of(&graph, diagnosis, &moments, &shown);
    let view = View { span: wanted.span.clone(), after: wanted.after, time: part_of_time(&wanted.t) };
    let spans = Waterfall::of(opened.workflow.spans(), &clocks, &view);
    let first = |first: usize| {
        format!("{}#handoffs", link::with(&address, &[("open", &wanted.open), ("first", &first.to_string())]))
    };
    html! {
        (head(opened, &graph))
        div #cause data-live { (cause::card(opened, &graph)) }
        section #handoffs data-live aria-labelledby="handoffs-title" {
            div.head {
                h2 #handoffs-title { "Handoffs" }
                (lanes::legend())
            }
            @if graph.handoffs.is_empty() {
                p.faint { "No handoff is on record: there are only spans of other makers." }
            } @else {
                @if shown.earlier > 0 { a.more href=(first(shown.page_before())) { (words::grouped(shown.earlier)) " lines before these" } }
                (lanes::draw(&chart, |id| format!("{}#handoffs", link::with(&address, &[("open", id)]))))
                @if shown.later > 0 { a.more href=(first(shown.page_after())) { (words::grouped(shown.later)) " lines after these" } }
                @if !wanted.open.is_empty() { p { a href={ (address) "#handoffs" } { "Fold what repeats" } } }
                (table(&graph, &order, root))
            }
        }
        section #spans data-live aria-labelledby="spans-title" {
            div.head {
                h2 #spans-title { "Spans" }
                ul.legend aria-label="Signs" {
                    @for (kind, what) in [("of-handoff", "handoff"), ("of-decision", "decision"), ("of-wilco", "step"), ("of-others", "of other makers"), ("critical", "on the critical path")] {
                        li { svg width="18" height="12" aria-hidden="true" { rect.{ (kind) @if kind == "critical" { " of-handoff" } } x="1" y="2" width="16" height="8" rx="2" {} } (what) }
                    }
                }
            }
            (waterfall::draw(&spans, &view, |view| {
                let after = if view.after == 0 { String::new() } else { view.after.to_string() };
                let time = view.time.map(|(from, to)| format!("{from}-{to}")).unwrap_or_default();
                format!("{}#spans", link::with(&address, &[("span", &view.span), ("after", &after), ("t", &time)]))
            }))
        }
    }
}

fn part_of_time(text: &str) -> Option<(i64, i64)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    (from < to).then_some((from, to))
}

fn head(opened: &Opened, graph: &Graph<'_>) -> Markup {
    let id = opened.workflow.id();
    let agents: std::collections::BTreeSet<&str> =
        graph.handoffs.iter().flat_map(|handoff| [handoff.from, handoff.to]).flatten().collect();
    let summary = opened.summary.as_ref();
    html! {
        div.head {
            div {
                p.crumbs { a href="/" { "Workflows" } span aria-hidden="true" { "›" } @if let Some(name) = summary.and_then(|summary| summary.name.as_ref()) { (name) } @else { "workflow" } }
                h1.mono #workflow-id { (id) }
            }
            button.button type="button" hidden data-copy="workflow-id" { "Copy id" }
        }
        dl.numbers #numbers data-live {
            @if let Some(summary) = summary {
                @if let Some(outcome) = &summary.outcome { div { dt { "Outcome" } dd { (outcome) @match summary.ok { Some(true) => " ✓", Some(false) => " ✕", None => "" } } } }
                div { dt { "Took" } dd { (words::duration(summary.duration_ms)) } }
            }
            div { dt { "Handoffs" } dd { (words::grouped(graph.handoffs.len())) } }
            div { dt { "Agents" } dd { (words::grouped(agents.len())) } }
            div { dt { "Spans" } dd { (words::grouped(opened.workflow.spans().len())) } }
            @if let Some(summary) = summary { div { dt { "Began" } dd { (words::age(words::parsed(&summary.timestamp), Timestamp::now())) } } }
        }
    }
}

/// The handoffs as a table: the same for those who do not see the chart.
fn table(graph: &Graph<'_>, order: &[usize], root: Option<&str>) -> Markup {
    const MOST: usize = 500;
    html! {
        details #as-table .raw {
            summary { "As a table" }
            table.rows.handoffs {
                thead { tr { th scope="col" { "Verdict" } th scope="col" { "Boundary" } th.number scope="col" { "Took" } th scope="col" { "Highest rung" } } }
                tbody {
                    @for at in order.iter().take(MOST) {
                        @let handoff = &graph.handoffs[*at];
                        @let facts = Outline::of(handoff);
                        tr {
                            td.outcome { (words::verdict(facts.verdict.as_deref().unwrap_or("no record"))) }
                            td.what {
                                a.open href=(link::handoff(handoff.id)) { (handoff.boundary()) }
                                @if root == Some(handoff.id) { " " span.tag.bad { "root cause" } }
                                @for kind in &facts.mismatches { " " span.tag { (words::kind(kind)) } }
                            }
                            td.number data-label="took" { @if let Some(ms) = facts.duration_ms { (words::duration(ms)) } }
                            td data-label="rung" { @if let Some(rung) = facts.rungs.last() { (words::kind(rung.as_str())) } }
                        }
                    }
                }
            }
            @if order.len() > MOST { p.faint { "The first " (MOST) " of " (words::grouped(order.len())) "." } }
        }
    }
}
