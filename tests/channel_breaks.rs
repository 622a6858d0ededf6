//! Connections break and channels close with handoffs under way: each of them ends in a verdict.
#![cfg(feature = "channel")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::Value;
use support::PATIENCE;
use support::nats::{NatsServer, each_server_version};
use support::newsroom::{Newsroom, SHORT, intent, next, observe, same, take, task, until};
use wilco::channel::{Channel, HandOffError, Hooks, JoinError, NoResult, ReplyError, Settled};
use wilco::model::{MismatchKind, Refusal, Verdict};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handoffs_under_way_when_the_server_dies_all_end_in_a_verdict() {
    for version in each_server_version() {
        let mut room = Newsroom::on(NatsServer::start_with(&version, &[]), same, same).await;
        let mut inbox = room.inbox("researcher").await;
        let limits = |handoff: wilco::channel::Handoff| handoff.read_back_within(SHORT).result_within(SHORT * 3);
        // One that was read back, one that was not, one without receipts, one held, one that left when all was dead.
        let understood = room.planner.hand_off("researcher", limits(task())).await.unwrap();
        let working = take(&mut inbox).await;
        assert!(understood.verdict().await.is_agreed());
        let unread = room.planner.hand_off("researcher", limits(task())).await.unwrap();
        let offer = next(&mut inbox).await;
        room.server.stop();
        let mut open = vec![understood, unread];
        for handoff in [
            limits(task()),
            limits(task().hold_for_agreement()),
            limits(task().without_receipts()),
            task().transfer().read_back_within(SHORT),
        ] {
            open.push(room.planner.hand_off("researcher", handoff).await.unwrap());
        }
        let transfer = room.planner.hand_off("researcher", task().transfer().without_receipts()).await.unwrap();

        let started = Instant::now();
        for receipt in &open {
            let verdict = tokio::time::timeout(PATIENCE, receipt.verdict()).await.expect("a verdict");
            assert_ne!(verdict, Verdict::Pending);
            tokio::time::timeout(PATIENCE, receipt.settled()).await.expect("an end");
        }
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        assert!(matches!(open[0].result::<Value>().await, Err(NoResult::TimedOut { .. })));
        let kinds: Vec<_> = open.iter().map(|receipt| receipt.mismatches()[0].kind).collect();
        use MismatchKind::{TimedOut, Unacknowledged};
        assert_eq!(kinds[0], TimedOut);
        assert_eq!(
            (kinds[2], kinds[3], kinds[4], kinds[5]),
            (Unacknowledged, Unacknowledged, TimedOut, Unacknowledged)
        );
        // The word that the receiver was about to say is not lost silently either: it goes to the client's buffer.
        drop((working, offer));

        room.server.restart();
        let verdict = tokio::time::timeout(PATIENCE, transfer.verdict()).await.expect("a verdict");
        assert!(!verdict.is_agreed() && verdict != Verdict::Pending, "{verdict:?}");
        // And then all goes on as if nothing had been.
        until("both ends to be back", || room.here.is_connected() && room.there.is_connected()).await;
        let deadline = Instant::now() + PATIENCE;
        let receipt = loop {
            // The receiver may come back later than the sender.
            let receipt = room.planner.hand_off("researcher", limits(task())).await.unwrap();
            let offer = tokio::time::timeout(SHORT, async {
                loop {
                    let offer = next(&mut inbox).await;
                    if offer.id() == Some(receipt.id()) {
                        return offer;
                    }
                    drop(offer);
                }
            });
            if let Ok(offer) = offer.await {
                offer.read_back(intent()).await.unwrap().complete(&42).await.unwrap();
                break receipt;
            }
            assert!(Instant::now() < deadline, "nothing comes through after the restart");
        };
        assert!(receipt.verdict().await.is_agreed());
        assert_eq!(receipt.result::<u32>().await.unwrap().used(), 42);
    }
}

