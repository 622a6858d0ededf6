//! `wilco demo`, as a newcomer runs it: the built program, the embedded bus and real servers, and a backend that was not
//! written here.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(feature = "cli")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

use serde_json::Value;
use support::nats::NatsServer;

#[path = "support/otlp.rs"]
mod otlp;
#[path = "support/trace_view.rs"]
mod trace_view;

use trace_view::TraceView;

fn demo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wilco"));
    command.arg("demo").args(arguments);
    for name in ["NATS_URL", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.output().expect("wilco runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn each_seeded_fault_is_found_at_its_handoff_with_its_kind_and_nothing_else() {
    let servers = support::nats::each_server_version();
    let servers: Vec<NatsServer> = servers.iter().map(|binary| NatsServer::start_with(binary, &[])).collect();
    let urls = servers.iter().map(|server| vec!["--nats".to_owned(), server.url()]);
    for server in std::iter::once(Vec::new()).chain(urls) {
        let server: Vec<&str> = server.iter().map(String::as_str).collect();
        let ran = demo(&[&server, &["--json", "--seed", "5", "--workflows", "7"][..]].concat());
        assert_eq!(ran.status.code(), Some(1), "failures are found: {}", text(&ran.stderr));
        let report: Value = serde_json::from_slice(&ran.stdout).expect("one JSON document");
        assert_eq!((&report["seeded"], &report["found"], &report["unexpected"]), (&6.into(), &6.into(), &0.into()));
        let mut kinds = BTreeSet::new();
        for workflow in report["workflows"].as_array().unwrap() {
            let found: Vec<(&Value, &Value)> = workflow["handoffs"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|handoff| handoff["mismatches"].as_array().unwrap().iter().map(move |m| (handoff, m)))
                .collect();
            match (&workflow["seeded"], &found[..]) {
                (Value::Null, []) => {}
                (seeded, [(handoff, mismatch)]) => {
                    assert_eq!(
                        (&mismatch["kind"], &handoff["from"], &handoff["to"]),
                        (&seeded["kind"], &seeded["from"], &seeded["to"]),
                    );
                    assert_ne!(mismatch["evidence"], "", "a finding shows its evidence");
                    kinds.insert(mismatch["kind"].as_str().unwrap().to_owned());
                }
                _ => panic!("not what was seeded: {workflow:#}"),
            }
            check_why(workflow);
        }
        let all = ["corrupted", "misunderstood", "stale_context", "timed_out", "undelivered", "unverified_use"];
        assert_eq!(kinds, BTreeSet::from(all.map(str::to_owned)));
    }
}

/// The spans alone name what was seeded: the boundary and the kind, first in a sentence.
fn check_why(workflow: &Value) {
    let (seeded, why) = (&workflow["seeded"], &workflow["why"]);
    if seeded.is_null() {
        assert_eq!(why["status"], "clean", "{workflow:#}");
        return;
    }
    let (kind, boundary) = (seeded["kind"].as_str().unwrap(), boundary(seeded));
    assert_eq!((why["cause"]["kind"].as_str(), why["cause"]["boundary"].as_str()), (Some(kind), Some(&*boundary)));
    let begin = format!("{} at boundary {boundary}: ", kind.replace('_', " "));
    let sentence = why["sentence"].as_str().unwrap();
    assert!(sentence.starts_with(&begin) && sentence.len() > begin.len() + 10, "{sentence}");
}

fn boundary(seeded: &Value) -> String {
    format!("{}<-{}", seeded["to"].as_str().unwrap(), seeded["from"].as_str().unwrap())
}

#[test]
fn what_is_saved_tells_why_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("demo.otlp.jsonl");
    let ran = demo(&["--json", "--seed", "8", "--workflows", "6", "--save", file.to_str().unwrap()]);
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran.stderr));
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let why = Command::new(env!("CARGO_BIN_EXE_wilco"))
        .args(["why", "--all", "--json", "--file"])
        .arg(&file)
        .output()
        .expect("wilco runs");
    assert_eq!(why.status.code(), Some(1), "{}", text(&why.stderr));
    let told: Vec<Value> = text(&why.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for workflow in report["workflows"].as_array().unwrap() {
        check_why(workflow);
        let told = told.iter().find(|told| told["workflow"] == workflow["workflow"]).unwrap();
        assert_eq!(told["sentence"], workflow["why"]["sentence"]);
    }
}

#[test]
fn a_healthy_newsroom_has_nothing_to_report() {
    let ran = demo(&["--healthy", "--workflows", "2"]);
    let (out, err) = (text(&ran.stdout), text(&ran.stderr));
    assert_eq!(ran.status.code(), Some(0), "{err}");
    assert!(out.contains("nothing was broken, and nothing was found"), "{out}");
    assert!(!out.contains('\u{1b}'), "plain when it is not a terminal: {out}");
    assert!(out.lines().all(|line| line.chars().count() <= 100), "fits 100 columns: {out}");
}

#[test]
fn the_account_and_the_table_fit_100_columns() {
    let ran = demo(&["--seed", "11", "--workflows", "6"]);
    let out = text(&ran.stdout);
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran.stderr));
    assert!(out.contains("6 of 6 seeded faults found"), "{out}");
    let (_, whys) = out.split_once("why they failed, from their spans alone").expect("it ends by saying why");
    assert_eq!(whys.matches(" at boundary ").count(), 6, "{whys}");
    assert!(whys.contains("wilco why story-"), "and how to see more: {whys}");
    let wide: Vec<&str> = out.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(wide.is_empty(), "{wide:?}");
}

