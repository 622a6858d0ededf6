//! Numbers per boundary, agent and type of decision, of one time beside another.

mod compare;
mod tables;
mod times;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query as Parameters, State};
use axum::response::Response;
use maud::{Markup, html};

use self::compare::Against;
use self::times::{Chosen, Time};
use super::frame::{Frame, Live, Page, Tab};
use super::range::Range;
use super::{Asked, answered, link, words};
use crate::model::Timestamp;
use crate::server::api::answer;
use crate::server::error::Problem;
use crate::server::server::Shared;
use crate::store::Stats;

/// What the page is asked for, in its address.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    range: Range,
    #[serde(default)]
    against: Against,
    /// Instead of both.
    #[serde(flatten)]
    times: times::Asked,
}

impl Wanted {
    fn link(range: Range, against: Against) -> String {
        link::with("/stats", &[("range", range.word()), ("against", against.word())])
    }

    /// The other time: how much earlier it ended. `None` where nothing is compared.
    fn shift(&self) -> Option<Duration> {
        self.against.shift(self.range.length()?)
    }
}

/// A time, and the numbers of what began in it.
#[derive(Debug, serde::Serialize)]
struct Span {
    #[serde(serialize_with = "words::rfc3339")]
    from: Timestamp,
    #[serde(serialize_with = "words::rfc3339")]
    until: Timestamp,
    #[serde(flatten)]
    stats: Arc<Stats>,
}

/// All that the page shows.
#[derive(Debug, serde::Serialize)]
struct Numbers {
    #[serde(flatten)]
    now: Span,
    against: Option<Span>,
}

impl Numbers {
    async fn of(shared: &Shared, wanted: &Wanted, chosen: Option<Chosen>) -> Result<Self, Problem> {
        if let Some((time, other)) = chosen {
            let span = async |(from, until): Time| {
                Ok::<_, Problem>(Span { from, until, stats: shared.numbers.between(shared, from, until).await? })
            };
            let against = match other {
                Some(other) => Some(span(other).await?),
                None => None,
            };
            return Ok(Self { now: span(time).await?, against });
        }
        let until = Timestamp::now();
        let length = wanted.range.length();
        let span = async |until: Timestamp| {
            let from = length.map_or(Timestamp::EPOCH, |length| until - length);
            Ok::<_, Problem>(Span { from, until, stats: shared.numbers.of(shared, from, until, length).await? })
        };
        let against = match wanted.shift() {
            Some(shift) => Some(span(until - shift).await?),
            None => None,
        };
        Ok(Self { now: span(until).await?, against })
    }
}

/// `GET /stats`.
pub(super) async fn page(
    State(shared): State<Shared>,
    wanted: Asked<Parameters<Wanted>>,
    frame: Frame,
) -> Result<Response, Problem> {
    let Parameters(wanted) = answered(wanted)?;
    let chosen = wanted.times.read()?;
    let body = body(&wanted, chosen, &Numbers::of(&shared, &wanted, chosen).await?);
    Ok(frame.show(Page { title: "Statistics", tab: Some(Tab::Stats), live: Live::All, body }))
}

/// `GET /stats.json`.
pub(super) async fn twin(State(shared): State<Shared>, wanted: Asked<Parameters<Wanted>>) -> Result<Response, Problem> {
    let Parameters(wanted) = answered(wanted)?;
    let chosen = wanted.times.read()?;
    answer(&Numbers::of(&shared, &wanted, chosen).await?)
}

fn body(wanted: &Wanted, chosen: Option<Chosen>, numbers: &Numbers) -> Markup {
    let range = if chosen.is_some() { Range::All } else { wanted.range };
    let nothing = match chosen {
        Some(_) => "Nothing was handed over in this time.".to_owned(),
        None => range.sentence("Nothing was handed over"),
    };
    let shown = chosen.map(|(time, _)| time).or(wanted.range.length().map(|_| (numbers.now.from, numbers.now.until)));
    let other = numbers.against.as_ref().map(|span| (span.from, span.until));
    let stats = &numbers.now.stats;
    let before = numbers.against.as_ref().map(|span| &*span.stats);
    html! {
        div.head {
            h1 { "Statistics" }
            (Range::choices(chosen.is_none().then_some(wanted.range), |range| Wanted::link(range, wanted.against)))
        }
        @if let Some((time, other)) = chosen {
            (times::sentence(time, other))
        } @else if wanted.range.length().is_some() {
            (wanted.against.links(|against| Wanted::link(wanted.range, against)))
        } @else {
            p.faint { "Choose a time range to compare it with an earlier one." }
        }
        (times::form(chosen.is_some(), shown, other))
        div #numbers data-live {
            @if stats.boundaries.is_empty() && stats.decisions.is_empty() {
                div.nothing { p { (nothing) } }
            } @else {
                section aria-labelledby="by-boundary" {
                    h2 #by-boundary { "Boundaries" }
                    (tables::boundaries(&stats.boundaries, before.map(|stats| &stats.boundaries[..]), range))
                }
                section aria-labelledby="by-agent" {
                    h2 #by-agent { "Agents" }
                    (tables::agents(&stats.agents, before.map(|stats| &stats.agents[..])))
                }
                @if !stats.decisions.is_empty() {
                    section aria-labelledby="by-decision" {
                        h2 #by-decision { "Decisions" }
                        (tables::decisions(&stats.decisions, before.map(|stats| &stats.decisions[..])))
                    }
                }
            }
        }
    }
}
