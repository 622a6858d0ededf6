//! Trace context on the wire: sampling, a caller's own `traceparent`, and headers that were tampered with.
#![cfg(feature = "channel")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use futures_util::StreamExt;
use serde_json::Value;
use support::nats::NatsServer;
use support::newsroom::{Newsroom, another_intent, intent, next, observe, same, take, task, until};
use support::spans::Spans;
use wilco::channel::{AgentInfo, Channel, ChannelBuilder};
use wilco::model::{MismatchKind, Refusal, Rung, Timestamp};
use wilco::telemetry::Sampling;
use wilco::wire::{self, Envelope, MacKey};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

#[tokio::test]
async fn unsampled_handoffs_are_exported_only_by_the_side_that_found_something() {
    let Some(server) = NatsServer::start() else { return };
    let (sent, done) = (Spans::sampled(Sampling::always_off()), Spans::sampled(Sampling::default()));
    let (ours, theirs) = (sent.telemetry.clone(), done.telemetry.clone());
    let room = Newsroom::on(server, |builder| builder.telemetry(ours), |builder| builder.telemetry(theirs)).await;
    let mut inbox = room.inbox("researcher").await;
    let (_client, mut wire) = observe(&room.server, "wilco.newsroom.>").await;

    // Agreed: nothing leaves.
    let receipt = room.planner.hand_off("researcher", task()).await.unwrap();
    let headers = wire.next().await.unwrap().headers.unwrap();
    assert!(headers.get("traceparent").unwrap().as_str().ends_with("-00"), "{headers:?}");
    take(&mut inbox).await.complete(&1).await.unwrap();
    receipt.result::<Value>().await.unwrap().used();
    drop(receipt);
    assert_eq!(room.here.stats().followed, 0);
    assert_eq!(sent.all().await, []);
    assert_eq!(done.all().await, []);

    // The sender finds something, and its decision makes the receiver's span of interest.
    let receipt = room.planner.hand_off("researcher", task()).await.unwrap();
    next(&mut inbox).await.read_back(another_intent()).await.unwrap().complete(&1).await.unwrap();
    receipt.result::<Value>().await.unwrap().used();
    let id = receipt.id().to_string();
    drop(receipt);
    let [handoff] = sent.all().await.try_into().unwrap();
    handoff.assert_found("misunderstood");
    assert_eq!(handoff.text("wilco.handoff.id"), Some(id.as_str()));
    let deadline = std::time::Instant::now() + support::PATIENCE;
    while done.all().await.is_empty() && std::time::Instant::now() < deadline {}
    let [process] = done.all().await.try_into().unwrap();
    process.assert_clean();
    process.assert_processes(&handoff);

    // The receiver finds something.
    let receipt = room.planner.hand_off("researcher", task()).await.unwrap();
    take(&mut inbox).await.fail("the archive is closed").await.unwrap();
    assert!(receipt.result::<Value>().await.is_err());
    drop(receipt);
    sent.all().await[1].assert_found("failed");
    done.all().await[1].assert_found("failed");
}

#[tokio::test]
async fn a_callers_own_traceparent_is_kept_and_makes_the_span_a_client() {
    for flag in ["01", "00"] {
        let Some(room) = Newsroom::open().await else { return };
        let mut inbox = room.inbox("researcher").await;
        let (_client, mut wire) = observe(&room.server, "wilco.newsroom.>").await;
        let own = format!("00-{TRACE}-{SPAN}-{flag}");
        let handoff = task().header("traceparent", &own).header("Editor", "kept");
        let receipt = room.planner.hand_off("researcher", handoff).await.unwrap();
        let headers = wire.next().await.unwrap().headers.unwrap();
        let all: Vec<_> = headers.get_all("traceparent").map(|value| value.as_str().to_owned()).collect();
        assert_eq!(all, [own]);
        assert_eq!(headers.get("Editor").unwrap().as_str(), "kept");
        next(&mut inbox).await.read_back(another_intent()).await.unwrap().complete(&1).await.unwrap();
        receipt.result::<Value>().await.unwrap().used();
        drop(receipt);

        let [handoff] = room.sent.all().await.try_into().unwrap();
        handoff.assert_found("misunderstood");
        assert_eq!(handoff.kind, "Client");
        assert_eq!((handoff.trace.as_str(), handoff.parent.as_str()), (TRACE, SPAN));
        assert_eq!(handoff.links[0].id, SPAN);
        let deadline = std::time::Instant::now() + support::PATIENCE;
        while room.done.all().await.is_empty() && std::time::Instant::now() < deadline {}
        let [process] = room.done.all().await.try_into().unwrap();
        assert_eq!((process.trace.as_str(), process.parent.as_str()), (TRACE, SPAN), "as the message says");
    }
}

