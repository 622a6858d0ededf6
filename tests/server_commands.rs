//! `wilco serve` and the commands that ask it, a file or a database: as a person at a terminal sees them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(feature = "cli")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wilco::store::{Store, StoreOptions};

#[path = "support/http.rs"]
#[allow(dead_code)]
mod http;
#[path = "support/stored.rs"]
#[allow(dead_code)]
mod stored;

use stored::Told;

/// A running `wilco serve`. Dropping it kills it.
struct Serve {
    process: Child,
    api: SocketAddr,
    otlp: SocketAddr,
}

impl Serve {
    fn start(db: &Path) -> Self {
        Self::start_at(db, "127.0.0.1:0", &[])
    }

    /// With OTLP over HTTP at this address, and with these options.
    fn start_at(db: &Path, otlp: &str, options: &[&str]) -> Self {
        let command = "cargo run --release -- serve";
        let mut process = wilco()
            .args(command.split(" -- ").skip(1))
            .args(["--http", "127.0.0.1:0", "--otlp-http", otlp, "--otlp-grpc", "127.0.0.1:0", "--db"])
            .arg(db)
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut address = |prefix: &str| {
            let line = lines.next().unwrap();
            line.strip_prefix(prefix).unwrap_or_else(|| panic!("{line}")).parse().unwrap()
        };
        let (api, otlp) = (address("api   http://"), address("otlp  http://"));
        Self { process, api, otlp }
    }

    fn url(&self) -> String {
        format!("http://{}", self.api)
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn wilco() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wilco"));
    command.env_remove("WILCO_SERVER").env_remove("WILCO_TOKEN").env("RUST_LOG", "off");
    command
}

fn run(arguments: &[&str]) -> Output {
    wilco().args(arguments).output().unwrap()
}

#[track_caller]
fn ok(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Standard error of a command that ends with 2.
#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn post(otlp: SocketAddr, told: &Told) -> std::io::Result<http::Reply> {
    let body = wilco::otlp::to_json(&told.spans());
    http::request(otlp, "POST", "/v1/traces", &[("content-type", "application/json")], body.as_bytes())
}

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed_under_load() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("wilco.db");
    let mut acknowledged = 0;
    // Twice, so that the second one goes on over what the first one left.
    for round in 0..2 {
        let mut serve = Serve::start(&db);
        let (next, stop, acks) = (AtomicU64::new(round * 100_000), AtomicBool::new(false), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        match post(serve.otlp, &Told::new(number, &format!("wf-{number}"), "a", "b")) {
                            Ok(reply) if reply.status == 200 => acks.lock().unwrap().push(number),
                            // Cut off, or gone.
                            _ => std::thread::sleep(Duration::from_millis(1)),
                        }
                    }
                });
            }
            let deadline = Instant::now() + Duration::from_secs(20);
            while acks.lock().unwrap().len() < 150 {
                assert!(Instant::now() < deadline, "too few are acknowledged");
                std::thread::sleep(Duration::from_millis(5));
            }
            // SIGKILL, in the midst of it.
            let _ = std::process::Command::new("kill").args(["-9", &serve.process.id().to_string()]).status();
            std::thread::sleep(Duration::from_millis(50));
            stop.store(true, Ordering::Relaxed);
        });
        let _ = serve.process.wait();
        let store = Store::open(&db, StoreOptions::default()).unwrap();
        let acks = acks.into_inner().unwrap();
        acknowledged += acks.len();
        for number in acks {
            assert_eq!(store.spans(&format!("wf-{number}")).unwrap().len(), 2, "{number} was acknowledged and is lost");
            assert!(store.handoff(&Told::id(number)).unwrap().is_some(), "{number}");
        }
    }
    assert!(acknowledged >= 300);
}

#[test]
fn a_second_server_is_refused_the_database_of_the_first_until_that_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("wilco.db");
    let first = Serve::start(&db);
    let ports = ["--http", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0"];
    let text = refused(&[&["serve", "--db", db.to_str().unwrap()], &ports[..]].concat());
    assert!(text.contains(&format!("wilco.db: process {} serves it already", first.process.id())), "{text}");
    ok(&["query", "--db", db.to_str().unwrap()]);
    drop(first);
    Serve::start(&db);
}