#[tokio::test]
async fn closing_a_channel_records_open_handoffs_as_pending() {
    let Some(room) = Newsroom::open().await else { return };
    let mut inbox = room.inbox("researcher").await;
    let understood = room.planner.hand_off("researcher", task()).await.unwrap();
    let _working = take(&mut inbox).await;
    assert!(understood.verdict().await.is_agreed());
    let unread = room.planner.hand_off("researcher", task()).await.unwrap();
    let _offer = next(&mut inbox).await;
    let started = Instant::now();
    room.here.clone().close(Duration::from_millis(50)).await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    for receipt in [&understood, &unread] {
        assert!(matches!(receipt.result::<Value>().await, Err(NoResult::Closed)));
    }
    assert!(understood.verdict().await.is_agreed(), "what was said stays said");
    assert_eq!(unread.verdict().await, Verdict::Unconfirmed { why: "the channel was closed first".to_owned() });
    let handoffs = room.sent.named("handoff researcher").await;
    assert_eq!(handoffs.len(), 2);
    for handoff in handoffs {
        handoff.assert_clean();
        assert_eq!(handoff.text("wilco.verdict"), Some("pending"));
    }
    assert!(matches!(room.planner.hand_off("researcher", task()).await, Err(HandOffError::Closed)));
    assert!(matches!(room.planner.inbox().await, Err(JoinError::Closed)));
    assert!(matches!(room.here.join("planner").await, Err(JoinError::Closed)));
}

#[tokio::test]
async fn a_task_that_nobody_took_before_the_channel_was_closed_is_refused_as_busy() {
    let Some(room) = Newsroom::open().await else { return };
    let inbox = room.inbox("researcher").await;
    let receipt = room.planner.hand_off("researcher", task()).await.unwrap();
    // It is in the inbox by then.
    room.there.confirm().await.unwrap();
    room.there.clone().close(SHORT).await;
    drop(inbox);
    let verdict = tokio::time::timeout(PATIENCE, receipt.verdict()).await.unwrap();
    assert_eq!(verdict, Verdict::Refused(Refusal::Busy));
}

/// A connection that is gone for good, or a hook that panics, ends the task that watches the deadlines.
#[tokio::test]
async fn when_nobody_watches_the_deadlines_any_more_nobody_waits_for_them() {
    let Some(room) = Newsroom::open().await else { return };
    let _inbox = room.inbox("researcher").await;
    let client = async_nats::connect(room.server.url()).await.unwrap();
    let channel = Channel::builder("newsroom").client(client.clone()).await.unwrap();
    let planner = channel.join("planner").await.unwrap();
    let receipt = planner.hand_off("researcher", task()).await.unwrap();
    client.drain().await.unwrap();
    let result = tokio::time::timeout(PATIENCE, receipt.result::<Value>()).await.unwrap();
    assert!(matches!(result, Err(NoResult::Closed)), "{result:?}");
    assert!(matches!(planner.hand_off("researcher", task()).await, Err(HandOffError::Closed)));
}

#[tokio::test]
async fn a_hook_that_panics_leaves_nobody_waiting() {
    struct Clumsy;
    impl Hooks for Clumsy {
        fn on_settled(&self, _: &Settled) {
            panic!("the hook of a test panics, as it should");
        }
    }
    let Some(server) = NatsServer::start() else { return };
    let room = Newsroom::on(server, |builder| builder.hooks(Clumsy), same).await;
    let mut inbox = room.inbox("researcher").await;
    let first = room.planner.hand_off("researcher", task()).await.unwrap();
    let second = room.planner.hand_off("researcher", task()).await.unwrap();
    take(&mut inbox).await.complete(&1).await.unwrap();
    for receipt in [&first, &second] {
        tokio::time::timeout(PATIENCE, receipt.settled()).await.unwrap();
    }
    assert!(matches!(second.result::<Value>().await, Err(NoResult::Closed)));
    assert!(matches!(room.planner.hand_off("researcher", task()).await, Err(HandOffError::Closed)));
}

