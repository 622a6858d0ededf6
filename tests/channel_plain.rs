//! Agents without the library, and streams, on the same subjects.
#![cfg(feature = "channel")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::time::Duration;

use async_nats::HeaderMap;
use futures_util::StreamExt;
use serde_json::Value;
use support::nats::{NatsServer, each_server_version};
use support::newsroom::{Newsroom, TOPIC, another_intent, intent, next, observe, same, take, task, until};
use wilco::channel::NoResult;
use wilco::model::{Evidence, HandoffKind, MismatchKind, Rung, Verdict};

/// Answers the next task on the writer's own subject as a plain NATS service does.
async fn respond(room: &Newsroom, headers: HeaderMap, payload: &'static str) -> tokio::task::JoinHandle<HeaderMap> {
    let (client, mut tasks) = observe(&room.server, "plain.writer").await;
    tokio::spawn(async move {
        let task = tasks.next().await.unwrap();
        let reply = task.reply.unwrap();
        if headers.is_empty() {
            client.publish(reply, payload.into()).await.unwrap();
        } else {
            client.publish_with_headers(reply, headers, payload.into()).await.unwrap();
        }
        client.flush().await.unwrap();
        task.headers.unwrap()
    })
}

async fn room_with_a_plain_writer(server: NatsServer) -> Newsroom {
    Newsroom::on(server, |builder| builder.agent_at("writer", "plain.writer"), same).await
}

#[tokio::test]
async fn a_plain_responder_is_evidence_of_the_wire_and_confirms_nothing() {
    for version in each_server_version() {
        let room = room_with_a_plain_writer(NatsServer::start_with(&version, &[])).await;
        let responder = respond(&room, HeaderMap::new(), "42").await;
        let receipt = room.planner.hand_off("writer", task()).await.unwrap();
        assert!(matches!(receipt.verdict().await, Verdict::Unconfirmed { .. }));
        assert_eq!(receipt.result::<u32>().await.unwrap().used(), 42);
        let completed = receipt.climbs().into_iter().find(|climb| climb.rung == Rung::Completed).unwrap();
        assert_eq!((completed.evidence, completed.by), (Evidence::Wire, None));
        drop(receipt);
        let headers = responder.await.unwrap();
        assert!(headers.get("traceparent").is_some() && headers.get("Wilco").is_some());
        assert_eq!(headers.len(), 2);
        let handoff = &room.sent.named("handoff writer").await[0];
        handoff.assert_clean();
        assert_eq!(handoff.text("wilco.verdict"), Some("unconfirmed"));
    }
}

#[tokio::test]
async fn a_plain_answer_after_the_readback_deadline_is_not_held_against_it() {
    let Some(server) = NatsServer::start() else { return };
    let room = room_with_a_plain_writer(server).await;
    let (client, mut tasks) = observe(&room.server, "plain.writer").await;
    let receipt = room.planner.hand_off("writer", task().read_back_within(Duration::from_millis(50))).await.unwrap();
    assert_eq!(receipt.verdict().await.mismatches()[0].kind, MismatchKind::Unacknowledged);
    client.publish(tasks.next().await.unwrap().reply.unwrap(), "42".into()).await.unwrap();
    assert_eq!(receipt.result::<u32>().await.unwrap().used(), 42);
    drop(receipt);
    let handoff = &room.sent.named("handoff writer").await[0];
    handoff.assert_clean();
    assert_eq!(handoff.text("wilco.verdict"), Some("unconfirmed"));
}

#[tokio::test]
async fn plain_headers_on_a_reply_are_a_readback_and_a_score() {
    for (read_back, agrees) in [(intent(), true), (another_intent(), false)] {
        let Some(server) = NatsServer::start() else { return };
        let room = room_with_a_plain_writer(server).await;
        let mut headers = HeaderMap::new();
        headers.insert("Wilco-Readback", read_back.canonical_json());
        headers.insert("Wilco-Quality", "0.41; by=schema");
        let _responder = respond(&room, headers, "42").await;
        let receipt = room.planner.hand_off("writer", task().quality_at_least(0.7)).await.unwrap();
        assert_eq!(receipt.verdict().await.is_agreed(), agrees);
        let result = receipt.result::<u32>().await.unwrap();
        assert_eq!(
            result.quality().map(|quality| (quality.score(), quality.by().to_owned())),
            Some((0.41, "schema".to_owned()))
        );
        assert!(!result.is_good_enough());
        result.checked().used();
        drop(receipt);
        let handoff = &room.sent.named("handoff writer").await[0];
        if agrees { handoff.assert_clean() } else { handoff.assert_found("misunderstood") }
    }
}

#[tokio::test]
async fn a_nats_service_that_reports_an_error_has_failed() {
    let Some(server) = NatsServer::start() else { return };
    let room = room_with_a_plain_writer(server).await;
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Service-Error", "out of ink");
    headers.insert("Nats-Service-Error-Code", "503");
    let _responder = respond(&room, headers, "").await;
    let receipt = room.planner.hand_off("writer", task()).await.unwrap();
    let Err(NoResult::Failed { error }) = receipt.result::<Value>().await else { panic!("it failed") };
    assert_eq!(error, "out of ink");
    drop(receipt);
    room.sent.named("handoff writer").await[0].assert_found("failed");
}

