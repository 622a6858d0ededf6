//! The pages of agents and of statistics, and their twins.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(feature = "server")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[path = "support/http.rs"]
#[allow(dead_code)]
mod http;
#[path = "support/running.rs"]
#[allow(dead_code)]
mod running;
#[path = "support/stored.rs"]
#[allow(dead_code)]
mod stored;

use http::Reply;
use running::Running;
use stored::{NOON, Told};

/// Asks a server for pages; it knows these handoffs.
fn ask(told: Vec<Told>, paths: &[&str]) -> Vec<Reply> {
    let running = Running::with(told.iter().flat_map(Told::spans));
    paths.iter().map(|path| running.get(path)).collect()
}

/// Milliseconds from the time of the samples to so long ago.
fn ago(minutes: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    ((now - Duration::from_secs(minutes * 60)).as_nanos() as u64 - NOON) / 1_000_000
}

fn at(number: u64, minutes: u64, from: &'static str, to: &'static str) -> Told {
    Told { at_ms: ago(minutes), ..Told::new(number, &format!("wf-{number}"), from, to) }
}

#[test]
fn the_graph_leads_to_a_boundary_and_from_there_to_what_broke() {
    let told = vec![
        at(1, 1, "planner", "writer"),
        at(2, 2, "planner", "writer").found("stale_context").with("wilco.context.age_ms", 12_000.0),
        at(3, 3, "writer", "reviewer"),
        // Longer ago than the time that is looked at.
        at(4, 300, "planner", "auditor"),
    ];
    let paths = &[
        "/agents?range=1h",
        "/agents?range=1h&from=planner&to=writer",
        "/agents.json?range=1h&from=planner&to=writer",
    ];
    let replies = ask(told, paths);
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    let graph = &replies[0].body;
    let link = "/agents?range=1h&amp;from=planner&amp;to=writer";
    assert!(
        graph.contains(&format!("href=\"{link}\" aria-label=\"writer&lt;-planner: 2 handoffs, 50 % mismatched\"")),
        "{graph}"
    );
    assert!(graph.contains("reviewer&lt;-writer") && !graph.contains("auditor"));
    assert!(graph.contains("aria-current=\"page\">Agents</a>"));

    let boundary = &replies[1].body;
    let handoff = Told::id(2);
    assert!(boundary.contains(&format!("href=\"/handoffs/{handoff}\">stale context</a>")), "{boundary}");
    assert!(boundary.contains("Context age, 95 % are not over it: at most 12 s, last 12 s"), "{boundary}");
    assert!(boundary.contains("<th scope=\"row\">stale context</th>"));

    let twin = replies[2].json();
    assert_eq!(twin["boundary"]["mismatched"][0]["id"], handoff);
    let parts = twin["boundary"]["parts"].as_array().unwrap();
    assert_eq!(parts.iter().map(|part| part["handoffs"].as_i64().unwrap()).sum::<i64>(), 2);
    assert_eq!(parts.iter().map(|part| part["mismatched"].as_i64().unwrap()).sum::<i64>(), 1);
    assert_eq!(twin["boundaries"].as_array().unwrap().len(), 2);
}