#[test]
fn the_same_is_found_on_a_server_in_a_database_and_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let (db, file) = (folder.path().join("wilco.db"), folder.path().join("spans.jsonl"));
    let told = [
        Told::new(1, "a", "planner", "writer").with("wilco.result.quality", 0.5),
        Told::new(2, "a", "writer", "reviewer").below(1).found("stale_context"),
    ];
    let lines: Vec<String> = told.iter().map(|told| wilco::otlp::to_json(&told.spans())).collect();
    std::fs::write(&file, lines.join("\n\n") + "\n").unwrap();
    let (db, file) = (db.to_str().unwrap(), file.to_str().unwrap());
    assert_eq!(ok(&["import", file, "--db", db]), format!("4 spans into {db}, 0 were there already\n"));
    assert_eq!(ok(&["import", file, "--db", db]), format!("0 spans into {db}, 4 were there already\n"));
    let serve = Serve::start(Path::new(db));
    let url = serve.url();
    for source in [&["--db", db][..], &["--file", file], &["--server", &url]] {
        let with = |arguments: &[&'static str]| -> Vec<String> {
            arguments
                .iter()
                .map(|each| (*each).to_owned())
                .chain(source.iter().map(|each| (*each).to_owned()))
                .collect()
        };
        let run = |arguments: &[&'static str]| -> String {
            let arguments = with(arguments);
            ok(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let found = run(&["query", "mismatch = stale_context"]);
        assert!(found.contains("reviewer<-writer") && !found.contains("writer<-planner"), "{found}");
        let answer: serde_json::Value = serde_json::from_str(&run(&["query", "--json", "| by to | count"])).unwrap();
        assert_eq!(answer["lines"].as_array().map(Vec::len), Some(2));
        assert_eq!(answer["columns"], serde_json::json!(["to", "count"]));
        let stats = run(&["stats"]);
        assert!(stats.contains("reviewer<-writer") && stats.contains("stale_context 1"), "{stats}");
        let stats: serde_json::Value = serde_json::from_str(&run(&["stats", "--json"])).unwrap();
        assert_eq!(stats["boundaries"][0]["mismatched"], 1);
        let arguments = with(&["query", "from = = writer"]);
        let error = refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(error.contains("  from = = writer\n         ^\n"), "{error}");
        assert!(error.contains("column 8: expected a value, found `=`"), "{error}");
    }
}

#[test]
fn spans_are_exported_to_another_server_and_a_second_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to, state) = (folder.path().join("from.db"), folder.path().join("to.db"), folder.path().join("state"));
    let store = Store::open(&from, StoreOptions::default()).unwrap();
    for number in 0..700 {
        store.insert_blocking(Told::new(number, "wf", "a", "b").spans().to_vec()).unwrap();
    }
    let serve = Serve::start(&to);
    let url = format!("http://{}", serve.otlp);
    let export = |more: &[&str]| {
        let mut arguments = vec!["export", &url, "--db", from.to_str().unwrap(), "--state", state.to_str().unwrap()];
        arguments.extend(more);
        ok(&arguments)
    };
    assert_eq!(export(&[]), format!("1400 spans to {url}\n"));
    assert_eq!(export(&[]), format!("0 spans to {url}\n"));
    store.insert_blocking(Told::new(700, "wf", "a", "b").spans().to_vec()).unwrap();
    assert_eq!(export(&[]), format!("2 spans to {url}\n"));
    let mut sent = store.spans("wf").unwrap();
    let mut arrived = Store::open(&to, StoreOptions::default()).unwrap().spans("wf").unwrap();
    let key = |span: &wilco::model::Span| span.span_id.to_bytes();
    sent.sort_by_key(key);
    arrived.sort_by_key(key);
    assert!(sent == arrived && sent.len() == 1_402);
    // What ended long ago is left out, and a pace is kept.
    std::fs::remove_file(&state).unwrap();
    assert_eq!(export(&["--since", "1h"]), format!("0 spans to {url}\n"));
    let begun = Instant::now();
    export(&["--rate", "2000"]);
    assert!(begun.elapsed() > Duration::from_millis(450), "{:?}", begun.elapsed());
    let error = refused(&["export", "nowhere", "--db", from.to_str().unwrap()]);
    assert!(error.contains("\"nowhere\" is no URL"), "{error}");
}

