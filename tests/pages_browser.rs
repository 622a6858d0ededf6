//! The pages in a real browser: Chromium without a window, driven by `tests/node/pages.mjs`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(all(feature = "cli", unix))]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use wilco::model::{AttributeValue, Span, SpanStatus};

#[path = "support/dev.rs"]
#[allow(dead_code)]
mod dev;
#[path = "support/http.rs"]
#[allow(dead_code)]
mod http;
#[path = "support/stored.rs"]
#[allow(dead_code)]
mod stored;
mod support;

use dev::{Dev, wilco};
use http::escape;
use stored::Told;
use support::process::Peer;
use support::{PATIENCE, poll};

/// Waits until the person has seen all; each step has a patience of its own.
#[track_caller]
fn until_done(person: &mut Peer) {
    loop {
        match person.next().as_deref() {
            Some("DONE") => return,
            Some(step) if step.starts_with("STEP ") => {}
            other => panic!("the browser said {other:?}"),
        }
    }
}

/// A running `wilco dev`, with agents to connect to it.
struct Stage {
    dev: Dev,
    pages: String,
    otlp: SocketAddr,
}

impl Stage {
    fn start() -> Self {
        let dev = Dev::start(&[]);
        Self { pages: dev.url(), otlp: dev.otlp, dev }
    }

    fn tell(&self, spans: &[Span]) {
        for spans in spans.chunks(2_000) {
            let body = wilco::otlp::to_json(spans);
            let kind = [("content-type", "application/json")];
            let reply = http::post(self.otlp, "/v1/traces", &kind, body.as_bytes());
            assert_eq!(reply.status, 200, "{reply:?}");
        }
    }

    /// Agents of a newsroom hand over to each other, and break things in six ways.
    fn run_agents(&self, workflows: &str) {
        let (nats, otlp) = (self.dev.nats(), self.dev.otlp());
        let demo = ["demo", "--workflows", workflows, "--seed", "7", "--nats", &nats, "--otlp", &otlp];
        let output = wilco(&demo).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }

    /// A page of each kind, as `name=address`: of a workflow that broke over stale context, and of a task that was
    /// misunderstood.
    fn paths(&self) -> Vec<String> {
        let at = self.pages.strip_prefix("http://").unwrap().parse().unwrap();
        let is_stale = |row: &serde_json::Value| {
            row["sentence"].as_str().is_some_and(|sentence| sentence.starts_with("stale context"))
        };
        // What takes long to diagnose is there the next time.
        let failed = poll(PATIENCE, || {
            let list = http::get(at, "/workflows.json").json();
            list["workflows"].as_array().unwrap().iter().find(|row| is_stale(row)).cloned()
        });
        let failed = failed.expect("a workflow that broke over stale context");
        let misread = http::get(at, "/api/query?q=mismatch%20%3D%20misunderstood").json();
        vec![
            "workflows=/".to_owned(),
            format!("workflow={}", escape(&format!("/workflows/{}", failed["id"].as_str().unwrap()))),
            format!("handoff={}", escape(&format!("/handoffs/{}", misread["lines"][0]["id"].as_str().unwrap()))),
        ]
    }

    /// A person with a browser; `None`, after a loud skip, where there is none.
    fn visit(&self, scenario: &str, paths: &[&str]) -> Option<Peer> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        self.visit_and_keep(&screenshots(), scenario, &paths)
    }

    /// As [`Stage::visit`]; what was seen is kept in this folder.
    fn visit_and_keep(&self, folder: &Path, scenario: &str, paths: &[String]) -> Option<Peer> {
        let Some(chromium) = chromium() else {
            support::skip("no Chromium");
            return None;
        };
        std::fs::create_dir_all(folder).unwrap();
        let first = [scenario, self.pages.as_str(), folder.to_str().unwrap()];
        let arguments: Vec<&str> = first.into_iter().chain(paths.iter().map(String::as_str)).collect();
        support::node::spawn_with("pages.mjs", &arguments, &[("CHROMIUM", chromium.to_str().unwrap())])
    }
}

fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(PathBuf::from);
    named.into_iter().chain(usual).find(|path| path.exists())
}

/// Kept with what a build leaves behind.
fn screenshots() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target")).join("screenshots")
}

#[test]
fn a_person_sees_workflows_come_filters_and_goes_down_to_the_slot_that_differs() {
    let stage = Stage::start();
    let Some(mut person) = stage.visit("live", &[]) else { return };
    person.expect("EMPTY");
    stage.run_agents("12");
    person.tell("look");
    person.expect("ROWS");
    stage.tell(&Told::new(1, "one-more", "planner", "newsroom").spans());
    person.tell("look");
    until_done(&mut person);
}

#[test]
fn without_the_script_all_of_it_works_by_links_and_forms() {
    let stage = Stage::start();
    stage.run_agents("8");
    let Some(mut person) = stage.visit("still", &[]) else { return };
    until_done(&mut person);
}

