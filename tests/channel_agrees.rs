//! The two sides come to terms: holding the work, withdrawing it, late acknowledgement, hooks.
#![cfg(feature = "channel")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use support::PATIENCE;
use support::nats::NatsServer;
use support::newsroom::{Newsroom, SHORT, another_intent, intent, next, same, take, task, until};
use wilco::channel::{
    Arrival, ChannelBuilder, Decided, Hooks, NoResult, Readback, Reception, ReplyError, Sending, Settled,
};
use wilco::model::{FakeClock, MismatchKind, Refusal, Rung, Timestamp, Verdict};

#[tokio::test]
async fn held_work_begins_when_the_readback_agrees() {
    let Some(room) = Newsroom::open().await else { return };
    let mut inbox = room.inbox("researcher").await;
    let receipt = room.planner.hand_off("researcher", task().hold_for_agreement()).await.unwrap();
    let task = take(&mut inbox).await;
    assert!(receipt.verdict().await.is_agreed());
    task.complete(&1).await.unwrap();
    receipt.result::<Value>().await.unwrap().used();
    drop(receipt);
    room.sent.named("handoff researcher").await[0].assert_clean();
    let process = &room.done.named("process researcher").await[0];
    assert_eq!(process.text("wilco.verdict"), Some("agreed"), "here the receiver was told");
}

#[tokio::test]
async fn held_work_does_not_begin_until_the_sender_goes_ahead() {
    let Some(room) = Newsroom::open().await else { return };
    for (transfer, limit) in [(false, false), (true, false), (true, true)] {
        let mut inbox = room.inbox("researcher").await;
        let mut handoff = task().hold_for_agreement();
        if transfer {
            handoff = handoff.transfer();
        }
        if limit {
            handoff = handoff.result_within(Duration::from_secs(30));
        }
        let receipt = room.planner.hand_off("researcher", handoff).await.unwrap();
        let mut work = tokio::spawn(async move { next(&mut inbox).await.read_back(another_intent()).await });
        assert_eq!(receipt.verdict().await.mismatches()[0].kind, MismatchKind::Misunderstood);
        assert!(tokio::time::timeout(SHORT / 2, &mut work).await.is_err(), "no work without a word");
        receipt.go_ahead();
        let task = work.await.unwrap().unwrap();
        task.complete(&1).await.unwrap();
        receipt.settled().await;
        assert_eq!(receipt.mismatches().len(), 1);
    }
}

#[tokio::test]
async fn held_work_that_is_withdrawn_never_begins() {
    let Some(room) = Newsroom::open().await else { return };
    let mut inbox = room.inbox("researcher").await;
    let receipt = room.planner.hand_off("researcher", task().hold_for_agreement()).await.unwrap();
    let work = tokio::spawn(async move { next(&mut inbox).await.read_back(another_intent()).await });
    let verdict = receipt.verdict().await;
    receipt.withdraw(verdict.mismatches());
    let Err(ReplyError::Withdrawn { mismatches }) = work.await.unwrap() else { panic!("it was withdrawn") };
    assert_eq!(mismatches[0].kind, MismatchKind::Misunderstood);
    assert_eq!(mismatches[0].diff, ["object: solid-state batteries -> lead batteries"]);
    assert!(matches!(receipt.result::<Value>().await, Err(NoResult::Withdrawn)));
    drop(receipt);
    room.sent.named("handoff researcher").await[0].assert_found("misunderstood");
    let process = &room.done.named("process researcher").await[0];
    process.assert_clean();
    assert_eq!(process.text("wilco.verdict"), Some("mismatched"));
}

#[tokio::test]
async fn held_work_is_withdrawn_when_nobody_is_left_to_decide() {
    let Some(room) = Newsroom::open().await else { return };
    let mut inbox = room.inbox("researcher").await;
    drop(room.planner.hand_off("researcher", task().hold_for_agreement()).await.unwrap());
    let read_back = next(&mut inbox).await.read_back(another_intent()).await;
    assert!(matches!(read_back, Err(ReplyError::Withdrawn { .. })));
    until("the handoff to be settled", || room.here.stats().followed == 0).await;
    room.sent.named("handoff researcher").await[0].assert_found("misunderstood");
}

