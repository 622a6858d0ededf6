//! Two processes whose clocks differ: context is stale when it is old, and not when a clock is wrong.
#![cfg(feature = "channel")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::time::Duration;

use serde_json::Value;
use support::nats::NatsServer;
use support::newsroom::{Newsroom, intent, next, same, take, task};
use support::process::{self, Peer};
use support::spans;
use wilco::channel::{Channel, Handoff};
use wilco::model::{Clock, Context, FakeClock, MismatchKind, Timestamp};

/// A clock that runs, `ahead` of the system's or, negative, behind it.
fn running(ahead_s: i64) -> Clock {
    let told = move || {
        let (now, skew) = (Timestamp::now(), Duration::from_secs(ahead_s.unsigned_abs()));
        if ahead_s < 0 { now - skew } else { now + skew }
    };
    let clock = FakeClock::at(told());
    let hand = clock.clone();
    // Ends with the process.
    std::thread::spawn(move || {
        loop {
            hand.set(told());
            std::thread::sleep(Duration::from_micros(500));
        }
    });
    clock.into()
}

fn observed_ago(age: Duration) -> Handoff {
    task().context(Context::observed("crm", Timestamp::now() - age).max_age(Duration::from_secs(10)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_thirty_seconds_apart_make_nothing_stale_and_hide_nothing_that_is() {
    for ahead in ["30", "-30"] {
        let Some(server) = NatsServer::start() else { return };
        let mut peer = Peer::spawn("skewed_main", &[("NATS_URL", &server.url()), ("AHEAD", ahead)]);
        peer.expect("READY");
        let room = Newsroom::on(server, same, same).await;
        let mut found = Vec::new();
        // Before the clocks are known to each other, and after.
        for age in [1, 12, 1, 12] {
            let receipt = room.planner.hand_off("researcher", observed_ago(Duration::from_secs(age))).await.unwrap();
            let verdict = receipt.verdict().await;
            receipt.result::<Value>().await.unwrap().used();
            found.push(verdict.mismatches().iter().map(|mismatch| mismatch.kind).collect::<Vec<_>>());
        }
        let stale = || vec![MismatchKind::StaleContext];
        assert_eq!(found, [vec![], stale(), vec![], stale()], "{ahead} s ahead");
        peer.tell("end");
        let processed = spans::heard_from(&mut peer);
        let handoffs = room.sent.named("handoff researcher").await;
        let ages: Vec<f64> =
            handoffs.iter().map(|span| span.get("wilco.context.age_ms").and_then(Value::as_f64).unwrap()).collect();
        for (age, expected) in ages.iter().zip([1_000.0, 12_000.0, 1_000.0, 12_000.0]) {
            assert!((expected - 500.0..expected + 5_000.0).contains(age), "{ages:?}");
        }
        for (span, is_stale) in processed.iter().zip([false, true, false, true]) {
            // The first could not be judged here: `off` was not known.
            if is_stale { span.assert_found("stale_context") } else { span.assert_clean() }
        }
        assert_eq!(processed.len(), 4);
    }
}

#[tokio::test]
async fn a_version_that_its_receiver_holds_to_be_current_is_fresh_for_the_sender_too() {
    for (current, found) in [("41", vec![]), ("42", vec![MismatchKind::StaleContext])] {
        let Some(room) = Newsroom::open().await else { return };
        let agent = room.there.join("researcher").await.unwrap();
        agent.knows_context("crm", current);
        let mut inbox = agent.inbox().await.unwrap();
        // Far too old by any clock; only the version can speak for it.
        let notes = Context::observed("crm", Timestamp::now() - Duration::from_secs(3_600)).version("41");
        let handoff = task().context(notes.max_age(Duration::from_secs(10)));
        let receipt = room.planner.hand_off("researcher", handoff).await.unwrap();
        take(&mut inbox).await.complete(&1).await.unwrap();
        let _result = receipt.result::<Value>().await.unwrap();
        let kinds: Vec<_> = receipt.mismatches().iter().map(|mismatch| mismatch.kind).collect();
        assert_eq!(kinds, found, "current is {current}");
    }
}

#[tokio::test]
async fn an_old_item_that_was_not_used_is_not_held_against_anyone() {
    let Some(room) = Newsroom::open().await else { return };
    let mut inbox = room.inbox("researcher").await;
    // The one that is used does not say when it was observed.
    let handoff = observed_ago(Duration::from_secs(3_600)).context(Context::named("style").version("3"));
    let receipt = room.planner.hand_off("researcher", handoff).await.unwrap();
    let offer = next(&mut inbox).await;
    assert!(offer.context("style").is_some());
    offer.read_back(intent()).await.unwrap().complete(&1).await.unwrap();
    let _result = receipt.result::<Value>().await.unwrap();
    assert_eq!(receipt.mismatches(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stale_at_first_sight_is_found_by_the_sender_alone() {
    for ahead in ["30", "-30"] {
        let Some(server) = NatsServer::start() else { return };
        let mut peer = Peer::spawn("skewed_main", &[("NATS_URL", &server.url()), ("AHEAD", ahead)]);
        peer.expect("READY");
        let room = Newsroom::on(server, same, same).await;
        let receipt = room.planner.hand_off("researcher", observed_ago(Duration::from_secs(12))).await.unwrap();
        assert_eq!(receipt.verdict().await.mismatches()[0].kind, MismatchKind::StaleContext);
        receipt.result::<Value>().await.unwrap().used();
        drop(receipt);
        peer.tell("end");
        spans::heard_from(&mut peer)[0].assert_clean();
        room.sent.named("handoff researcher").await[0].assert_found("stale_context");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of the tests above"]
async fn skewed_main() {
    if !process::is_peer("skewed_main") {
        return;
    }
    let ahead = std::env::var("AHEAD").unwrap().parse().unwrap();
    let spans = spans::Spans::collect();
    let builder = Channel::builder("newsroom").telemetry(spans.telemetry.clone()).clock(running(ahead));
    let channel = builder.connect(&std::env::var("NATS_URL").unwrap()).await.unwrap();
    let mut inbox = channel.join("researcher").await.unwrap().inbox().await.unwrap();
    let work = tokio::spawn(async move {
        while let Some(offer) = inbox.next().await {
            offer.read_back(intent()).await.unwrap().complete(&1).await.unwrap();
        }
    });
    process::say("READY");
    tokio::task::spawn_blocking(process::hear).await.unwrap();
    channel.close(Duration::from_secs(1)).await;
    work.await.unwrap();
    spans.say_all().await;
}
