//! The receiving side: take an offer, say what was understood, work, and answer. The other half is `planner.rs`.
//!
//! It ends after one task, or when none has come for 30 seconds.
#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::error::Error;
use std::time::Duration;

use wilco::channel::{Channel, Offer};
use wilco::model::{Intent, Refusal};
use wilco::telemetry::Telemetry;

/// The task, as both agents know it.
#[derive(serde::Deserialize)]
struct Brief {
    topic: String,
    sources: u32,
}

/// The result, as both agents know it.
#[derive(serde::Serialize)]
struct Findings {
    urls: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let channel = Channel::builder("newsroom")
        .agents(["planner", "researcher"])
        .telemetry(telemetry()?)
        .connect(&server())
        .await?;
    let mut inbox = channel.join("researcher").await?.inbox().await?;
    println!("waiting for a task");

    match tokio::time::timeout(Duration::from_secs(30), inbox.next()).await {
        Ok(Some(offer)) => research(offer).await?,
        Ok(None) => println!("the channel was closed"),
        Err(_) => println!("no task came"),
    }
    channel.close(Duration::from_secs(2)).await;
    Ok(())
}

async fn research(offer: Offer) -> Result<(), Box<dyn Error>> {
    if !offer.is_intact() {
        offer.refuse(Refusal::Corrupted).await?;
        return Err("the task was damaged on its way".into());
    }
    let brief: Brief = offer.payload()?;
    if let Some(from) = offer.from() {
        println!("{from} asks for {} sources on {}", brief.sources, brief.topic);
    }
    // Using a context by name is what its age is judged for.
    if let Some(crm) = offer.context("crm") {
        println!("it rests on {} in version {}", crm.name, crm.version.as_deref().unwrap_or("unknown"));
    }

    // The sender's intent is not shown: this is what *we* take the brief to mean. There is no way to work without it.
    let understood = Intent::new("find_sources").object(&brief.topic).constraint("max", brief.sources);
    let task = offer.read_back(understood).await?;

    let mut findings = Findings { urls: Vec::new() };
    for number in 1..=brief.sources {
        findings.urls.push(format!("https://example.org/{number}"));
        // Also the moment at which we learn that the sender took the task back.
        task.progress(format!("{number} of {}", brief.sources)).await?;
    }
    task.complete(&findings).quality(0.83, "schema").await?;
    println!("done");
    Ok(())
}

/// Spans leave if the environment says where to.
fn telemetry() -> Result<Telemetry, Box<dyn Error>> {
    match std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT") {
        Ok(_) => Ok(Telemetry::builder().from_env().service_name("researcher").build()?),
        Err(_) => Ok(Telemetry::off()),
    }
}

fn server() -> String {
    let named = std::env::args().nth(1).or_else(|| std::env::var("NATS_URL").ok());
    named.unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned())
}
