//! Every kind of mismatch that needs no store, made between two real processes on a real server, each with a twin in
//! which nothing is wrong and nothing is reported.
//!
//! The sender is the test itself, the receiver another process; see `receiver_main` for what it can be told to do.
#![cfg(feature = "channel")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};
use support::nats::{NatsServer, ServerBinary, each_server_version};
use support::process::{self, Peer};
use support::relay::{Fault, Relay};
use support::spans::{Span, Spans};
use support::{PATIENCE, note};
use tokio::sync::mpsc;
use wilco::channel::{Agent, Channel, Handoff, NoResult, Offer, Receipt, Task};
use wilco::model::{Context, Intent, MismatchKind, Refusal, Rung, Timestamp, Verdict};

const WORKFLOW: &str = "abc-123";
const TOPIC: &str = "solid-state batteries";
/// Long enough for a busy machine, short enough for a test that waits for it.
const SHORT: Duration = Duration::from_millis(400);

fn intent() -> Intent {
    Intent::new("find_sources").object(TOPIC).constraint("max", 5)
}

fn task() -> Handoff {
    Handoff::new(intent(), &json!({"topic": TOPIC, "max": 5})).unwrap().workflow(WORKFLOW)
}

/// Both processes, with the server between them.
struct Scene {
    server: NatsServer,
    relay: Option<Relay>,
    spans: Spans,
    channel: Channel,
    planner: Agent,
    receiver: Peer,
}

/// What is known when all is over.
struct Account {
    sent: Vec<Span>,
    processed: Vec<Span>,
    /// What the receiver said of each offer.
    saw: Vec<Value>,
}

impl Scene {
    /// The receiver does as `manner` says; `env` says more of it.
    async fn set(version: &ServerBinary, manner: &str, env: &[(&str, &str)]) -> Self {
        Self::with_channel(version, manner, env, |builder| builder).await
    }

    async fn with_channel(
        version: &ServerBinary,
        manner: &str,
        env: &[(&str, &str)],
        build: impl FnOnce(wilco::channel::ChannelBuilder) -> wilco::channel::ChannelBuilder,
    ) -> Self {
        let server = NatsServer::start_with(version, &[]);
        let url = server.url();
        Self::on(server, None, &url, manner, env, build).await
    }

    /// The sender's messages go through a relay.
    async fn relayed(version: &ServerBinary, manner: &str) -> Self {
        let server = NatsServer::start_with(version, &[]);
        let relay = Relay::to(server.port());
        let url = relay.url();
        Self::on(server, Some(relay), &url, manner, &[], |builder| builder).await
    }

    async fn on(
        server: NatsServer,
        relay: Option<Relay>,
        url: &str,
        manner: &str,
        env: &[(&str, &str)],
        build: impl FnOnce(wilco::channel::ChannelBuilder) -> wilco::channel::ChannelBuilder,
    ) -> Self {
        let receiver_url = server.url();
        let env: Vec<_> =
            [("NATS_URL", receiver_url.as_str()), ("MANNER", manner)].iter().chain(env).copied().collect();
        let mut receiver = Peer::spawn("receiver_main", &env);
        let spans = Spans::collect();
        let builder = build(Channel::builder("newsroom").telemetry(spans.telemetry.clone()));
        let channel = builder.connect(url).await.unwrap();
        let planner = channel.join("planner").await.unwrap();
        receiver.expect("READY");
        Self { server, relay, spans, channel, planner, receiver }
    }

    async fn hand_off(&self, handoff: Handoff) -> Receipt {
        self.planner.hand_off("researcher", handoff).await.unwrap()
    }

    fn spoil(&self, sound: u32, fault: Fault) {
        self.relay.as_ref().unwrap().spoil("wilco.newsroom.researcher", sound, fault);
    }