#[test]
fn names_and_intents_full_of_html_run_nothing_and_break_no_page() {
    const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&</td></table>";
    let stage = Stage::start();
    let mut spans: Vec<Span> = Told::new(1, HOSTILE, "planner", "writer").found("misunderstood").spans().into();
    for span in &mut spans {
        for name in ["wilco.handoff.from", "wilco.handoff.to", "gen_ai.agent.name", "wilco.handoff.reason"] {
            span.attributes.insert(name, HOSTILE);
        }
        let intent = serde_json::json!({ "goal": HOSTILE, "constraints": { HOSTILE: HOSTILE.repeat(20) } }).to_string();
        span.attributes.insert("wilco.intent.sent", intent.clone());
        span.attributes.insert("wilco.intent.read_back", intent.replace("alert(1)", "alert(9)"));
        span.name = HOSTILE.repeat(10);
        span.status = SpanStatus::Error(HOSTILE.to_owned());
    }
    spans.push(stored::root(HOSTILE, 0, 50, HOSTILE, false));
    stage.tell(&spans);
    let workflow = format!("/workflows/{}", escape(HOSTILE));
    let handoff = format!("/handoffs/{}", Told::id(1));
    let agents = format!("/agents?from={0}&to={0}", escape(HOSTILE));
    let Some(mut person) = stage.visit("hostile", &["/", &workflow, &handoff, &agents, "/stats"]) else { return };
    until_done(&mut person);
}

#[test]
fn a_workflow_of_ten_thousand_spans_opens_at_once() {
    let stage = Stage::start();
    let mut spans: Vec<Span> = Vec::new();
    for number in 0..400 {
        let mut told = Told {
            at_ms: number * 10,
            ..Told::new(number + 1, "large", AGENTS[number as usize % 4], AGENTS[(number as usize + 1) % 4])
        };
        if number == 240 {
            told = told.found("stale_context");
        }
        let [sender, receiver] = told.spans();
        for call in 0..23 {
            let name = ["chat", "execute_tool search", "embed"][call as usize % 3];
            let attributes = [("gen_ai.request.model", AttributeValue::from("m"))].into_iter().collect();
            let id = 1_000_000 + number * 100 + call;
            let mut inner = stored::span(told.trace(), id, name, Default::default(), told.at_ms + call, 2, attributes);
            inner.parent_span_id = Some(receiver.span_id);
            spans.push(inner);
        }
        spans.extend([sender, receiver]);
    }
    stage.tell(&spans);
    let Some(mut person) = stage.visit("large", &["/workflows/large"]) else { return };
    let took = person.expect("OPENED");
    support::note(&format!("opened in {took} ms by a program that is built for tests"));
    until_done(&mut person);
}

/// Words of a hundred different agents: names that differ in numbers alone would be one kind.
fn hundred_names() -> Vec<&'static str> {
    let (firsts, seconds) = (
        ["market", "legal", "price", "weather", "supply", "travel", "news", "risk", "tax", "energy"],
        ["reader", "writer", "checker", "planner", "finder", "judge", "editor", "scout", "clerk", "guide"],
    );
    let names = firsts.iter().flat_map(|first| seconds.iter().map(move |second| format!("{first}-{second}")));
    names.map(|name| &*name.leak()).collect()
}

#[test]
fn a_fan_out_to_a_hundred_different_agents_stays_readable() {
    let stage = Stage::start();
    let names = hundred_names();
    let fan = (1..).zip(&names).flat_map(|(number, name)| {
        let told = Told { at_ms: number, ..Told::new(number, "fan", "planner", name).lasting(1_000 + number * 3) };
        if number == 77 { told.found("stale_context") } else { told }.spans()
    });
    stage.tell(&fan.collect::<Vec<_>>());
    let Some(mut person) = stage.visit("fan", &["/workflows/fan", "/agents", names[76]]) else { return };
    until_done(&mut person);
}

const AGENTS: [&str; 4] = ["planner", "researcher", "writer", "reviewer"];

#[test]
#[ignore = "makes the pictures of the README: bash tests/screenshots.sh"]
fn pictures_for_the_readme() {
    let stage = Stage::start();
    stage.run_agents("12");
    let mut person = stage.visit_and_keep(Path::new("src/docs/images"), "pictures", &stage.paths()).expect("a browser");
    until_done(&mut person);
}

#[test]
fn every_page_fits_screens_from_a_phone_to_a_wall() {
    let stage = Stage::start();
    stage.run_agents("12");
    let mut paths = stage.paths();
    paths.push(format!("wrong={}", escape("/?q=from = ")));
    paths.push(format!("agents={}", escape("/agents")));
    paths.push(format!("boundary={}", escape("/agents?from=planner&to=researcher")));
    paths.push(format!("stats={}", escape("/stats?range=1h&against=before")));
    let two =
        "/stats?from=2026-01-01T00:00&until=2036-01-01T00:00&other_from=2025-01-01T00:00&other_until=2026-01-01T00:00";
    paths.push(format!("times={}", escape(two)));
    let Some(mut person) = stage.visit_and_keep(&screenshots(), "sizes", &paths) else { return };
    until_done(&mut person);
}
