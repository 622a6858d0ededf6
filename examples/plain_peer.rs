//! Agents without this library take part: a Wilco agent calls a plain NATS service, and a plain NATS client calls a
//! Wilco agent. What such peers cannot say is `unconfirmed`, and what they can say fits into plain headers.
//!
//! ```sh
//! cargo run --example plain_peer             # another server: as the first argument, or in NATS_URL
//! ```
#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::error::Error;
use std::time::Duration;

use async_nats::HeaderMap;
use futures_util::StreamExt;
use wilco::channel::{Channel, Handoff, Inbox};
use wilco::model::Intent;
use wilco::wire::names;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let plain = async_nats::connect(server()).await?;
    let services = serve(&plain).await?;
    let channel = Channel::builder("newsroom")
        .agents(["planner", "researcher"])
        .agent_at("translator", "services.translate") // a service that has a subject of its own
        .agent_at("careful_translator", "services.translate.carefully")
        .connect(&server())
        .await?;

    println!("--- a Wilco agent calls plain services");
    let planner = channel.join("planner").await?;
    let intent = Intent::new("translate").object("guten Tag").constraint("into", "en");
    for service in ["translator", "careful_translator"] {
        let handoff = Handoff::bytes(intent.clone(), "guten Tag").result_within(Duration::from_secs(10));
        let receipt = planner.hand_off(service, handoff).await?;
        let verdict = receipt.verdict().await;
        let result = receipt.result_bytes().await?;
        let (rung, evidence) = receipt.rung();
        println!("{service}: {} ({})", String::from_utf8_lossy(&result), verdict.as_str());
        println!("  {rung}, known by {evidence}; quality {:?}", result.quality().map(|quality| quality.score()));
        result.used();
    }

    println!("--- a plain client calls a Wilco agent");
    let researcher = channel.join("researcher").await?;
    let work = tokio::spawn(research(researcher.inbox().await?));
    let mut headers = HeaderMap::new();
    headers.insert(names::WILCO_WORKFLOW, "abc-123");
    headers.insert(names::WILCO_FROM, "script");
    headers.insert(names::WILCO_INTENT, r#"{"goal":"find_sources","constraints":{"max":5}}"#);
    let subject = "wilco.newsroom.researcher";
    let reply = plain.request_with_headers(subject, headers, r#"{"topic":"heat pumps"}"#.into()).await?;
    println!("result: {}", String::from_utf8_lossy(&reply.payload));
    for name in [names::WILCO_READBACK, names::WILCO_QUALITY] {
        let value = reply.headers.as_ref().and_then(|headers| headers.get(name));
        println!("{name}: {}", value.map_or("absent", |value| value.as_str()));
    }

    channel.close(Duration::from_secs(2)).await;
    work.await?;
    services.abort();
    Ok(())
}

/// Two services in nothing but async-nats: one just answers, one also says what it understood and how good it is.
async fn serve(client: &async_nats::Client) -> Result<tokio::task::JoinHandle<()>, Box<dyn Error>> {
    let mut requests = client.subscribe("services.>").await?;
    client.flush().await?;
    let client = client.clone();
    Ok(tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            let Some(reply) = request.reply else { continue };
            let mut headers = HeaderMap::new();
            if request.subject.ends_with("carefully") {
                let understood = r#"{"goal":"translate","object":"guten Tag","constraints":{"into":"en"}}"#;
                headers.insert(names::WILCO_READBACK, understood);
                headers.insert(names::WILCO_QUALITY, "0.9; by=glossary");
            }
            if let Err(error) = client.publish_with_headers(reply, headers, "good day".into()).await {
                println!("the service could not answer: {error}");
            }
        }
    }))
}

/// A Wilco agent. That its caller is a plain one makes no difference to it.
async fn research(mut inbox: Inbox) {
    while let Some(offer) = inbox.next().await {
        let from = offer.from().map_or_else(|| "somebody".to_owned(), ToString::to_string);
        println!("{from} asks in workflow {}", offer.workflow().map_or("unknown", |id| id.as_str()));
        let done = async {
            let task = offer.read_back(Intent::new("find_sources").constraint("max", 5)).await?;
            task.complete(&["https://example.org/1"]).quality(0.83, "schema").await
        };
        if let Err(error) = done.await {
            println!("the researcher gave up: {error}");
        }
    }
}

fn server() -> String {
    let named = std::env::args().nth(1).or_else(|| std::env::var("NATS_URL").ok());
    named.unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned())
}
