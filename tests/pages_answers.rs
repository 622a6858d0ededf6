//! The pages as a browser gets them: what they say, what they never let through, who may see them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(feature = "server")]

use wilco::model::{AttributeValue, SpanEvent, SpanStatus};
use wilco::server::Token;

#[path = "support/http.rs"]
#[allow(dead_code)]
mod http;
#[path = "support/running.rs"]
#[allow(dead_code)]
mod running;
#[path = "support/stored.rs"]
#[allow(dead_code)]
mod stored;

use http::{escape, request};
use running::Running;
use stored::Told;

const TOKEN: &str = "a-token-for-tests";

/// A name, or an intent, of somebody who wants to run something in a reader's browser.
const HOSTILE: &str = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"'&<svg/onload=alert(3)>";

/// A workflow with a failure in the middle, and one without.
fn filled() -> Running {
    let running = Running::start(|options| options);
    let intent = r#"{"goal":"find_sources","object":"batteries","constraints":{"max":5}}"#;
    let read_back = r#"{"goal":"find_sources","object":"batteries","constraints":{"max":50}}"#;
    let mut told = [
        Told::new(1, "wf-bad", "planner", "researcher").lasting(40),
        Told::new(2, "wf-bad", "researcher", "archive").below(1).found("misunderstood").lasting(20),
        Told::new(3, "wf-good", "planner", "writer"),
    ];
    told[1] = told[1].clone().with("wilco.intent.sent", intent).with("wilco.intent.read_back", read_back);
    let mut spans: Vec<_> = told.iter().flat_map(Told::spans).collect();
    spans[2].attributes.insert("wilco.context", vec!["crm@41/1768471188000000000/10000/"]);
    spans[2].attributes.insert("wilco.context.age_ms", 12_000.0);
    spans[2].attributes.insert("wilco.context.max_age_ms", 10_000.0);
    spans[3].attributes.insert("wilco.content.size.received", 900_i64);
    for span in &mut spans {
        let to = span.attributes.text("wilco.handoff.to").unwrap().to_owned();
        span.attributes.insert("gen_ai.agent.name", to);
    }
    for (rung, by) in [("sent", "researcher"), ("received", "archive"), ("misunderstood", "archive")] {
        let attributes = [("rung", rung), ("evidence", "declared"), ("by", by)];
        let at = spans[2].start;
        spans[2].events.push(SpanEvent {
            at,
            name: "wilco.rung".to_owned(),
            attributes: attributes.into_iter().map(|(name, value)| (name, AttributeValue::from(value))).collect(),
        });
    }
    spans.push(stored::root("wf-bad", 0, 100, "wrong", false));
    spans.push(stored::root("wf-good", 0, 100, "published", true));
    running.store.insert_blocking(spans).unwrap();
    running
}

#[test]
fn the_list_says_what_broke_and_how_it_went() {
    let running = filled();
    let page = running.get("/");
    assert_eq!(page.status, 200, "{page:?}");
    for words in
        ["wf-bad", "misunderstood at boundary archive&lt;-researcher", "wrong", "wf-good", "published", "clean"]
    {
        assert!(page.body.contains(words), "{words} is not in {}", page.body);
    }
    assert_eq!(running.get("/workflows").status, 200);
}

#[test]
fn a_filter_finds_workflows_and_is_told_its_column_where_it_is_wrong() {
    let running = filled();
    let found = |q: &str| running.get(&format!("/?q={}", escape(q)));
    let page = found("mismatch = misunderstood");
    assert!(page.body.contains("wf-bad") && !page.body.contains("wf-good"), "{}", page.body);
    let page = found("workflow{outcome = \"published\"}");
    assert!(!page.body.contains("wf-bad") && page.body.contains("wf-good"), "{}", page.body);
    let page = found("| by to | count");
    assert!(page.body.contains("<td>archive</td>"), "{}", page.body);
    let page = found("from = ");
    assert_eq!(page.status, 400);
    assert!(page.body.contains("Column 8: expected a value"), "{}", page.body);
    let page = found("from = nobody");
    assert!(page.status == 200 && page.body.contains("No workflow was found"), "{}", page.body);
    let page = running.get("/?range=15m");
    assert!(page.body.contains("wf-bad"), "it was heard of now, whatever its own clock says: {}", page.body);
    assert_eq!(running.get("/?range=1y").status, 400);
}