    /// Closes both sides and collects what they recorded.
    async fn end(mut self) -> Account {
        drop(self.planner);
        self.channel.close(PATIENCE).await;
        self.receiver.tell("end");
        let (mut saw, mut processed) = (Vec::new(), Vec::new());
        loop {
            let line = self.receiver.next().expect("the receiver says its spans before it ends");
            if let Some(span) = line.strip_prefix("SPAN ") {
                processed.push(serde_json::from_str(span).unwrap());
            } else if let Some(offer) = line.strip_prefix("SAW ") {
                saw.push(serde_json::from_str(offer).unwrap());
            } else if line == "SPANS END" {
                break;
            }
        }
        drop(self.server);
        Account { sent: self.spans.all().await, processed, saw }
    }
}

impl Account {
    /// The one handoff and its processing, whose places in the trace are right.
    #[track_caller]
    fn pair(&self) -> (&Span, &Span) {
        let ([handoff], [process]) = (self.sent.as_slice(), self.processed.as_slice()) else {
            panic!("one span a side, not {:#?} and {:#?}", self.sent, self.processed)
        };
        assert_eq!((handoff.name.as_str(), handoff.kind.as_str()), ("handoff researcher", "Producer"));
        handoff.assert_under_root_of(WORKFLOW);
        process.assert_processes(handoff);
        assert_eq!(process.name, "process researcher");
        (handoff, process)
    }

    /// Both sides know of this fault, and of no other.
    #[track_caller]
    fn assert_both_found(&self, kind: &str) {
        let (handoff, process) = self.pair();
        handoff.assert_found(kind);
        process.assert_found(kind);
    }

    /// The sender found this fault; the receiver did nothing that is held against it.
    #[track_caller]
    fn assert_sender_found(&self, kind: &str) {
        let (handoff, process) = self.pair();
        handoff.assert_found(kind);
        process.assert_clean();
    }

    /// Nothing was wrong, and nothing is reported.
    #[track_caller]
    fn assert_agreed(&self) {
        let (handoff, process) = self.pair();
        handoff.assert_clean();
        process.assert_clean();
        assert_eq!(handoff.text("wilco.verdict"), Some("agreed"));
        assert_eq!(process.text("wilco.verdict"), Some("unconfirmed"), "only the sender compares");
    }
}

fn newest() -> Vec<ServerBinary> {
    each_server_version().into_iter().take(1).collect()
}

#[track_caller]
fn kinds(verdict: &Verdict) -> Vec<MismatchKind> {
    verdict.mismatches().iter().map(|mismatch| mismatch.kind).collect()
}

/// Waits until this receipt knows of a mismatch.
async fn finds(receipt: &Receipt) -> Vec<MismatchKind> {
    let deadline = Instant::now() + PATIENCE;
    while receipt.mismatches().is_empty() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    receipt.mismatches().iter().map(|mismatch| mismatch.kind).collect()
}

/// Hands the task off to a receiver who does what it should.
async fn twin(scene: Scene) {
    twin_with(scene, task()).await;
}

