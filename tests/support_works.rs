//! The ground that the other tests stand on: servers start, stop and come back, peers talk and die.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]

mod support;

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use support::PATIENCE;
use support::nats::{NatsServer, each_server_version};
use support::process::{self, Peer};

#[test]
fn each_version_starts_says_what_it_is_and_is_gone_when_dropped() {
    for version in each_server_version() {
        let server = NatsServer::start_with(&version, &[]);
        let info = info(server.port());
        let (major, minor, patch) = server.version();
        assert_eq!(info["version"], format!("{major}.{minor}.{patch}"));
        assert_ne!(info["jetstream"], true);

        let port = server.port();
        drop(server);
        // Another test's server may have been given the port already.
        let after = greeting(port);
        assert_ne!(after.map(|info| info["server_id"].clone()), Some(info["server_id"].clone()));
    }
}

#[test]
fn a_restarted_server_is_another_process_on_the_same_port() {
    for version in each_server_version() {
        let mut server = NatsServer::start_with(&version, &[]);
        let (port, before) = (server.port(), info(server.port()));
        server.restart();
        assert_eq!(server.port(), port);
        assert_ne!(info(port)["server_id"], before["server_id"]);
    }
}

#[test]
fn jetstream_is_on_where_it_was_asked_for() {
    for version in each_server_version() {
        let server = NatsServer::jetstream_with(&version, &[]);
        assert_eq!(info(server.port())["jetstream"], true);
    }
}

#[test]
fn further_arguments_reach_the_server() {
    let Some(version) = each_server_version().into_iter().next() else { return };
    let server = NatsServer::start_with(&version, &["--auth", "sesame"]);
    assert_eq!(info(server.port())["auth_required"], true);
}

#[test]
fn a_peer_is_another_process_that_hears_and_answers() {
    let mut peer = Peer::spawn("echo_main", &[("GREETING", "hello there")]);
    assert_ne!(peer.id(), std::process::id());
    assert_eq!(peer.expect("READY"), "hello there");
    peer.tell("first");
    assert_eq!(peer.expect("SAW"), "first");
    peer.tell("second");
    assert_eq!(peer.expect("SAW"), "second");
    assert!(peer.finish().success());
    assert_eq!(peer.next(), None);
}

#[test]
fn a_silent_peer_runs_into_the_deadline_and_a_killed_one_has_ended() {
    let mut peer = Peer::spawn("echo_main", &[("GREETING", "")]);
    peer.expect("READY");
    assert_eq!(peer.next_within(Duration::from_millis(20)), Err("was silent until the deadline"));
    peer.kill();
    assert_eq!(peer.next(), None);
}

#[test]
#[ignore = "the other process of the tests above"]
fn echo_main() {
    if !process::is_peer("echo_main") {
        return;
    }
    process::say(&format!("READY {}", std::env::var("GREETING").unwrap()));
    while let Some(line) = process::hear() {
        process::say(&format!("SAW {line}"));
    }
}

/// What the server on this port greets with.
#[track_caller]
fn info(port: u16) -> Value {
    greeting(port).unwrap_or_else(|| panic!("no server on port {port}"))
}

fn greeting(port: u16) -> Option<Value> {
    let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut greeting = String::new();
    BufReader::new(stream).read_line(&mut greeting).ok()?;
    serde_json::from_str(greeting.strip_prefix("INFO ")?).ok()
}
