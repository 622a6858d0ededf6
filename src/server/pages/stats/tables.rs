use maud::{Markup, html};

use super::compare::{Better, cell};
use crate::server::pages::agents::named;
use crate::server::pages::range::Range;
use crate::server::pages::{link, words};
use crate::store::{AgentStats, BoundaryStats, DecisionStats};

/// The most lines of a table.
const MOST: usize = 200;

/// A number that may be missing: now, and in the other time.
struct Beside<'a, T> {
    now: &'a T,
    before: Option<Option<&'a T>>,
}

impl<'a, T> Beside<'a, T> {
    fn new(now: &'a T, before: Option<&'a [T]>, same: impl Fn(&T) -> bool) -> Self {
        Self { now, before: before.map(|all| all.iter().find(|each| same(each))) }
    }

    fn cell(&self, better: Better, number: impl Fn(&T) -> Option<f64>, show: impl Fn(f64) -> String) -> Markup {
        let before = self.before.map(|found| found.and_then(&number));
        cell(number(self.now), before, better, show)
    }
}

pub(super) fn boundaries(all: &[BoundaryStats], before: Option<&[BoundaryStats]>, range: Range) -> Markup {
    html! {
        table.rows {
            thead { tr {
                th scope="col" { "Boundary" } th.number scope="col" { "Handoffs" } th.number scope="col" { "Mismatched" }
                th.number scope="col" { "Took p50" } th.number scope="col" { "p95" } th.number scope="col" { "p99" }
                th.number scope="col" { "Age p95" } th.number scope="col" { "Quality" }
            } }
            tbody {
                @for each in all.iter().take(MOST) {
                    @let beside = Beside::new(each, before, |other| (&other.from, &other.to) == (&each.from, &each.to));
                    @let (from, to) = (each.from.as_deref().unwrap_or_default(), each.to.as_deref().unwrap_or_default());
                    tr {
                        td.what {
                            a.open href=(link::boundary(range.word(), from, to)) { (named(to)) "<-" (named(from)) }
                            @if !each.kinds.is_empty() { p.cause { @for (at, (kind, count)) in each.kinds.iter().enumerate() { @if at > 0 { ", " } (words::kind(kind)) " " (words::whole(*count)) } } }
                        }
                        td.number data-label="handoffs" { (beside.cell(Better::Neither, |s| Some(s.handoffs as f64), count)) }
                        td.number data-label="mismatched" { (beside.cell(Better::Less, |s| rate(s.mismatched, s.handoffs), percent)) }
                        td.number data-label="p50" { (beside.cell(Better::Less, |s| s.duration_ms_p50, words::duration)) }
                        td.number data-label="p95" { (beside.cell(Better::Less, |s| s.duration_ms_p95, words::duration)) }
                        td.number data-label="p99" { (beside.cell(Better::Less, |s| s.duration_ms_p99, words::duration)) }
                        td.number data-label="age p95" { (beside.cell(Better::Less, |s| s.age_ms_p95, words::duration)) }
                        td.number data-label="quality" { (beside.cell(Better::More, |s| s.quality_mean, score)) }
                    }
                }
            }
        }
        (rest(all.len(), "boundary"))
    }
}

pub(super) fn agents(all: &[AgentStats], before: Option<&[AgentStats]>) -> Markup {
    html! {
        table.rows {
            thead { tr {
                th scope="col" { "Agent" } th.number scope="col" { "Handed over" } th.number scope="col" { "mismatched" }
                th.number scope="col" { "Taken" } th.number scope="col" { "mismatched" } th.number scope="col" { "Quality" }
            } }
            tbody {
                @for each in all.iter().take(MOST) {
                    @let beside = Beside::new(each, before, |other| other.agent == each.agent);
                    tr {
                        td.what { strong { (each.agent) } }
                        td.number data-label="handed over" { (beside.cell(Better::Neither, |s| Some(s.sent as f64), count)) }
                        td.number data-label="mismatched" { (beside.cell(Better::Less, |s| rate(s.sent_mismatched, s.sent), percent)) }
                        td.number data-label="taken" { (beside.cell(Better::Neither, |s| Some(s.received as f64), count)) }
                        td.number data-label="mismatched" { (beside.cell(Better::Less, |s| rate(s.received_mismatched, s.received), percent)) }
                        td.number data-label="quality" { (beside.cell(Better::More, |s| s.quality_mean, score)) }
                    }
                }
            }
        }
        (rest(all.len(), "agent"))
    }
}

pub(super) fn decisions(all: &[DecisionStats], before: Option<&[DecisionStats]>) -> Markup {
    html! {
        table.rows {
            thead { tr {
                th scope="col" { "Decision" } th.number scope="col" { "Made" } th.number scope="col" { "Errors" }
                th.number scope="col" { "Took p50" } th.number scope="col" { "p95" }
            } }
            tbody {
                @for each in all.iter().take(MOST) {
                    @let beside = Beside::new(each, before, |other| other.decision == each.decision);
                    tr {
                        td.what { strong { (each.decision.as_deref().unwrap_or("(not told)")) } }
                        td.number data-label="made" { (beside.cell(Better::Neither, |s| Some(s.count as f64), count)) }
                        td.number data-label="errors" { (beside.cell(Better::Less, |s| rate(s.errors, s.count), percent)) }
                        td.number data-label="p50" { (beside.cell(Better::Less, |s| s.duration_ms_p50, words::duration)) }
                        td.number data-label="p95" { (beside.cell(Better::Less, |s| s.duration_ms_p95, words::duration)) }
                    }
                }
            }
        }
        (rest(all.len(), "type"))
    }
}

/// What is not shown is said.
fn rest(all: usize, noun: &str) -> Markup {
    html! { @if all > MOST { p.faint { "The first " (MOST) " of " (words::grouped(all)) " lines, one a " (noun) "." } } }
}

/// A share in percent; of nothing there is none.
fn rate(part: i64, all: i64) -> Option<f64> {
    (all > 0).then(|| part as f64 * 100.0 / all as f64)
}

fn percent(percent: f64) -> String {
    words::percent(percent)
}

fn count(count: f64) -> String {
    words::grouped(count as usize)
}

fn score(score: f64) -> String {
    format!("{score:.2}")
}
