//! Who hands to whom, and how that went.

mod edge;
mod graph;
mod layout;

use std::sync::Arc;

use axum::extract::{Query as Parameters, State};
use axum::response::Response;
use maud::{Markup, html};

pub(super) use self::edge::Edge;
use super::frame::{Frame, Live, Page, Tab};
use super::range::Range;
use super::{Asked, answered, link, words};
use crate::model::Timestamp;
use crate::server::api::answer;
use crate::server::error::Problem;
use crate::server::server::Shared;
use crate::store::BoundaryStats;

/// What the page is asked for, in its address: a time, and, with both agents, one boundary.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    range: Range,
    from: Option<String>,
    to: Option<String>,
}

impl Wanted {
    fn boundary(&self) -> Option<(&str, &str)> {
        self.from.as_deref().zip(self.to.as_deref())
    }

    fn link(&self, range: Range) -> String {
        match self.boundary() {
            Some((from, to)) => link::boundary(range.word(), from, to),
            None => link::with("/agents", &[("range", range.word())]),
        }
    }
}

/// All that the page shows.
#[derive(Debug, serde::Serialize)]
struct Traffic {
    #[serde(serialize_with = "words::rfc3339")]
    from: Timestamp,
    #[serde(serialize_with = "words::rfc3339")]
    until: Timestamp,
    boundaries: Vec<BoundaryStats>,
    boundary: Option<Arc<Edge>>,
}

impl Traffic {
    async fn of(shared: &Shared, wanted: &Wanted) -> Result<Self, Problem> {
        let until = Timestamp::now();
        let from = wanted.range.since(until);
        let numbers = shared.numbers.of(shared, from, until, wanted.range.length()).await?;
        let boundary = match wanted.boundary() {
            Some((giver, taker)) => Some(shared.numbers.of_boundary(shared, giver, taker, wanted.range).await?),
            None => None,
        };
        Ok(Self { from, until, boundaries: numbers.boundaries.clone(), boundary })
    }

    /// The numbers of the boundary that was asked for.
    fn chosen(&self, wanted: &Wanted) -> Option<&BoundaryStats> {
        let (from, to) = wanted.boundary()?;
        let name = |agent: &Option<String>| agent.as_deref().unwrap_or_default().to_owned();
        self.boundaries.iter().find(|each| name(&each.from) == from && name(&each.to) == to)
    }
}

/// `GET /agents`.
pub(super) async fn page(
    State(shared): State<Shared>,
    wanted: Asked<Parameters<Wanted>>,
    frame: Frame,
) -> Result<Response, Problem> {
    let Parameters(wanted) = answered(wanted)?;
    let traffic = Traffic::of(&shared, &wanted).await?;
    let body = body(&wanted, &traffic);
    Ok(frame.show(Page { title: "Agents", tab: Some(Tab::Agents), live: Live::All, body }))
}

/// `GET /agents.json`.
pub(super) async fn twin(State(shared): State<Shared>, wanted: Asked<Parameters<Wanted>>) -> Result<Response, Problem> {
    let Parameters(wanted) = answered(wanted)?;
    answer(&Traffic::of(&shared, &wanted).await?)
}

fn body(wanted: &Wanted, traffic: &Traffic) -> Markup {
    let link = |from: &str, to: &str| link::boundary(wanted.range.word(), from, to);
    html! {
        div.head {
            h1 { "Agents" }
            (wanted.range.links(|range| wanted.link(range)))
        }
        div #graph data-live {
            @if traffic.boundaries.is_empty() {
                div.nothing {
                    p { (wanted.range.sentence("Nobody handed anything over")) }
                    @if wanted.range != Range::All { p { a.button href=(wanted.link(Range::All)) { "Look further back" } } }
                }
            } @else {
                (graph::figure(&traffic.boundaries, wanted.boundary(), link))
            }
        }
        @if let (Some((from, to)), Some(edge)) = (wanted.boundary(), &traffic.boundary) {
            section #boundary data-live aria-labelledby="boundary-title" {
                div.head {
                    h2 #boundary-title { (named(to)) "<-" (named(from)) }
                    a href=(link::with("/agents", &[("range", wanted.range.word())])) { "All boundaries" }
                }
                (edge.show(traffic.chosen(wanted), wanted.range))
            }
        } @else if !traffic.boundaries.is_empty() {
            section #boundaries data-live aria-labelledby="boundaries-title" {
                h2 #boundaries-title { "Boundaries" }
                (table(&traffic.boundaries, link))
            }
        }
    }
}

fn table(boundaries: &[BoundaryStats], link: impl Fn(&str, &str) -> String) -> Markup {
    html! {
        table.rows {
            thead { tr { th scope="col" { "Boundary" } th.number scope="col" { "Handoffs" } th.number scope="col" { "Mismatched" } th.number scope="col" { "Took, p95" } } }
            tbody {
                @for each in boundaries.iter().take(graph::MOST_FLOWS) {
                    @let (from, to) = (each.from.as_deref().unwrap_or_default(), each.to.as_deref().unwrap_or_default());
                    tr {
                        td.what { a.open href=(link(from, to)) { (named(to)) "<-" (named(from)) } }
                        td.number data-label="handoffs" { (words::whole(each.handoffs)) }
                        td.number data-label="mismatched" { (words::share(each.mismatched, each.handoffs)) }
                        td.number data-label="took" { (words::maybe(each.duration_ms_p95, words::duration)) }
                    }
                }
            }
        }
    }
}

/// The name of an agent, which not every span tells.
pub(super) fn named(agent: &str) -> &str {
    if agent.is_empty() { "?" } else { agent }
}