#[test]
fn every_box_line_and_label_of_the_graph_has_its_place() {
    // A chain with one hop back, a hop to oneself, a way past a layer, and two names of unlike length.
    let hops = [
        ("planner", "researcher"),
        ("planner", "researcher"),
        ("researcher", "writer"),
        ("planner", "writer"),
        ("writer", "editor-in-chief"),
        ("editor-in-chief", "writer"),
        ("writer", "writer"),
    ];
    let mut told: Vec<Told> = (1..).zip(hops).map(|(number, (from, to))| at(number, number, from, to)).collect();
    told[3].mismatches.push("stale_context");
    let page = &ask(told, &["/agents?from=planner&to=writer"])[0].body;
    let start = page.find("<figure class=\"graph\">").unwrap();
    let drawn = &page[start..start + page[start..].find("<figcaption>").unwrap()];
    let lines = drawn.replace('<', "\n<");
    insta::assert_snapshot!(
        "graph",
        lines.lines().filter(|line| !line.starts_with("</")).collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn one_time_is_compared_with_another() {
    let told = vec![
        at(1, 5, "planner", "writer").found("stale_context"),
        at(2, 6, "planner", "writer"),
        // The hour before: all was well, once.
        at(3, 70, "planner", "writer"),
    ];
    let replies = ask(told, &["/stats?range=1h&against=before", "/stats.json?range=1h&against=before", "/stats"]);
    let page = &replies[0].body;
    assert!(page.contains("title=\"was 0 %\">▲ new</span>"), "{page}");
    assert!(page.contains("2 <span class=\"change faint\" title=\"was 1\">▲ 100 %</span>"), "{page}");
    assert!(page.contains("href=\"/agents?range=1h&amp;from=planner&amp;to=writer\""), "{page}");
    let twin = replies[1].json();
    assert_eq!(
        (&twin["boundaries"][0]["handoffs"], &twin["against"]["boundaries"][0]["handoffs"]),
        (&2.into(), &1.into())
    );
    assert!(replies[2].body.contains("Choose a time range to compare it"));
}

#[test]
fn two_times_are_chosen_freely_and_nonsense_is_told() {
    let minute = 60_000;
    let told = (0..4).map(|number| {
        let told = Told::new(number + 1, "wf", "planner", "writer");
        // At 10:00, 10:01, 10:02 and 11:00.
        let told = Told { at_ms: if number == 3 { 60 * minute } else { number * minute }, ..told };
        if number == 1 { told.found("stale_context") } else { told }
    });
    let both = "from=2026-01-15T10:00&until=2026-01-15T10:02&other_from=2026-01-15T11:00&other_until=2026-01-15T12:00";
    let paths = [
        format!("/stats?{both}"),
        format!("/stats.json?{both}"),
        "/stats?from=yesterday&until=2026-01-15T10:02".to_owned(),
        "/stats.json?from=2026-01-15T11:00&until=2026-01-15T10:00".to_owned(),
        "/stats.json?from=2026-01-15T10:00:00Z&until=2026-01-15T10:03:00Z&other_from=&other_until=".to_owned(),
    ];
    let replies = ask(told.collect(), &paths.each_ref().map(|path| path.as_str()));
    let page = &replies[0].body;
    assert!(page.contains("2 <span class=\"change faint\" title=\"was 1\">▲ 100 %</span>"), "{page}");
    assert!(page.contains("name=\"other_until\" value=\"2026-01-15T12:00:00\""), "{page}");
    assert!(page.contains("One is longer than the other"), "{page}");
    assert!(page.contains("<form method=\"get\" action=\"/stats\">"), "{page}");
    let twin = replies[1].json();
    assert_eq!(twin["boundaries"][0]["handoffs"], 2);
    assert_eq!(twin["boundaries"][0]["mismatched"], 1);
    assert_eq!(twin["against"]["boundaries"][0]["handoffs"], 1);
    assert_eq!((replies[2].status, replies[3].status), (400, 400));
    assert!(
        replies[2].body.contains("which is no time: say it in UTC, such as 2026-01-15T10:00"),
        "{}",
        replies[2].body
    );
    assert!(replies[3].body.contains("until is not after from"), "{}", replies[3].body);
    let twin = replies[4].json();
    assert_eq!((&twin["boundaries"][0]["handoffs"], &twin["against"]), (&3.into(), &serde_json::Value::Null));
}

#[test]
fn each_kind_of_mismatch_has_a_chart_over_time() {
    let told = vec![
        at(1, 1, "planner", "writer").found("stale_context"),
        at(2, 1, "planner", "writer"),
        at(3, 7, "planner", "writer").found("stale_context").found("refused"),
        at(4, 20, "planner", "writer"),
    ];
    let replies =
        ask(told, &["/agents?range=1h&from=planner&to=writer", "/agents.json?range=1h&from=planner&to=writer"]);
    let page = &replies[0].body;
    let charts = page.split("<div class=\"charts of-kinds\">").nth(1).unwrap().split("<h3>").next().unwrap();
    // When a bar begins follows from when the test runs.
    let mut told = charts.split("<title>");
    let first = told.next().unwrap().to_owned();
    let charts = told.fold(first, |all, rest| format!("{all}<title>WHEN{}", &rest[19..]));
    insta::assert_snapshot!("kinds_over_time", charts.replace("><", ">\n<"));
    let twin = replies[1].json();
    let parts = twin["boundary"]["parts"].as_array().unwrap();
    let stale = parts.iter().filter_map(|part| part["kinds"]["stale_context"].as_i64());
    assert_eq!(stale.sum::<i64>(), 2);
}

#[test]
fn names_of_strangers_are_shown_and_never_obeyed() {
    let name = "<img src=x onerror=alert(1)>";
    let paths =
        &["/agents", "/stats", "/agents?from=%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E&to=%22%3E%3Cscript%3E"];
    for reply in ask(vec![at(1, 1, name, "b\"&'<script>")], paths) {
        assert_eq!(reply.status, 200);
        assert!(reply.body.contains("&lt;img src=x onerror=alert(1)&gt;"), "{}", reply.body);
        assert!(!reply.body.contains("<img") && !reply.body.contains("<script>"), "{}", reply.body);
    }
}

#[test]
fn a_boundary_of_an_agent_that_nobody_named_can_be_opened() {
    let mut spans: Vec<_> = at(1, 1, "planner", "writer").found("refused").spans().into();
    for span in &mut spans {
        let kept = span.attributes.iter().filter(|(name, _)| *name != "wilco.handoff.from");
        span.attributes = kept.map(|(name, value)| (name.to_owned(), value.clone())).collect();
    }
    let running = Running::with(spans);
    let graph = running.get("/agents").body;
    let link = "/agents?from=&amp;to=writer";
    assert!(graph.contains(&format!("href=\"{link}\" aria-label=\"writer&lt;-?: 1 handoff")), "{graph}");
    let boundary = running.get("/agents?from=&to=writer").body;
    assert!(boundary.contains("writer&lt;-?") && boundary.contains(&Told::id(1)), "{boundary}");
    assert!(boundary.contains("href=\"/agents?range=1h&amp;from=&amp;to=writer\""), "{boundary}");
}

#[test]
fn where_nothing_is_known_the_pages_say_so() {
    let replies =
        ask(vec![], &["/agents", "/stats?range=1h&against=week", "/agents?range=1h&from=a&to=b", "/agents?range=soon"]);
    assert_eq!(replies.iter().map(|reply| reply.status).collect::<Vec<_>>(), [200, 200, 200, 400]);
    assert!(replies[0].body.contains("Nobody handed anything over."));
    assert!(replies[1].body.contains("Nothing was handed over"));
    assert!(replies[2].body.contains("Look further back") && replies[2].body.contains("None in the last hour."));
}
