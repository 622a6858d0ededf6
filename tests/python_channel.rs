//! An agent of another language, written from the wire contract alone, and an agent of this library hand off to each
//! other over a real server, both ways.

#![cfg(feature = "channel")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]

mod support;

use serde_json::{Value, json};
use support::nats::{NatsServer, each_server_version};
use support::newsroom::{Newsroom, another_intent, intent, next, same, task};
use support::process::Peer;
use support::python;
use wilco::channel::NoResult;
use wilco::model::{Evidence, MismatchKind, Refusal, Rung, Verdict};

/// The Python agent at the other end, ready to take one task.
fn receiver(server: &NatsServer, mode: &str) -> Option<Peer> {
    let readback = if mode == "misunderstand" { another_intent() } else { intent() }.to_string();
    let (url, agent) = (server.url(), ["--channel", "newsroom", "--agent", "researcher", "--mode", mode]);
    let mut peer =
        python::spawn("peer.py", &[&["receive", "--url", &url, "--intent", &readback], &agent[..]].concat())?;
    peer.expect("READY");
    Some(peer)
}

fn sender(server: &NatsServer, options: &[&str]) -> Option<Peer> {
    let (url, intent) = (server.url(), intent().to_string());
    let fixed = ["send", "--url", &url, "--channel", "newsroom", "--from", "planner", "--to", "researcher"];
    let what = ["--payload", r#"{"topic":"solid-state batteries"}"#, "--intent", &intent, "--workflow", "abc-123"];
    python::spawn("peer.py", &[&fixed[..], &what[..], options].concat())
}

/// The Python agent that the contract's document shows.
fn of_the_document(role: &str, server: &NatsServer) -> Option<Peer> {
    python::spawn("contract.py", &[role, &server.url(), &intent().to_string()])
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn python_reads_back_what_rust_hands_off() {
    for version in each_server_version() {
        let newsroom = Newsroom::on(NatsServer::start_with(&version, &[]), same, same).await;
        let Some(mut python) = receiver(&newsroom.server, "right") else { return };
        let receipt = newsroom.planner.hand_off("researcher", task()).await.unwrap();

        assert_eq!(receipt.verdict().await, Verdict::Agreed { readback: intent() });
        let result = receipt.result::<Value>().await.unwrap();
        assert_eq!(result.quality().map(|quality| quality.score()), Some(0.83));
        assert_eq!(result.used()["sources"][0], "https://example.org/cells");
        assert!(receipt.climbs().iter().any(|c| c.rung == Rung::Understood && c.evidence == Evidence::Declared));
        assert_eq!(receipt.mismatches(), []);
        let saw = parse(&python.expect("SAW"));
        assert_eq!((&saw["whole"], &saw["id"]), (&json!(true), &json!(receipt.id().to_string())));
        assert_eq!(saw["intent_digest"], intent().digest().to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_python_understands_otherwise_or_will_not_do_is_told_to_rust() {
    let Some(newsroom) = Newsroom::open().await else { return };
    for (mode, kind) in [
        ("misunderstand", MismatchKind::Misunderstood),
        ("refuse", MismatchKind::Refused),
        ("fail", MismatchKind::Failed),
    ] {
        let Some(mut python) = receiver(&newsroom.server, mode) else { return };
        let receipt = newsroom.planner.hand_off("researcher", task()).await.unwrap();
        let verdict = receipt.verdict().await;
        let result = receipt.result::<Value>().await.map(|result| result.used());
        let kinds: Vec<_> = receipt.mismatches().iter().map(|mismatch| mismatch.kind).collect();
        assert_eq!(kinds, [kind], "{mode}: {verdict:?}");
        match mode {
            "refuse" => assert_eq!(verdict, Verdict::Refused(Refusal::Stale)),
            "fail" => assert!(matches!(result, Err(NoResult::Failed { .. })), "{result:?}"),
            _ => assert!(matches!(verdict, Verdict::Mismatched(_)), "{verdict:?}"),
        }
        python.expect("SAW");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rust_reads_back_what_python_hands_off() {
    let Some(newsroom) = Newsroom::open().await else { return };
    let mut inbox = newsroom.inbox("researcher").await;
    let Some(mut python) = sender(&newsroom.server, &[]) else { return };
    let offer = next(&mut inbox).await;
    assert!(offer.is_intact(), "{:?}", offer.mismatches());
    assert_eq!(offer.from().unwrap(), "planner");
    assert_eq!(offer.workflow().unwrap(), "abc-123");
    let taken = offer.read_back(intent()).await.unwrap();
    taken.progress("half of it").await.unwrap();
    taken.complete(&json!({"sources": ["https://example.org/1"]})).quality(0.9, "schema").await.unwrap();

    let learnt = parse(&python.expect("LEARNT"));
    assert_eq!((&learnt["verdict"], &learnt["mismatches"]), (&json!("agreed"), &json!([])), "{learnt:#}");
    assert_eq!((&learnt["result"]["whole"], &learnt["result"]["quality"]), (&json!(true), &json!(0.9)), "{learnt:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn python_finds_what_rust_understands_otherwise_and_holds_the_work_back() {
    let Some(newsroom) = Newsroom::open().await else { return };
    let mut inbox = newsroom.inbox("researcher").await;
    let Some(mut python) = sender(&newsroom.server, &["--hold"]) else { return };
    let offer = next(&mut inbox).await;
    let taken = offer.read_back(another_intent()).await;
    assert!(matches!(taken, Err(wilco::channel::ReplyError::Withdrawn { .. })), "{taken:?}");

    let learnt = parse(&python.expect("LEARNT"));
    assert_eq!(learnt["mismatches"], json!(["misunderstood"]), "{learnt:#}");
    assert_eq!(learnt["result"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_python_spoils_are_found_by_rust() {
    let Some(newsroom) = Newsroom::open().await else { return };
    let mut inbox = newsroom.inbox("researcher").await;
    let Some(mut python) = sender(&newsroom.server, &["--corrupt"]) else { return };
    let offer = next(&mut inbox).await;
    assert_eq!(offer.mismatches().iter().map(|found| found.kind).collect::<Vec<_>>(), [MismatchKind::Corrupted]);
    offer.refuse(Refusal::Corrupted).await.unwrap();
    let learnt = parse(&python.expect("LEARNT"));
    assert!(learnt["mismatches"].as_array().unwrap().contains(&json!("corrupted")), "{learnt:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_researcher_of_the_document_reads_back_and_completes() {
    let Some(newsroom) = Newsroom::open().await else { return };
    let Some(mut python) = of_the_document("researcher", &newsroom.server) else { return };
    python.expect("READY");
    let receipt = newsroom.planner.hand_off("researcher", task()).await.unwrap();
    assert_eq!(receipt.verdict().await, Verdict::Agreed { readback: intent() });
    assert_eq!(receipt.result::<Value>().await.unwrap().used()["sources"][0], "https://example.org/1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_planner_of_the_document_learns_of_a_result_and_of_a_task_that_is_dropped() {
    let Some(newsroom) = Newsroom::open().await else { return };
    let mut inbox = newsroom.inbox("researcher").await;
    for dropped in [false, true] {
        let Some(mut python) = of_the_document("planner", &newsroom.server) else { return };
        let taken = next(&mut inbox).await.read_back(intent()).await.unwrap();
        if dropped {
            drop(taken);
        } else {
            taken.complete(&json!(7)).await.unwrap();
        }
        let learnt = parse(&python.expect("LEARNT"));
        let (rung, data) = if dropped { ("failed", Value::Null) } else { ("understood", json!(7)) };
        assert_eq!(learnt, json!({"rung": rung, "agrees": true, "whole": true, "data": data}));
    }
}
