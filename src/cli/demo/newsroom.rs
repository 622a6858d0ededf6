//! Four agents that write stories: a planner asks a researcher for sources and a writer for a draft; the writer asks a
//! reviewer. Ordinary agents over the channel API; what goes wrong among them is on the [`plan`](super::plan).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use super::plan::{Fault, Job, Leg};
use super::relay::Relay;
use super::story::{Event, Seen};
use crate::channel::{Agent, Channel, Handoff, Inbox, NoResult, Offer, Receipt, Task};
use crate::model::{Context, Intent, Timestamp, Verdict};
use crate::telemetry::Telemetry;

pub(crate) const AGENTS: [&str; 4] = ["planner", "researcher", "writer", "reviewer"];
/// How long the notes of the desk are good for, and how old they are when they are too old.
const NOTES_GOOD_FOR: Duration = Duration::from_secs(10);
const NOTES_TOO_OLD: Duration = Duration::from_secs(12);
/// How much is asked for: sources, pages, remarks.
const MAX: u32 = 5;
const NO_OBJECTIONS: &str = "no objections";
/// How the outcome of a story begins that was out already.
pub(crate) const RETRACTED: &str = "published, then retracted";
/// The score that the planner and the writer ask for.
const GOOD_ENOUGH: f64 = 0.7;
/// How long a sender waits for the result of a leg that is to be late, and how long the work takes then.
const IMPATIENT: Duration = Duration::from_millis(500);
const SLOW: Duration = Duration::from_millis(800);

/// What an agent needs to know to do its part, as JSON on the bus.
#[derive(Debug, Serialize, Deserialize)]
struct Brief {
    topic: String,
    max: u32,
    notes: String,
    /// What the researcher found, for whoever writes.
    sources: String,
}

/// What comes back.
#[derive(Debug, Serialize, Deserialize)]
struct Copy {
    text: String,
}

/// The agents at work. They leave with this value.
pub(crate) struct Newsroom {
    /// Every agent has a connection of its own, as if it were a process of its own.
    channels: HashMap<&'static str, Channel>,
    desks: HashMap<&'static str, Desk>,
    relay: Relay,
    jobs: Arc<Jobs>,
}

/// What the agents are to do wrong: they look their workflow up.
struct Jobs {
    jobs: Mutex<HashMap<String, Job>>,
    /// How many tasks are being worked on.
    busy: watch::Sender<usize>,
    events: mpsc::UnboundedSender<Event>,
}

/// An agent that takes tasks, until it is told to leave.
struct Desk {
    leave: Arc<Notify>,
    work: JoinHandle<()>,
}

impl Newsroom {
    pub(crate) async fn open(
        server: &str,
        telemetry: &HashMap<&'static str, Telemetry>,
        events: mpsc::UnboundedSender<Event>,
    ) -> anyhow::Result<Self> {
        let address: async_nats::ServerAddr = server.parse().with_context(|| format!("{server:?} is no NATS URL"))?;
        if address.tls_required() || address.has_user_pass() || address.is_websocket() {
            bail!(
                "the demo's agents go by way of a relay that speaks plain NATS; give a server without TLS or credentials"
            );
        }
        let relay = Relay::start(format!("{}:{}", address.host(), address.port())).await?;
        let jobs = Arc::new(Jobs { jobs: Mutex::default(), busy: watch::Sender::new(0), events });
        let mut newsroom = Self { channels: HashMap::new(), desks: HashMap::new(), relay, jobs };
        for agent in AGENTS {
            let telemetry = telemetry.get(agent).cloned().unwrap_or_else(Telemetry::off);
            let channel = Channel::builder("newsroom")
                .agents(AGENTS)
                .telemetry(telemetry)
                .connect(&newsroom.relay.url())
                .await
                .with_context(|| format!("{agent} could not connect by way of {server}"))?;
            newsroom.channels.insert(agent, channel);
        }
        for agent in ["researcher", "writer", "reviewer"] {
            newsroom.take_seat(agent).await?;
        }
        Ok(newsroom)
    }

    /// Runs one workflow to its end.
    pub(crate) async fn run(&mut self, job: &Job) -> anyhow::Result<()> {
        self.jobs.jobs().insert(job.workflow.clone(), job.clone());
        let _ = self.jobs.events.send(Event::Begun(job.clone()));
        let absent = job.fault.filter(|(fault, _)| *fault == Fault::Absent).map(|(_, leg)| leg.to());
        if let Some(agent) = absent {
            self.leave(agent).await?;
        }
        if let Some((Fault::BitFlip, leg)) = job.fault {
            self.relay.damage(&notes(job, leg));
        }
        let channel = self.channel("planner")?;
        let workflow = channel.workflow(&job.workflow)?.named("write_story");
        let planner = Desker { jobs: self.jobs.clone(), job: job.clone() };
        let agent = channel.join("planner").await?;
        let ending = planner.plan(&agent).await?;
        let (ok, outcome) = match ending.and_then(|story| planner.proofread(&story)) {
            Ok(()) => (true, "published".to_owned()),
            Err(why) => (false, why),
        };
        // Whoever still works on it, unaware that nobody waits any more, belongs to this account.
        let _ = self.jobs.busy.subscribe().wait_for(|busy| *busy == 0).await;
        let _ = self.jobs.events.send(Event::Ended { workflow: job.workflow.clone(), ok, outcome: outcome.clone() });
        if ok {
            workflow.succeed(outcome)
        } else {
            workflow.fail(outcome)
        }
        if let Some(agent) = absent {
            self.take_seat(agent).await?;
        }
        Ok(())
    }