#[test]
fn a_workflow_is_opened_with_its_cause_its_lanes_and_its_spans() {
    let running = filled();
    let page = running.get("/workflows/wf-bad");
    assert_eq!(page.status, 200);
    for words in [
        "Misunderstood at boundary",
        "Evidence",
        "What it explains",
        "root cause",
        "invoke_workflow story",
        "process archive",
        "wilco why wf-bad",
    ] {
        assert!(page.body.contains(words), "{words} is not in {}", page.body);
    }
    let narrow = running.get("/workflows/wf-bad?t=0-1000");
    assert_eq!(narrow.status, 200);
    let one = running.get("/workflows/wf-bad?span=0000000000000009");
    assert!(one.body.contains("wilco.handoff.id"), "the attributes of one span: {}", one.body);
    assert_eq!(running.get("/workflows/none").status, 404);
}

#[test]
fn a_handoff_shows_both_sides_and_where_they_differ() {
    let running = filled();
    let page = running.get(&format!("/handoffs/{}", Told::id(2)));
    assert_eq!(page.status, 200);
    for words in [
        "constraints.max",
        "different",
        "the same",
        "✕ sent were 1000 B",
        "crm",
        "of at most 10 s",
        "over the limit",
        "declared",
        "wilco query",
        &format!("/handoffs/{}", Told::id(1)),
    ] {
        assert!(page.body.contains(words), "{words} is not in {}", page.body);
    }
    assert_eq!(running.get("/handoffs/none").status, 404);
}

#[test]
fn every_page_has_a_twin_for_programs() {
    let running = filled();
    let list = running.get("/workflows.json?q=mismatch%20%3D%20misunderstood").json();
    assert_eq!(list["workflows"][0]["id"], "wf-bad");
    assert_eq!(list["workflows"][0]["status"], "failure");
    assert_eq!(list["workflows"].as_array().unwrap().len(), 1);
    let workflow = running.get("/workflows/wf-bad.json").json();
    assert_eq!(workflow["failure"]["status"], "failure");
    assert_eq!(workflow["handoffs"].as_array().unwrap().len(), 2);
    let handoff = running.get(&format!("/handoffs/{}.json", Told::id(2))).json();
    assert_eq!(handoff["handoff"]["mismatches"][0], "misunderstood");
    assert!(handoff["intent"].as_array().unwrap().iter().any(|row| row["outcome"] == "different"), "{handoff}");
    // All that the page shows, in the same words; what both sides found is told once.
    let finding = &handoff["findings"][0];
    assert_eq!((&finding["kind"], handoff["findings"].as_array().unwrap().len()), (&"misunderstood".into(), 1));
    assert_eq!(handoff["why"]["cause"], Told::id(2));
    assert_eq!(handoff["why"]["sentence"], workflow["sentence"]);
    assert!(handoff["ladder"].as_array().unwrap().iter().all(|climb| climb["after_ms"].is_number()), "{handoff}");
    assert_eq!(handoff["context"][0]["name"], "crm");
    for (path, time) in [("/workflows.json", "/spark/until"), ("/stats.json", "/until"), ("/agents.json", "/from")] {
        let twin = running.get(path).json();
        let time = twin.pointer(time).and_then(|time| time.as_str()).unwrap_or_else(|| panic!("{path}: {twin}"));
        assert!(time.ends_with('Z'), "{path}: {time}");
    }
    let wrong = running.get("/workflows.json?q=from");
    assert_eq!((wrong.status, wrong.json()["column"].as_u64()), (400, Some(5)));
    assert_eq!(running.get("/workflows/none.json").json()["error"], "no workflow or trace \"none.json\" is known");
}

#[test]
fn nothing_that_a_stranger_says_is_more_than_text() {
    let running = Running::start(|options| options);
    let told = Told::new(1, HOSTILE, "planner", "writer").found("misunderstood");
    let mut spans = told.spans();
    for span in &mut spans {
        for name in ["wilco.handoff.from", "wilco.handoff.to", "gen_ai.agent.name", "wilco.handoff.reason"] {
            span.attributes.insert(name, HOSTILE);
        }
        let intent = serde_json::json!({ "goal": HOSTILE, "object": HOSTILE, "constraints": { HOSTILE: HOSTILE } });
        span.attributes.insert("wilco.intent.sent", intent.to_string());
        span.attributes.insert("wilco.intent.read_back", intent.to_string().replace("alert(1)", "alert(9)"));
        span.attributes.insert(HOSTILE, HOSTILE);
        span.name = HOSTILE.to_owned();
        span.status = SpanStatus::Error(HOSTILE.to_owned());
    }
    running.store.insert_blocking(spans.to_vec()).unwrap();
    running.store.insert_blocking(vec![stored::root(HOSTILE, 0, 50, HOSTILE, false)]).unwrap();
    let workflow = format!("/workflows/{}", escape(HOSTILE));
    for path in [
        "/".to_owned(),
        format!("/?q={}", escape(HOSTILE)),
        workflow.clone(),
        format!("{workflow}?span={}&open={}", "0000000000000005", escape(HOSTILE)),
        format!("/handoffs/{}", Told::id(1)),
        format!("/workflows/{}x", escape(HOSTILE)),
        format!("/{}", escape(HOSTILE)),
    ] {
        let page = running.get(&path);
        assert!(page.status != 500, "{path}: {page:?}");
        for marker in ["<script>alert", "<img", "<svg/onload", "</title><script>"] {
            assert!(!page.body.contains(marker), "{marker} in {path}: {}", page.body);
        }
    }
    assert_eq!(running.get(&workflow).status, 200);
}