#[tokio::test]
async fn a_plain_requester_is_served_and_told_what_was_understood() {
    let Some(room) = Newsroom::open().await else { return };
    let mut inbox = room.inbox("researcher").await;
    let client = async_nats::connect(room.server.url()).await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("Wilco-From", "editor");
    headers.insert("Wilco-Workflow", "plain-1");
    headers.insert("Wilco-Intent", intent().canonical_json());
    let request = tokio::spawn(async move {
        client.request_with_headers("wilco.newsroom.researcher", headers, "\"find some\"".into()).await.unwrap()
    });
    let offer = next(&mut inbox).await;
    assert_eq!((offer.from().unwrap().as_str(), offer.workflow().unwrap().as_str()), ("editor", "plain-1"));
    assert_eq!((offer.id(), offer.kind()), (None, HandoffKind::Delegation));
    assert_eq!(offer.payload::<String>().unwrap(), "find some");
    let task = offer.read_back(another_intent()).await.unwrap();
    assert_eq!(task.mismatches()[0].kind, MismatchKind::Misunderstood, "its intent came in clear");
    task.complete(&42).quality(0.83, "schema").await.unwrap();

    let reply = request.await.unwrap();
    assert_eq!(&reply.payload[..], b"42");
    let headers = reply.headers.unwrap();
    assert_eq!(headers.get("Wilco-Readback").unwrap().as_str(), another_intent().canonical_json());
    assert!(headers.get("Wilco-Quality").unwrap().as_str().starts_with("0.83"));
    let process = &room.done.named("process researcher").await[0];
    process.assert_found("misunderstood");
    process.assert_under_root_of("plain-1");
    assert_eq!(process.text("wilco.handoff.from"), Some("editor"));
}

#[tokio::test]
async fn a_requester_that_knows_nothing_of_all_this_gets_a_bare_answer_or_an_error() {
    let Some(room) = Newsroom::open().await else { return };
    let mut inbox = room.inbox("researcher").await;
    let client = async_nats::connect(room.server.url()).await.unwrap();
    for fails in [false, true] {
        let client = client.clone();
        let request =
            tokio::spawn(async move { client.request("wilco.newsroom.researcher", TOPIC.into()).await.unwrap() });
        let offer = next(&mut inbox).await;
        assert_eq!(&offer.bytes()[..], TOPIC.as_bytes());
        let task = offer.read_back(intent()).await.unwrap();
        if fails {
            task.fail("the archive is closed").await.unwrap();
        } else {
            task.complete(&42).await.unwrap();
        }
        let reply = request.await.unwrap();
        let error = reply.headers.as_ref().and_then(|headers| headers.get("Nats-Service-Error"));
        assert_eq!(error.map(|text| text.as_str()), fails.then_some("the archive is closed"));
        assert_eq!(&reply.payload[..], if fails { &b""[..] } else { &b"42"[..] });
        if !fails {
            assert!(reply.headers.is_none(), "{:?}", reply.headers);
        }
    }
    let [done, failed] = room.done.named("process researcher").await.try_into().unwrap();
    done.assert_clean();
    failed.assert_found("failed");
}

#[tokio::test]
async fn a_publish_acknowledgement_is_the_rung_stored_and_no_result() {
    for version in each_server_version() {
        let server = NatsServer::jetstream_with(&version, &[]);
        let room = Newsroom::on(server, same, same).await;
        let client = async_nats::connect(room.server.url()).await.unwrap();
        let stream = r#"{"name":"TASKS","subjects":["wilco.newsroom.researcher"],"storage":"memory"}"#;
        let made = client.request("$JS.API.STREAM.CREATE.TASKS", stream.into()).await.unwrap();
        assert!(!String::from_utf8_lossy(&made.payload).contains("error"), "{made:?}");
        let mut inbox = room.inbox("researcher").await;

        let receipt = room.planner.hand_off("researcher", task().stored()).await.unwrap();
        until("the stream to acknowledge", || receipt.rung().0 == Rung::Stored).await;
        assert_eq!(receipt.rung(), (Rung::Stored, Evidence::Wire));
        assert_eq!(receipt.verdict_now(), Verdict::Pending);
        take(&mut inbox).await.complete(&42).await.unwrap();
        assert_eq!(receipt.result::<u32>().await.unwrap().used(), 42);
        assert!(receipt.verdict().await.is_agreed());

        let found = client.request("$JS.API.STREAM.MSG.GET.TASKS", r#"{"seq":1}"#.into()).await.unwrap();
        let found: Value = serde_json::from_slice(&found.payload).unwrap();
        assert!(found["message"]["hdrs"].is_string(), "{found}");

        // A stream hides that nobody listens: only the missing receipt tells.
        drop(inbox);
        room.there.clone().close(Duration::from_millis(10)).await;
        drop(receipt);
    }
}

#[tokio::test]
async fn a_stream_hides_that_nobody_listens_and_the_missing_receipt_tells() {
    let Some(server) = NatsServer::jetstream() else { return };
    let room = Newsroom::on(server, same, same).await;
    let client = async_nats::connect(room.server.url()).await.unwrap();
    let stream = r#"{"name":"TASKS","subjects":["wilco.newsroom.researcher"],"storage":"memory"}"#;
    client.request("$JS.API.STREAM.CREATE.TASKS", stream.into()).await.unwrap();
    let handoff =
        task().stored().read_back_within(Duration::from_millis(100)).result_within(Duration::from_millis(200));
    let receipt = room.planner.hand_off("researcher", handoff).await.unwrap();
    assert_eq!(receipt.verdict().await.mismatches()[0].kind, MismatchKind::Unacknowledged);
    receipt.settled().await;
    drop(receipt);
    let handoff = &room.sent.named("handoff researcher").await[0];
    handoff.assert_found("unacknowledged");
    assert_eq!(handoff.text("wilco.rung"), Some("stored"));
}
