//! Spans in, cause out: at least three small workflows for each kind of mismatch, and what may never change an answer.
//!
//! Of each kind: the plain case; one with misleading effects further on; and an innocent twin, which looks alike and is
//! none. The snapshots are what a person reads.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]

#[path = "support/scenario.rs"]
mod scenario;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use scenario::Scenario;
use wilco::diagnose::{Diagnosis, Workflow};
use wilco::model::{AttributeValue, MismatchKind, Span, Timestamp};

#[test]
fn every_kind_has_a_plain_case_a_misleading_one_and_an_innocent_twin() {
    for kind in MismatchKind::ALL {
        let scenarios = read(kind);
        let accused = scenarios.iter().filter(|scenario| scenario.expected.is_some()).count();
        assert!(accused >= 2 && accused < scenarios.len(), "{kind}: {accused} of {}", scenarios.len());
        let of_kind =
            scenarios.iter().filter_map(|scenario| scenario.expected.as_ref()).all(|(k, _)| k == kind.as_str());
        assert!(of_kind, "{kind}: every expected cause in its file is of this kind");
    }
    assert_eq!(std::fs::read_dir(folder()).unwrap().count(), MismatchKind::ALL.len(), "one file per kind");
}

#[test]
fn every_scenario_names_its_root_and_no_twin_is_accused() {
    let mut wrong = Vec::new();
    for (kind, scenario) in all() {
        let diagnosis = scenario.workflow().diagnose();
        let found =
            diagnosis.failure.as_ref().map(|failure| (failure.cause.kind.to_string(), failure.cause.handoff.clone()));
        if found != scenario.expected {
            wrong.push(format!(
                "{kind}: {}: {found:?} and not {:?}; {:#?}",
                scenario.title, scenario.expected, diagnosis.ranked
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_people_read_is_as_reviewed() {
    for kind in MismatchKind::ALL {
        let mut text = String::new();
        for scenario in read(kind) {
            writeln!(text, "== {}", scenario.title).unwrap();
            text += &told(&scenario.workflow().diagnose());
        }
        insta::assert_snapshot!(kind.as_str(), text);
    }
}

#[test]
fn the_order_of_spans_does_not_matter() {
    for (_, scenario) in all() {
        let answer = told(&scenario.workflow().diagnose());
        let mut spans = scenario.spans.clone();
        spans.reverse();
        assert_eq!(told(&one(spans.clone()).diagnose()), answer, "{}, from back to front", scenario.title);
        let middle = spans.len() / 2;
        spans.rotate_left(middle);
        assert_eq!(told(&one(spans).diagnose()), answer, "{}, from the middle", scenario.title);
    }
}

#[test]
fn a_span_that_comes_twice_counts_once() {
    for (_, scenario) in all() {
        let twice = [scenario.spans.clone(), scenario.spans.clone()].concat();
        assert_eq!(told(&one(twice).diagnose()), told(&scenario.workflow().diagnose()), "{}", scenario.title);
    }
}

#[test]
fn a_host_whose_clock_is_off_changes_nothing() {
    for (_, scenario) in all() {
        let answer = told(&scenario.workflow().diagnose());
        let hosts: std::collections::BTreeSet<String> =
            scenario.spans.iter().map(|span| span.host().unwrap().to_owned()).collect();
        for host in hosts {
            let mut spans = scenario.spans.clone();
            for span in spans.iter_mut().filter(|span| span.host() == Some(&host)) {
                shift(span, 3_600_000_000_000);
            }
            assert_eq!(told(&one(spans).diagnose()), answer, "{}: {host} is an hour ahead", scenario.title);
        }
    }
}

#[test]
fn an_unrelated_workflow_changes_nothing() {
    let (_, other) = all().next().unwrap();
    for (_, scenario) in all() {
        let strange = other.spans.iter().cloned().map(|mut span| {
            span.attributes.insert("wilco.workflow.id", "another");
            span
        });
        let workflows = Workflow::group(strange.chain(scenario.spans.clone()));
        let [_, workflow] = &workflows[..] else { panic!("{}", workflows.len()) };
        assert_eq!(told(&workflow.diagnose()), told(&scenario.workflow().diagnose()), "{}", scenario.title);
    }
}

#[test]
fn no_spans_at_all_are_clean() {
    let diagnosis = Workflow::new("none", Vec::new()).diagnose();
    assert_eq!(diagnosis.sentence(), "nothing is wrong, as far as the records tell");
    assert!(!diagnosis.is_failure() && diagnosis.ranked.is_empty());
}

#[test]
fn a_workflow_that_went_well_is_never_accused() {
    for (_, scenario) in all() {
        let mut spans = scenario.spans.clone();
        for span in &mut spans {
            if span.attributes.bool("wilco.workflow.ok").is_some() {
                span.attributes.insert("wilco.workflow.ok", true);
            }
        }
        if spans.iter().any(|span| span.attributes.bool("wilco.workflow.ok") == Some(true)) {
            assert!(!one(spans).diagnose().is_failure(), "{}", scenario.title);
        }
    }
}

#[test]
fn a_chain_of_ten_thousand_handoffs_is_walked_without_recursion() {
    let mut text = String::from("== long\nexpect undelivered h9999\nh0 a>b\n");
    for at in 1..10_000 {
        let word = if at == 9_999 { "unheard late" } else { "" };
        writeln!(text, "h{at} a>b parent=h{} {word}", at - 1).unwrap();
    }
    let [scenario] = Scenario::read(&text).try_into().ok().unwrap();
    let failure = scenario.workflow().find_failure().unwrap();
    assert_eq!((failure.cause.handoff.as_str(), failure.cause.kind), ("h9999", MismatchKind::Undelivered));
}

// ---------------------------------------------------------------------------------------------------------------- helpers

fn told(diagnosis: &Diagnosis) -> String {
    let mut text = format!("{}: {}\n", diagnosis.status.as_str(), diagnosis.sentence());
    if let Some(failure) = &diagnosis.failure {
        writeln!(text, "  confidence {:.2}, {} rest on it", failure.cause.confidence, failure.blast_radius).unwrap();
        for (title, causes) in [("explains", &failure.explains), ("suspected", &failure.suspected)] {
            let mut lines: Vec<String> = causes.iter().map(|cause| format!("  {title} {cause}\n")).collect();
            lines.sort();
            text.extend(lines);
        }
    }
    for owed in &diagnosis.owed {
        writeln!(text, "  owed {}: {}", owed.boundary, owed.what).unwrap();
    }
    text
}

fn one(spans: Vec<Span>) -> Workflow {
    let [workflow] = Workflow::group(spans).try_into().unwrap();
    workflow
}

fn shift(span: &mut Span, nanos: u64) {
    let later = |time: Timestamp| Timestamp::from_unix_nanos(time.unix_nanos() + nanos);
    (span.start, span.end) = (later(span.start), later(span.end));
    for event in &mut span.events {
        event.at = later(event.at);
    }
    if let Some(deadline) = span.attributes.text("wilco.deadline") {
        let deadline: jiff::Timestamp = deadline.parse().unwrap();
        let moved = Timestamp::from_unix_nanos(u64::try_from(deadline.as_nanosecond()).unwrap() + nanos);
        span.attributes.insert("wilco.deadline", AttributeValue::from(moved.to_rfc3339()));
    }
}

fn all() -> impl Iterator<Item = (MismatchKind, Scenario)> {
    MismatchKind::ALL.into_iter().flat_map(|kind| read(kind).into_iter().map(move |scenario| (kind, scenario)))
}

fn read(kind: MismatchKind) -> Vec<Scenario> {
    let path = folder().join(format!("{kind}.txt"));
    Scenario::read(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scenarios")
}