#[test]
fn it_needs_nothing_that_is_installed() {
    let empty = tempfile::tempdir().expect("a directory");
    let ran = Command::new(env!("CARGO_BIN_EXE_wilco"))
        .args(["demo", "--seed", "3"])
        .current_dir(empty.path())
        .env("PATH", empty.path())
        .env_remove("NATS_URL")
        .output()
        .expect("wilco runs");
    let out = text(&ran.stdout);
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran.stderr));
    assert!(out.contains("embedded bus") && out.contains("6 of 6 seeded faults found"), "{out}");
}

#[test]
fn an_unreachable_server_is_named() {
    let ran = demo(&["--nats", "nats://127.0.0.1:1"]);
    let err = text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{err}");
    assert!(err.contains("127.0.0.1:1"), "{err}");
}

#[test]
fn a_wrong_otlp_url_is_refused_before_anything_runs() {
    let ran = demo(&["--otlp", "localhost:4318"]);
    let err = text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{err}");
    assert!(err.contains("http://127.0.0.1:4318") && err.contains("grpc://"), "{err}");
}

#[test]
fn spans_that_nobody_took_are_told_with_the_reason_and_what_to_do() {
    let ran = demo(&["--otlp", "http://127.0.0.1:1", "--workflows", "1"]);
    let out = text(&ran.stdout);
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("0 spans sent to http://127.0.0.1:1"), "{out}");
    assert!(words.contains("not taken in time; `wilco doctor --otlp http://127.0.0.1:1`"), "{out}");
}

#[test]
fn a_backend_shows_one_trace_a_workflow_with_parents_right_and_the_seeded_mismatches() {
    let (Some(server), Some(tv)) = (NatsServer::start(), TraceView::start()) else { return };
    let otlp = format!("http://{}", tv.address);
    let ran = demo(&["--nats", &server.url(), "--otlp", &otlp, "--json", "--seed", "2", "--workflows", "7"]);
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran.stderr));
    let report: Value = serde_json::from_slice(&ran.stdout).expect("one JSON document");
    assert_eq!(report["spans"]["dropped"], 0);

    for workflow in report["workflows"].as_array().unwrap() {
        let id = workflow["workflow"].as_str().unwrap();
        let handoffs = workflow["handoffs"].as_array().unwrap();
        // A root, a sender's span for each handoff, and a receiver's for each that arrived.
        let arrived = handoffs.iter().filter(|handoff| handoff["rungs"].as_array().unwrap().len() > 1).count();
        let spans = tv.until("all spans are shown", || {
            let shown = tv.get(&format!("/api/sessions/{id}/spans"));
            let spans: Vec<Value> = shown.as_array()?.iter().filter(|span| !is_event(span)).cloned().collect();
            (spans.len() >= 1 + handoffs.len() + arrived).then_some(spans)
        });
        assert_eq!(spans.len(), 1 + handoffs.len() + arrived, "{id}: {spans:#?}");

        let traces: BTreeSet<&str> = spans.iter().map(|span| span["trace_id"].as_str().unwrap()).collect();
        assert_eq!(traces.len(), 1, "{id} is one trace");
        let by_id: BTreeMap<&str, &Value> = spans.iter().map(|span| (span["id"].as_str().unwrap(), span)).collect();
        let roots: Vec<&&Value> = by_id.values().filter(|span| parent(span).is_none()).collect();
        assert_eq!(roots.len(), 1, "{id} has one root");
        for span in &spans {
            let Some(parent) = parent(span) else { continue };
            let parent = by_id.get(parent).unwrap_or_else(|| panic!("{id}: a parent is missing: {span:#}"));
            check_parent(span, parent);
        }
        let seeded: Vec<&Value> = [&workflow["seeded"]["kind"]].into_iter().filter(|kind| kind.is_string()).collect();
        let found: BTreeSet<&str> = spans
            .iter()
            .flat_map(|span| span["metadata"]["wilco.mismatches"].as_array().into_iter().flatten())
            .map(|kind| kind.as_str().unwrap())
            .collect();
        assert_eq!(found, seeded.iter().map(|kind| kind.as_str().unwrap()).collect(), "{id}");
    }
}

/// A receiver's span stands below the sender's of the same handoff; a sender's below the root, or below the span of the
/// task it was handed off from.
fn check_parent(span: &Value, parent: &Value) {
    let (own, above) = (&span["metadata"], &parent["metadata"]);
    match own["messaging.operation.type"].as_str() {
        Some("process") => assert_eq!(own["wilco.handoff.id"], above["wilco.handoff.id"], "{span:#}"),
        Some("send") => match own["wilco.handoff.parent"].as_str() {
            Some(task) => assert_eq!(
                (above["messaging.operation.type"].as_str(), &above["wilco.handoff.id"]),
                (Some("process"), &task.into())
            ),
            None => assert_eq!(self::parent(parent), None, "handed off from nowhere, so below the root"),
        },
        other => panic!("{other:?}: {span:#}"),
    }
}

fn parent(span: &Value) -> Option<&str> {
    span["parent_span_id"].as_str().filter(|id| !id.is_empty())
}

/// This backend shows every event as a span of its own.
fn is_event(span: &Value) -> bool {
    span["id"].as_str().is_some_and(|id| id.contains("-event-"))
}
