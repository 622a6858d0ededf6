//! `wilco dev`, as somebody begins with it: agents that know nothing of Wilco, agents on channels, a server of one's own.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(all(feature = "cli", unix))]

mod support;

#[path = "support/dev.rs"]
mod dev;
#[path = "support/http.rs"]
#[allow(dead_code)]
mod http;

use std::io::Write;

use dev::{Dev, wilco};
use serde_json::Value;
use support::nats::NatsServer;
use support::{PATIENCE, poll, python};

/// The command of the README.
const README: &str = "cargo run --release -- dev";

/// The handoffs that a query finds, once there is one.
#[track_caller]
fn found(dev: &Dev, query: &str) -> Vec<Value> {
    let path = format!("/api/query?q={}", http::escape(query));
    let found = poll(PATIENCE, || {
        let rows = http::get(dev.page, &path).json()["lines"].as_array().cloned().unwrap_or_default();
        (!rows.is_empty()).then_some(rows)
    });
    found.unwrap_or_else(|| panic!("nothing answers {query:?}"))
}

#[test]
fn plain_agents_on_the_embedded_bus_appear_as_workflows() {
    let dev = Dev::start(&[]);
    assert!(README.ends_with(" dev"));
    let Some(mut agents) = python::spawn("bus.py", &["all", &dev.nats()]) else { return };
    agents.expect("SAW");
    assert!(agents.finish().success());
    let handoffs = found(&dev, "from = one AND to = other AND verdict = unconfirmed");
    assert!(handoffs[0]["workflow"].is_string(), "{handoffs:?}");
    assert!(!found(&dev, "mismatch = undelivered").is_empty());
    let workflows = http::get(dev.page, "/api/workflows").json();
    assert!(!workflows["workflows"].as_array().unwrap().is_empty());
    let (status, said) = dev.end("-TERM");
    assert_eq!(status.code(), Some(0), "{said}");
}

#[test]
fn agents_on_channels_are_traced_once_with_all_that_was_made_to_break() {
    let dev = Dev::start(&[]);
    let ran = wilco(&["demo", "--seed", "5", "--nats", &dev.nats(), "--otlp", &dev.otlp()]).output().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    let seeded = ["corrupted", "misunderstood", "stale_context", "timed_out", "undelivered", "unverified_use"];
    for kind in seeded {
        assert_eq!(found(&dev, &format!("mismatch = {kind}")).len(), 1, "{kind}");
    }
    let why = wilco(&["why", "--all", "--json", "--server", &dev.url()]).output().unwrap();
    assert_eq!((why.status.code(), String::from_utf8(why.stdout).unwrap().lines().count()), (Some(1), 8));
    // Each handoff is one row, although both the channel and the proxy told of it.
    let handoffs = found(&dev, "verdict = agreed");
    let ids: std::collections::BTreeSet<&str> = handoffs.iter().filter_map(|handoff| handoff["id"].as_str()).collect();
    assert_eq!(ids.len(), handoffs.len());
}

#[test]
fn agents_of_a_server_of_ones_own_are_traced_in_front_of_it() {
    let Some(server) = NatsServer::jetstream() else { return };
    let dev = Dev::start(&["--nats", &server.url()]);
    assert!(dev.said[0].ends_with(&format!("in front of nats://127.0.0.1:{}", server.port())), "{}", dev.said[0]);
    let Some(mut agents) = python::spawn("stranger.py", &[&dev.nats()]) else { return };
    agents.expect("SAW");
    assert!(agents.finish().success());
    assert!(!found(&dev, "from = planner AND to = researcher").is_empty());
    assert!(!found(&dev, "mismatch = undelivered").is_empty());
}

#[test]
fn what_a_file_was_told_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("dev.db");
    let dev = Dev::start(&["--db", db.to_str().unwrap()]);
    assert_eq!(dev.said[3], format!("data    {}", db.display()));
    let Some(mut agents) = python::spawn("bus.py", &["all", &dev.nats()]) else { return };
    agents.expect("SAW");
    assert!(agents.finish().success());
    // At once, so that what the proxy knows is still on its way into the store.
    let (status, said) = dev.end("-INT");
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("could not be sent"), "{said}");

    let dev = Dev::start(&["--db", db.to_str().unwrap()]);
    assert!(found(&dev, "from = one AND to = other").len() > 50);
}

#[test]
fn four_lines_say_where_everything_is() {
    let dev = Dev::start(&[]);
    let [agents, otlp, page, data] = &dev.said;
    assert!(agents.ends_with("to an embedded bus: core NATS, nothing stored"), "{agents}");
    assert!(otlp.contains("  grpc://127.0.0.1:"), "{otlp}");
    assert_eq!(http::get(dev.page, "/healthz").status, 200, "{page}");
    assert_eq!(data, "data    in memory, the last 8 MiB; --db FILE keeps all");
}

#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let ran = wilco(&["dev"]).args(arguments).output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(ran.stdout.is_empty());
    said
}

#[test]
fn handoffs_that_were_too_many_are_told_of_with_what_helps() {
    let mut dev = Dev::start(&["--spans-waiting", "8", "--handoffs-per-second", "1000"]);
    let mut agent = std::net::TcpStream::connect(dev.agents).unwrap();
    let burst = "PUB work 2\r\nok\r\n".repeat(5_000);
    agent.write_all(format!("CONNECT {{\"headers\":true}}\r\nSUB work 1\r\n{burst}").as_bytes()).unwrap();
    let mut read = agent.try_clone().unwrap();
    let reading = std::thread::spawn(move || std::io::copy(&mut read, &mut std::io::sink()));
    let said = dev.hear("came too fast to be recorded");
    assert!(said.contains("--spans-waiting (now 8)") && said.contains("--handoffs-per-second"), "{said}");
    agent.shutdown(std::net::Shutdown::Both).unwrap();
    reading.join().unwrap().ok();
}

#[test]
fn a_taken_port_is_named_with_the_flag_that_moves_it() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    let mut options = ["--bus", free, "--http", free, "--otlp-http", free, "--otlp-grpc", free];
    for (at, what) in [(1, "agents"), (3, "API"), (5, "OTLP over HTTP"), (7, "OTLP over gRPC")] {
        options[at] = &taken;
        let said = refused(&options);
        assert!(said.contains(&format!("{what}: {taken} is taken by another program")), "{said}");
        assert!(said.contains(&format!("name another address with {}", options[at - 1])), "{said}");
        assert_eq!(said.contains(&format!("--nats nats://{taken}")), at == 1, "{said}");
        options[at] = free;
    }
}

#[test]
fn what_cannot_be_is_said_before_anything_listens() {
    let free = ["--http", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0"];
    let with = |arguments: &[&str]| refused(&[&free[..], arguments].concat());
    let said = with(&["--bus", "127.0.0.1:4999", "--nats", "nats://localhost:4999"]);
    assert!(said.contains("--nats: upstream: nats://localhost:4999 is where clients are to connect"), "{said}");
    let said = with(&["--bus", "127.0.0.1:0", "--nats", "nats://a:b@127.0.0.1:4222"]);
    assert!(said.contains("--nats") && said.contains("has credentials"), "{said}");
    let said = with(&["--bus", "0.0.0.0:0"]);
    assert!(said.contains("0.0.0.0:0 can be reached from other hosts, and no token is set"), "{said}");
    let said = with(&["--bus", "127.0.0.1:0", "--profile", "none-such"]);
    assert!(said.contains("--profile"), "{said}");
}