#[tokio::test]
async fn what_comes_on_a_pattern_has_the_pattern_for_its_template() {
    let Some(server) = NatsServer::start() else { return };
    let on_a_pattern = |builder: ChannelBuilder| builder.agent_at("desk", "orders.*.desk");
    let room = Newsroom::on(server, same, on_a_pattern).await;
    let mut inbox = room.inbox("desk").await;
    let client = async_nats::connect(room.server.url()).await.unwrap();
    client.publish("orders.eu.desk", "17".into()).await.unwrap();
    take(&mut inbox).await.done().await.unwrap();
    let process = room.done.all().await.pop().unwrap();
    assert_eq!(process.text("messaging.destination.name"), Some("orders.eu.desk"));
    assert_eq!(process.text("messaging.destination.template"), Some("orders.*.desk"));
    let mut inbox = room.inbox("researcher").await;
    let receipt = room.planner.hand_off("researcher", task().transfer()).await.unwrap();
    take(&mut inbox).await.done().await.unwrap();
    receipt.settled().await;
    let process = room.done.all().await.pop().unwrap();
    assert_eq!(process.text("messaging.destination.name"), Some("wilco.newsroom.researcher"));
    assert_eq!(process.text("messaging.destination.template"), None, "it would only say the same again");
}

#[tokio::test]
async fn another_key_makes_the_header_corrupted() {
    let key = |words: &str| {
        let key = MacKey::from_passphrase(words);
        move |builder: ChannelBuilder| builder.mac_key(key)
    };
    for (ours, theirs, found) in [("wilco", "wilco", false), ("wilco", "roger", true)] {
        // Receipts under another key are not believed, so that the verdict is another one.
        let Some(server) = NatsServer::start() else { return };
        let room = Newsroom::on(server, key(ours), key(theirs)).await;
        let mut inbox = room.inbox("researcher").await;
        let receipt = room.planner.hand_off("researcher", task()).await.unwrap();
        let offer = next(&mut inbox).await;
        let kinds: Vec<_> = offer.mismatches().iter().map(|mismatch| mismatch.kind).collect();
        assert_eq!(kinds, if found { vec![MismatchKind::Corrupted] } else { vec![] });
        assert_eq!(offer.is_authentic(), !found);
        offer.read_back(intent()).await.unwrap().complete(&1).await.unwrap();
        receipt.result::<Value>().await.unwrap().used();
        if found {
            until("the sender to know", || !receipt.mismatches().is_empty()).await;
        }
        drop(receipt);
        let (handoff, process) = (&room.sent.all().await[0], &room.done.all().await[0]);
        if found {
            handoff.assert_found("corrupted");
            process.assert_found("corrupted");
        } else {
            handoff.assert_clean();
            process.assert_clean();
        }
    }
}

#[tokio::test]
async fn an_agent_without_the_key_still_gets_its_tasks() {
    let Some(server) = NatsServer::start() else { return };
    let room = Newsroom::on(server, |builder| builder.mac_key(MacKey::from_passphrase("wilco")), same).await;
    let mut inbox = room.inbox("researcher").await;
    let receipt = room.planner.hand_off("researcher", task()).await.unwrap();
    let offer = next(&mut inbox).await;
    assert_eq!(offer.mismatches(), []);
    assert!(!offer.is_authentic(), "who has no key cannot tell");
    offer.read_back(intent()).await.unwrap().complete(&1).await.unwrap();
    // The result is handed over, and neither the readback nor the result's header is believed.
    receipt.result::<Value>().await.unwrap().used();
    assert!(receipt.climbs().iter().all(|climb| climb.rung != Rung::Understood), "{:?}", receipt.climbs());
    let [found] = receipt.mismatches().try_into().unwrap();
    assert_eq!(found.kind, MismatchKind::Corrupted);
    assert!(found.evidence.contains("no authentication code, and this channel has a key"), "{}", found.evidence);
}

