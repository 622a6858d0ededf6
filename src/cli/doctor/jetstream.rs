use std::time::Duration;

use async_nats::{Client, RequestErrorKind};
use serde_json::Value;

use super::clock::Offset;
use super::report::Report;
use crate::model::Timestamp;

const WITHIN: Duration = Duration::from_secs(5);

/// JetStream: whether it is there, how full it is, streams whose limits count headers, and the server's clock.
pub(super) async fn check(report: &mut Report, client: &Client, is_local: bool) {
    let name = "nats.jetstream";
    let info = match ask(client, "$JS.API.INFO", "").await {
        Ok(info) => info,
        Err(Absent::NobodyThere) => {
            report.note(
                name,
                "it is off: what nobody takes at once is lost",
                "start nats-server with --jetstream for handoffs that are stored",
            );
            return unknown_clock(report, is_local);
        }
        Err(Absent::Other(why)) => {
            report.unknown(name, format!("it was not told: {why}"), "allow the user to publish to $JS.API.>");
            return unknown_clock(report, is_local);
        }
    };
    if let Some(error) = info["error"]["description"].as_str() {
        report.warning(name, format!("it says: {error}"), "enable JetStream for the account, or use another");
        return unknown_clock(report, is_local);
    }
    let full = [("storage", "max_storage"), ("memory", "max_memory")].into_iter().find_map(|(used, most)| {
        let (used_bytes, most) = (info[used].as_i64()?, info["limits"][most].as_i64()?);
        (most > 0 && used_bytes.saturating_mul(10) >= most.saturating_mul(9)).then_some((used, used_bytes, most))
    });
    let count = info["streams"].as_i64().unwrap_or_default();
    match full {
        Some((what, used, most)) => {
            let says = format!("{what} is nearly full: {used} of {most} bytes");
            report.warning(name, says, "raise the limit of the account, or let streams forget");
        }
        None => report.good(name, format!("it is on, with {count} streams")),
    }
    streams(report, client, count, is_local).await;
}

async fn streams(report: &mut Report, client: &Client, count: i64, is_local: bool) {
    if count == 0 {
        return unknown_clock(report, is_local);
    }
    let before = Timestamp::now();
    let Ok(list) = ask(client, "$JS.API.STREAM.LIST", "").await else { return unknown_clock(report, is_local) };
    let after = Timestamp::now();
    let streams = list["streams"].as_array().map(Vec::as_slice).unwrap_or_default();
    let tight: Vec<&str> = streams
        .iter()
        .filter(|stream| stream["config"]["max_msg_size"].as_i64().is_some_and(|size| (1..64 * 1024).contains(&size)))
        .filter_map(|stream| stream["config"]["name"].as_str())
        .collect();
    if !tight.is_empty() {
        let says = format!("streams with a small max_msg_size, which counts headers too: {}", tight.join(", "));
        report.warning(
            "nats.streams",
            says,
            "raise it by 512 bytes, or take their subjects out at the proxy by --leave",
        );
    }
    // Servers from 2.10 on say when they looked.
    let looked = streams.iter().find_map(|stream| stream["ts"].as_str()).and_then(|text| text.parse().ok());
    let looked = looked.and_then(|time: jiff::Timestamp| u64::try_from(time.as_nanosecond()).ok());
    match looked.map(Timestamp::from_unix_nanos) {
        Some(theirs) => Offset::of(before, theirs, Duration::ZERO, after).judge(report, "nats.clock", "its"),
        None => unknown_clock(report, is_local),
    }
}

fn unknown_clock(report: &mut Report, is_local: bool) {
    if is_local {
        report.good("nats.clock", "it runs on this host, so the clock is the same");
    } else {
        let advice = "compare the clocks by other means: a server from 2.10 on tells its time where it has a stream";
        report.note("nats.clock", "the server does not tell its time", advice);
    }
}

enum Absent {
    NobodyThere,
    Other(String),
}

async fn ask(client: &Client, subject: &'static str, body: &'static str) -> Result<Value, Absent> {
    match tokio::time::timeout(WITHIN, client.request(subject, body.into())).await {
        Ok(Ok(message)) => serde_json::from_slice(&message.payload).map_err(|error| Absent::Other(error.to_string())),
        Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => Err(Absent::NobodyThere),
        Ok(Err(error)) => Err(Absent::Other(error.to_string())),
        Err(_) => Err(Absent::Other(format!("no answer within {WITHIN:?}"))),
    }
}