#[tokio::test]
async fn held_work_that_nobody_decides_is_given_up_at_the_senders_deadline() {
    // Clocks apart must not make the receiver give up at once, nor wait for long.
    for skew in [Duration::ZERO, Duration::from_secs(3_600)] {
        let Some(server) = NatsServer::start() else { return };
        let clock = FakeClock::at(Timestamp::now() + skew);
        let room = Newsroom::on(server, same, |builder| builder.clock(clock)).await;
        let mut inbox = room.inbox("researcher").await;
        let handoff = task().hold_for_agreement().result_within(SHORT);
        let started = std::time::Instant::now();
        let receipt = room.planner.hand_off("researcher", handoff).await.unwrap();
        let read_back = next(&mut inbox).await.read_back(another_intent()).await;
        let Err(ReplyError::NoDecision { waited }) = read_back else { panic!("nobody decided: {read_back:?}") };
        assert!(waited <= SHORT, "{waited:?}");
        assert!(started.elapsed() >= SHORT - Duration::from_millis(50), "not at once");
        assert!(matches!(receipt.result::<Value>().await, Err(NoResult::TimedOut { .. })));
        assert_eq!(receipt.mismatches()[0].kind, MismatchKind::Misunderstood);
        assert_eq!(receipt.mismatches().len(), 1, "the sender's own silence is no fault of the receiver");
    }
}

#[tokio::test]
async fn a_withdrawal_reaches_an_agent_that_had_not_said_a_word_when_it_was_made() {
    let Some(server) = NatsServer::start() else { return };
    let slow_to_speak = |builder: ChannelBuilder| builder.acknowledge_within(PATIENCE);
    let room = Newsroom::on(server, same, slow_to_speak).await;
    let mut inbox = room.inbox("researcher").await;
    let receipt = room.planner.hand_off("researcher", task()).await.unwrap();
    let offer = next(&mut inbox).await;
    receipt.withdraw(&[]);
    drop(receipt);
    room.sent.named("handoff researcher").await[0].assert_clean();
    let task = offer.read_back(intent()).await.unwrap();
    assert_eq!(tokio::time::timeout(PATIENCE, task.withdrawn()).await.unwrap(), []);
    until("nobody to be left to tell", || room.here.stats().followed == 0).await;
}

#[tokio::test]
async fn an_agent_at_work_learns_that_nobody_waits_any_more() {
    let Some(room) = Newsroom::open().await else { return };
    let mut inbox = room.inbox("researcher").await;
    let receipt = room.planner.hand_off("researcher", task().result_within(SHORT)).await.unwrap();
    let task = take(&mut inbox).await;
    assert!(matches!(receipt.result::<Value>().await, Err(NoResult::TimedOut { .. })));
    let told = tokio::time::timeout(PATIENCE, task.withdrawn()).await.unwrap();
    assert_eq!(told[0].kind, MismatchKind::TimedOut);
    drop(task);
    let process = &room.done.named("process researcher").await[0];
    assert_eq!(process.text("wilco.verdict"), Some("mismatched"));
}

#[tokio::test]
async fn a_withdrawal_reaches_an_agent_at_work() {
    let Some(room) = Newsroom::open().await else { return };
    let mut inbox = room.inbox("researcher").await;
    let receipt = room.planner.hand_off("researcher", task()).await.unwrap();
    let task = take(&mut inbox).await;
    assert!(receipt.verdict().await.is_agreed());
    receipt.withdraw(&[]);
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), task.withdrawn()).await.unwrap(), []);
    assert!(task.is_withdrawn());
    assert!(matches!(task.progress("3 of 5").await, Err(ReplyError::Withdrawn { .. })));
    // Stopping is what was asked for, so nobody abandoned anything.
    drop(task);
    assert!(matches!(receipt.result::<Value>().await, Err(NoResult::Withdrawn)));
    drop(receipt);
    room.done.named("process researcher").await[0].assert_clean();
    room.sent.named("handoff researcher").await[0].assert_clean();
}