    /// Sends everybody home, and waits until what they know has left.
    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        for agent in AGENTS {
            if self.desks.contains_key(agent) {
                self.leave(agent).await?;
            }
        }
        let closing = self.channels.drain().map(|(_, channel)| channel.close(Duration::from_secs(2)));
        futures_util::future::join_all(closing).await;
        Ok(())
    }

    fn channel(&self, agent: &str) -> anyhow::Result<Channel> {
        self.channels.get(agent).cloned().with_context(|| format!("{agent} is not in the newsroom"))
    }

    async fn take_seat(&mut self, agent: &'static str) -> anyhow::Result<()> {
        let inbox = self.channel(agent)?.join(agent).await?.inbox().await?;
        let leave = Arc::new(Notify::new());
        let work = tokio::spawn(work(agent, inbox, leave.clone(), self.jobs.clone()));
        self.desks.insert(agent, Desk { leave, work });
        Ok(())
    }

    /// The agent finishes what it has, and is then known to the server to be gone.
    async fn leave(&mut self, agent: &'static str) -> anyhow::Result<()> {
        if let Some(desk) = self.desks.remove(agent) {
            desk.leave.notify_one();
            desk.work.await?;
            self.channel(agent)?.confirm().await?;
        }
        Ok(())
    }
}

async fn work(agent: &'static str, mut inbox: Inbox, leave: Arc<Notify>, jobs: Arc<Jobs>) {
    loop {
        let offer = tokio::select! {
            offer = inbox.next() => offer,
            () = leave.notified() => {
                let _ = inbox.drain().await;
                continue;
            }
        };
        let Some(offer) = offer else { return };
        let Some(job) = offer.workflow().and_then(|workflow| jobs.jobs().get(workflow.as_str()).cloned()) else {
            continue;
        };
        let desker = Desker { jobs: jobs.clone(), job };
        jobs.busy.send_modify(|busy| *busy += 1);
        if let Err(error) = desker.take(agent, offer).await {
            tracing::warn!(agent, %error, "a task was given up");
        }
        jobs.busy.send_modify(|busy| *busy -= 1);
    }
}

