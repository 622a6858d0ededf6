//! Two ends of a channel, each with a connection, a clock and telemetry of its own, and the task they speak of.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::json;
use wilco::channel::{Agent, Channel, ChannelBuilder, Handoff, Inbox, Offer, Task};
use wilco::model::Intent;

use super::PATIENCE;
use super::nats::NatsServer;
use super::spans::Spans;

pub(crate) const TOPIC: &str = "solid-state batteries";
pub(crate) const WORKFLOW: &str = "abc-123";
/// Long enough for a busy machine, short enough for a test that waits for it.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// A planner here, who hands tasks to agents there.
pub(crate) struct Newsroom {
    pub(crate) server: NatsServer,
    pub(crate) here: Channel,
    pub(crate) there: Channel,
    pub(crate) planner: Agent,
    /// What is recorded here.
    pub(crate) sent: Spans,
    /// What is recorded there.
    pub(crate) done: Spans,
}

pub(crate) fn same(builder: ChannelBuilder) -> ChannelBuilder {
    builder
}

impl Newsroom {
    /// On the newest server; `None`, after a loud skip, when there is none.
    pub(crate) async fn open() -> Option<Self> {
        Some(Self::on(NatsServer::start()?, same, same).await)
    }

    pub(crate) async fn on(
        server: NatsServer,
        here: impl FnOnce(ChannelBuilder) -> ChannelBuilder,
        there: impl FnOnce(ChannelBuilder) -> ChannelBuilder,
    ) -> Self {
        let (sent, done) = (Spans::collect(), Spans::collect());
        let builder = |spans: &Spans| Channel::builder("newsroom").telemetry(spans.telemetry.clone());
        let here = here(builder(&sent)).connect(&server.url()).await.unwrap();
        let there = there(builder(&done)).connect(&server.url()).await.unwrap();
        let planner = here.join("planner").await.unwrap();
        Self { server, here, there, planner, sent, done }
    }

    pub(crate) async fn inbox(&self, agent: &str) -> Inbox {
        self.there.join(agent).await.unwrap().inbox().await.unwrap()
    }
}

pub(crate) fn intent() -> Intent {
    Intent::new("find_sources").object(TOPIC).constraint("max", 5)
}

pub(crate) fn another_intent() -> Intent {
    Intent::new("find_sources").object("lead batteries").constraint("max", 5)
}

pub(crate) fn task() -> Handoff {
    Handoff::new(intent(), &json!({"topic": TOPIC, "max": 5})).unwrap().workflow(WORKFLOW)
}

/// The next offer, which has to come.
pub(crate) async fn next(inbox: &mut Inbox) -> Offer {
    tokio::time::timeout(PATIENCE, inbox.next()).await.expect("an offer comes in time").expect("the channel is open")
}

/// The next offer, taken as it was meant.
pub(crate) async fn take(inbox: &mut Inbox) -> Task {
    next(inbox).await.read_back(intent()).await.unwrap()
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "in vain for {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A plain client that sees what is sent on `subject` from now on: the server is known to have its subscription.
pub(crate) async fn observe(
    server: &NatsServer,
    subject: &'static str,
) -> (async_nats::Client, async_nats::Subscriber) {
    let client = async_nats::connect(server.url()).await.unwrap();
    let subscriber = client.subscribe(subject).await.unwrap();
    let mut check = client.subscribe("observer.check").await.unwrap();
    client.publish("observer.check", "".into()).await.unwrap();
    check.next().await.unwrap();
    (client, subscriber)
}
