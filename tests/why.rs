//! `wilco why` and `wilco trace`, as their users run them: the built program on files.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

const STORY: &str = "story.otlp.jsonl";

#[test]
fn the_answer_begins_with_one_sentence_and_ends_with_1() {
    let output = wilco(&["why", "story-42", "--file", &fixture(STORY)]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    insta::assert_snapshot!("why", stdout(&output));
}

#[test]
fn every_workflow_is_one_line_of_json() {
    let output = wilco(&["why", "--all", "--json", "--file", &fixture(STORY)]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let lines: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [answer] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&answer["workflow"], &answer["status"]), (&"story-42".into(), &"failure".into()));
    let first = &answer["ranked"][0];
    assert_eq!(first["kind"], "stale_context");
    let confidence = first["confidence"].as_f64().unwrap();
    assert!((0.5..=1.0).contains(&confidence), "{confidence}");
    assert_eq!(first["evidence"][0].as_str().unwrap().len(), 16, "the evidence is a span id");
    let kinds: Vec<&str> =
        answer["ranked"].as_array().unwrap().iter().map(|each| each["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"failed"), "what it leads to is ranked below: {kinds:?}");
}

#[test]
fn a_workflow_is_shown_as_a_tree_no_wider_than_100_columns() {
    let output = wilco(&["trace", "story-42", "--file", &fixture(STORY)]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours where nobody watches");
    insta::assert_snapshot!("trace", text);
}

#[test]
fn the_tree_is_told_as_json_too() {
    let output = wilco(&["trace", "--all", "--json", "--file", &fixture(STORY)]);
    let answer: Value = serde_json::from_str(stdout(&output).trim()).unwrap();
    let handoffs = answer["handoffs"].as_array().unwrap();
    assert_eq!(handoffs.len(), 5);
    let archive = handoffs.iter().find(|handoff| handoff["to"] == "archive").unwrap();
    assert_eq!((&archive["parallel"], &archive["depth"]), (&true.into(), &1.into()));
}

#[test]
fn a_request_that_is_laid_out_for_reading_is_read_too() {
    let folder = tempfile::tempdir().unwrap();
    let line = std::fs::read_to_string(fixture(STORY)).unwrap();
    let value: Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    let path = folder.path().join("pretty.json");
    std::fs::write(&path, serde_json::to_string_pretty(&value).unwrap()).unwrap();
    let output = wilco(&["why", "--all", "--file", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("nothing is wrong"), "{}", stdout(&output));
}

#[test]
fn what_cannot_be_read_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.jsonl");
    std::fs::write(&path, "{}\n{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"spanId\":\"07\"}]}]}]}\n").unwrap();
    for (arguments, words) in [
        (vec!["why", "--all", "--file", path.to_str().unwrap()], "broken.jsonl line 2: not an OTLP/JSON trace request"),
        (
            vec!["why", "--all", "--file", "/no/such/file"],
            "/no/such/file: there is no such file; name one of OTLP/JSON",
        ),
        (vec!["why", "story-9", "--file", &fixture(STORY)], "no span names the workflow \"story-9\""),
        (vec!["why", "--file", &fixture(STORY)], "WORKFLOW"),
        (vec!["trace", "--all"], "--file"),
    ] {
        let output = wilco(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn no_spans_are_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.jsonl");
    std::fs::write(&path, "\n").unwrap();
    let output = wilco(&["why", "--all", "--json", "--file", path.to_str().unwrap()]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), ""));
}

fn wilco(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wilco")).args(arguments).output().unwrap()
}

fn fixture(name: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/why").join(name).display().to_string()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
