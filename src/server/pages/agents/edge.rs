//! One boundary: its numbers, these over time, and what went wrong last.

use std::time::Duration;

use maud::{Markup, html};

use crate::model::Timestamp;
use crate::server::pages::range::Range;
use crate::server::pages::{link, words};
use crate::store::{BoundaryStats, HandoffSummary, Part, Store, StoreError};

/// Parts of each chart.
const PARTS: usize = 48;
/// Mismatched handoffs that are listed.
const LISTED: usize = 12;
/// Kinds of mismatch that have a chart each: the most frequent ones.
const KINDS: usize = 6;

/// What is told of one boundary.
#[derive(Debug, serde::Serialize)]
pub(in crate::server) struct Edge {
    #[serde(serialize_with = "words::rfc3339")]
    from: Timestamp,
    #[serde(serialize_with = "words::rfc3339")]
    until: Timestamp,
    parts: Vec<Part>,
    mismatched: Vec<HandoffSummary>,
}

impl Edge {
    /// Of a boundary (from, to). Blocks.
    pub(in crate::server::pages) fn of(
        store: &Store,
        boundary: (&str, &str),
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Self, StoreError> {
        // Of all that there is, charts begin with the first handoff.
        let from = if from == Timestamp::EPOCH { store.began()?.unwrap_or(from) } else { from };
        let parts = store.traffic(boundary, from, until, PARTS)?;
        Ok(Self { from, until, parts, mismatched: store.mismatched(boundary, from, until, LISTED)? })
    }

    pub(super) fn show(&self, numbers: Option<&BoundaryStats>, range: Range) -> Markup {
        html! {
            @match numbers {
                None => p.faint { (range.sentence("Nothing was handed over here")) },
                Some(numbers) => {
                    dl.numbers {
                        div { dt { "Handoffs" } dd { (words::whole(numbers.handoffs)) } }
                        div { dt { "Mismatched" } dd { (words::whole(numbers.mismatched)) ", " (words::share(numbers.mismatched, numbers.handoffs)) } }
                        div { dt { "Took, half / 95 %" } dd { (words::maybe(numbers.duration_ms_p50, words::duration)) " / " (words::maybe(numbers.duration_ms_p95, words::duration)) } }
                        div { dt { "Context age, half / 95 %" } dd { (words::maybe(numbers.age_ms_p50, words::duration)) " / " (words::maybe(numbers.age_ms_p95, words::duration)) } }
                        div { dt { "Quality, mean / least" } dd { (words::maybe(numbers.quality_mean, score)) " / " (words::maybe(numbers.quality_min, score)) } }
                    }
                    @if !numbers.kinds.is_empty() { (kinds(numbers)) (self.kinds_over_time(numbers)) }
                    div.charts {
                        (self.chart("Handoffs", "and mismatched ones", |part| Some(part.handoffs as f64), |part| Some(part.mismatched as f64), |most| words::grouped(most as usize)))
                        (self.chart("Took", "95 % are not over it", |part| part.duration_ms_p95, |_| None, words::duration))
                        (self.chart("Context age", "95 % are not over it", |part| part.age_ms_p95, |_| None, words::duration))
                        (self.chart("Quality", "mean", |part| part.quality_mean, |_| None, score))
                    }
                }
            }
            h3 { "Latest mismatched" }
            @if self.mismatched.is_empty() {
                p.faint { (range.sentence("None")) }
            } @else {
                (handoffs(&self.mismatched))
            }
        }
    }

    /// A chart for each kind of mismatch: in how many of a hundred handoffs it was found.
    fn kinds_over_time(&self, numbers: &BoundaryStats) -> Markup {
        let share = |part: &Part, kind: &str| {
            let found = part.kinds.get(kind).copied().unwrap_or(0);
            found as f64 * 100.0 / part.handoffs.max(1) as f64
        };
        html! {
            div.charts.of-kinds {
                @for (kind, _) in ordered(numbers).into_iter().take(KINDS) {
                    @let title = words::capital(words::kind(kind).as_ref());
                    (self.chart(&title, "share of handoffs", |part| (part.handoffs > 0).then(|| share(part, kind)), |part| Some(share(part, kind)), words::percent))
                }
            }
        }
    }

    /// Bars over time, the part of each that is bad hatched by a second colour and told in words.
    fn chart(
        &self,
        title: &str,
        what: &str,
        value: impl Fn(&Part) -> Option<f64>,
        bad: impl Fn(&Part) -> Option<f64>,
        show: impl Fn(f64) -> String,
    ) -> Markup {
        let most = self.parts.iter().filter_map(&value).fold(0.0, f64::max);
        let told = self.parts.iter().rev().find_map(&value);
        let words = match told {
            Some(last) => format!("{title}, {what}: at most {}, last {}", show(most), show(last)),
            None => format!("{title}: nothing is told of it"),
        };
        let width = 100.0 / PARTS as f64;
        let tall = |value: f64| (52.0 * value / most.max(f64::MIN_POSITIVE)).max(2.0);
        html! {
            figure.chart {
                figcaption { strong { (title) } " " span.faint { (what) } @if told.is_some() { span.most { (show(most)) } } }
                svg width="100%" height="58" role="img" aria-label=(words) {
                    line.base x1="0" x2="100%" y1="57.5" y2="57.5" {}
                    @for (at, part) in self.parts.iter().enumerate() {
                        @if let Some(value) = value(part).filter(|_| part.handoffs > 0) {
                            @let x = format!("{:.3}%", at as f64 * width + width * 0.12);
                            @let wide = format!("{:.3}%", width * 0.76);
                            @let bad = bad(part);
                            // What is wholly bad is drawn once; a share that is nothing not at all.
                            @if bad.is_none_or(|bad| bad < value) {
                                rect x=(x) width=(wide) y=(format!("{:.1}", 57.0 - tall(value))) height=(format!("{:.1}", tall(value))) rx="1" {
                                    title { (self.begin(at)) ": " (show(value)) }
                                }
                            }
                            @if let Some(bad) = bad.filter(|bad| *bad > 0.0) {
                                rect.bad x=(x) width=(wide) y=(format!("{:.1}", 57.0 - tall(bad))) height=(format!("{:.1}", tall(bad))) rx="1" {
                                    title { (self.begin(at)) ": " (show(bad)) " mismatched" }
                                }
                            }
                        }
                    }
                }
                div.axis aria-hidden="true" { span { (words::ago(self.from, self.until)) } span { "now" } }
            }
        }
    }

    /// When a part begins.
    fn begin(&self, part: usize) -> String {
        let nanos = self.until.since(self.from).as_nanos() as f64 * part as f64 / PARTS as f64;
        let at = self.from + Duration::from_nanos(nanos as u64);
        at.to_rfc3339().get(..19).unwrap_or_default().replace('T', " ")
    }
}

/// Kinds that were found, the most frequent first.
fn ordered(numbers: &BoundaryStats) -> Vec<(&String, i64)> {
    let mut kinds: Vec<(&String, i64)> = numbers.kinds.iter().map(|(kind, &count)| (kind, count)).collect();
    kinds.sort_by_key(|&(kind, count)| (std::cmp::Reverse(count), kind));
    kinds
}

/// How often each kind was found, as bars with their numbers.
fn kinds(numbers: &BoundaryStats) -> Markup {
    let kinds = ordered(numbers);
    let most = kinds.first().map_or(1, |kind| kind.1).max(1);
    html! {
        table.kinds {
            caption.hide { "How many handoffs each kind of mismatch was found in" }
            @for (kind, count) in kinds {
                tr {
                    th scope="row" { (words::kind(kind)) }
                    td.bar { svg width="100%" height="10" aria-hidden="true" { rect width=(format!("{:.1}%", 100.0 * count as f64 / most as f64)) height="10" rx="3" {} } }
                    td.number { (words::whole(count)) ", " (words::share(count, numbers.handoffs)) }
                }
            }
        }
    }
}

fn handoffs(handoffs: &[HandoffSummary]) -> Markup {
    let now = Timestamp::now();
    html! {
        table.rows {
            thead { tr { th scope="col" { "Mismatch" } th scope="col" { "Workflow" } th.number scope="col" { "Context age" } th.number scope="col" { "Took" } th.number scope="col" { "Began" } } }
            tbody {
                @for each in handoffs {
                    tr {
                        td.outcome { a.open href=(link::handoff(&each.id)) { @for (at, kind) in each.mismatches.iter().enumerate() { @if at > 0 { ", " } (words::kind(kind)) } @if each.mismatches.is_empty() { "mismatched" } } }
                        td.what { @if let Some(workflow) = &each.workflow { (workflow) } }
                        td.number data-label="age" { (words::maybe(each.age_ms, words::duration)) }
                        td.number data-label="took" { (words::duration(each.duration_ms)) }
                        td.number.faint data-label="began" { (words::age(words::parsed(&each.timestamp), now)) }
                    }
                }
            }
        }
    }
}

fn score(score: f64) -> String {
    format!("{score:.2}")
}