#[tokio::test]
async fn what_somebody_without_the_key_says_of_a_handoff_changes_nothing() {
    let Some(server) = NatsServer::start() else { return };
    let key = |builder: ChannelBuilder| builder.mac_key(MacKey::from_passphrase("wilco"));
    let room = Newsroom::on(server, key, key).await;
    let (forger, mut tasks) = observe(&room.server, "wilco.newsroom.researcher").await;
    let mut inbox = room.inbox("researcher").await;
    room.there.confirm().await.unwrap();
    let receipt = room.planner.hand_off("researcher", task()).await.unwrap();

    let seen = tasks.next().await.unwrap();
    let envelope = Envelope::decode(seen.headers.unwrap().get("Wilco").unwrap().as_str(), None).envelope;
    let id = envelope.id.unwrap();
    let now = Timestamp::now();
    let mut refused = wire::Receipt::new(Rung::Refused, "researcher".try_into().unwrap(), envelope.at, now, now);
    refused.refusal = Some(Refusal::Busy);
    let (header, body) = refused.encode(id, None).unwrap();
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Wilco", header);
    let to = envelope.receipts.unwrap().to_string();
    forger.publish_with_headers(to, headers, body.into()).await.unwrap();
    until("the forged receipt to come", || !receipt.mismatches().is_empty()).await;
    assert_eq!(receipt.mismatches()[0].kind, MismatchKind::Corrupted);

    let work = next(&mut inbox).await.read_back(intent()).await.unwrap();
    until("the true readback to come", || receipt.rung().0 == Rung::Understood).await;
    assert!(receipt.climbs().iter().all(|climb| climb.rung != Rung::Refused), "{:?}", receipt.climbs());
    work.complete(&1).await.unwrap();
    assert_eq!(receipt.result::<u32>().await.unwrap().used(), 1);
}

#[tokio::test]
async fn baggage_goes_on_with_what_is_handed_off_from_a_task() {
    let Some(room) = Newsroom::open().await else { return };
    let mut inbox = room.inbox("researcher").await;
    let (_observer, mut seen) = observe(&room.server, "wilco.newsroom.writer").await;
    let handoff = task().header("baggage", "tenant=acme");
    let _receipt = room.planner.hand_off("researcher", handoff).await.unwrap();
    let work = take(&mut inbox).await;
    let _next = work.hand_off("writer", task()).await.unwrap();
    let message = seen.next().await.unwrap();
    assert_eq!(message.headers.unwrap().get("baggage").unwrap().as_str(), "tenant=acme");
}

#[tokio::test]
async fn what_is_known_of_an_agent_is_on_the_spans_of_both_sides() {
    let Some(server) = NatsServer::start() else { return };
    let about = |version: &'static str| {
        let info = AgentInfo { version: Some(version.into()), model: Some("small-1".into()) };
        move |builder: ChannelBuilder| builder.describe("researcher", info)
    };
    let room = Newsroom::on(server, about("expected"), about("1.4.2")).await;
    let mut inbox = room.inbox("researcher").await;
    let receipt = room.planner.hand_off("researcher", task()).await.unwrap();
    take(&mut inbox).await.complete(&1).await.unwrap();
    receipt.result::<u32>().await.unwrap().used();
    drop(receipt);
    for (spans, version) in [(&room.sent, "expected"), (&room.done, "1.4.2")] {
        let [span] = spans.all().await.try_into().unwrap();
        assert_eq!(span.text("gen_ai.agent.version"), Some(version));
        assert_eq!(span.text("gen_ai.request.model"), Some("small-1"));
    }
}

#[tokio::test]
async fn a_resend_has_the_number_of_the_first_attempt() {
    let Some(room) = Newsroom::open().await else { return };
    let (_observer, mut seen) = observe(&room.server, "wilco.newsroom.researcher").await;
    let first = room.planner.hand_off("researcher", task().transfer()).await.unwrap();
    let _second = room.planner.hand_off("researcher", task().transfer()).await.unwrap();
    let _again = first.resend().await.unwrap();
    let _third = room.planner.hand_off("researcher", task().transfer()).await.unwrap();
    let mut numbers = Vec::new();
    for _ in 0..4 {
        let headers = seen.next().await.unwrap().headers.unwrap();
        let envelope = Envelope::decode(headers.get("Wilco").unwrap().as_str(), None).envelope;
        numbers.push((envelope.seq.unwrap(), envelope.attempt.unwrap()));
    }
    assert_eq!(numbers, [(1, 1), (2, 1), (1, 2), (3, 1)]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_that_names_it() {
    let error = Channel::builder("newsroom").connect("nats://127.0.0.1:1").await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}