#[test]
fn spans_are_exported_with_the_headers_that_a_backend_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from.db"), folder.path().join("to.db"));
    let store = Store::open(&from, StoreOptions::default()).unwrap();
    store.insert_blocking(Told::new(1, "wf", "a", "b").spans().to_vec()).unwrap();
    let serve = Serve::start_at(&to, "127.0.0.1:0", &["--token", "a-secret-word"]);
    let url = format!("http://{}", serve.otlp);
    let export = ["export", &url, "--db", from.to_str().unwrap()];
    let error = refused(&export);
    assert!(error.contains("a token is needed") && error.contains("WILCO_TOKEN"), "{error}");
    let with = |header| [&export[..], &["--header", header]].concat();
    assert_eq!(ok(&with("authorization=Bearer%20a-secret-word")), format!("2 spans to {url}\n"));
    let error = refused(&with("authorization"));
    assert!(error.contains("--header: write it as in NAME=VALUE"), "{error}");
}

#[test]
fn who_asks_right_after_the_agents_need_not_ask_twice() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::start(&folder.path().join("wilco.db"));
    let url = serve.url();
    let asking = wilco().args(["why", "wf", "--server", &url]).stdout(Stdio::piped()).spawn().unwrap();
    // Its first question has been answered by then, with "not known".
    std::thread::sleep(Duration::from_millis(300));
    let found = Told::new(1, "wf", "a", "b").found("stale_context");
    assert_eq!(post(serve.otlp, &found).unwrap().status, 200);
    let answer = asking.wait_with_output().unwrap();
    assert_eq!(answer.status.code(), Some(1), "{answer:?}");
}

#[test]
fn all_that_is_taken_is_forwarded_though_both_ends_are_killed_in_between() {
    let folder = tempfile::tempdir().unwrap();
    let (near, far) = (folder.path().join("near.db"), folder.path().join("far.db"));
    let backend = Serve::start(&far);
    let address = backend.otlp.to_string();
    let url = format!("http://{address}");
    let start = || Serve::start_at(&near, "127.0.0.1:0", &["--forward", &url]);
    let take = |serve: &Serve, numbers: std::ops::Range<u64>| {
        for number in numbers {
            assert_eq!(post(serve.otlp, &Told::new(number, "wf", "a", "b")).unwrap().status, 200);
        }
    };
    let arrived = || Store::open(&far, StoreOptions::default()).unwrap().spans("wf").unwrap().len();
    let arrives = |count: usize| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while arrived() < count {
            assert!(Instant::now() < deadline, "{} of {count} spans were forwarded", arrived());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let server = start();
    take(&server, 0..40);
    arrives(80);
    // What comes while the backend is away waits in the database, and stays there when its server is killed.
    drop(backend);
    take(&server, 40..80);
    drop(server);
    let _server = start();
    let _backend = Serve::start_at(&far, &address, &[]);
    arrives(160);
    assert_eq!(arrived(), 160);
}

#[test]
fn content_is_kept_when_it_is_asked_for_redacted_and_cut() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spans.jsonl");
    let told = Told::new(1, "wf", "a", "b").with("input.value", "my card is 4111-2222, and there is more to say");
    std::fs::write(&file, wilco::otlp::to_json(&[told.sender()])).unwrap();
    let import = |name: &str, more: &[&str]| {
        let db = folder.path().join(name);
        ok(&[&["import", file.to_str().unwrap(), "--db", db.to_str().unwrap()], more].concat());
        let span = Store::open(&db, StoreOptions::default()).unwrap().spans("wf").unwrap().remove(0);
        span.attributes.text("input.value").unwrap().to_owned()
    };
    assert!(import("none.db", &[]).starts_with("[not kept: 46 bytes, blake3:"));
    assert_eq!(import("all.db", &["--keep-content"]), "my card is 4111-2222, and there is more to say");
    let cut = import("cut.db", &["--keep-content=24", "--redact", r"\d{4}-\d{4}"]);
    assert_eq!(cut, "my card is [redacted], a[cut: the first 24 of 47 bytes]");
    let error = refused(&["import", "x", "--keep-content", "--redact", "("]);
    assert!(error.contains("--redact"), "{error}");
    assert!(refused(&["import", "x", "--redact", "a"]).contains("--keep-content"));
}