async fn twin_with(scene: Scene, handoff: Handoff) {
    let receipt = scene.hand_off(handoff).await;
    assert_eq!(receipt.verdict().await, Verdict::Agreed { readback: intent() });
    receipt.result::<Value>().await.unwrap().used();
    assert_eq!(receipt.mismatches(), []);
    drop(receipt);
    scene.end().await.assert_agreed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undelivered_when_nobody_listens() {
    for version in each_server_version() {
        for handoff in [
            task(),
            task().transfer(),
            task().transfer().without_receipts(),
            task().without_receipts(),
            task().hold_for_agreement(),
        ] {
            let scene = Scene::set(&version, "absent", &[]).await;
            let started = Instant::now();
            let receipt = scene.hand_off(handoff).await;
            assert_eq!(kinds(&receipt.verdict().await), [MismatchKind::Undelivered]);
            assert!(matches!(receipt.result::<Value>().await, Err(NoResult::Undelivered { .. })));
            assert!(started.elapsed() < Duration::from_secs(5), "at once, not by a timeout");
            drop(receipt);
            let account = scene.end().await;
            let [handoff] = account.sent.as_slice() else { panic!("one span, not {:#?}", account.sent) };
            handoff.assert_found("undelivered");
            handoff.assert_under_root_of(WORKFLOW);
            assert_eq!(handoff.rungs(), ["sent wire"], "the server saw it, and nobody else");
            assert!(account.processed.is_empty());
        }
        twin(Scene::set(&version, "right", &[]).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unacknowledged_when_it_is_swallowed() {
    for version in each_server_version() {
        for handoff in [task(), task().transfer()] {
            let scene = Scene::set(&version, "swallow", &[]).await;
            let handoff = handoff.read_back_within(SHORT).result_within(SHORT * 2);
            let receipt = scene.hand_off(handoff).await;
            assert_eq!(kinds(&receipt.verdict().await), [MismatchKind::Unacknowledged]);
            receipt.settled().await;
            assert!(matches!(receipt.result::<Value>().await, Err(NoResult::TimedOut { .. })));
            drop(receipt);
            let account = scene.end().await;
            let [handoff] = account.sent.as_slice() else { panic!("one span, not {:#?}", account.sent) };
            handoff.assert_found("unacknowledged");
            handoff.assert_under_root_of(WORKFLOW);
        }
        twin_with(Scene::set(&version, "right", &[]).await, task().read_back_within(PATIENCE)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unacknowledged_too_when_the_result_is_due_before_the_readback() {
    for version in newest() {
        let scene = Scene::set(&version, "swallow", &[]).await;
        let receipt = scene.hand_off(task().result_within(SHORT)).await;
        assert_eq!(kinds(&receipt.verdict().await), [MismatchKind::Unacknowledged]);
        drop(receipt);
        scene.end().await.sent[0].assert_found("unacknowledged");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timed_out_when_the_answer_comes_after_the_deadline() {
    for version in each_server_version() {
        let mut scene = Scene::set(&version, "late", &[]).await;
        let receipt = scene.hand_off(task().result_within(SHORT)).await;
        assert!(receipt.verdict().await.is_agreed(), "it was understood in time");
        receipt.settled().await;
        assert!(matches!(receipt.result::<Value>().await, Err(NoResult::TimedOut { .. })));
        scene.receiver.tell("go");
        let deadline = Instant::now() + PATIENCE;
        while receipt.rung().0 != Rung::Completed && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(receipt.rung().0, Rung::Completed, "what came late is on the record");
        assert!(receipt.result::<Value>().await.is_err(), "and is no result");
        drop(receipt);
        scene.end().await.assert_sender_found("timed_out");
        twin_with(Scene::set(&version, "right", &[]).await, task().result_within(PATIENCE)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_with_its_reason() {
    for version in newest() {
        for handoff in [task(), task().transfer()] {
            let scene = Scene::set(&version, "refuse", &[]).await;
            let receipt = scene.hand_off(handoff).await;
            assert_eq!(receipt.verdict().await, Verdict::Refused(Refusal::Busy));
            assert!(matches!(receipt.result::<Value>().await, Err(NoResult::Refused(Refusal::Busy))));
            drop(receipt);
            scene.end().await.assert_both_found("refused");
        }
        twin(Scene::set(&version, "right", &[]).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_with_its_reason() {
    for version in newest() {
        let scene = Scene::set(&version, "fail", &[]).await;
        let receipt = scene.hand_off(task()).await;
        let Err(NoResult::Failed { error }) = receipt.result::<Value>().await else { panic!("it failed") };
        assert_eq!(error, "the archive is closed");
        drop(receipt);
        scene.end().await.assert_both_found("failed");
        twin(Scene::set(&version, "right", &[]).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_without_receipts_is_told_by_the_reply() {
    for version in newest() {
        // What the sender is told in so few words of a dropped task is that it failed.
        for (manner, told, known) in
            [("fail", "failed", "failed"), ("refuse", "refused", "refused"), ("drop_task", "failed", "abandoned")]
        {
            let scene = Scene::set(&version, manner, &[]).await;
            let receipt = scene.hand_off(task().without_receipts()).await;
            assert!(receipt.result::<Value>().await.is_err());
            drop(receipt);
            let account = scene.end().await;
            let (handoff, process) = account.pair();
            handoff.assert_found(told);
            process.assert_found(known);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn corrupted_by_a_bit_that_flipped_on_the_way() {
    for version in each_server_version() {
        let scene = Scene::relayed(&version, "right").await;
        scene.spoil(0, Fault::FlipBit);
        let receipt = scene.hand_off(task()).await;
        assert_eq!(kinds(&receipt.verdict().await), [MismatchKind::Corrupted]);
        drop(receipt);
        assert_eq!(scene.relay.as_ref().unwrap().spoilt(), 1);
        let account = scene.end().await;
        assert_eq!(account.saw[0]["mismatches"], json!(["corrupted"]), "known before the agent looks");
        account.assert_both_found("corrupted");
        let (handoff, process) = account.pair();
        assert_ne!(handoff.text("wilco.content.hash"), process.text("wilco.content.hash.received"));
        twin(Scene::relayed(&version, "right").await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn truncated_when_half_of_it_is_missing() {
    for version in each_server_version() {
        let scene = Scene::relayed(&version, "right").await;
        scene.spoil(0, Fault::Shorten);
        let receipt = scene.hand_off(task()).await;
        assert_eq!(kinds(&receipt.verdict().await), [MismatchKind::Truncated]);
        drop(receipt);
        let account = scene.end().await;
        account.assert_both_found("truncated");
        let (handoff, process) = account.pair();
        let (whole, rest) =
            (&handoff.attributes["wilco.content.size"], &process.attributes["wilco.content.size.received"]);
        assert!(rest.as_i64() < whole.as_i64());
        twin(Scene::relayed(&version, "right").await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn misrouted_by_a_bridge_to_another_agent() {
    for version in newest() {
        // The bridge leads from the writer's subject to the researcher, and in the twin to where it should.
        for (agent, found) in [("writer", true), ("researcher", false)] {
            let scene =
                Scene::with_channel(&version, "right", &[], |builder| builder.agent_at(agent, "newsroom.bridged"))
                    .await;
            let bridge = async_nats::connect(scene.server.url()).await.unwrap();
            let mut tasks = bridge.subscribe("newsroom.bridged").await.unwrap();
            bridge.flush().await.unwrap();
            note(&format!("bridge to {agent}"));
            let receipt = {
                // The server must know of the bridge, which its client does not tell.
                while bridge.statistics().connects.load(std::sync::atomic::Ordering::Relaxed) == 0 {
                    tokio::task::yield_now().await;
                }
                let mut bounced = bridge.subscribe("bridge.check").await.unwrap();
                bridge.publish("bridge.check", "".into()).await.unwrap();
                bounced.next().await.unwrap();
                scene.planner.hand_off(agent, task()).await.unwrap()
            };
            let message = tasks.next().await.unwrap();
            bridge
                .publish_with_reply_and_headers(
                    "wilco.newsroom.researcher",
                    message.reply.unwrap(),
                    message.headers.unwrap(),
                    message.payload,
                )
                .await
                .unwrap();
            let verdict = receipt.verdict().await;
            receipt.result::<Value>().await.unwrap().used();
            drop(receipt);
            let account = scene.end().await;
            let ([handoff], [process]) = (account.sent.as_slice(), account.processed.as_slice()) else {
                panic!("one span a side")
            };
            assert_eq!(handoff.name, format!("handoff {agent}"));
            process.assert_processes(handoff);
            assert_eq!(process.name, "process researcher");
            if found {
                assert_eq!(kinds(&verdict), [MismatchKind::Misrouted]);
                handoff.assert_found("misrouted");
                process.assert_found("misrouted");
            } else {
                assert!(verdict.is_agreed());
                account.assert_agreed();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicated_when_it_is_worked_on_twice() {
    for version in newest() {
        let scene = Scene::relayed(&version, "right-twice").await;
        scene.spoil(0, Fault::Repeat);
        let receipt = scene.hand_off(task()).await;
        assert_eq!(finds(&receipt).await, [MismatchKind::Duplicated]);
        receipt.result::<Value>().await.unwrap().used();
        drop(receipt);
        let account = scene.end().await;
        let [handoff] = account.sent.as_slice() else { panic!("one handoff, not {:#?}", account.sent) };
        handoff.assert_found("duplicated");
        let [first, second] = account.processed.as_slice() else { panic!("twice, not {:#?}", account.processed) };
        first.assert_clean();
        first.assert_processes(handoff);
        second.assert_found("duplicated");
        second.assert_processes(handoff);

        // A redelivery that is suppressed is no finding, and neither is a receiver that would take one.
        let scene = Scene::relayed(&version, "right").await;
        scene.spoil(0, Fault::Repeat);
        let receipt = scene.hand_off(task()).await;
        receipt.result::<Value>().await.unwrap().used();
        assert_eq!(receipt.mismatches(), []);
        drop(receipt);
        let mut account = scene.end().await;
        account.processed.sort_by_key(|span| span.get("wilco.delivery.count").and_then(Value::as_u64));
        let suppressed = account.processed.pop().unwrap();
        suppressed.assert_clean();
        assert_eq!(suppressed.get("wilco.delivery.count"), Some(&2.into()));
        assert_eq!(suppressed.rungs(), ["delivered declared"]);
        account.assert_agreed();
        twin(Scene::relayed(&version, "right-twice").await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reordered_when_a_later_one_overtakes() {
    for version in each_server_version() {
        for found in [true, false] {
            let scene = Scene::relayed(&version, "right").await;
            if found {
                scene.spoil(0, Fault::Delay);
            }
            let first = scene.hand_off(task()).await;
            let second = scene.hand_off(task()).await;
            let verdicts = [first.verdict().await, second.verdict().await];
            for receipt in [first, second] {
                receipt.result::<Value>().await.unwrap().used();
            }
            let account = scene.end().await;
            let numbered = |spans: &[Span], number: i64| {
                let mut these = spans.iter().filter(|span| span.get("wilco.seq") == Some(&number.into()));
                these.next().cloned().unwrap_or_else(|| panic!("number {number} is among {spans:#?}"))
            };
            let (handoffs, processed) = (&account.sent, &account.processed);
            let sent = [numbered(handoffs, 1), numbered(handoffs, 2)];
            let done = sent.clone().map(|handoff| {
                let mut these = processed.iter().filter(|span| span.parent == handoff.id);
                these.next().cloned().unwrap()
            });
            if found {
                assert_eq!(kinds(&verdicts[0]), [MismatchKind::Reordered]);
                sent[0].assert_found("reordered");
                done[0].assert_found("reordered");
            } else {
                assert!(verdicts[0].is_agreed());
                sent[0].assert_clean();
                done[0].assert_clean();
            }
            assert!(verdicts[1].is_agreed());
            sent[1].assert_clean();
            done[1].assert_clean();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn misunderstood_names_the_slot_and_both_values() {
    for version in newest() {
        let scene = Scene::set(&version, "misunderstand", &[]).await;
        let receipt = scene.hand_off(task()).await;
        let verdict = receipt.verdict().await;
        assert_eq!(kinds(&verdict), [MismatchKind::Misunderstood]);
        receipt.result::<Value>().await.unwrap().used();
        drop(receipt);
        let account = scene.end().await;
        account.assert_sender_found("misunderstood");
        let (handoff, _) = account.pair();
        assert_eq!(handoff.get("wilco.intent.diff"), Some(&json!(["object: solid-state batteries -> lead batteries"])));
        assert!(handoff.rungs().contains(&"misunderstood declared".to_owned()));
        twin(Scene::set(&version, "right", &[]).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_context_is_the_senders_finding_until_the_receiver_knows_the_offset() {
    for version in newest() {
        let seconds_old = |age: u64| {
            let observed = Timestamp::now() - Duration::from_secs(age);
            task().context(Context::observed("crm", observed).version("41").max_age(Duration::from_secs(10)))
        };
        let scene = Scene::set(&version, "right", &[]).await;
        let first = scene.hand_off(seconds_old(12)).await;
        assert_eq!(kinds(&first.verdict().await), [MismatchKind::StaleContext]);
        first.result::<Value>().await.unwrap().used();
        drop(first);
        // By now the sender knows the receiver's clock, and says so.
        let second = scene.hand_off(seconds_old(13)).await;
        assert_eq!(kinds(&second.verdict().await), [MismatchKind::StaleContext]);
        second.result::<Value>().await.unwrap().used();
        drop(second);
        let account = scene.end().await;
        let ([first, second], [first_done, second_done]) = (account.sent.as_slice(), account.processed.as_slice())
        else {
            panic!("two spans a side, not {:#?} and {:#?}", account.sent, account.processed)
        };
        first.assert_found("stale_context");
        first_done.assert_clean();
        second.assert_found("stale_context");
        second_done.assert_found("stale_context");
        for span in [first, second, second_done] {
            let age = span.get("wilco.context.age_ms").and_then(Value::as_f64).unwrap();
            assert!((12_000.0..20_000.0).contains(&age), "{age}");
            assert!(span.get("wilco.context.age.uncertainty_ms").is_some());
        }
        twin_with(Scene::set(&version, "right", &[]).await, seconds_old(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_context_when_a_needed_item_did_not_come() {
    for version in newest() {
        for handoff in [task(), task().context(Context::named("crm").content(b"what the sender saw"))] {
            let scene = Scene::set(&version, "require", &[]).await;
            let receipt = scene.hand_off(handoff).await;
            assert_eq!(kinds(&receipt.verdict().await), [MismatchKind::MissingContext]);
            receipt.result::<Value>().await.unwrap().used();
            drop(receipt);
            scene.end().await.assert_both_found("missing_context");
        }
        let same = Context::named("crm").content(b"what the receiver holds");
        twin_with(Scene::set(&version, "require", &[]).await, task().context(same)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poor_result_is_low_quality_if_set_aside_and_unverified_use_if_used() {
    for version in newest() {
        let demanding = || task().quality_at_least(0.7);
        type End = fn(wilco::channel::TaskResult<Value>);
        let ends: [(&str, End, Option<&str>); 9] = [
            ("poor", |result| drop(result.discarded("too thin")), Some("low_quality")),
            ("poor", |result| drop(result), Some("low_quality")),
            ("poor", |result| drop(result.used()), Some("unverified_use")),
            ("unscored", |result| drop(result.used()), Some("unverified_use")),
            ("right", |result| drop(result.discarded("the older one will do")), Some("ignored_result")),
            ("poor", |result| drop(result.checked().used()), None),
            ("right", |result| drop(result.used()), None),
            ("right", |result| drop(result), None),
            ("right", |result| drop(result.checked().discarded("wrong after all")), None),
        ];
        for (manner, end, found) in ends {
            let scene = Scene::set(&version, manner, &[]).await;
            let receipt = scene.hand_off(demanding()).await;
            assert!(receipt.verdict().await.is_agreed());
            end(receipt.result::<Value>().await.unwrap());
            drop(receipt);
            let account = scene.end().await;
            match found {
                Some(kind) => account.assert_sender_found(kind),
                None => account.assert_agreed(),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incomplete_join_when_it_goes_on_with_fewer() {
    for version in newest() {
        for (agents, found) in [("researcher", true), ("researcher,archivist", false)] {
            let scene = Scene::set(&version, "right", &[("AGENTS", agents)]).await;
            let asked = scene.planner.fan_out(["researcher", "archivist"], task()).await.unwrap();
            let joined = asked.join::<Value>().await;
            assert_eq!(joined.is_complete(), !found);
            assert_eq!(joined.owed(), 2);
            if found {
                assert!(
                    matches!(joined.missing.as_slice(), [(who, NoResult::Undelivered { .. })] if who == "archivist")
                );
            }
            let next = task().joins(&joined);
            joined.results.into_iter().for_each(|result| drop(result.used()));
            let receipt = scene.hand_off(next).await;
            let verdict = receipt.verdict().await;
            receipt.result::<Value>().await.unwrap().used();
            let id = receipt.id().to_string();
            drop(receipt);
            let account = scene.end().await;
            let this = |span: &&Span| span.text("wilco.handoff.id") == Some(&id);
            let handoff = account.sent.iter().find(this).unwrap();
            let process = account.processed.iter().find(this).unwrap();
            process.assert_processes(handoff);
            process.assert_clean();
            assert_eq!(handoff.get("wilco.handoff.expected_inputs"), Some(&2.into()));
            let inputs = handoff.get("wilco.handoff.inputs").and_then(Value::as_array).unwrap();
            let join = account.sent.iter().find(|span| span.name == "join").unwrap();
            assert_eq!(join.get("wilco.join.expected"), Some(&2.into()));
            if found {
                assert_eq!(kinds(&verdict), [MismatchKind::IncompleteJoin]);
                handoff.assert_found("incomplete_join");
                assert_eq!(inputs.len(), 1);
                assert_eq!(join.get("wilco.join.arrived"), Some(&1.into()));
            } else {
                assert!(verdict.is_agreed());
                handoff.assert_clean();
                assert_eq!(inputs.len(), 2);
                assert_eq!(join.get("wilco.join.arrived"), Some(&2.into()));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abandoned_when_an_offer_or_a_task_is_dropped() {
    for version in newest() {
        for manner in ["drop_offer", "drop_task"] {
            let scene = Scene::set(&version, manner, &[]).await;
            let receipt = scene.hand_off(task()).await;
            assert!(matches!(receipt.result::<Value>().await, Err(NoResult::Failed { .. })));
            assert_eq!(finds(&receipt).await, [MismatchKind::Abandoned]);
            drop(receipt);
            scene.end().await.assert_both_found("abandoned");
        }
        twin(Scene::set(&version, "right", &[]).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abandoned_when_its_workflow_is_closed_over_it() {
    for version in newest() {
        let mut scene = Scene::set(&version, "until_withdrawn", &[]).await;
        let workflow = scene.channel.workflow(WORKFLOW).unwrap();
        let receipt = scene.hand_off(task()).await;
        assert!(receipt.verdict().await.is_agreed());
        workflow.succeed("enough is known");
        assert!(matches!(receipt.result::<Value>().await, Err(NoResult::WorkflowClosed)));
        assert_eq!(finds(&receipt).await, [MismatchKind::Abandoned]);
        drop(receipt);
        scene.receiver.expect("SAW");
        scene.receiver.expect("WITHDRAWN");
        let mut account = scene.end().await;
        let root = account.sent.iter().position(|span| span.name == "invoke_workflow newsroom").unwrap();
        let root = account.sent.remove(root);
        assert_eq!(root.id, account.sent[0].parent);
        account.assert_sender_found("abandoned");

        // Closed when all is done, it takes nothing with it.
        let scene = Scene::set(&version, "right", &[]).await;
        let workflow = scene.channel.workflow(WORKFLOW).unwrap();
        let receipt = scene.hand_off(task()).await;
        receipt.result::<Value>().await.unwrap().used();
        workflow.succeed("all is known");
        drop(receipt);
        let mut account = scene.end().await;
        account.sent.retain(|span| span.name != "invoke_workflow newsroom");
        account.assert_agreed();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abandoned_when_the_receiver_closes_its_channel_over_it() {
    for version in newest() {
        let mut scene = Scene::set(&version, "until_withdrawn", &[]).await;
        let receipt = scene.hand_off(task()).await;
        assert!(receipt.verdict().await.is_agreed());
        scene.receiver.tell("end");
        assert!(matches!(receipt.result::<Value>().await, Err(NoResult::Failed { .. })));
        assert_eq!(finds(&receipt).await, [MismatchKind::Abandoned]);
    }
}

/// The other process: agents that take every task as `MANNER` says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of the tests above"]
async fn receiver_main() {
    if !process::is_peer("receiver_main") {
        return;
    }
    let manner = std::env::var("MANNER").unwrap();
    let agents = std::env::var("AGENTS").unwrap_or_else(|_| "researcher".to_owned());
    let url = std::env::var("NATS_URL").unwrap();
    let (order, mut orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while let Some(line) = process::hear() {
            if order.send(line).is_err() {
                break;
            }
        }
    });

    let spans = Spans::collect();
    let mut builder = Channel::builder("newsroom").telemetry(spans.telemetry.clone());
    if manner == "right-twice" {
        builder = builder.keep_duplicates();
    }
    let channel = builder.connect(&url).await.unwrap();
    let mut swallowing = None;
    let (offered, mut offers) = mpsc::unbounded_channel();
    match manner.as_str() {
        "absent" => {}
        "swallow" => {
            let client = async_nats::connect(&url).await.unwrap();
            let mut subscriber = client.subscribe("wilco.newsroom.researcher").await.unwrap();
            let mut check = client.subscribe("swallow.check").await.unwrap();
            client.publish("swallow.check", "".into()).await.unwrap();
            check.next().await.unwrap();
            swallowing = Some(tokio::spawn(async move { while subscriber.next().await.is_some() {} }));
        }
        _ => {
            for agent in agents.split(',') {
                let mut inbox = channel.join(agent).await.unwrap().inbox().await.unwrap();
                let offered = offered.clone();
                tokio::spawn(async move {
                    while let Some(offer) = inbox.next().await {
                        let _ = offered.send(offer);
                    }
                });
            }
        }
    }
    process::say("READY");
    loop {
        tokio::select! {
            order = orders.recv() => if order.is_none_or(|order| order == "end") { break },
            Some(offer) = offers.recv() => {
                if take(&manner, offer, &mut orders).await { break }
            }
        }
    }
    channel.close(Duration::from_millis(500)).await;
    drop(swallowing);
    spans.say_all().await;
}

/// Does with an offer as told; whether the process is to end.
async fn take(manner: &str, offer: Offer, orders: &mut mpsc::UnboundedReceiver<String>) -> bool {
    let words: Vec<&str> = offer.mismatches().iter().map(|mismatch| mismatch.kind.as_str()).collect();
    process::say(&format!("SAW {}", json!({"mismatches": words, "attempt": offer.attempt()})));
    match manner {
        "refuse" => return offer.refuse(Refusal::Busy).await.is_err(),
        "drop_offer" => return false,
        "require" => drop(offer.require_context_content("crm", b"what the receiver holds")),
        _ => {}
    }
    let object = if manner == "misunderstand" { "lead batteries" } else { TOPIC };
    let understood = Intent::new("find_sources").object(object).constraint("max", 5);
    let task: Task = offer.read_back(understood).await.unwrap();
    let findings = json!(["https://example.org/1", "https://example.org/2"]);
    match manner {
        "fail" => task.fail("the archive is closed").await.unwrap(),
        "drop_task" => drop(task),
        "poor" => task.complete(&findings).quality(0.3, "schema").await.unwrap(),
        "unscored" => task.complete(&findings).await.unwrap(),
        "late" => {
            orders.recv().await;
            task.complete(&findings).await.unwrap();
        }
        "until_withdrawn" => tokio::select! {
            found = task.withdrawn() => {
                let words: Vec<&str> = found.iter().map(|mismatch| mismatch.kind.as_str()).collect();
                process::say(&format!("WITHDRAWN {}", words.join(",")));
            }
            // The channel is closed with the task still at hand.
            _ = orders.recv() => {
                std::mem::forget(task);
                return true;
            }
        },
        _ => task.complete(&findings).quality(0.83, "schema").await.unwrap(),
    }
    false
}
