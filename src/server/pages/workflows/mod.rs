//! The list of workflows.

mod empty;
mod filter;
mod listing;
mod spark;

use axum::extract::{Query as Parameters, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use self::listing::{Found, Listing, Row};
pub(in crate::server) use self::spark::Sparks;
use super::frame::{Frame, Live, Page, Tab};
use super::range::Range;
use super::words;
use super::{Asked, answered, link};
use crate::model::Timestamp;
use crate::server::error::Problem;
use crate::server::server::Shared;

/// What a listing is asked for, in its address.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    q: String,
    #[serde(default)]
    range: Range,
    #[serde(default)]
    offset: usize,
}

impl Wanted {
    fn link(&self, range: Range, offset: usize) -> String {
        let offset = if offset == 0 { String::new() } else { offset.to_string() };
        link::with("/", &[("q", &self.q), ("range", range.word()), ("offset", &offset)])
    }
}

/// `GET /` and `GET /workflows`.
pub(super) async fn page(
    State(shared): State<Shared>,
    wanted: Asked<Parameters<Wanted>>,
    frame: Frame,
) -> Result<Response, Problem> {
    let Parameters(wanted) = answered(wanted)?;
    let listing = Listing::of(&shared, wanted.clone()).await?;
    let status = if listing.error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let body = body(&shared, &wanted, &listing);
    Ok(frame.show_as(status, Page { title: "Workflows", tab: Some(Tab::Workflows), live: Live::All, body }))
}

/// `GET /workflows.json`.
pub(super) async fn twin(State(shared): State<Shared>, wanted: Asked<Parameters<Wanted>>) -> Result<Response, Problem> {
    let Parameters(wanted) = answered(wanted)?;
    let listing = Listing::of(&shared, wanted).await?;
    match listing.error {
        Some(error) => Err(Problem { column: Some(error.column()), ..Problem::bad(error.to_string()) }),
        None => crate::server::api::answer(&listing),
    }
}

fn body(shared: &Shared, wanted: &Wanted, listing: &Listing) -> Markup {
    let is_new = listing.is_empty && wanted.q.is_empty();
    html! {
        div.head {
            h1 { "Workflows" }
            (wanted.range.links(|range| wanted.link(range, 0)))
        }
        @if is_new {
            (empty::page(shared))
        } @else {
            (filter::form(&wanted.q, wanted.range, listing))
            @if listing.error.is_none() {
                div #overview data-live { (spark::figure(&listing.spark, wanted.range)) }
                div #list data-live data-again[listing.is_late()] {
                    @match &listing.found {
                        Found::Workflows { workflows } if workflows.is_empty() => (nothing(wanted)),
                        Found::Workflows { workflows } => (table(workflows)),
                        Found::Groups { columns, lines } => (groups(columns, lines)),
                    }
                    (pager(wanted, listing))
                }
            }
        }
        // Something has to change when the first workflow comes.
        @if is_new { div #list data-live {} }
    }
}

fn table(rows: &[Row]) -> Markup {
    let now = Timestamp::now();
    html! {
        table.rows {
            thead { tr { th scope="col" { "Outcome" } th scope="col" { "Workflow and cause" } th.number scope="col" { "Took" } th.number scope="col" { "Handoffs" } th.number scope="col" { "Agents" } th.number scope="col" { "Heard of" } } }
            tbody { @for row in rows { (line(row, now)) } }
        }
    }
}

fn line(row: &Row, now: Timestamp) -> Markup {
    let summary = &row.summary;
    let handoffs = usize::try_from(summary.handoffs).unwrap_or(0);
    let mismatched = usize::try_from(summary.mismatched).unwrap_or(0);
    html! {
        tr {
            td.outcome {
                @match &row.glance {
                    Some(glance) => (words::status(glance.status)),
                    None => span.badge.unsure { "looking" },
                }
            }
            td.what {
                a.open href=(link::workflow(&summary.id)) { (summary.id) }
                @if let Some(name) = &summary.name { " " span.faint { (name) } }
                @if let Some(outcome) = &summary.outcome { " " span.tag { (outcome) } }
                @if let Some(glance) = &row.glance {
                    p.cause { (sentence(&glance.sentence)) }
                }
            }
            td.number data-label="took" { (words::duration(summary.duration_ms)) }
            td.number data-label="handoffs" {
                (words::grouped(handoffs))
                @if mismatched > 0 { " " span.bad title=(format!("{} mismatched", words::count(mismatched, "handoff"))) { (words::grouped(mismatched)) "✕" } }
            }
            td.number data-label="agents" { @if let Some(glance) = &row.glance { (words::grouped(glance.agents)) } }
            td.number.faint data-label="heard of" { (words::age(words::parsed(&summary.heard), now)) }
        }
    }
}

/// The sentence, with what and where in it stronger than the evidence.
pub(super) fn sentence(text: &str) -> Markup {
    match text.split_once(": ") {
        Some((what, evidence)) => html! { strong { (what) } ": " (evidence) },
        None => html! { (text) },
    }
}

fn groups(columns: &[String], lines: &[serde_json::Map<String, serde_json::Value>]) -> Markup {
    html! {
        table.rows.plain {
            thead { tr { @for column in columns { th scope="col" { (column) } } } }
            tbody {
                @for line in lines {
                    tr { @for column in columns { td { @match line.get(column) {
                        None | Some(serde_json::Value::Null) => span.faint { "–" },
                        Some(serde_json::Value::String(text)) => (text),
                        Some(serde_json::Value::Number(number)) => (number),
                        Some(other) => (other),
                    } } } }
                }
            }
        }
        @if lines.is_empty() { p.faint { "No group was found." } }
    }
}

fn nothing(wanted: &Wanted) -> Markup {
    html! {
        div.nothing {
            p { "No workflow was found" @if !wanted.q.is_empty() { " for this filter" } " " (wanted.range.words()) "." }
            p {
                @if !wanted.q.is_empty() { a.button href=(link::with("/", &[("range", wanted.range.word())])) { "Leave the filter out" } " " }
                @if wanted.range != Range::All { a.button href=(wanted.link(Range::All, 0)) { "Look further back" } }
            }
        }
    }
}

fn pager(wanted: &Wanted, listing: &Listing) -> Markup {
    html! {
        @if wanted.offset > 0 || listing.next.is_some() {
            nav.pager aria-label="Pages of the list" {
                @if wanted.offset > 0 { a.button href=(wanted.link(wanted.range, wanted.offset.saturating_sub(listing::PAGE))) { "Newer" } }
                @if let Some(next) = listing.next { a.button href=(wanted.link(wanted.range, next)) { "Older" } }
            }
        }
    }
}
