//! JetStream and services through the proxy, on raw sockets: what their clients branch on stays as it is.

#![cfg(all(feature = "cli", unix))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]

#[path = "support/otlp.rs"]
mod otlp;
mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use otlp::{Collector, Manner};
use support::PATIENCE;
use support::nats::{NatsServer, each_server_version};
use support::proxy::Proxy;
use support::raw::{Raw, Said};

const OPTIONS: &str = ",\"headers\":true,\"no_responders\":true";

/// A client with an inbox of its own.
struct Client {
    raw: Raw,
    inbox: String,
}

fn client(port: u16) -> Client {
    static CLIENTS: AtomicU32 = AtomicU32::new(0);
    let inbox = format!("_INBOX.{}.1", CLIENTS.fetch_add(1, Ordering::Relaxed));
    let mut raw = Raw::open(port, OPTIONS);
    raw.say(format!("SUB {inbox} 1\r\nPING\r\n").as_bytes());
    raw.wait_for("PONG\r\n");
    Client { raw, inbox }
}

impl Client {
    /// Asks and waits until so many messages came to the inbox since the last question.
    #[track_caller]
    fn ask(&mut self, subject: &str, headers: &str, payload: &str, answers: usize) -> Vec<Said> {
        let Self { raw, inbox } = self;
        let before = messages(raw).len();
        let frame = if headers.is_empty() {
            format!("PUB {subject} {inbox} {}\r\n{payload}\r\n", payload.len())
        } else {
            let block = format!("NATS/1.0\r\n{headers}\r\n\r\n");
            format!("HPUB {subject} {inbox} {} {}\r\n{block}{payload}\r\n", block.len(), block.len() + payload.len())
        };
        raw.say(frame.as_bytes());
        // What comes from a stream has the subject under which it was stored.
        let deadline = Instant::now() + PATIENCE;
        while messages(raw).len() < before + answers {
            assert!(Instant::now() < deadline, "no answer to {subject}, but {}", raw.text());
            raw.hear_for(Duration::from_millis(100));
        }
        self.ping();
        messages(&self.raw).split_off(before)
    }

    /// Everything that was under way has come.
    #[track_caller]
    fn ping(&mut self) {
        let pongs = memchr::memmem::find_iter(&self.raw.heard, b"PONG\r\n").count();
        self.raw.ping(pongs + 1);
    }
}

fn messages(raw: &Raw) -> Vec<Said> {
    raw.said()
        .into_iter()
        .filter(|said| matches!(said, Said::Message { line, .. } if !line.starts_with("in.")))
        .collect()
}

/// Without the subject, which is an inbox of one client's.
fn unaddressed(said: &Said) -> Said {
    let Said::Message { headers, payload, .. } = said else { panic!("{said:?}") };
    Said::Message { line: String::new(), headers: headers.clone(), payload: payload.clone() }
}

fn payload(said: &Said) -> String {
    let Said::Message { payload, .. } = said else { panic!("{said:?}") };
    String::from_utf8_lossy(payload).into_owned()
}

fn headers(said: &Said) -> &[String] {
    let Said::Message { headers, .. } = said else { panic!("{said:?}") };
    headers
}

#[track_caller]
fn stream(port: u16, more: &str) {
    let config = format!("{{\"name\":\"ORDERS\",\"subjects\":[\"orders.>\"],\"storage\":\"memory\"{more}}}");
    let made = client(port).ask("$JS.API.STREAM.CREATE.ORDERS", "", &config, 1);
    assert!(payload(&made[0]).contains("\"config\""), "{made:?}");
}

#[track_caller]
fn consumer(port: u16) {
    let config = "{\"stream_name\":\"ORDERS\",\"config\":{\"durable_name\":\"w\",\"ack_policy\":\"explicit\"}}";
    let made = client(port).ask("$JS.API.CONSUMER.DURABLE.CREATE.ORDERS.w", "", config, 1);
    assert!(payload(&made[0]).contains("\"config\""), "{made:?}");
}

const NEXT: &str = "$JS.API.CONSUMER.MSG.NEXT.ORDERS.w";

