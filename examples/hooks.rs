//! Hooks: code of yours in the life of every handoff of a process. One is a trait that tells what happens, one is a
//! closure that refuses tasks before their agent sees them.
//!
//! ```sh
//! cargo run --example hooks                  # another server: as the first argument, or in NATS_URL
//! ```
#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::error::Error;
use std::time::Duration;

use wilco::channel::{Arrival, Channel, Handoff, Hooks, Inbox, Reception, Sending, Settled};
use wilco::model::{Context, Intent, Refusal};

/// Tells what becomes of what this process hands over. Every method that is not written here does nothing.
struct Narrator;

impl Hooks for Narrator {
    fn on_send(&self, sending: &Sending) {
        println!("{} -> {}: {} bytes", sending.from, sending.to, sending.size);
    }

    fn on_settled(&self, settled: &Settled) {
        let (rung, evidence) = settled.rung;
        println!("settled as {} at rung {rung} ({evidence})", settled.verdict.as_str());
        settled.mismatches.iter().for_each(|mismatch| println!("  found {mismatch}"));
    }
}

/// Refuses what rests on a context that is known to be out of date. A hook is called on the data path: it must not block.
fn refuse_stale(arrival: &Arrival) -> Reception {
    let stale = arrival.contexts.iter().find_map(|context| context.freshness.mismatch());
    match stale {
        Some(mismatch) => {
            println!("the hook of {} refuses: {mismatch}", arrival.agent);
            Reception::Refuse(Refusal::Stale)
        }
        None => Reception::Accept,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Hooks belong to a channel, which is one process' connection. Here two channels stand for two processes.
    let sending = Channel::builder("newsroom").hooks(Narrator).connect(&server()).await?;
    let receiving = Channel::builder("newsroom").hooks(refuse_stale).connect(&server()).await?;

    let researcher = receiving.join("researcher").await?;
    researcher.knows_context("crm", "42"); // by its own source; a task that rests on 41 is then stale, whatever the time
    let work = tokio::spawn(work(researcher.inbox().await?));

    let planner = sending.join("planner").await?;
    for version in ["42", "41"] {
        println!("--- with crm@{version}");
        let handoff = Handoff::new(Intent::new("count_customers"), "in the north")?
            .context(Context::named("crm").version(version))
            .result_within(Duration::from_secs(10));
        let receipt = planner.hand_off("researcher", handoff).await?;
        match receipt.result::<u32>().await {
            Ok(count) => println!("result: {}", count.used()),
            Err(why) => println!("no result: {why}"),
        }
    }

    receiving.close(Duration::from_secs(2)).await; // the inbox ends with its channel
    work.await?;
    sending.close(Duration::from_secs(2)).await;
    Ok(())
}

/// The researcher: what its hook refuses never gets here.
async fn work(mut inbox: Inbox) {
    while let Some(offer) = inbox.next().await {
        let done = async { offer.read_back(Intent::new("count_customers")).await?.complete(&17).await };
        if let Err(error) = done.await {
            println!("the researcher gave up: {error}");
        }
    }
}

fn server() -> String {
    let named = std::env::args().nth(1).or_else(|| std::env::var("NATS_URL").ok());
    named.unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned())
}
