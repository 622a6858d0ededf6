//! Where everything stands in the charts of a workflow: handoffs between lanes, and spans as bars.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(feature = "server")]

use std::sync::Arc;

use wilco::model::{AttributeValue, Resource, Span, SpanEvent, Timestamp};

#[path = "support/http.rs"]
#[allow(dead_code)]
mod http;
#[path = "support/running.rs"]
#[allow(dead_code)]
mod running;
#[path = "support/stored.rs"]
#[allow(dead_code)]
mod stored;

use running::Running;
use stored::Told;

/// What a page shows of these spans.
fn page(spans: Vec<Span>, path: &str) -> String {
    let reply = Running::with(spans).get(path);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body
}

/// The part of a page between two texts, one element a line.
fn part(page: &str, from: &str, to: &str) -> String {
    let start = page.find(from).unwrap_or_else(|| panic!("no {from} in {page}"));
    let end = page[start..].find(to).unwrap_or_else(|| panic!("no {to} after {from}"));
    page[start..start + end]
        .replace('<', "\n<")
        .lines()
        .filter(|line| !line.starts_with("</"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn lanes(spans: Vec<Span>, path: &str) -> String {
    part(&page(spans, path), "<svg class=\"body\"", "</div></div>")
}

/// The heights of an attribute's values in one handoff, by its id.
fn of_handoff(lanes: &str, number: u64) -> &str {
    let start = lanes.find(&format!("href=\"/handoffs/{}\"", Told::id(number))).unwrap();
    let end = lanes[start..].find("<a class").map_or(lanes.len(), |end| start + end);
    &lanes[start..end]
}

fn number(text: &str, name: &str) -> f64 {
    let rest = text.split(&format!("{name}=\"")).nth(1).unwrap_or_else(|| panic!("no {name} in {text}"));
    rest.split('"').next().unwrap().parse().unwrap()
}

fn climbed(span: &mut Span, rungs: &[(&str, u64)]) {
    for (rung, after_ms) in rungs {
        let at = Timestamp::from_unix_nanos(span.start.unix_nanos() + after_ms * 1_000_000);
        let attributes = [("rung", *rung), ("evidence", "declared")];
        let attributes = attributes.into_iter().map(|(name, value)| (name, AttributeValue::from(value))).collect();
        span.events.push(SpanEvent { at, name: "wilco.rung".to_owned(), attributes });
    }
}

/// A delegation that spoils what is handed over after it.
fn story() -> Vec<Span> {
    let first = Told::new(1, "w", "planner", "researcher").lasting(400);
    let second =
        Told { at_ms: 30, ..Told::new(2, "w", "researcher", "archive").below(1).lasting(100).found("stale_context") };
    let third = Told { at_ms: 2_500, ..Told::new(3, "w", "planner", "writer").lasting(50) };
    let mut spans: Vec<Span> = [&first, &second, &third].into_iter().flat_map(Told::spans).collect();
    climbed(&mut spans[1], &[("received", 0), ("understood", 5), ("completed", 390)]);
    climbed(&mut spans[3], &[("received", 0), ("misunderstood", 5), ("failed", 90)]);
    spans
}

#[test]
fn a_story_is_drawn_between_its_lanes() {
    insta::assert_snapshot!("lanes_story", lanes(story(), "/workflows/w"));
}

#[test]
fn what_nobody_took_and_what_was_owed_is_dashed() {
    let told = Told::new(1, "w", "planner", "writer").found("undelivered");
    let mut sender = told.sender();
    sender.attributes.insert("wilco.rung", "sent");
    let drawn = lanes(vec![sender], "/workflows/w");
    assert!(drawn.contains("class=\"owed\"") && drawn.contains("class=\"cross\""), "{drawn}");
    insta::assert_snapshot!("lanes_undelivered", drawn);
}

#[test]
fn a_loop_of_two_hundred_hops_is_folded_around_what_broke() {
    let mut spans = Vec::new();
    for hop in 0..200 {
        let (from, to) = if hop % 2 == 0 { ("writer", "critic") } else { ("critic", "writer") };
        let mut told = Told { at_ms: hop * 10, ..Told::new(hop + 1, "w", from, to).lasting(5) };
        if hop == 101 {
            told = told.found("corrupted");
        }
        spans.extend(told.spans());
    }
    let drawn = lanes(spans, "/workflows/w");
    assert!(drawn.contains(&Told::id(102)), "what broke is in sight");
    assert_eq!(drawn.matches("class=\"fold\"").count(), 2, "before it and after it");
    insta::assert_snapshot!("lanes_loop", drawn);
}

#[test]
fn a_fan_out_to_a_hundred_is_one_line_and_as_many_where_it_is_opened() {
    const WORKERS: [&str; 100] = {
        let mut names = ["worker-0"; 100];
        let all = [
            "worker-1",
            "worker-2",
            "worker-3",
            "worker-4",
            "worker-5",
            "worker-6",
            "worker-7",
            "worker-8",
            "worker-9",
            "worker-10",
        ];
        let mut at = 0;
        while at < 100 {
            names[at] = all[at % 10];
            at += 1;
        }
        names
    };
    let spans = || -> Vec<Span> {
        let told = |number: usize| Told {
            at_ms: number as u64,
            ..Told::new(number as u64 + 1, "w", "planner", WORKERS[number]).lasting(500)
        };
        (0..100).flat_map(|number| told(number).spans()).collect()
    };
    let folded = lanes(spans(), "/workflows/w");
    assert!(folded.contains("97 more like these (worker-#&lt;-planner)"), "{folded}");
    let open = lanes(spans(), "/workflows/w?open=all");
    assert_eq!(open.matches("class=\"handoff ").count(), 100);
}

#[test]
fn a_clock_that_is_behind_never_draws_an_arrow_upward_and_is_marked() {
    let told = Told::new(1, "w", "planner", "writer").lasting(50);
    let [mut sender, mut receiver] = told.spans();
    let host = |name: &str| {
        Arc::new(Resource { attributes: [("host.name", AttributeValue::from(name))].into_iter().collect() })
    };
    (sender.resource, receiver.resource) = (host("a"), host("b"));
    for time in [&mut receiver.start, &mut receiver.end] {
        *time = Timestamp::from_unix_nanos(time.unix_nanos() - 12_000_000_000);
    }
    let text = page(vec![sender, receiver], "/workflows/w");
    let drawn = part(&text, "<svg class=\"body\"", "</div></div>");
    let over = of_handoff(&drawn, 1);
    let over = &over[over.find("class=\"over\"").unwrap()..];
    assert!(number(over, "y1") < number(over, "y2"), "{over}");
    assert!(drawn.contains('≈'), "{drawn}");
    // The bars stand within each other, too.
    let bars = part(&text, "<div class=\"waterfall\"", "</section>");
    assert!(bars.contains("Its clock was set right by 12 s"), "{bars}");
}

#[test]
fn bars_stand_below_what_they_belong_to_and_the_critical_path_is_marked() {
    let mut spans = story();
    spans.push(stored::root("w", 0, 2_600, "wrong", false));
    let root = spans.last().unwrap().span_id;
    spans[0].parent_span_id = Some(root);
    spans[4].parent_span_id = Some(root);
    spans[2].parent_span_id = Some(spans[1].span_id);
    let bars = part(&page(spans.clone(), "/workflows/w"), "<div class=\"waterfall\"", "</section>");
    insta::assert_snapshot!("waterfall_story", bars);
    // Zoomed into a part of the time, what is elsewhere is left out.
    let zoomed = part(&page(spans, "/workflows/w?t=2400000-2600000"), "<div class=\"waterfall\"", "</section>");
    assert!(zoomed.contains("process writer") && !zoomed.contains("process archive"), "{zoomed}");
}