#[test]
fn a_message_is_stored_delivered_and_acknowledged_as_without_the_proxy() {
    for binary in each_server_version() {
        let server = NatsServer::jetstream_with(&binary, &[]);
        let proxy = Proxy::start(server.port(), &[]);
        stream(server.port(), "");
        consumer(server.port());
        let mut raw = client(proxy.port);
        let stored = raw.ask("orders.new", "", "one", 1);
        assert!(payload(&stored[0]).contains("\"seq\":1") && headers(&stored[0]).is_empty(), "{stored:?}");

        // The delivery comes from the store with what was injected before, and nothing is added on its way down.
        let mut direct = client(server.port());
        let raw_message = direct.ask("$JS.API.STREAM.MSG.GET.ORDERS", "", "{\"seq\":1}", 1);
        assert!(payload(&raw_message[0]).contains("hdrs"), "it was stored with headers: {raw_message:?}");
        let got = raw.ask(NEXT, "", "{\"batch\":1,\"expires\":5000000000}", 1);
        let Said::Message { line, headers, payload: body } = &got[0] else { panic!() };
        assert_eq!((headers.len(), &body[..]), (4, &b"one"[..]), "{got:?}");
        let ack = line.split(' ').nth(2).unwrap().to_owned();
        assert!(ack.starts_with("$JS.ACK.ORDERS.w.1.1.1."), "the subject is the server's: {line}");

        // It is acknowledged, and the server agrees.
        let done = raw.ask(&ack, "", "+ACK", 1);
        assert_eq!(payload(&done[0]), "", "a double acknowledgement is an empty message");
        let about = direct.ask("$JS.API.CONSUMER.INFO.ORDERS.w", "", "", 1);
        assert!(payload(&about[0]).contains("\"num_ack_pending\":0"), "{about:?}");
        assert_eq!(proxy.metric("wilco_proxy_injected_total"), 1, "nothing of $JS was touched");
    }
}

#[test]
fn statuses_come_as_they_are() {
    for binary in each_server_version() {
        let server = NatsServer::jetstream_with(&binary, &[]);
        let proxy = Proxy::start(server.port(), &[]);
        stream(server.port(), "");
        consumer(server.port());
        for (subject, body, status) in [
            (NEXT, "{\"batch\":1,\"no_wait\":true}", "NATS/1.0 404"),
            (NEXT, "{\"batch\":1,\"expires\":100000000}", "NATS/1.0 408"),
            (NEXT, "{\"batch\":1,\"expires\":5000000000,\"idle_heartbeat\":4000000000}", "NATS/1.0 400"),
            ("nobody.there", "", "NATS/1.0 503"),
        ] {
            let [through, direct] = [proxy.port, server.port()].map(|port| client(port).ask(subject, "", body, 1));
            assert!(headers(&through[0])[0].starts_with(status), "{status}: {through:?}");
            assert_eq!(unaddressed(&through[0]), unaddressed(&direct[0]), "{status}");
        }
        // A consumer that is deleted while somebody waits, and heartbeats while nothing comes.
        let waits = |port: u16| {
            let mut raw = client(port);
            let wait = "{\"batch\":1,\"expires\":20000000000,\"idle_heartbeat\":500000000}";
            let beat = raw.ask(NEXT, "", wait, 1);
            assert!(headers(&beat[0])[0].starts_with("NATS/1.0 100"), "{beat:?}");
            let before = messages(&raw.raw).len();
            client(server.port()).ask("$JS.API.CONSUMER.DELETE.ORDERS.w", "", "", 1);
            raw.raw.wait_until("the end", |heard| memchr::memmem::find(heard, b"NATS/1.0 409").is_some());
            raw.ping();
            let end = messages(&raw.raw).split_off(before);
            consumer(server.port());
            unaddressed(end.last().unwrap())
        };
        assert_eq!(waits(proxy.port), waits(server.port()));
    }
}

#[test]
fn duplicates_are_known_by_their_id_as_before() {
    let Some(server) = NatsServer::jetstream() else { return };
    let proxy = Proxy::start(server.port(), &[]);
    stream(server.port(), "");
    let mut raw = client(proxy.port);
    let first = raw.ask("orders.new", "Nats-Msg-Id: 7", "one", 1);
    assert!(!payload(&first[0]).contains("duplicate"), "{first:?}");
    let second = raw.ask("orders.new", "Nats-Msg-Id: 7", "one", 1);
    let second = payload(&second[0]);
    assert!(second.contains("\"duplicate\"") && second.contains("\"seq\":1"), "{second}");
    assert_eq!(proxy.metric("wilco_proxy_injected_total"), 2);
}

