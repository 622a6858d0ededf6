//! Agents of another language that know only the wire contract hand off to each other over a real server.
//!
//! Both sides are `tests/python/peer.py`: what it learns here, without a line of this library, is what the library
//! has to learn from it, and the other way round.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]

mod support;

use serde_json::{Value, json};
use support::nats::{NatsServer, each_server_version};
use support::process::Peer;
use support::python;

const INTENT: &str = r#"{"goal":"find_sources","object":"solid-state batteries","constraints":{"max":5}}"#;
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[test]
fn a_right_readback_is_agreed_on_every_server_version() {
    for version in each_server_version() {
        let server = NatsServer::start_with(&version, &[]);
        let Some((saw, learnt)) = hand_off(&server, "right", &[]) else { return };

        assert_eq!(learnt["verdict"], "agreed");
        assert_eq!(learnt["mismatches"], json!([]));
        assert_eq!(rungs(&learnt), ["sent", "understood", "completed"]);
        assert_eq!(learnt["result"]["whole"], true);
        assert_eq!(learnt["result"]["quality"], 0.83);
        assert_eq!(saw["whole"], true);
        assert_eq!(saw["id"], learnt["id"]);
        assert_eq!((&saw["from"], &saw["to"]), (&json!("planner"), &json!("researcher")));
        assert_eq!(saw["intent_digest"].as_str().map(str::len), Some(32), "only a digest of the intent travels");
    }
}

#[test]
fn one_trace_goes_there_and_back() {
    let Some(server) = NatsServer::start() else { return };
    let traceparent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let Some((saw, learnt)) = hand_off(&server, "right", &["--traceparent", &traceparent]) else { return };

    assert_eq!(learnt["trace_id"], TRACE);
    let there = saw["traceparent"].as_str().unwrap();
    let back = learnt["result"]["traceparent"].as_str().unwrap();
    assert!(there.contains(TRACE) && back.contains(TRACE), "{there} and {back} are of one trace");
    assert_ne!(there, traceparent, "the handoff is a span of its own");
    assert_ne!(there, back, "and so is the work on it");
}

#[test]
fn another_readback_is_misunderstood_and_names_the_slot() {
    let Some(server) = NatsServer::start() else { return };
    let Some((_, learnt)) = hand_off(&server, "misunderstand", &[]) else { return };

    assert_eq!(learnt["verdict"], "mismatched");
    assert_eq!(learnt["mismatches"], json!(["misunderstood"]));
    assert_eq!(
        learnt["diff"],
        json!([{"slot": "object", "change": "changed", "sent": "solid-state batteries", "read_back": "something else"}])
    );
}

#[test]
fn work_on_hold_is_withdrawn_after_a_wrong_readback() {
    let Some(server) = NatsServer::start() else { return };
    let Some((mut receiver, learnt)) = exchange(&server, "misunderstand", &["--hold"]) else { return };
    receiver.expect("SAW");
    let decided = parse(&receiver.expect("DECIDED"));

    assert_eq!(decided["decision"], "withdraw");
    assert_eq!(decided["mismatches"], json!(["misunderstood"]));
    assert_eq!(learnt["result"], Value::Null, "no work was done");
}

#[test]
fn work_on_hold_begins_after_a_right_readback() {
    let Some(server) = NatsServer::start() else { return };
    let Some((mut receiver, learnt)) = exchange(&server, "right", &["--hold"]) else { return };
    receiver.expect("SAW");
    let decided = parse(&receiver.expect("DECIDED"));

    assert_eq!(decided["decision"], "go");
    assert_eq!(learnt["verdict"], "agreed");
    assert_eq!(learnt["result"]["whole"], true);
}

#[test]
fn a_refusal_comes_with_its_reason() {
    let Some(server) = NatsServer::start() else { return };
    let Some((_, learnt)) = hand_off(&server, "refuse", &[]) else { return };

    assert_eq!(learnt["mismatches"], json!(["refused"]));
    assert_eq!(learnt["refusal"], "stale");
    assert_eq!(rungs(&learnt), ["sent", "refused"]);
}

#[test]
fn a_failure_comes_after_the_readback_with_its_reason() {
    let Some(server) = NatsServer::start() else { return };
    let Some((_, learnt)) = hand_off(&server, "fail", &[]) else { return };

    assert_eq!(learnt["mismatches"], json!(["failed"]));
    assert_eq!(learnt["error"], "the source is behind a login");
    assert_eq!(rungs(&learnt), ["sent", "understood", "failed"]);
}

#[test]
fn bytes_changed_on_the_way_are_corrupted() {
    let Some(server) = NatsServer::start() else { return };
    let Some((saw, learnt)) = hand_off(&server, "right", &["--corrupt"]) else { return };

    assert_eq!(saw["whole"], false);
    assert_eq!(learnt["mismatches"], json!(["corrupted"]));
    assert_eq!(learnt["refusal"], "corrupted");
}

#[test]
fn silence_is_unacknowledged_and_never_agreement() {
    let Some(server) = NatsServer::start() else { return };
    let Some((saw, learnt)) = hand_off(&server, "silent", &["--read-back-within", "0.5"]) else { return };

    assert_eq!(saw["whole"], true, "it arrived");
    assert_eq!(learnt["verdict"], "mismatched");
    assert_eq!(learnt["mismatches"], json!(["unacknowledged"]));
    assert_eq!(rungs(&learnt), ["sent"]);
}