#[tokio::test]
async fn an_agent_that_thinks_is_reported_as_having_received() {
    let Some(server) = NatsServer::start() else { return };
    let room = Newsroom::on(server, same, |builder| builder.acknowledge_within(Duration::from_millis(20))).await;
    let mut inbox = room.inbox("researcher").await;
    let receipt = room.planner.hand_off("researcher", task().read_back_within(SHORT)).await.unwrap();
    let offer = next(&mut inbox).await;
    until("the receipt `received`", || receipt.rung().0 == Rung::Received).await;
    assert_eq!(receipt.verdict_now(), Verdict::Pending);
    let Verdict::Unconfirmed { why } = receipt.verdict().await else { panic!("not read back in time") };
    assert_eq!(why, "it was received, but not read back in time");
    // What comes late is still heard.
    offer.read_back(intent()).await.unwrap().complete(&1).await.unwrap();
    receipt.result::<Value>().await.unwrap().used();
    assert!(receipt.verdict().await.is_agreed());
    assert_eq!(receipt.mismatches(), []);
}

#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn write(&self, entry: String) {
        self.0.lock().unwrap().push(entry);
    }

    fn read(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Hooks for Diary {
    fn on_send(&self, sending: &Sending) {
        self.write(format!("send {} -> {}: {}", sending.from, sending.to, sending.intent.as_ref().unwrap().goal()));
    }

    fn on_receive(&self, arrival: &Arrival) -> Reception {
        self.write(format!("receive {} with {} context", arrival.agent, arrival.contexts.len()));
        Reception::Accept
    }

    fn on_readback(&self, readback: &Readback) {
        self.write(format!("readback {}", readback.intent.goal()));
    }

    fn on_decision(&self, decided: &Decided) {
        self.write(format!("decision {} {}", decided.choice.as_str(), decided.mismatches.len()));
    }

    fn on_settled(&self, settled: &Settled) {
        let side = if settled.is_sender { "sender" } else { "receiver" };
        self.write(format!("settled {side} {} {}", settled.rung.0, settled.verdict.as_str()));
    }
}

#[tokio::test]
async fn hooks_are_told_of_every_step_in_order() {
    let Some(server) = NatsServer::start() else { return };
    let (ours, theirs) = (Diary::default(), Diary::default());
    let (here, there) = (ours.clone(), theirs.clone());
    let room = Newsroom::on(server, |builder| builder.hooks(here), |builder| builder.hooks(there)).await;
    let mut inbox = room.inbox("researcher").await;
    let receipt = room.planner.hand_off("researcher", task().hold_for_agreement()).await.unwrap();
    take(&mut inbox).await.complete(&1).await.unwrap();
    receipt.result::<Value>().await.unwrap().used();
    assert_eq!(ours.read(), ["send planner -> researcher: find_sources", "settled sender completed agreed"]);
    assert_eq!(
        theirs.read(),
        [
            "receive researcher with 0 context",
            "readback find_sources",
            "decision go 0",
            "settled receiver completed agreed"
        ]
    );
}

#[tokio::test]
async fn a_mismatch_that_the_sender_found_comes_to_the_receivers_hooks_even_late() {
    let Some(server) = NatsServer::start() else { return };
    let theirs = Diary::default();
    let there = theirs.clone();
    let room = Newsroom::on(server, same, |builder| builder.hooks(there)).await;
    let mut inbox = room.inbox("researcher").await;
    let receipt = room.planner.hand_off("researcher", task()).await.unwrap();
    let task = next(&mut inbox).await.read_back(another_intent()).await.unwrap();
    task.complete(&1).await.unwrap();
    assert!(!receipt.verdict().await.is_agreed());
    until("the decision", || theirs.read().contains(&"decision go 1".to_owned())).await;
}

#[tokio::test]
async fn a_closure_for_a_hook_refuses_before_the_agent_sees_anything() {
    let Some(server) = NatsServer::start() else { return };
    let refuse = |arrival: &Arrival| match arrival.workflow.as_ref().map(|id| id.as_str()) {
        Some("abc-123") => Reception::Refuse(Refusal::NotMine),
        _ => Reception::Accept,
    };
    let room = Newsroom::on(server, same, |builder| builder.hooks(refuse)).await;
    let mut inbox = room.inbox("researcher").await;
    let refused = room.planner.hand_off("researcher", task()).await.unwrap();
    let taken = room.planner.hand_off("researcher", task().workflow("other")).await.unwrap();
    let offer = next(&mut inbox).await;
    assert_eq!(offer.id(), Some(taken.id()));
    assert_eq!(refused.verdict().await, Verdict::Refused(Refusal::NotMine));
    offer.read_back(intent()).await.unwrap().complete(&1).await.unwrap();
    assert!(taken.verdict().await.is_agreed());
}
