//! Two agents of a newsroom on the channel, between strangers: an editor, whom a plain NATS client asks, and who asks a
//! plain NATS service for facts, and an archivist, to whom it hands over with an intent and a context.
//!
//! `docker-compose.yml` runs both. By hand, with a NATS server at 127.0.0.1:4222, or the one that NATS_URL names:
//!
//! ```sh
//! cargo run --example newsroom -- archivist
//! cargo run --example newsroom -- editor
//! ```
//!
//! What goes wrong is asked for in the story (`"trouble": "stale_context"`), so that a demonstration has something to
//! find. Ends with SIGTERM or Ctrl-C.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to whoever runs it")]

use std::error::Error;
use std::time::Duration;

use async_nats::ConnectOptions;
use wilco::channel::{Channel, Handoff, Inbox, NoResult, Offer, TaskResult};
use wilco::model::{Context, Intent, Timestamp, Verdict};
use wilco::telemetry::Telemetry;

/// A task, as every agent of the newsroom knows it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Story {
    id: String,
    topic: String,
    trouble: Option<String>,
    text: String,
}

/// What became of a story.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Outcome {
    outcome: &'static str,
    why: String,
}

/// What is filed, and on how many pages.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Filing {
    topic: String,
    pages: u32,
    trouble: Option<String>,
}

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let role = std::env::args().nth(1).unwrap_or_default();
    let channel = Channel::builder("newsroom")
        .agents(["editor", "archivist"])
        .agent_at("facts", "facts.check") // a service that knows nothing of Wilco
        .telemetry(telemetry(&role)?)
        .options(ConnectOptions::new().name(&role))
        .connect(&server())
        .await?;
    let inbox = channel.join(&role).await?.inbox().await?;
    println!("{role} is at work");
    let work = async {
        match role.as_str() {
            "editor" => edit_all(inbox).await,
            _ => file_all(inbox).await,
        }
    };
    tokio::select! {
        () = work => {}
        ended = ended() => ended?,
    }
    channel.close(Duration::from_secs(5)).await;
    Ok(())
}

// -------------------------------------------------------------------------------------------------------------- editor

async fn edit_all(mut inbox: Inbox) {
    while let Some(offer) = inbox.next().await {
        tokio::spawn(async move {
            if let Err(error) = edit(offer).await {
                eprintln!("a story was not edited: {error}");
            }
        });
    }
}

async fn edit(offer: Offer) -> Result<(), Failure> {
    let story: Story = offer.payload()?;
    let task = offer.read_back(Intent::new("edit").object(&story.topic)).await?;

    // Both belong to the workflow of the task that they are handed off from.
    let ask = Handoff::new(Intent::new("check_facts").object(&story.topic), &story)?
        .because("nothing is printed unchecked")
        .read_back_within(Duration::from_secs(3))
        .result_within(Duration::from_secs(3));
    let outcome = match task_result(task.hand_off("facts", ask).await?.result_bytes().await) {
        Err(why) => Outcome { outcome: "dropped", why: format!("the facts could not be checked: {why}") },
        Ok(checked) => {
            checked.used();
            archive(&task, &story).await?
        }
    };
    task.complete(&outcome).quality(0.9, "editor").await?;
    Ok(())
}

/// Hands a story to the archivist, who has to have understood it before it is printed.
async fn archive(task: &wilco::channel::Task, story: &Story) -> Result<Outcome, Failure> {
    let trouble = story.trouble.as_deref();
    let read_ago = Duration::from_secs(if trouble == Some("stale_context") { 42 } else { 1 });
    let filing = Filing { topic: story.topic.clone(), pages: 5, trouble: story.trouble.clone() };
    let handoff = Handoff::new(Intent::new("file").object(&story.topic).constraint("pages", filing.pages), &filing)?
        .because("what is printed is kept")
        .context(Context::observed("index", Timestamp::now() - read_ago).version("41").max_age(Duration::from_secs(10)))
        .read_back_within(Duration::from_secs(5))
        .result_within(Duration::from_secs(10));
    let receipt = task.hand_off("archivist", handoff).await?;
    if let Verdict::Mismatched(found) = receipt.verdict().await {
        receipt.withdraw(&found);
        return Ok(Outcome { outcome: "dropped", why: found[0].to_string() });
    }
    Ok(match task_result(receipt.result_bytes().await) {
        Ok(shelf) => {
            let shelf = shelf.used();
            Outcome { outcome: "published", why: format!("filed under {}", String::from_utf8_lossy(&shelf)) }
        }
        Err(why) => Outcome { outcome: "dropped", why },
    })
}

fn task_result<T>(result: Result<TaskResult<T>, NoResult>) -> Result<TaskResult<T>, String> {
    result.map_err(|error| error.to_string())
}

// ----------------------------------------------------------------------------------------------------------- archivist

async fn file_all(mut inbox: Inbox) {
    while let Some(offer) = inbox.next().await {
        if let Err(error) = file(offer).await {
            eprintln!("a story was not filed: {error}");
        }
    }
}

async fn file(offer: Offer) -> Result<(), Failure> {
    let filing: Filing = offer.payload()?;
    // Using a context by name is what its age is judged for.
    let index = offer.context("index");
    let pages = if filing.trouble.as_deref() == Some("misunderstood") { filing.pages * 10 } else { filing.pages };
    let task = offer.read_back(Intent::new("file").object(&filing.topic).constraint("pages", pages)).await?;
    let version = index.and_then(|index| index.version).unwrap_or_default();
    task.complete(&format!("{} ({version})", filing.topic)).quality(1.0, "index").await?;
    Ok(())
}

// --------------------------------------------------------------------------------------------------------------- both

/// Spans leave if the environment says where to.
fn telemetry(role: &str) -> Result<Telemetry, Failure> {
    let endpoint = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
    if endpoint.iter().all(|name| std::env::var_os(name).is_none()) {
        return Ok(Telemetry::off());
    }
    Ok(Telemetry::builder().from_env().service_name(role.to_owned()).build()?)
}

fn server() -> String {
    std::env::var("NATS_URL").unwrap_or_else(|_| "nats://127.0.0.1:4222".to_owned())
}

async fn ended() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