impl Jobs {
    fn jobs(&self) -> std::sync::MutexGuard<'_, HashMap<String, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An agent at one job.
struct Desker {
    jobs: Arc<Jobs>,
    job: Job,
}

/// Who hands off: an agent from nowhere, or an agent from inside a task.
enum Hands<'a> {
    Agent(&'a Agent),
    Task(&'a Task),
}

impl Desker {
    /// The planner's part. `Err` says why there is no story.
    async fn plan(&self, planner: &Agent) -> anyhow::Result<Result<Copy, String>> {
        let hands = Hands::Agent(planner);
        let sources = match self.hand_off(&hands, Leg::Research, String::new()).await? {
            Ok(found) => found.text,
            Err(why) => return Ok(Err(why)),
        };
        self.hand_off(&hands, Leg::Write, sources).await
    }

    /// What readers notice of a story that is out, whoever of the desk is to blame. `Err` says what it lacks.
    fn proofread(&self, story: &Copy) -> Result<(), String> {
        let Job { topic, .. } = self.job;
        let parts = [("sources", sources(topic, MAX)), ("story", draft(topic)), ("review", NO_OBJECTIONS.to_owned())];
        match parts.into_iter().find(|(_, text)| !story.text.contains(text)) {
            Some((what, _)) => Err(format!("{RETRACTED}: it has no {what} worth the name")),
            None => Ok(()),
        }
    }

    /// What the others do: read the brief, say what they understood, and do it.
    async fn take(&self, agent: &'static str, offer: Offer) -> anyhow::Result<()> {
        let leg = match agent {
            "researcher" => Leg::Research,
            "writer" => Leg::Write,
            _ => Leg::Review,
        };
        let fault = self.job.fault_at(leg);
        let brief: Brief = offer.payload()?;
        think(40).await;
        let max = if fault == Some(Fault::Misread) { brief.max * 10 } else { brief.max };
        let task = offer.read_back(intent(leg, &brief.topic, max)).await?;
        let copy = tokio::select! {
            biased;
            copy = self.work(leg, &brief, &task) => copy?,
            _ = task.withdrawn() => return Ok(()),
        };
        let (copy, score) = match fault {
            Some(Fault::PoorWork) => (Copy { text: "lorem ipsum".to_owned() }, 0.41),
            _ => (copy, 0.85),
        };
        task.complete(&copy).quality(score, "schema").await?;
        Ok(())
    }

    async fn work(&self, leg: Leg, brief: &Brief, task: &Task) -> anyhow::Result<Copy> {
        think(60).await;
        if self.job.fault_at(leg) == Some(Fault::Slow) {
            tokio::time::sleep(SLOW).await;
        }
        let text = match leg {
            Leg::Research => sources(&brief.topic, brief.max),
            Leg::Review => NO_OBJECTIONS.to_owned(),
            Leg::Write => {
                let review = self.hand_off(&Hands::Task(task), Leg::Review, String::new()).await?;
                let review = review.map_or_else(|_| "not reviewed".to_owned(), |review| review.text);
                format!("{}, after {}; {review}", draft(&brief.topic), brief.sources)
            }
        };
        Ok(Copy { text })
    }

    /// One leg: hand over, hear the readback, wait for the result. `Err` says why there is none.
    async fn hand_off(&self, hands: &Hands<'_>, leg: Leg, sources: String) -> anyhow::Result<Result<Copy, String>> {
        let receipt = match hands {
            Hands::Agent(agent) => agent.hand_off(leg.to(), self.handoff(leg, sources)?).await?,
            Hands::Task(task) => task.hand_off(leg.to(), self.handoff(leg, sources)?).await?,
        };
        let watching = tokio::spawn(watch(receipt.clone(), leg, self.job.workflow.clone(), self.jobs.events.clone()));
        let result = self.follow(&receipt, leg).await;
        let seen = Seen::of(&receipt, leg, &self.job.workflow);
        drop(receipt);
        watching.abort();
        let _ = self.jobs.events.send(Event::Settled(seen));
        Ok(result)
    }

    async fn follow(&self, receipt: &Receipt, leg: Leg) -> Result<Copy, String> {
        if let Verdict::Mismatched(found) = receipt.verdict().await {
            receipt.withdraw(&found);
            let first = found.first().map_or_else(String::new, ToString::to_string);
            return Err(format!("{leg}: {first}"));
        }
        match receipt.result::<Copy>().await {
            // In a hurry: the score is there to see, and nobody looks.
            Ok(result) if self.job.fault_at(leg) == Some(Fault::PoorWork) => Ok(result.used()),
            Ok(result) if result.is_good_enough() => Ok(result.used()),
            Ok(result) => {
                result.checked().discarded("not good enough");
                Err(format!("{leg}: the result is not good enough"))
            }
            Err(why @ NoResult::TimedOut { .. }) => Err(format!("{leg}: {why}")),
            Err(why) => Err(format!("{leg}: {why}")),
        }
    }

    fn handoff(&self, leg: Leg, sources: String) -> anyhow::Result<Handoff> {
        let fault = self.job.fault_at(leg);
        let age = if fault == Some(Fault::OldNotes) { NOTES_TOO_OLD } else { Duration::from_millis(300) };
        let brief = Brief { topic: self.job.topic.to_owned(), max: MAX, notes: notes(&self.job, leg), sources };
        let handoff = Handoff::new(intent(leg, &brief.topic, brief.max), &brief)?
            .workflow(&self.job.workflow)
            .because(reason(leg))
            .context(Context::observed("crm", Timestamp::now() - age).version("41").max_age(NOTES_GOOD_FOR))
            .read_back_within(Duration::from_secs(5))
            .quality_at_least(GOOD_ENOUGH);
        Ok(handoff.result_within(if fault == Some(Fault::Slow) { IMPATIENT } else { Duration::from_secs(10) }))
    }
}

/// Tells of every rung as it is climbed.
async fn watch(receipt: Receipt, leg: Leg, workflow: String, events: mpsc::UnboundedSender<Event>) {
    let mut seen = 0;
    loop {
        let ladder = receipt.climbed(seen).await;
        if ladder.len() == seen {
            return;
        }
        seen = ladder.len();
        let _ = events.send(Event::Climbed(Seen::of(&receipt, leg, &workflow)));
    }
}

fn intent(leg: Leg, topic: &str, max: u32) -> Intent {
    match leg {
        Leg::Research => Intent::new("find_sources").object(topic).constraint("max", max).prohibit("paywalled"),
        Leg::Write => Intent::new("draft_story").object(topic).constraint("pages", json!(max)).output("markdown"),
        Leg::Review => Intent::new("review_draft").object(topic).constraint("remarks", max),
    }
}

fn reason(leg: Leg) -> &'static str {
    match leg {
        Leg::Research => "the story needs cited figures",
        Leg::Write => "the sources are in",
        Leg::Review => "no draft goes out unread",
    }
}

fn sources(topic: &str, max: u32) -> String {
    format!("{max} sources on {topic}")
}

fn draft(topic: &str) -> String {
    format!("a story about {topic}")
}

/// Something that only this brief says, so that the bad wire knows it.
fn notes(job: &Job, leg: Leg) -> String {
    format!("desk note for {} of {}, entry 7", leg.to(), job.workflow)
}

async fn think(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