#[test]
fn pages_may_load_nothing_from_elsewhere_and_nothing_inline() {
    let running = filled();
    let mut pages: Vec<String> = ["/", "/workflows/wf-bad", "/nothing-here", "/?q=from"].map(str::to_owned).into();
    pages.push(format!("/handoffs/{}", Told::id(2)));
    for path in pages {
        let page = running.get(&path);
        let policy = page.header("content-security-policy").unwrap_or_else(|| panic!("{path}: {page:?}"));
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        for marker in ["style=\"", "<style", " onclick", " onload", "javascript:", "https://", "src=\"//", "href=\"//"]
        {
            assert!(!page.body.contains(marker), "{marker} in {path}");
        }
        // Whatever is loaded is ours.
        for tag in page.body.split("src=\"").skip(1) {
            assert!(tag.starts_with("/assets/"), "{}", &tag[..40]);
        }
    }
}

#[test]
fn files_that_pages_load_may_be_kept_for_ever() {
    let running = filled();
    let page = running.get("/").body;
    let names: Vec<&str> = page.split("\"/assets/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for name in names {
        let asset = running.get(&format!("/assets/{name}"));
        assert_eq!(asset.status, 200, "{name}");
        assert!(asset.header("cache-control").unwrap().contains("immutable"));
        assert!(!asset.body.contains("https://"), "{name} asks somebody else");
    }
    assert_eq!(running.get("/assets/app.000000000000.css").status, 404);
}

#[test]
fn a_newcomer_is_told_how_to_connect_with_the_addresses_of_this_server() {
    let running = Running::start(|options| options.bus("nats://127.0.0.1:4999"));
    let page = running.get("/");
    let (http, grpc) = (running.at.otlp_http, running.at.otlp_grpc.unwrap());
    for words in ["nats://127.0.0.1:4999", &format!("http://{http}"), &grpc.to_string(), "wilco demo --otlp"] {
        assert!(page.body.contains(words), "{words} is not in {}", page.body);
    }
}

#[test]
fn a_problem_is_a_page_for_people_and_json_for_programs() {
    let running = filled();
    let page = running.get("/nothing-here");
    assert_eq!(page.status, 404);
    assert!(page.body.contains("There is nothing here") && page.body.contains("<nav"), "{}", page.body);
    let program = request(running.at.http, "GET", "/nothing-here", &[], b"").unwrap();
    assert!(program.json()["error"].as_str().unwrap().contains("nothing is at"));
    let api = running.get("/api/workflows/none");
    assert!(api.json()["error"].is_string(), "the API speaks JSON to everybody");
}

#[test]
fn colours_are_chosen_without_a_script_and_nobody_is_led_elsewhere() {
    let running = filled();
    let reply = running.form("/theme", &format!("theme=dark&back={}", escape("/workflows/wf-bad")), &[]);
    assert_eq!((reply.status, reply.header("location")), (303, Some("/workflows/wf-bad")));
    let cookie = reply.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let page = running.get_with("/", &[("cookie", &cookie)]);
    assert!(page.body.contains("data-theme=\"dark\""), "{}", page.body);
    let reply = running.form("/theme", &format!("theme=dark&back={}", escape("//evil.example")), &[]);
    assert_eq!(reply.header("location"), Some("/"));
}

fn guarded() -> Running {
    Running::start(|options| options.token(Token::new(TOKEN).unwrap()))
}

#[test]
fn pages_ask_for_the_token_and_the_link_signs_one_browser_in_once() {
    let running = guarded();
    for path in ["/", "/workflows.json", "/workflows/x", "/handoffs/x", "/api/workflows", "/metrics"] {
        assert_eq!(running.get(path).status, 401, "{path}");
    }
    let page = running.get("/workflows/x");
    assert!(page.body.contains("Sign in") && page.body.contains("value=\"/workflows/x\""), "{}", page.body);
    let url = running.server.as_ref().unwrap().sign_in_url().unwrap();
    assert!(!url.contains(TOKEN));
    let path = url.strip_prefix(&format!("http://{}", running.at.http)).unwrap();
    let reply = running.get(path);
    assert_eq!((reply.status, reply.header("location")), (303, Some("/")), "{reply:?}");
    let cookie = reply.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains(TOKEN), "{cookie}");
    let shown = cookie.split(';').next().unwrap();
    for path in ["/", "/workflows.json", "/api/workflows"] {
        assert_eq!(running.get_with(path, &[("cookie", shown)]).status, 200, "{path}");
    }
    // Once.
    assert_eq!(running.get(path).status, 401);
    assert_eq!(running.server.as_ref().unwrap().sign_in_url(), None);
    let forged = shown.replace('.', ".0");
    assert_eq!(running.get_with("/", &[("cookie", &forged)]).status, 401);
}

