//! `wilco replay`, as its users run it: the built program, real files, a real server.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

#[allow(clippy::print_stderr, reason = "a skipped test has to say so")]
#[path = "support/otlp.rs"]
mod otlp;
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};

use otlp::{Collector, Manner};
use support::PATIENCE;
use support::nats::{NatsServer, each_server_version};

const CHAT: &str = "group-chat-heating.json";
const RUN: &str = "orchestrated-ferry.json";

#[test]
fn every_message_is_delivered_whole_and_in_order() {
    for version in each_server_version() {
        let server = NatsServer::start_with(&version, &[]);
        let output = replay(&server.url(), &["--json"], &[fixture(CHAT), fixture(RUN)]);
        let reports = json_lines(&output);
        assert_eq!(reports.len(), 2, "{}", stderr(&output));
        for (report, file) in reports.iter().zip([CHAT, RUN]) {
            let said = said(&fixture(file));
            assert_eq!(report["replayed"], true, "{report}");
            assert_eq!(report["file"], fixture(file).display().to_string());
            for key in ["in_log", "delivered", "handoffs"] {
                assert_eq!(report[key], said.len(), "{key} of {file}");
            }
            assert_eq!(report["verdicts"], json!({ "unconfirmed": said.len() }));
            assert_eq!((&report["hashes_equal"], &report["order_kept"]), (&json!(true), &json!(true)));
            assert_eq!((&report["lost"], &report["mismatches"]), (&json!([]), &json!([])));
            let messages = report["messages"].as_array().unwrap();
            let received: Vec<_> = messages.iter().map(|message| (&message["message"], &message["hash"])).collect();
            let expected: Vec<_> = said
                .iter()
                .map(|(index, text)| (json!(index), json!(blake3::hash(text.as_bytes()).to_string())))
                .collect();
            assert_eq!(received, expected.iter().map(|(index, hash)| (index, hash)).collect::<Vec<_>>());
        }
        assert_eq!(reports[1]["thoughts"], 4);
    }
}

#[tokio::test]
async fn the_bus_carries_the_contents_of_the_log_byte_for_byte() {
    for version in each_server_version() {
        let server = NatsServer::start_with(&version, &[]);
        let client = async_nats::connect(server.url()).await.unwrap();
        let mut bus = client.subscribe("wilco.>").await.unwrap();
        client.flush().await.unwrap();

        let url = server.url();
        let output = tokio::task::spawn_blocking(move || replay(&url, &[], &[fixture(CHAT)])).await.unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));

        for (index, text) in said(&fixture(CHAT)) {
            let message = tokio::time::timeout(PATIENCE, bus.next()).await.unwrap().unwrap();
            assert_eq!(message.payload, text.as_bytes(), "message {index}");
            let header = message.headers.unwrap().get("Wilco").unwrap().to_string();
            assert!(header.contains("kind=transfer"), "{header}");
            assert!(!header.contains("intent="), "the log holds no intent, and {header}");
        }
    }
}

#[test]
fn findings_name_the_messages_that_show_them_and_end_with_1() {
    let Some(server) = NatsServer::start() else { return };
    let output = replay(&server.url(), &["--json"], &[fixture(CHAT)]);
    assert_eq!(output.status.code(), Some(1));
    let report = &json_lines(&output)[0];
    assert_eq!(report["loops"].as_array().unwrap().len(), 1);
    let found = &report["loops"][0];
    assert_eq!((&found["agent"], &found["rounds"]), (&json!("Data_Analyst"), &json!(3)));
    assert_eq!(found["messages"], json!([2, 4, 6]));
    assert_eq!(report["repeats"][0]["messages"], json!([2, 4, 6]));
    assert_eq!(report["repeats"][0]["same"], "text");
    let errors: Vec<_> = report["errors"].as_array().unwrap().iter().map(|error| &error["message"]).collect();
    assert_eq!(errors, [2, 4, 6]);
    assert!(report["unused_replies"].as_array().unwrap().iter().all(|reply| reply["evidence"] == "inferred"));
    let not_in_log = report["not_in_log"].as_array().unwrap();
    for missing in ["intents", "readbacks", "timestamps", "acknowledgements", "receivers"] {
        assert!(not_in_log.contains(&json!(missing)), "{missing}: {not_in_log:?}");
    }
}

