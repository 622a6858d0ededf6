//! The picture: agents as boxes, who hands to whom as lines. How wide a line is tells how much; its colour and its
//! label, how much of that was mismatched.

use maud::{Markup, html};

use super::layout::{Flow, Line, Place, layout};
use super::named;
use crate::server::pages::words;
use crate::store::BoundaryStats;

/// The most boundaries that are drawn; of more, those with the most handoffs.
pub(super) const MOST_FLOWS: usize = 120;

/// From this share of mismatched handoffs on a line is red; below it, and over nothing, amber.
const BAD_SHARE: f64 = 0.05;

/// The width of a letter of a box, about.
const LETTER: f64 = 7.8;
/// The most letters of a name that are shown.
const MOST_LETTERS: usize = 22;

pub(super) fn figure(
    boundaries: &[BoundaryStats],
    chosen: Option<(&str, &str)>,
    link: impl Fn(&str, &str) -> String,
) -> Markup {
    let mut drawn: Vec<&BoundaryStats> = boundaries.iter().collect();
    drawn.sort_by_key(|each| std::cmp::Reverse(each.handoffs));
    drawn.truncate(MOST_FLOWS);
    let mut agents: Vec<&str> = drawn.iter().flat_map(|each| [name(&each.from), name(&each.to)]).collect();
    agents.sort_unstable();
    agents.dedup();
    let number = |agent: &str| agents.binary_search(&agent).unwrap_or_default();
    let flows: Vec<Flow> = drawn
        .iter()
        .map(|each| Flow { from: number(name(&each.from)), to: number(name(&each.to)), volume: each.handoffs })
        .collect();
    let widths: Vec<f64> = agents.iter().map(|agent| shown(agent).chars().count() as f64 * LETTER + 30.0).collect();
    let laid = layout(&widths, &flows);
    let most = drawn.first().map_or(1, |each| each.handoffs).max(1);
    let (width, height) = (laid.width.ceil(), laid.height.ceil());
    let left_out = boundaries.len() - drawn.len();
    html! {
        figure.graph {
            div.scroll tabindex="0" role="group" aria-label="Who hands to whom" {
                svg width=(width) height=(height) viewBox=(format!("0 0 {width} {height}")) {
                    @for ((each, line), flow) in drawn.iter().zip(&laid.lines).zip(&flows) {
                        @let (from, to) = (name(&each.from), name(&each.to));
                        (edge(each, line, flow, most, chosen == Some((from, to)), &link(from, to)))
                    }
                    @for (agent, place) in agents.iter().zip(&laid.places) { (node(agent, place)) }
                }
            }
            figcaption {
                span.key { svg width="34" height="12" aria-hidden="true" { path.flow.none d="M2 6H32" stroke-width="2" {} } "nothing mismatched" }
                span.key { svg width="34" height="12" aria-hidden="true" { path.flow.some d="M2 6H32" stroke-width="4" {} } "under 5 %" }
                span.key { svg width="34" height="12" aria-hidden="true" { path.flow.much d="M2 6H32" stroke-width="6" {} } "5 % or more" }
                span.faint { "Wider: more handoffs. A line opens its numbers." @if left_out > 0 { " " (left_out) " with fewer handoffs are not drawn." } }
            }
        }
    }
}

fn name(agent: &Option<String>) -> &str {
    agent.as_deref().unwrap_or_default()
}

/// A name as long as fits.
fn shown(agent: &str) -> String {
    let agent = named(agent);
    if agent.chars().count() <= MOST_LETTERS {
        return agent.to_owned();
    }
    agent.chars().take(MOST_LETTERS - 1).chain(['…']).collect()
}

fn node(agent: &str, place: &Place) -> Markup {
    html! {
        g.node {
            title { (named(agent)) }
            rect x=(px(place.x)) y=(px(place.y)) width=(px(place.width)) height=(px(place.height)) rx="10" {}
            text x=(px(place.x + place.width / 2.0)) y=(px(place.y + place.height / 2.0 + 5.0)) text-anchor="middle" { (shown(agent)) }
        }
    }
}