#[test]
fn the_token_signs_in_too_and_guessing_it_is_stopped() {
    let running = guarded();
    let reply = running.form("/sign-in", &format!("token={TOKEN}&back=%2Fworkflows%2Fx"), &[]);
    assert_eq!((reply.status, reply.header("location")), (303, Some("/workflows/x")));
    let guess = || running.form("/sign-in", "token=a-wrong-one", &[]);
    assert_eq!(guess().status, 401);
    let stopped = (0..20).map(|_| guess()).find(|reply| reply.status == 429).expect("guessing is stopped");
    assert!(stopped.header("set-cookie").is_none());
    assert_eq!(running.form("/sign-in", &format!("token={TOKEN}"), &[]).status, 429, "also the right one, for a while");
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(running.get_with("/", &[("authorization", &bearer)]).status, 429);
}

#[test]
fn a_name_that_somebody_elses_page_may_have_pointed_here_is_not_answered_to() {
    let running = filled();
    let asked = |host: &str| {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(running.at.http).unwrap();
        write!(stream, "GET /workflows.json HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    for host in ["evil.example", "evil.example:4480", "127.0.0.1.evil.example"] {
        assert_eq!(asked(host), "403", "{host}");
    }
    for host in ["localhost:4480", "127.0.0.1:4480", "[::1]:4480", "wilco", "wilco.localhost"] {
        assert_eq!(asked(host), "200", "{host}");
    }
}

#[test]
fn a_large_workflow_and_its_loops_and_fans_stay_small_on_the_page() {
    let running = Running::start(|options| options);
    let mut spans = Vec::new();
    for hop in 0..200 {
        let (from, to) = if hop % 2 == 0 { ("writer", "critic") } else { ("critic", "writer") };
        let mut told = Told::new(hop + 1, "loop", from, to).lasting(1_000 - hop);
        if hop > 0 {
            told = told.below(hop);
        }
        spans.extend(told.spans());
    }
    for part in 0..1_000 {
        spans.extend(Told::new(1_000 + part, "fan", "planner", "worker").spans());
    }
    running.store.insert_blocking(spans).unwrap();
    let page = running.get("/workflows/loop");
    assert!(page.body.contains("more like these"), "{}", page.body);
    assert!(page.body.matches("class=\"handoff ").count() < 20);
    let open = running.get("/workflows/loop?open=all");
    assert!(open.body.matches("class=\"handoff ").count() > 100);
    assert!(open.body.contains("lines after these"));
    let page = running.get("/workflows/fan");
    assert_eq!(page.status, 200);
    assert!(page.body.len() < 600_000, "{} bytes", page.body.len());
    assert!(page.body.contains("2\u{202f}000"), "the spans are counted");
}

#[test]
fn a_workflow_that_was_opened_is_shown_anew_when_any_span_of_it_comes_or_changes() {
    let told = Told::new(1, "wf", "planner", "writer");
    let running = Running::with([told.sender()]);
    let page = || running.get("/workflows/wf").body;
    let first = page();
    assert_eq!(page().matches("of-handoff").count(), first.matches("of-handoff").count());
    assert!(!first.contains("a call of others"));

    // One of other makers, which names no workflow.
    let mut other =
        stored::span(told.trace(), 77, "a call of others", Default::default(), told.at_ms + 1, 2, Default::default());
    running.store.insert_blocking(vec![other.clone()]).unwrap();
    assert!(page().contains("a call of others"));

    // The same span once more, as it ended.
    other.name = "a call that ended".into();
    other.end = other.end + std::time::Duration::from_secs(1);
    running.store.insert_blocking(vec![other]).unwrap();
    let changed = page();
    assert!(changed.contains("a call that ended") && !changed.contains("a call of others"));

    // The other side of the handoff; its own page tells of it as well.
    assert!(!running.get(&format!("/handoffs/{}", Told::id(1))).body.contains("process writer"));
    running.store.insert_blocking(vec![told.receiver()]).unwrap();
    assert!(page().contains("process writer"));
    assert!(running.get(&format!("/handoffs/{}", Told::id(1))).body.contains("process writer"));
}
