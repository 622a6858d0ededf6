//! The embedded bus behaves as nats-server does: the same scripts on both, down to the bytes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(all(feature = "bus", feature = "channel"))]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use support::nats::{NatsServer, each_server_version};
use support::{PATIENCE, poll, python};
use wilco::bus::{Bus, BusBuilder, BusError};
use wilco::channel::{Channel, Handoff};
use wilco::model::{Intent, MismatchKind, Verdict};

/// What clients that are no trouble say of themselves.
const PLAIN: &str = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";
const HEADERS: &str =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true,\"protocol\":1}\r\n";

/// Who says what, in turns: the number of the connection, and bytes. After each turn it is waited until the server has
/// dealt with it, by a `PING` that is added.
type Script = &'static [(usize, &'static [&'static str])];

#[rustfmt::skip]
const SCRIPTS: &[(&str, Script)] = &[
    ("nothing said first", &[(0, &["PUB a 1\r\nx\r\n"])]),
    ("verbose is the default", &[(0, &["CONNECT {}\r\nSUB a 1\r\nPUB a 1\r\nx\r\nPONG\r\nUNSUB 1\r\n"])]),
    ("unknown", &[(0, &[PLAIN, "NOPE\r\n"])]),
    ("unknown and no line end", &[(0, &[PLAIN, "X"])]),
    ("an empty line", &[(0, &[PLAIN, "\r\n"])]),
    ("a blank first", &[(0, &[PLAIN, " PING\r\n"])]),
    ("a server's command", &[(0, &[PLAIN, "MSG a 1 2\r\nhi\r\n"])]),
    ("too few arguments", &[(0, &[PLAIN, "PUB a\r\n"])]),
    ("too many arguments", &[(0, &[PLAIN, "PUB a b c 1\r\nx\r\n"])]),
    ("no number", &[(0, &[PLAIN, "PUB a +2\r\nhi\r\n"])]),
    ("header over total", &[(0, &[HEADERS, "HPUB a 13 12\r\n"])]),
    ("a size that is too small", &[(0, &[PLAIN, "PUB a 2\r\nhixx\r\n"])]),
    ("over max_payload", &[(0, &[PLAIN, "PUB a 1048577\r\n"])]),
    ("over ten digits", &[(0, &[PLAIN, "PUB a 1000000000\r\n"])]),
    ("no subject to subscribe to", &[(0, &[PLAIN, "SUB a..b 1\r\nSUB a.>.b 2\r\nSUB .a 3\r\n"])]),
    ("subjects that nobody checks", &[(0, &[PLAIN, "SUB > 1\r\nPUB a..b 1\r\nx\r\nPUB a.* 1\r\ny\r\nPUB a.> 0\r\n\r\nPUB .a 0\r\n\r\n"])]),
    ("subjects that are checked", &[(0, &["CONNECT {\"verbose\":false}\r\nSUB > 1\r\nPUB a.* 1\r\ny\r\nPUB a..b 0\r\n\r\n"])]),
    ("verbose and wrong", &[(0, &["CONNECT {}\r\nSUB a..b 1\r\nPUB a.* 0\r\n\r\n"])]),
    ("no_responders without headers", &[(0, &["CONNECT {\"verbose\":false,\"no_responders\":true}\r\n"])]),
    ("a protocol of the future", &[(0, &["CONNECT {\"verbose\":false,\"protocol\":5}\r\n"])]),
    ("no JSON", &[(0, &["CONNECT {\r\n"])]),
    ("not the type", &[(0, &["CONNECT {\"verbose\":1}\r\n"])]),
    ("connect twice", &[(0, &[HEADERS, PLAIN, "SUB a 1\r\nPUB a 1\r\nx\r\n"])]),
    ("an error from a client", &[(0, &[PLAIN, "-ERR 'x'\r\n"])]),
    ("acknowledgement and INFO from a client", &[(0, &[PLAIN, "+OK\r\nINFO {}\r\n"])]),
    ("pings of every kind", &[(0, &[PLAIN, "PINGX\r\nping\nPING trailing\r\nPONG\r\n"])]),
    ("nobody there", &[(0, &[HEADERS, "SUB inbox.* 5\r\nPUB q inbox.1 2\r\nhi\r\n"])]),
    ("nobody there, verbose", &[(0, &["CONNECT {\"headers\":true,\"no_responders\":true}\r\nSUB i 1\r\nPUB q i 0\r\n\r\n"])]),
    ("nobody there, nobody to tell", &[(0, &[HEADERS, "PUB q inbox.1 2\r\nhi\r\n"])]),
    ("nobody there, not asked", &[(0, &[PLAIN, "SUB inbox.1 1\r\nPUB q inbox.1 2\r\nhi\r\n"])]),
    ("nobody there but oneself", &[(0, &["CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true,\"echo\":false}\r\nSUB a 1\r\nSUB i 2\r\nPUB a i 1\r\nx\r\n"])]),
    ("JetStream", &[(0, &[HEADERS, "SUB inbox.* 5\r\nPUB $JS.API.INFO inbox.1 0\r\n\r\n"])]),
    ("headers unannounced", &[(0, &[PLAIN, "HPUB a 12 12\r\nNATS/1.0\r\n\r\n\r\n"])]),
    ("header size 0", &[(0, &[HEADERS, "SUB a 1\r\nHPUB a 0 2\r\nhi\r\n"])]),
    ("headers", &[(0, &[HEADERS, "SUB a 1\r\nHPUB a r 012 0014\r\nNATS/1.0\r\n\r\nhi\r\n"])]),
    ("headers that are none", &[(0, &[HEADERS, "SUB a 1\r\nHPUB a 4 6\r\nabcdhi\r\n"])]),
    ("headers for one who knows none", &[(1, &[PLAIN, "SUB a 7\r\n"]), (0, &[HEADERS, "HPUB a r 12 0014\r\nNATS/1.0\r\n\r\nhi\r\nHPUB a 012 12\r\nNATS/1.0\r\n\r\n\r\n"]), (1, &[])]),
    ("texts as they were written", &[(0, &[PLAIN, "SUB a 1\r\nPUB a 002\r\nhi\r\npub\ta\tr   2 \nhi\r\nPUB a 00\r\n\r\n"])]),
    ("a payload like commands", &[(0, &[PLAIN, "SUB a 1\r\nPUB a 14\r\nPUB b 0\r\nPING\r\r\n"])]),
    ("any bytes as a subject", &[(0, &[PLAIN, "SUB \u{1}.* 1\r\nPUB \u{1}.\u{fc} 0\r\n\r\n"])]),
    ("one name twice", &[(0, &[PLAIN, "SUB a 1\r\nSUB b 1\r\nPUB b 1\r\nx\r\nPUB a 1\r\ny\r\n"])]),
    ("one name twice, verbose", &[(0, &["CONNECT {}\r\nSUB a 1\r\nSUB a 1\r\nPUB a 0\r\n\r\nUNSUB 1\r\nUNSUB 9\r\n"])]),
    ("no more after two", &[(0, &[PLAIN, "SUB a 1\r\nUNSUB 1 2\r\nPUB a 1\r\n1\r\nPUB a 1\r\n2\r\nPUB a 1\r\n3\r\n"])]),
    ("no more after the two that were", &[(0, &[PLAIN, "SUB a 1\r\nPUB a 1\r\n1\r\nPUB a 1\r\n2\r\nUNSUB 1 2\r\nPUB a 1\r\n3\r\n"])]),
    ("the same name again", &[(0, &[PLAIN, "SUB a 1\r\nUNSUB 1\r\nSUB b 1\r\nPUB a 1\r\nx\r\nPUB b 1\r\ny\r\n"])]),
    ("no echo", &[(0, &["CONNECT {\"verbose\":false,\"echo\":false}\r\nSUB a 1\r\nPUB a 1\r\nx\r\n"])]),
    ("no echo, but to others", &[(1, &[PLAIN, "SUB a 1\r\n"]), (0, &["CONNECT {\"verbose\":false,\"echo\":false}\r\nSUB a q 1\r\nPUB a 1\r\nx\r\n"]), (1, &[])]),
    ("one of a group each", &[(1, &[PLAIN, "SUB a q 1\r\nSUB b.* r 2\r\nSUB a 3\r\n"]), (0, &[PLAIN, "PUB a 1\r\nx\r\nPUB b.c 1\r\ny\r\n"]), (1, &[])]),
    ("wildcards", &[(1, &[PLAIN, "SUB a.*.c 1\r\n"]), (2, &[PLAIN, "SUB a.> 2\r\n"]), (3, &[PLAIN, "SUB *.* 3\r\n"]), (4, &[PLAIN, "SUB a.b.c 4\r\n"]),
        (0, &[PLAIN, "PUB a.b.c 1\r\n1\r\nPUB a.b 1\r\n2\r\nPUB a 1\r\n3\r\nPUB a.x.c 1\r\n4\r\nPUB a.b.c.d 1\r\n5\r\n"]), (1, &[]), (2, &[]), (3, &[]), (4, &[])]),
    ("request and reply", &[(1, &[HEADERS, "SUB q w 1\r\n"]), (0, &[HEADERS, "SUB i.> 1\r\nPUB q i.1 2\r\nhi\r\n"]), (1, &["PUB i.1 2\r\nho\r\n"]), (0, &[])]),
    ("those who left get nothing", &[(1, &[PLAIN, "SUB a 1\r\n-ERR\r\nNOPE\r\n"]), (0, &[HEADERS, "SUB i 1\r\nPUB a i 1\r\nx\r\n"])]),
    ("a reply with a wildcard", &[(0, &[PLAIN, "SUB a 1\r\nPUB a r.* 1\r\nx\r\n"])]),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_script_has_the_same_answers_as_on_each_nats_server() {
    let bus = Bus::builder().start().await.unwrap();
    let ours: Vec<_> = SCRIPTS.iter().map(|(_, script)| play(bus.local_addr(), script, false)).collect();
    for version in each_server_version() {
        let server = NatsServer::start_with(&version, &[]);
        let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
        for ((name, script), ours) in SCRIPTS.iter().zip(&ours) {
            assert_eq!(ours, &play(address, script, false), "{name}, on {:?}", version.version());
        }
    }
    assert_eq!(bus.stats().subscriptions, poll(PATIENCE, || (bus.stats().connections == 0).then_some(0)).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_script_one_byte_at_a_time_has_the_same_answers() {
    let bus = Bus::builder().start().await.unwrap();
    for (name, script) in SCRIPTS {
        assert_eq!(play(bus.local_addr(), script, true), play(bus.local_addr(), script, false), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_a_control_line_is_the_servers() {
    let bus = Bus::builder().start().await.unwrap();
    let line = |subject: usize| format!("{PLAIN}PUB {} 0\r\n\r\n", "x".repeat(subject));
    let scripts = [line(4_094), line(4_095), format!("{PLAIN}PUB {}", "x".repeat(5_000))];
    let answers = |address| {
        let each = scripts.iter().map(|script| Line::open(address).turn(script.as_bytes(), true));
        each.collect::<Vec<_>>()
    };
    let ours = answers(bus.local_addr());
    assert_eq!(ours[0], "PONG\r\n");
    assert!(ours[1].contains("maximum control line exceeded") && ours[1] == ours[2], "{ours:?}");
    for version in each_server_version() {
        let server = NatsServer::start_with(&version, &[]);
        assert_eq!(ours, answers(SocketAddr::from(([127, 0, 0, 1], server.port()))), "{:?}", version.version());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_and_nothing_else_lets_anybody_in() {
    let bus = Bus::builder().token("s3cret").auth_timeout(Duration::from_millis(300)).start().await.unwrap();
    let connect = |more: &str| format!("CONNECT {{\"verbose\":false{more}}}\r\n");
    let scripts = [
        connect(",\"auth_token\":\"s3cret\""),
        connect(",\"auth_token\":\"s3creT\""),
        connect(""),
        connect(",\"user\":\"s3cret\",\"pass\":\"s3cret\""),
        "PUB a 0\r\n\r\n".to_owned(),
        "X".to_owned(),
        "HPUB".to_owned(),
    ];
    let answers = |address| {
        let each = scripts.iter().map(|script| Line::open(address).turn(script.as_bytes(), true));
        each.collect::<Vec<_>>()
    };
    let ours = answers(bus.local_addr());
    assert_eq!(ours[0], "PONG\r\n");
    assert!(ours[1..].iter().all(|answer| answer == "-ERR 'Authorization Violation'\r\n[closed]"), "{ours:?}");
    for version in each_server_version() {
        let server = NatsServer::start_with(&version, &["--auth", "s3cret"]);
        assert_eq!(ours, answers(SocketAddr::from(([127, 0, 0, 1], server.port()))), "{:?}", version.version());
    }
    let mut silent = Line::open(bus.local_addr());
    assert_eq!(silent.until_closed(), "-ERR 'Authentication Timeout'\r\n[closed]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_sees_the_same_as_on_each_nats_server() {
    let bus = Bus::builder().start().await.unwrap();
    let saw = |url: &str| {
        let mut client = python::spawn("bus.py", &["all", url])?;
        let saw = client.expect("SAW");
        assert!(client.finish().success());
        Some(saw)
    };
    let Some(ours) = saw(&bus.url()) else { return };
    // What a client of a server without JetStream is told.
    assert!(ours.contains("NoStreamResponseError") && ours.contains("ServiceUnavailableError"), "{ours}");
    for version in each_server_version() {
        let server = NatsServer::start_with(&version, &[]);
        assert_eq!(saw(&server.url()).unwrap(), ours, "{:?}", version.version());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_with_the_wrong_token_understands_why_it_is_refused() {
    let bus = Bus::builder().token("s3cret").start().await.unwrap();
    let enter = |user: &str| {
        let url = bus.url().replace("nats://", &format!("nats://{user}"));
        Some(python::spawn("bus.py", &["enter", &url])?.expect("SAW"))
    };
    let Some(right) = enter("s3cret@") else { return };
    assert_eq!(right, "\"let in\"");
    for wrong in ["", "other@", "s3cret:s3cret@"] {
        let outcome = enter(wrong).unwrap().to_lowercase();
        assert!(outcome.contains("authorization"), "{wrong:?}: {outcome}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn async_nats_publishes_requests_and_shares_work_on_it() {
    let bus = Bus::builder().token("s3cret").start().await.unwrap();
    let options = || async_nats::ConnectOptions::with_token("s3cret".to_owned());
    let client = options().connect(bus.url()).await.unwrap();
    let worker = options().connect(bus.url()).await.unwrap();
    assert!(client.server_info().headers && client.server_info().max_payload == 1 << 20);

    let mut groups = Vec::new();
    for _ in 0..2 {
        groups.push(worker.queue_subscribe("work.*", "workers".to_owned()).await.unwrap());
    }
    let mut echoes = worker.subscribe("echo").await.unwrap();
    tokio::spawn({
        let worker = worker.clone();
        async move {
            while let Some(asked) = echoes.next().await {
                worker.publish(asked.reply.unwrap(), asked.payload).await.unwrap();
            }
        }
    });
    // The answer proves that the subscriptions before it are known as well.
    let payload = vec![7; 1 << 20];
    let mut answered = client.request("echo", payload.clone().into()).await;
    while answered.is_err() {
        answered = client.request("echo", payload.clone().into()).await;
    }
    assert_eq!(answered.unwrap().payload, payload);
    let nobody = client.request("nobody", "".into()).await.unwrap_err();
    assert_eq!(nobody.kind(), async_nats::RequestErrorKind::NoResponders);

    for n in 0..100 {
        client.publish(format!("work.{n}"), "".into()).await.unwrap();
    }
    let mut done = [0, 0];
    while done[0] + done[1] < 100 {
        let [first, second] = &mut groups[..] else { panic!() };
        tokio::select! {
            Some(_) = first.next() => done[0] += 1,
            Some(_) = second.next() => done[1] += 1,
            () = tokio::time::sleep(PATIENCE) => panic!("{done:?}"),
        }
    }
    assert!(done[0] > 0 && done[1] > 0, "both work: {done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_agrees_and_an_absent_agent_is_found_on_it() {
    let bus = Bus::builder().start().await.unwrap();
    let channel =
        Channel::builder("newsroom").agents(["planner", "researcher", "nobody"]).connect(&bus.url()).await.unwrap();
    let planner = channel.join("planner").await.unwrap();
    let intent = || Intent::new("find_sources").constraint("max", 5);
    // Two instances share what comes for one agent.
    let mut inboxes = Vec::new();
    for _ in 0..2 {
        let instance = Channel::builder("newsroom").connect(&bus.url()).await.unwrap();
        inboxes.push((instance.join("researcher").await.unwrap().inbox().await.unwrap(), instance));
    }
    for (mut inbox, instance) in inboxes {
        tokio::spawn(async move {
            let _instance = instance;
            while let Some(offer) = inbox.next().await {
                let task = offer.read_back(Intent::new("find_sources").constraint("max", 5)).await.unwrap();
                task.complete(&1).quality(0.9, "schema").await.unwrap();
            }
        });
    }
    for _ in 0..20 {
        let receipt = planner.hand_off("researcher", Handoff::new(intent(), &5).unwrap()).await.unwrap();
        assert_eq!(receipt.verdict().await, Verdict::Agreed { readback: intent() });
        assert_eq!(receipt.result::<u32>().await.unwrap().used(), 1);
    }
    let receipt = planner.hand_off("nobody", Handoff::new(intent(), &5).unwrap()).await.unwrap();
    let kinds: Vec<_> = receipt.verdict().await.mismatches().iter().map(|mismatch| mismatch.kind).collect();
    assert_eq!(kinds, [MismatchKind::Undelivered]);
    channel.close(Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_each_sender_arrive_whole_and_in_order() {
    const EACH: usize = 5_000;
    let bus = Bus::builder().start().await.unwrap();
    let address = bus.local_addr();
    let mut readers = Vec::new();
    for _ in 0..2 {
        let mut line = Line::open(address);
        assert_eq!(line.turn(format!("{PLAIN}SUB s.* 1\r\n").as_bytes(), true), "PONG\r\n");
        readers.push(std::thread::spawn(move || {
            let mut next = [0; 3];
            while next != [EACH; 3] {
                let frame = line.frame(2);
                let (head, payload) = frame.split_once("\r\n").unwrap();
                let sender: usize = head.split([' ', '.']).nth(2).unwrap().parse().unwrap();
                assert_eq!(payload.trim_end_matches(['-', '\r', '\n']), next[sender].to_string(), "of sender {sender}");
                next[sender] += 1;
            }
        }));
    }
    let senders: Vec<_> = (0..3)
        .map(|sender| {
            std::thread::spawn(move || {
                let mut line = Line::open(address);
                let mut all = PLAIN.to_owned();
                for n in 0..EACH {
                    let payload = format!("{n}{}", "-".repeat(n % 300));
                    all += &format!("PUB s.{sender} {}\r\n{payload}\r\n", payload.len());
                }
                assert_eq!(line.turn(all.as_bytes(), true), "PONG\r\n");
            })
        })
        .collect();
    for thread in senders.into_iter().chain(readers) {
        thread.join().unwrap();
    }
    let stats = bus.stats();
    assert_eq!((stats.messages_in, stats.messages_out), (3 * EACH as u64, 6 * EACH as u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_too_slowly_is_told_and_cut_off_and_others_are_not() {
    let bus = Bus::builder().max_payload(64 << 10).max_pending(256 << 10).start().await.unwrap();
    let mut slow = Line::open(bus.local_addr());
    let mut quick = Line::open(bus.local_addr());
    for line in [&mut slow, &mut quick] {
        assert_eq!(line.turn(format!("{PLAIN}SUB big 1\r\n").as_bytes(), true), "PONG\r\n");
    }
    let mut sender = Line::open(bus.local_addr());
    let frame = format!("PUB big {}\r\n{}\r\n", 64 << 10, "x".repeat(64 << 10));
    sender.turn(PLAIN.as_bytes(), true);
    let mut sent = 0;
    while bus.stats().slow_consumers == 0 {
        assert_eq!(sender.turn(frame.as_bytes(), true), "PONG\r\n");
        assert!(quick.frame(2).ends_with("xx\r\n"));
        sent += 1;
        assert!(sent < 2_000, "128 MiB were sent, and nobody was cut off");
    }
    let heard = slow.until_closed();
    assert!(heard.ends_with("x\r\n-ERR 'Slow Consumer'\r\n[closed]"), "{}", &heard[heard.len().saturating_sub(100)..]);
    assert_eq!(bus.stats().slow_consumers, 1);
    assert_eq!(quick.turn(b"", true), "PONG\r\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_the_answers_to_its_own_pings_is_cut_off() {
    let bus = Bus::builder().max_payload(64 << 10).max_pending(256 << 10).start().await.unwrap();
    let mut line = Line::open(bus.local_addr());
    let pings = "PING\r\n".repeat(100_000);
    let mut sent = 0;
    while bus.stats().slow_consumers == 0 {
        line.send(pings.as_bytes());
        sent += 1;
        assert!(sent < 200, "120 MB of pings were taken");
    }
    // Whether it still hears why depends on whether it begins to read in time.
    assert!(line.until_closed().starts_with("PONG\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ended_is_closed_though_others_remember_it() {
    let bus = Bus::builder().start().await.unwrap();
    let (mut one, mut other) = (Line::open(bus.local_addr()), Line::open(bus.local_addr()));
    assert_eq!(one.turn(format!("{PLAIN}SUB a 1\r\n").as_bytes(), true), "PONG\r\n");
    // From now on this connection knows who gets `a`, and has no reason to ask again.
    assert_eq!(other.turn(format!("{PLAIN}PUB a 1\r\nx\r\n").as_bytes(), true), "PONG\r\n");
    one.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(one.until_closed(), "MSG a 1 1\r\nx\r\n[closed]");
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_are_asked_and_those_that_do_not_answer_are_cut_off() {
    let bus = Bus::builder().ping_interval(Duration::from_millis(50)).start().await.unwrap();
    let mut silent = Line::open(bus.local_addr());
    silent.send(PLAIN.as_bytes());
    assert_eq!(silent.until_closed(), "PING\r\nPING\r\n-ERR 'Stale Connection'\r\n[closed]");
    let mut answering = Line::open(bus.local_addr());
    answering.send(PLAIN.as_bytes());
    for _ in 0..6 {
        assert_eq!(answering.frame(1), "PING\r\n");
        answering.send(b"PONG\r\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_over_the_limit_is_refused_and_its_place_can_be_taken_later() {
    let bus = Bus::builder().max_connections(2).start().await.unwrap();
    let (first, mut second) = (Line::open(bus.local_addr()), Line::open(bus.local_addr()));
    let mut third = Line::open(bus.local_addr());
    assert_eq!(third.until_closed(), "-ERR 'maximum connections exceeded'\r\n[closed]");
    assert_eq!(second.turn(PLAIN.as_bytes(), true), "PONG\r\n");
    drop(first);
    poll(PATIENCE, || (bus.stats().connections == 1).then_some(())).unwrap();
    assert_eq!(Line::open(bus.local_addr()).turn(PLAIN.as_bytes(), true), "PONG\r\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_sends_what_waits_and_closes_in_order() {
    let bus = Bus::builder().start().await.unwrap();
    let address = bus.local_addr();
    let mut line = Line::open(address);
    let big = format!("SUB a 1\r\nPUB a 900000\r\n{}\r\n", "x".repeat(900_000));
    line.send([PLAIN, &big].concat().as_bytes());
    poll(PATIENCE, || (bus.stats().messages_out == 1).then_some(())).unwrap();
    let reading = std::thread::spawn(move || line.until_closed());
    bus.shutdown().await;
    let heard = reading.join().unwrap();
    assert!(heard.starts_with("MSG a 1 900000\r\n") && heard.ends_with("x\r\n[closed]"), "{}", heard.len());
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_bus_closes_its_connections() {
    let bus = Bus::builder().start().await.unwrap();
    let mut line = Line::open(bus.local_addr());
    assert_eq!(line.turn(PLAIN.as_bytes(), true), "PONG\r\n");
    drop(bus);
    line.until_closed();
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_to_do() {
    let bus = Bus::builder().start().await.unwrap();
    let refused = |builder: BusBuilder| async { builder.start().await.unwrap_err() };
    let error = refused(Bus::builder().listen(bus.local_addr().to_string())).await;
    assert!(matches!(error, BusError::Listen { .. }));
    let port = bus.local_addr().port();
    assert!(error.to_string().contains(&format!("port {port} is taken; stop what listens there")), "{error}");
    let error = refused(Bus::builder().listen("4222")).await;
    assert!(error.to_string().contains("HOST:PORT"), "{error}");
    for wrong in [Bus::builder().max_payload(0), Bus::builder().max_payload(1 << 30), Bus::builder().max_pending(10)] {
        assert!(matches!(refused(wrong).await, BusError::MaxPayload { .. } | BusError::MaxPending { .. }));
    }
}

// ---------------------------------------------------------------------------------------------------------- raw sockets

/// What each connection of a script heard, in the order of the turns.
fn play(address: SocketAddr, script: Script, by_bytes: bool) -> Vec<String> {
    let count = script.iter().map(|(who, _)| who + 1).max().unwrap();
    let mut lines: Vec<Line> = (0..count).map(|_| Line::open(address)).collect();
    let mut heard = vec![String::new(); count];
    for (who, said) in script {
        let text = said.concat();
        heard[*who] += &lines[*who].turn(text.as_bytes(), !by_bytes);
        heard[*who] += "|";
    }
    heard
}

/// A client by hand.
struct Line {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Line {
    /// Connects and takes the greeting.
    #[track_caller]
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut line = Self { stream, unread: Vec::new() };
        let greeting = line.frame(1);
        assert!(greeting.starts_with("INFO {"), "{greeting}");
        line
    }

    /// The server may have closed before all was said.
    fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Says something and a `PING`, and gives what was heard until the answer to it, or the end. `INFO` may come at any
    /// time and is left out; what "no responders" looks like depends on the server's version.
    fn turn(&mut self, bytes: &[u8], at_once: bool) -> String {
        let all = [bytes, b"PING\r\n"].concat();
        // Its answer is told from those to other pings by their number.
        let pings = bytes.split(|byte| *byte == b'\n').filter(|line| line.to_ascii_uppercase().starts_with(b"PING"));
        let in_payload = usize::from(bytes.windows(9).any(|text| text == b"PUB a 14\r"));
        let pongs = pings.count() - in_payload + 1;
        if at_once {
            self.send(&all);
        } else {
            all.chunks(1).for_each(|byte| self.send(byte));
        }
        let mut heard = String::new();
        let mut left = pongs;
        while left > 0 && self.more(1) {
            let frame = self.frame_of_a_message();
            if frame.starts_with("INFO ") {
                continue;
            }
            left -= usize::from(frame == "PONG\r\n");
            heard += &frame;
        }
        if left > 0 { heard + "[closed]" } else { heard }
    }

    /// One command: a line, and where it is a message its payload.
    fn frame_of_a_message(&mut self) -> String {
        let line = self.frame(1);
        if !line.starts_with("MSG ") && !line.starts_with("HMSG ") {
            return line;
        }
        let size: usize = line.split_whitespace().last().unwrap().parse().unwrap();
        assert!(self.more(size + 2), "{line} and no payload");
        let payload: Vec<u8> = self.unread.drain(..size + 2).collect();
        let payload = String::from_utf8_lossy(&payload).into_owned();
        if payload.starts_with("NATS/1.0 503") {
            let of: Vec<&str> = line.split_whitespace().take(3).collect();
            return format!("{} NO RESPONDERS\r\n", of.join(" "));
        }
        line + &payload
    }

    /// So many lines.
    #[track_caller]
    fn frame(&mut self, lines: usize) -> String {
        let mut at = 0;
        for _ in 0..lines {
            loop {
                if let Some(end) = self.unread[at..].iter().position(|byte| *byte == b'\n') {
                    at += end + 1;
                    break;
                }
                let len = self.unread.len();
                assert!(self.more(len + 1), "closed after {:?}", String::from_utf8_lossy(&self.unread));
            }
        }
        String::from_utf8_lossy(&self.unread.drain(..at).collect::<Vec<_>>()).into_owned()
    }

    /// All until the end.
    fn until_closed(&mut self) -> String {
        while self.more(self.unread.len() + 1) {}
        String::from_utf8_lossy(&std::mem::take(&mut self.unread)).into_owned() + "[closed]"
    }

    /// Reads until so many bytes are unread; `false` if the connection ends before.
    fn more(&mut self, len: usize) -> bool {
        let began = Instant::now();
        let mut buffer = vec![0; 64 << 10];
        while self.unread.len() < len {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(came) => self.unread.extend_from_slice(&buffer[..came]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return false,
                Err(error) => panic!("{error} after {:?}", began.elapsed()),
            }
        }
        true
    }
}