#[test]
fn a_log_with_nothing_to_report_ends_with_0() {
    for version in each_server_version() {
        let server = NatsServer::start_with(&version, &[]);
        let output = replay(&server.url(), &["--json"], &[fixture(RUN)]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let report = &json_lines(&output)[0];
        assert_eq!((&report["findings"], &report["format"]), (&json!(0), &json!("orchestrated")));
        assert_eq!(report["receivers"], json!({ "named": 2, "by_rule": 4 }));
        let last = report["messages"].as_array().unwrap().last().unwrap();
        assert_eq!(
            (&last["message"], &last["from"], &last["to"]),
            (&json!(9), &json!("Orchestrator"), &json!("human"))
        );
    }
}

#[test]
fn speakers_whose_names_are_no_subject_tokens_become_agents_that_stay_apart() {
    let Some(server) = NatsServer::start() else { return };
    let report = &json_lines(&replay(&server.url(), &["--json"], &[fixture(CHAT)]))[0];
    let agents: Vec<_> =
        report["agents"].as_array().unwrap().iter().map(|agent| (&agent["speaker"], &agent["agent"])).collect();
    let expected = json!([
        ["Facilities Clerk", "Facilities_Clerk"],
        ["Data.Analyst", "Data_Analyst"],
        ["Terminal", "Terminal"],
        ["Data Analyst", "Data_Analyst-2"],
        [null, "group"]
    ]);
    let expected: Vec<_> = expected.as_array().unwrap().iter().map(|pair| (&pair[0], &pair[1])).collect();
    assert_eq!(agents, expected);
}

#[test]
fn a_file_that_cannot_be_replayed_ends_with_2_and_the_others_are_replayed_all_the_same() {
    let Some(server) = NatsServer::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.json");
    let broken = file(&folder, "broken.json", "{\"history\": [");
    let nobody = file(&folder, "nobody.json", &chat(&[("A", "hello"), ("", "hello")]));
    let text = file(&folder, "text.json", r#"{"history":[{"name":"A","content":"x"},{"name":"B","content":[1]}]}"#);
    let unclear = file(&folder, "unclear.json", r#"{"history":[{"role":"user","content":"x"}]}"#);
    let files = [missing, broken, fixture(RUN), nobody, text, unclear];

    let output = replay(&server.url(), &["--json"], &files);
    assert_eq!(output.status.code(), Some(2));
    let reports = json_lines(&output);
    let replayed: Vec<_> = reports.iter().map(|report| report["replayed"].as_bool().unwrap()).collect();
    assert_eq!(replayed, [false, false, true, false, false, false]);
    assert_eq!(reports[2]["delivered"], 6);

    let stderr = stderr(&output);
    let whys = [
        "it could not be read",
        "it is not JSON",
        "",
        "message 1 has an empty `name`",
        "message 1 has a list for its `content`",
        "its format cannot be told",
    ];
    for ((path, report), why) in files.iter().zip(&reports).zip(whys).filter(|(_, why)| !why.is_empty()) {
        assert!(report["error"].as_str().unwrap().contains(why), "{report}");
        let line = stderr.lines().find(|line| line.contains(path.to_str().unwrap()));
        assert!(line.is_some_and(|line| line.contains(why)), "{} in\n{stderr}", path.display());
    }
}

#[test]
fn a_format_that_cannot_be_told_can_be_said() {
    let Some(server) = NatsServer::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let log = r#"{"history":[{"role":"asker","content":"a?"},{"role":"Helper (-> asker)","content":"b"}]}"#;
    let unclear = file(&folder, "unclear.json", log);
    let output = replay(&server.url(), &["--json", "--format", "orchestrated"], &[unclear]);
    let report = &json_lines(&output)[0];
    assert_eq!((&report["delivered"], &report["messages"][1]["to"]), (&json!(2), &json!("asker")), "{report}");
    let wrong = replay(&server.url(), &["--format", "group-chat"], &[fixture(RUN)]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("message 0 has no `name`"), "{}", stderr(&wrong));
}

#[test]
fn payloads_of_any_text_arrive_as_they_are() {
    for version in each_server_version() {
        let server = NatsServer::start_with(&version, &[]);
        let folder = tempfile::tempdir().unwrap();
        let texts = ["", " \r\n\0 blanks and nothing ", "\u{feff}é 薄膜 🦀 \u{1b}[31m", &"x".repeat(500_000)];
        let speakers = ["A", "B"].into_iter().cycle();
        let said: Vec<_> = speakers.zip(texts).collect();
        let log = file(&folder, "texts.json", &chat(&said));
        let report = &json_lines(&replay(&server.url(), &["--json"], &[log]))[0];
        assert_eq!((&report["delivered"], &report["hashes_equal"]), (&json!(4), &json!(true)), "{report}");
        for (message, text) in report["messages"].as_array().unwrap().iter().zip(texts) {
            assert_eq!(message["hash"], blake3::hash(text.as_bytes()).to_string());
            assert_eq!(message["size"], text.len());
        }
    }
}

#[test]
fn a_message_that_is_too_large_for_the_server_is_lost_with_a_reason_and_the_rest_is_not() {
    let Some(server) = NatsServer::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let large = "x".repeat(1_100_000);
    let log = file(&folder, "large.json", &chat(&[("A", "first"), ("B", &large), ("A", "third")]));
    let output = replay(&server.url(), &["--json"], &[log]);
    assert_eq!(output.status.code(), Some(2));
    let report = &json_lines(&output)[0];
    assert_eq!((&report["in_log"], &report["delivered"], &report["handoffs"]), (&json!(3), &json!(2), &json!(2)));
    assert_eq!(report["lost"][0]["message"], 1);
    assert!(report["lost"][0]["why"].as_str().unwrap().contains("over the server's limit"), "{report}");
    assert_eq!(report["messages"][1]["hash"], Value::Null);
}

#[tokio::test]
async fn a_server_that_dies_leaves_lost_messages_and_no_hang() {
    for version in each_server_version() {
        let mut server = NatsServer::start_with(&version, &[]);
        let client = async_nats::connect(server.url()).await.unwrap();
        let mut bus = client.subscribe("wilco.>").await.unwrap();
        client.flush().await.unwrap();
        let url = server.url();
        let replaying =
            tokio::task::spawn_blocking(move || replay(&url, &["--json", "--speed", "5"], &[fixture(CHAT)]));
        // At five a second, the first was delivered long before the third passes.
        for _ in 0..3 {
            tokio::time::timeout(PATIENCE, bus.next()).await.unwrap().unwrap();
        }
        server.stop();

        let output = tokio::time::timeout(PATIENCE, replaying).await.unwrap().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        let report = &json_lines(&output)[0];
        let (delivered, lost) =
            (report["delivered"].as_u64().unwrap(), report["lost"].as_array().unwrap().len() as u64);
        assert!((1..11).contains(&delivered), "{report}");
        assert_eq!(delivered + lost, 11, "{report}");
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let output = replay("nats://127.0.0.1:1", &["--json"], &[fixture(RUN)]);
    assert_eq!(output.status.code(), Some(2));
    let why = json_lines(&output)[0]["error"].as_str().unwrap().to_owned();
    assert!(why.contains("no connection to NATS at nats://127.0.0.1:1"), "{why}");
}

#[test]
fn the_speed_is_a_limit() {
    let Some(server) = NatsServer::start() else { return };
    let began = Instant::now();
    let output = replay(&server.url(), &["--speed", "10"], &[fixture(RUN)]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(began.elapsed() >= Duration::from_millis(500), "6 messages at 10 a second took {:?}", began.elapsed());
    let wrong = replay(&server.url(), &["--speed=-1"], &[fixture(RUN)]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("messages a second"), "{}", stderr(&wrong));
}

#[test]
fn for_people_it_is_plain_without_a_terminal_and_fits_100_columns() {
    let Some(server) = NatsServer::start() else { return };
    let output = replay(&server.url(), &[], &[fixture(CHAT), fixture(RUN)]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\u{1b}') && !String::from_utf8_lossy(&output.stderr).contains('\u{1b}'), "{text}");
    for expected in [
        "11 of 11, payload hashes equal, order kept",
        "11 unconfirmed: no intent is in the log",
        "Terminal<-Data_Analyst",
        "\"Data Analyst\" is agent Data_Analyst-2",
        "in 3 rounds: messages 2, 4 and 6",
        "not in log",
        "6 messages, 4 thoughts not delivered",
        "found         nothing",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
    // The lines with the files' own paths are as long as those are.
    let long = text.lines().filter(|line| !line.contains(".json")).find(|line| line.chars().count() > 100);
    assert_eq!(long, None);
}

#[test]
fn one_trace_a_file_leaves_for_the_collector_that_is_named() {
    for version in each_server_version() {
        let server = NatsServer::start_with(&version, &[]);
        for (collector, scheme) in [(Collector::http(Manner::Good), "http"), (Collector::grpc(Manner::Good), "grpc")] {
            let url = collector.url().replace("http", scheme);
            let output = replay(&server.url(), &["--otlp", &url], &[fixture(RUN)]);
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
            assert!(stderr(&output).contains("13 spans sent\n"), "{}", stderr(&output));

            let spans = collector.spans();
            let named = |start: &str| spans.iter().filter(|span| span.name.starts_with(start)).collect::<Vec<_>>();
            let (handoffs, processes, roots) = (named("handoff "), named("process "), named("invoke_workflow "));
            assert_eq!((handoffs.len(), processes.len(), roots.len()), (6, 6, 1));
            assert!(spans.iter().all(|span| span.trace_id == roots[0].trace_id));
            assert!(handoffs.iter().all(|span| span.parent_span_id == roots[0].span_id));
            for handoff in handoffs {
                let texts: Vec<_> = handoff.attributes.iter().map(|attribute| format!("{attribute:?}")).collect();
                let verdict = texts.iter().find(|text| text.contains("\"wilco.verdict\""));
                assert!(verdict.is_some_and(|text| text.contains("unconfirmed")), "{texts:?}");
                assert!(!texts.iter().any(|text| text.contains("wilco.intent") || text.contains("wilco.context")));
            }
        }
    }
}

#[test]
fn a_collector_that_is_not_there_costs_nothing_but_a_note() {
    let Some(server) = NatsServer::start() else { return };
    let began = Instant::now();
    let output = replay(&server.url(), &["--json", "--otlp", &otlp::absent()], &[fixture(RUN)]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("13 dropped: is a collector there?"), "{}", stderr(&output));
    assert!(began.elapsed() < PATIENCE, "it took {:?}", began.elapsed());
    let wrong = replay(&server.url(), &["--otlp", "collector:4318"], &[fixture(RUN)]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("--otlp"), "{}", stderr(&wrong));
}

#[test]
fn the_embedded_bus_is_used_where_no_server_is_named() {
    let output = wilco(&["replay"], &[fixture(RUN)]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("embedded bus"), "{}", stderr(&output));
}

#[test]
fn the_rules_of_the_formats_are_in_the_help() {
    let help = String::from_utf8(wilco(&["replay", "--help"], &[]).output().unwrap().stdout).unwrap();
    for expected in
        ["group-chat", "`X (-> Y)` goes to Y", "`X (thought)` goes to nobody", "termination condition", "group"]
    {
        assert!(help.contains(expected), "{expected} in\n{help}");
    }
}

fn replay(url: &str, options: &[&str], files: &[PathBuf]) -> Output {
    let mut command = wilco(&["replay", "--nats", url], files);
    command.args(options).output().unwrap()
}

fn wilco(arguments: &[&str], files: &[PathBuf]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wilco"));
    command.args(arguments).args(files).stdin(Stdio::null());
    // What the machine is set to must not decide.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("OTEL_") || matches!(name, "NATS_URL" | "RUST_LOG")) {
            command.env_remove(name);
        }
    }
    command
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/replay").join(name)
}

/// What a log says to somebody: the place and the content of each message that is no thought.
fn said(path: &Path) -> Vec<(usize, String)> {
    let log: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let history = log["history"].as_array().unwrap().iter().enumerate();
    let aloud =
        history.filter(|(_, message)| !message["role"].as_str().is_some_and(|role| role.ends_with("(thought)")));
    aloud.map(|(index, message)| (index, message["content"].as_str().unwrap().to_owned())).collect()
}

fn chat(said: &[(&str, &str)]) -> String {
    let history: Vec<Value> = said.iter().map(|(name, content)| json!({ "name": name, "content": content })).collect();
    json!({ "history": history }).to_string()
}

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn json_lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