#[test]
fn tail_prints_a_line_for_each_handoff() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::start(&folder.path().join("wilco.db"));
    let mut tail = wilco()
        .args(["tail", "--server", &serve.url(), "--mismatched", "--lines", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut noise = BufReader::new(tail.stderr.take().unwrap()).lines();
    assert!(noise.next().unwrap().unwrap().starts_with("listening to http://"));
    assert_eq!(post(serve.otlp, &Told::new(1, "wf", "a", "b")).unwrap().status, 200);
    assert_eq!(post(serve.otlp, &Told::new(2, "wf", "a", "c").found("refused")).unwrap().status, 200);
    let output = tail.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("c<-a") && text.contains("mismatched") && text.trim_end().ends_with("wf  refused"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn what_cannot_be_done_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.db");
    let missing = missing.to_str().unwrap();
    assert!(refused(&["query", "--db", missing]).contains("there is no such database; name one by --db"));
    assert!(refused(&["query", "--server", "http://127.0.0.1:9"]).contains("does not answer"), "no server");
    assert!(refused(&["stats", "--server", "nowhere"]).contains("\"nowhere\" is no URL"));
    let text = folder.path().join("text");
    std::fs::write(&text, "{}\n{\"resourceSpans\": 1}\n").unwrap();
    let error = refused(&["query", "--file", text.to_str().unwrap()]);
    assert!(error.contains("line 2") && error.contains("not an OTLP/JSON trace request"), "{error}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = refused(&[
        "serve",
        "--http",
        &address,
        "--otlp-http",
        "127.0.0.1:0",
        "--otlp-grpc",
        "127.0.0.1:0",
        "--db",
        ":memory:",
    ]);
    assert!(
        error.contains(&format!(
            "API: {address} is taken by another program; stop that one, or name another address with --http"
        )),
        "{error}"
    );
    drop(taken);
    let error = refused(&[
        "serve",
        "--http",
        "0.0.0.0:0",
        "--otlp-http",
        "127.0.0.1:0",
        "--otlp-grpc",
        "127.0.0.1:0",
        "--db",
        ":memory:",
    ]);
    assert!(error.contains("can be reached from other hosts, and no token is set"), "{error}");
    let empty = folder.path().join("empty.db");
    Store::open(&empty, StoreOptions::default()).unwrap();
    let error = refused(&["why", "none", "--db", empty.to_str().unwrap()]);
    assert!(error.contains("no workflow or trace \"none\" is known; `wilco query 'workflow{}'` lists"), "{error}");
    let error = refused(&["serve", "--keep-size", "2"]);
    assert!(error.contains("2 bytes would keep nothing; the least is 1MiB"), "{error}");
}

#[test]
fn the_server_ends_in_good_order_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("wilco.db");
    let mut serve = Serve::start(&db);
    assert_eq!(post(serve.otlp, &Told::new(1, "wf", "a", "b")).unwrap().status, 200);
    let _ = std::process::Command::new("kill").args(["-TERM", &serve.process.id().to_string()]).status();
    let deadline = Instant::now() + Duration::from_secs(10);
    let status = loop {
        if let Some(status) = serve.process.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(status.code(), Some(0));
    // All is in the one file.
    assert!(!folder.path().join("wilco.db-wal").exists());
}

#[test]
fn a_taken_port_is_named_and_leaves_no_database_behind() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("new.db");
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    let error =
        refused(&["serve", "--http", free, "--otlp-http", free, "--otlp-grpc", &taken, "--db", db.to_str().unwrap()]);
    assert!(
        error.contains(&format!("{taken} is taken by another program")) && error.contains("--otlp-grpc"),
        "{error}"
    );
    assert!(!db.exists());
}