#[tokio::test]
async fn a_redelivery_is_on_record_and_is_offered_again_only_if_it_was_abandoned() {
    let Some(room) = Newsroom::open().await else { return };
    let mut inbox = room.inbox("researcher").await;
    let (bus, mut seen) = observe(&room.server, "wilco.newsroom.researcher").await;
    let receipt = room.planner.hand_off("researcher", task()).await.unwrap();
    let message = seen.next().await.unwrap();
    let mut again = async || {
        let (subject, headers) = (message.subject.clone(), message.headers.clone().unwrap());
        bus.publish_with_headers(subject, headers, message.payload.clone()).await.unwrap();
        // The server has it, and has given it to whoever listens.
        seen.next().await.unwrap();
    };
    drop(next(&mut inbox).await);
    again().await;
    let work = take(&mut inbox).await;
    assert_eq!(work.mismatches(), [], "nobody did it twice");
    work.complete(&1).await.unwrap();
    again().await;
    let last = room.planner.hand_off("researcher", task()).await.unwrap();
    take(&mut inbox).await.complete(&2).await.unwrap();
    assert_eq!(inbox.suppressed(), 1);
    drop((receipt, last));
    room.there.clone().close(SHORT).await;
    let processed = room.done.named("process researcher").await;
    let of_first: Vec<_> = processed
        .iter()
        .filter(|span| span.text("wilco.handoff.id") == processed[0].text("wilco.handoff.id"))
        .collect();
    assert_eq!((processed.len(), of_first.len()), (4, 3));
    of_first[0].assert_found("abandoned");
    of_first[1].assert_clean();
    of_first[2].assert_clean();
    assert_eq!(of_first[2].rungs(), ["delivered declared"]);
}

#[tokio::test]
async fn closing_waits_for_the_tasks_in_hand() {
    let Some(room) = Newsroom::open().await else { return };
    let mut inbox = room.inbox("researcher").await;
    let receipt = room.planner.hand_off("researcher", task()).await.unwrap();
    let task = take(&mut inbox).await;
    let closing = tokio::spawn(room.there.clone().close(PATIENCE));
    tokio::time::timeout(SHORT, async {
        while !closing.is_finished() {
            tokio::task::yield_now().await
        }
    })
    .await
    .expect_err("there is a task in hand");
    task.complete(&42).await.unwrap();
    assert_eq!(receipt.result::<u32>().await.unwrap().used(), 42);
    closing.await.unwrap();
    room.done.named("process researcher").await[0].assert_clean();
}

#[tokio::test]
async fn a_result_that_is_too_large_is_an_error_that_names_the_limit_and_leaves_the_task_abandoned() {
    let Some(version) = each_server_version().into_iter().next() else { return };
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("small.conf");
    std::fs::write(&config, "max_payload: 4096\n").unwrap();
    let server = NatsServer::start_with(&version, &["--config", config.to_str().unwrap()]);
    let room = Newsroom::on(server, same, same).await;
    let mut inbox = room.inbox("researcher").await;
    let receipt = room.planner.hand_off("researcher", task()).await.unwrap();
    let error = take(&mut inbox).await.complete(&"x".repeat(5_000)).await.unwrap_err();
    assert!(matches!(error, ReplyError::TooLarge { size: 5_002, limit: 4_096 }), "{error:?}");
    assert!(receipt.result::<Value>().await.is_err(), "the sender is told at once");
    assert_eq!(receipt.mismatches()[0].kind, MismatchKind::Abandoned);

    let large = wilco::channel::Handoff::new(intent(), &"x".repeat(5_000)).unwrap();
    let error = room.planner.hand_off("researcher", large).await.unwrap_err();
    assert!(matches!(error, HandOffError::TooLarge { size: 5_002, limit: 4_096 }), "{error:?}");
    drop(receipt);
    assert_eq!(room.here.stats().followed, 0, "what did not leave is not followed");
}