#[test]
fn a_receiver_that_is_not_there_is_undelivered_at_once_on_every_server_version() {
    for version in each_server_version() {
        let server = NatsServer::start_with(&version, &[]);
        // No deadline may come first: the server itself says that nobody listens.
        let Some(mut sender) = send(&server, &["--read-back-within", "600", "--result-within", "600"]) else { return };
        let learnt = parse(&sender.expect("LEARNT"));

        assert_eq!(learnt["mismatches"], json!(["undelivered"]));
        assert_eq!(rungs(&learnt), ["sent"]);
    }
}

#[test]
fn a_transfer_settles_on_its_readback() {
    let Some(server) = NatsServer::start() else { return };
    let Some((saw, learnt)) = hand_off(&server, "right", &["--kind", "transfer"]) else { return };

    assert_eq!(saw["kind"], "transfer");
    assert_eq!(learnt["verdict"], "agreed");
    assert_eq!(learnt["result"], Value::Null);
}

#[test]
fn context_past_its_longest_age_is_stale_and_younger_context_is_not() {
    let Some(server) = NatsServer::start() else { return };
    let observed_at = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() - 12_000_000_000;
    for (max_age_ms, mismatches) in [(10_000, json!(["stale_context"])), (600_000, json!([]))] {
        let context = format!("crm@41/{observed_at}/{max_age_ms}/,style%2Fguide@///");
        let Some((_, learnt)) = hand_off(&server, "right", &["--context", &context]) else { return };

        assert_eq!(learnt["mismatches"], mismatches);
        assert_eq!(learnt["context_age"].as_array().map(Vec::len), Some(1), "no age where nothing says when");
        assert_eq!(
            (&learnt["context_age"][0]["name"], &learnt["context_age"][0]["version"]),
            (&json!("crm"), &json!("41"))
        );
        assert!(learnt["context_age"][0]["age_ms"].as_u64() >= Some(12_000));
    }
}

#[test]
fn an_agent_does_not_outlive_its_server() {
    let Some(mut server) = NatsServer::start() else { return };
    let Some(mut receiver) = receive(&server, "right") else { return };
    receiver.expect("READY");
    server.stop();
    assert_eq!(receiver.finish().code(), Some(1));
}

#[test]
fn two_instances_of_an_agent_share_its_work() {
    let Some(server) = NatsServer::start() else { return };
    let Some(mut one) = receive(&server, "right") else { return };
    let Some(mut other) = receive(&server, "right") else { return };
    one.expect("READY");
    other.expect("READY");
    // Each leaves after one handoff, so the second goes to the one that did not take the first.
    for _ in 0..2 {
        let Some(mut sender) = send(&server, &[]) else { return };
        let learnt = parse(&sender.expect("LEARNT"));
        assert_eq!(learnt["verdict"], "agreed");
        assert_eq!(rungs(&learnt), ["sent", "understood", "completed"], "one instance answered, once");
        assert!(sender.finish().success());
    }
    let (one, other) = (parse(&one.expect("SAW")), parse(&other.expect("SAW")));
    assert_ne!(one["id"], other["id"]);
}

/// One handoff; what the receiver saw and what the sender learnt. Both have ended well.
#[track_caller]
fn hand_off(server: &NatsServer, mode: &str, options: &[&str]) -> Option<(Value, Value)> {
    let (mut receiver, learnt) = exchange(server, mode, options)?;
    let saw = parse(&receiver.expect("SAW"));
    assert!(receiver.finish().success(), "the receiver leaves after its handoff");
    Some((saw, learnt))
}

#[track_caller]
fn exchange(server: &NatsServer, mode: &str, options: &[&str]) -> Option<(Peer, Value)> {
    let mut receiver = receive(server, mode)?;
    receiver.expect("READY");
    let mut sender = send(server, options)?;
    let learnt = parse(&sender.expect("LEARNT"));
    assert!(sender.finish().success(), "the sender leaves after its handoff");
    Some((receiver, learnt))
}

#[track_caller]
fn receive(server: &NatsServer, mode: &str) -> Option<Peer> {
    let url = server.url();
    python::spawn(
        "peer.py",
        &["receive", "--url", &url, "--channel", "newsroom", "--agent", "researcher", "--mode", mode],
    )
}

#[track_caller]
fn send(server: &NatsServer, options: &[&str]) -> Option<Peer> {
    let url = server.url();
    let mut args = vec!["send", "--url", &url, "--channel", "newsroom", "--from", "planner", "--to", "researcher"];
    args.extend(["--intent", INTENT, "--payload", INTENT]);
    args.extend(options);
    python::spawn("peer.py", &args)
}

fn rungs(learnt: &Value) -> Vec<&str> {
    learnt["rungs"].as_array().expect("rungs").iter().map(|climb| climb["rung"].as_str().expect("a rung")).collect()
}

#[track_caller]
fn parse(facts: &str) -> Value {
    serde_json::from_str(facts).unwrap_or_else(|error| panic!("{facts:?} is not JSON: {error}"))
}