fn edge(each: &BoundaryStats, line: &Line, flow: &Flow, most: i64, chosen: bool, link: &str) -> Markup {
    let share = each.mismatched as f64 / each.handoffs.max(1) as f64;
    let class = match share {
        0.0 => "none",
        share if share < BAD_SHARE => "some",
        _ => "much",
    };
    let width = 1.5 + 6.5 * (each.handoffs as f64 / most as f64).sqrt();
    let (from, to) = (named(name(&each.from)), named(name(&each.to)));
    let words = format!(
        "{to}<-{from}: {}, {} mismatched",
        words::count(usize::try_from(each.handoffs).unwrap_or(0), "handoff"),
        words::share(each.mismatched, each.handoffs)
    );
    html! {
        a.edge.(class) href=(link) aria-label=(words) aria-current=[chosen.then_some("true")] {
            title { (words) }
            path.near d=(path(line)) {}
            path.flow.(class) d=(path(line)) stroke-width=(px(width)) {}
            (head(line, flow, width))
            text x=(px(line.label.0)) y=(px(line.label.1 - width / 2.0)) text-anchor=(if flow.from == flow.to { "middle" } else { "end" }) {
                (words::whole(each.handoffs))
                @if each.mismatched > 0 { tspan.rate { " · " (words::share(each.mismatched, each.handoffs)) " ✕" } }
            }
        }
    }
}

/// A curve through the points, level at each.
fn path(line: &Line) -> String {
    let mut path = String::new();
    for (at, &(x, y)) in line.points.iter().enumerate() {
        let Some(&(before_x, before_y)) = at.checked_sub(1).and_then(|before| line.points.get(before)) else {
            path = format!("M{} {}", px(x), px(y));
            continue;
        };
        if (before_y - y).abs() < 0.05 {
            path += &format!("H{}", px(x));
        } else {
            let middle = px((before_x + x) / 2.0);
            path += &format!("C{middle} {} {middle} {} {} {}", px(before_y), px(y), px(x), px(y));
        }
    }
    path
}

/// The arrow's head, whose tip touches the box.
fn head(line: &Line, flow: &Flow, width: f64) -> Markup {
    let points = &line.points;
    let Some(&(x, y)) = points.last() else { return html! {} };
    let size = 6.0 + width * 0.8;
    let tip = if flow.from == flow.to {
        format!("M{} {}l{} {}h{}z", px(x), px(y), px(-size / 2.0), px(-size), px(size))
    } else {
        let before = points.iter().rev().nth(1).map_or(x, |point| point.0);
        let back = if before <= x { -size } else { size };
        format!("M{} {}l{} {}v{}z", px(x), px(y), px(back), px(-size / 2.0), px(size))
    };
    html! { path.head d=(tip) {} }
}

/// A length with one decimal at most.
fn px(length: f64) -> String {
    let text = format!("{length:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundary(from: &str, to: &str, handoffs: i64, mismatched: i64) -> BoundaryStats {
        serde_json::from_value(serde_json::json!({
            "from": from, "to": to, "handoffs": handoffs, "mismatched": mismatched, "kinds": {},
        }))
        .unwrap()
    }

    #[test]
    fn a_newsroom_is_drawn_as_it_works() {
        let boundaries = [
            boundary("planner", "researcher", 400, 0),
            boundary("planner", "writer", 380, 30),
            boundary("writer", "reviewer", 300, 4),
            boundary("reviewer", "writer", 40, 0),
            boundary("reviewer", "reviewer", 5, 5),
        ];
        let link = |from: &str, to: &str| format!("/agents?from={from}&to={to}");
        let markup = figure(&boundaries, Some(("planner", "writer")), link).into_string();
        // The most handoffs, the widest line.
        assert_eq!(markup.matches("stroke-width=\"8\"").count(), 1, "{markup}");
        assert!(
            markup.contains("class=\"edge some\"")
                && markup.contains("writer&lt;-planner: 380 handoffs, 7.9 % mismatched")
        );
        assert!(markup.contains("7.9 % ✕") && markup.contains("reviewer&lt;-reviewer: 5 handoffs, 100 % mismatched"));
        assert_eq!(markup.matches("aria-current=\"true\"").count(), 1);
        assert_eq!(markup.matches("class=\"node\"").count(), 4);
    }

    #[test]
    fn what_strangers_call_themselves_is_text() {
        let boundaries = [boundary("<script>alert(1)</script>", "\"'&", 3, 1)];
        let markup = figure(&boundaries, None, |_, _| "/".to_owned()).into_string();
        assert!(!markup.contains("<script") && markup.contains("&lt;script&gt;"), "{markup}");
    }
}
