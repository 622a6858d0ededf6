//! One task to three agents, of whom one is not there; the results are joined, and going on without the third is a
//! finding.
//!
//! ```sh
//! cargo run --example fan_out                # another server: as the first argument, or in NATS_URL
//! ```
#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::error::Error;
use std::time::Duration;

use wilco::channel::{Channel, Handoff, Inbox};
use wilco::model::Intent;

/// How long the planner waits for all three.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let channel = Channel::builder("library")
        .agents(["planner", "web", "archive", "shelves", "writer"])
        .connect(&server())
        .await?;
    // Nobody joins as `archive`.
    for agent in ["web", "shelves", "writer"] {
        let inbox = channel.join(agent).await?.inbox().await?;
        tokio::spawn(work(agent, inbox));
    }
    let planner = channel.join("planner").await?;
    let workflow = channel.workflow("story-7")?.named("write_story");

    let search = Handoff::new(Intent::new("search").object("iron-air storage"), "iron-air storage")?
        .in_workflow(&workflow)
        .result_within(PATIENCE);
    let asked = planner.fan_out(["web", "archive", "shelves"], search).await?;
    let joined = asked.join_within::<String>(PATIENCE).await;

    println!("{} of {} answered", joined.results.len(), joined.owed());
    for (agent, why) in &joined.missing {
        println!("missing {agent}: {why}");
    }

    // Going on with two of three. The task says so itself, on the wire and on its span.
    let mut draft = Handoff::new(Intent::new("write").object("iron-air storage"), "two sources")?.joins(&joined);
    for result in joined.results {
        println!("{} says {}", result.by(), *result);
        let _text = result.used();
    }
    draft = draft.in_workflow(&workflow).result_within(PATIENCE);
    let receipt = planner.hand_off("writer", draft).await?;
    println!("the writer's text: {}", receipt.result::<String>().await?.used());
    for mismatch in receipt.mismatches() {
        println!("found {mismatch}");
    }
    workflow.succeed("published with two sources");
    drop(receipt);

    channel.close(Duration::from_secs(2)).await;
    Ok(())
}

/// What the agents do until the channel is closed.
async fn work(agent: &'static str, mut inbox: Inbox) {
    let goal = if agent == "writer" { "write" } else { "search" };
    while let Some(offer) = inbox.next().await {
        let done = async {
            let task = offer.read_back(Intent::new(goal).object("iron-air storage")).await?;
            task.complete(&format!("what {agent} knows")).await
        };
        if let Err(error) = done.await {
            println!("{agent} gave up: {error}");
        }
    }
}

fn server() -> String {
    let named = std::env::args().nth(1).or_else(|| std::env::var("NATS_URL").ok());
    named.unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned())
}