#[test]
fn a_stream_of_answers_ends_with_a_bare_empty_message() {
    let Some(server) = NatsServer::start() else { return };
    for args in [&[][..], &["--profile", "synadia-agents"]] {
        let proxy = Proxy::start(server.port(), args);
        let mut service = Raw::open(proxy.port, OPTIONS);
        service.say(b"SUB ask.me 1\r\nPING\r\n");
        service.wait_for("PONG\r\n");
        let mut asker = client(proxy.port);
        let inbox = &asker.inbox.clone();
        asker.raw.say(format!("PUB ask.me {inbox} 2\r\nhi\r\n").as_bytes());
        service.wait_for("\r\nhi\r\n");
        let answers = format!("PUB {inbox} 1\r\na\r\nPUB {inbox} 1\r\nb\r\nPUB {inbox} 0\r\n\r\n");
        service.say(answers.as_bytes());
        asker.raw.wait_for(&format!("MSG {inbox} 1 0\r\n\r\n"));
        let answers = messages(&asker.raw);
        assert_eq!(answers.iter().map(payload).collect::<Vec<_>>(), ["a", "b", ""]);
        assert!(answers.iter().all(|said| headers(said).is_empty()), "replies stay bare: {answers:?}");
        assert_eq!(proxy.metric("wilco_proxy_skipped_total{reason=\"empty_to_inbox\"}"), 1);
    }
}

#[test]
fn case_19_a_limit_of_jetstreams_counts_our_headers_and_leave_takes_the_subject_out() {
    let Some(server) = NatsServer::jetstream() else { return };
    stream(server.port(), ",\"max_msg_size\":100");
    let [traced, left] = [&[][..], &["--leave", "orders.>"]].map(|args| Proxy::start(server.port(), args));
    let body = "x".repeat(90);
    let refused = client(traced.port).ask("orders.new", "", &body, 1);
    assert!(payload(&refused[0]).contains("10054"), "the price of injection: {refused:?}");
    let taken = client(left.port).ask("orders.new", "", &body, 1);
    assert!(payload(&taken[0]).contains("\"seq\":1"), "{taken:?}");
    assert_eq!(left.metric("wilco_proxy_skipped_total{reason=\"untraced\"}"), 1);
    assert_eq!(left.metric("wilco_proxy_injected_total"), 0);
}

#[test]
fn the_proxys_own_numbers_are_sent_as_metrics() {
    let Some(server) = NatsServer::start() else { return };
    let collector = Collector::http(Manner::Good);
    let mut proxy = Proxy::start(server.port(), &["--otlp", &collector.url()]);
    let mut raw = client(proxy.port);
    raw.raw.say(b"SUB in.> 2\r\nPUB in.a 2\r\nhi\r\nPUB $SYS.x 2\r\nhi\r\n");
    raw.ping();
    proxy.wait_for_metric("wilco_proxy_messages_total{direction=\"delivered\"}", 1);
    drop(raw);
    proxy.terminate();
    assert!(proxy.wait(Duration::from_secs(20)).success());
    let metrics = collector.metrics();
    let values = |name: &str| {
        let Some(Data::Sum(sum)) = metrics.get(name).and_then(|metric| metric.data.as_ref()) else {
            panic!("{name} is not in {:?}", metrics.keys())
        };
        let values = sum.data_points.iter().map(|point| match point.value {
            Some(Value::AsInt(value)) => {
                (point.attributes.first().map(|one| one.key.clone()).unwrap_or_default(), value)
            }
            _ => panic!("{point:?}"),
        });
        values.collect::<Vec<_>>()
    };
    assert_eq!(values("wilco.proxy.connections"), [(String::new(), 1)]);
    assert_eq!(values("wilco.proxy.injected"), [(String::new(), 1)]);
    assert_eq!(values("wilco.proxy.skipped"), [("reason".to_owned(), 1)]);
    let mut messages = values("wilco.proxy.messages");
    messages.sort();
    assert_eq!(messages, [("direction".to_owned(), 1), ("direction".to_owned(), 2)]);
    assert!(metrics.contains_key("wilco.spans.exported") && metrics.contains_key("wilco.spans.dropped"));
}
