//! The sending side: hand a task over, hear what the other agent understood, use what comes back.
//!
//! With a NATS server at 127.0.0.1:4222, in two terminals:
//!
//! ```sh
//! cargo run --example researcher
//! cargo run --example planner
//! ```
//!
//! Another server is named as the first argument or in `NATS_URL`. With `OTEL_EXPORTER_OTLP_ENDPOINT` set, the spans of
//! both sides go there and meet in one trace.
#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::error::Error;
use std::time::Duration;

use wilco::channel::{Channel, Handoff};
use wilco::model::{Context, Intent, Timestamp, Verdict};
use wilco::telemetry::Telemetry;

/// The task, as both agents know it.
#[derive(serde::Serialize)]
struct Brief {
    topic: &'static str,
    sources: u32,
}

/// The result, as both agents know it.
#[derive(serde::Deserialize)]
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
    let planner = channel.join("planner").await?;
    let workflow = channel.workflow("abc-123")?.named("write_story");

    let brief = Brief { topic: "solid-state batteries", sources: 5 };
    let notes_read_at = Timestamp::now() - Duration::from_secs(2);
    let handoff =
        Handoff::new(Intent::new("find_sources").object(brief.topic).constraint("max", brief.sources), &brief)?
            .in_workflow(&workflow)
            .because("the user asked for cited figures")
            .context(Context::observed("crm", notes_read_at).version("41").max_age(Duration::from_secs(10)))
            .read_back_within(Duration::from_secs(5))
            .result_within(Duration::from_secs(20))
            .quality_at_least(0.7);
    let receipt = planner.hand_off("researcher", handoff).await?;

    match receipt.verdict().await {
        Verdict::Agreed { readback } => println!("agreed: {readback}"),
        Verdict::Mismatched(found) => {
            found.iter().for_each(|mismatch| println!("does not agree: {mismatch}"));
            receipt.withdraw(&found);
            workflow.fail("the researcher did not get the task as it was meant");
            channel.close(Duration::from_secs(2)).await;
            return Err("no findings".into());
        }
        // Refused, or nothing was read back: the result, or the reason why there is none, comes next.
        other => println!("{}: going on all the same", other.as_str()),
    }

    let result = receipt.result::<Findings>().await?;
    if let Some(quality) = result.quality() {
        println!("quality {} by {}", quality.score(), quality.by());
    }
    if result.is_good_enough() {
        let findings = result.used();
        findings.urls.iter().for_each(|url| println!("source: {url}"));
        workflow.succeed("sources found");
    } else {
        let findings = result.checked().discarded("under the score that was asked for");
        println!("{} sources set aside", findings.urls.len());
        workflow.fail("no good sources");
    }

    for climb in receipt.climbs() {
        println!("rung {:<11} known by {}", climb.rung, climb.evidence);
    }
    drop(receipt); // with its last handle the handoff's span is complete
    channel.close(Duration::from_secs(2)).await;
    Ok(())
}

/// Spans leave if the environment says where to.
fn telemetry() -> Result<Telemetry, Box<dyn Error>> {
    match std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT") {
        Ok(_) => Ok(Telemetry::builder().from_env().service_name("planner").build()?),
        Err(_) => Ok(Telemetry::off()),
    }
}

fn server() -> String {
    let named = std::env::args().nth(1).or_else(|| std::env::var("NATS_URL").ok());
    named.unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned())
}
