//! What a drop-in proxy must preserve, case by case, on raw sockets: direct and through it, on every server version.

#![cfg(all(feature = "cli", unix))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use support::nats::{NatsServer, each_server_version};
use support::proxy::Proxy;
use support::raw::{End, Raw, Said};

/// Long enough for the proxy to take a stop for one, and let go of what it holds.
const STALL: Duration = Duration::from_millis(80);

/// A server of each version, with a proxy that injects and one that does not.
fn each(mut test: impl FnMut(&Stage)) {
    for binary in each_server_version() {
        let server = NatsServer::start_with(&binary, &[]);
        let stage = Stage {
            on: Proxy::start(server.port(), &[]),
            off: Proxy::start(server.port(), &["--inject", "off"]),
            server,
        };
        test(&stage);
    }
}

struct Stage {
    server: NatsServer,
    on: Proxy,
    off: Proxy,
}

impl Stage {
    /// What `script` brings directly, and that it brings the same through both proxies. How many messages were injected.
    #[track_caller]
    fn same(&self, script: impl Fn(u16) -> Raw) -> (Vec<Said>, usize) {
        let direct = script(self.server.port());
        let off = script(self.off.port);
        assert_eq!(off.said(), direct.said(), "with --inject off");
        let (on, injected) = script(self.on.port).said_without_ours();
        assert_eq!(on, direct.said_without_ours().0, "with --inject all");
        (direct.said(), injected)
    }
}

/// A subscriber to everything that is published on `in.>`, in the same connection as the publisher.
fn talk(port: u16, options: &str, says: &[u8]) -> Raw {
    let mut raw = Raw::open(port, options);
    raw.say(b"SUB in.> 1\r\nPING\r\n");
    raw.wait_for("PONG\r\n");
    raw.say(says);
    raw.ping(2);
    raw
}

const HEADERS: &str = ",\"headers\":true,\"no_responders\":true";

// -------------------------------------------------------------------------------------------------------------- framing

/// Some of everything that a client says.
const SCRIPT: &[u8] = b"CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB in.> 1\r\npub\tin.a  \t 2 \r\nhi\r\n\
HPUB in.b 23 28\r\nNATS/1.0\r\nA: 1\r\na:2\r\n\r\nhello\r\nPUB in.c re.ply 0\r\n\r\nPING\r\nPUB in.d 002\nok\r\nPING\r\n";

#[test]
fn case_1_every_command_survives_being_cut_at_every_byte() {
    each(|stage| {
        for port in [stage.on.port, stage.off.port] {
            let whole = script_in(port, &[SCRIPT]);
            assert_eq!(whole.iter().filter(|said| matches!(said, Said::Message { .. })).count(), 4, "{whole:?}");
            for cut in 1..SCRIPT.len() {
                let (first, second) = SCRIPT.split_at(cut);
                assert_eq!(script_in(port, &[first, second]), whole, "cut at {cut}");
            }
            let single: Vec<&[u8]> = SCRIPT.chunks(1).collect();
            assert_eq!(script_in(port, &single), whole, "byte by byte");
        }
        assert_eq!(script_in(stage.server.port(), &[SCRIPT]), script_in(stage.on.port, &[SCRIPT]));
    });
}

/// What comes back, without ours.
fn script_in(port: u16, pieces: &[&[u8]]) -> Vec<Said> {
    let mut raw = Raw::connect(port);
    raw.wait_for("\r\n");
    raw.say_in_pieces(pieces.iter().copied());
    raw.wait_until("both PONGs", |heard| memchr::memmem::find_iter(heard, b"PONG\r\n").count() == 2);
    raw.said_without_ours().0
}

#[test]
fn case_1_a_server_may_be_cut_at_every_byte() {
    let says = b"INFO {\"headers\":true,\"max_payload\":1048576}\r\nHMSG a 1 16 18\r\nNATS/1.0\r\nA:1\r\n\r\nhi\r\n\
MSG  b  1 3\r\nxyz\r\n+OK\r\nPING\r\n-ERR 'x'\r\n";
    // The block above is 18 bytes long.
    let says = String::from_utf8_lossy(says).replace("16 18", "17 19").into_bytes();
    let server = Server::start();
    let proxy = Proxy::start(server.port, &[]);
    for cut in 1..says.len() {
        let mut client = Raw::connect(proxy.port);
        let mut served = server.accept();
        served.write_all(&says[..cut]).unwrap();
        std::thread::sleep(Duration::from_micros(300));
        served.write_all(&says[cut..]).unwrap();
        drop(served);
        assert_eq!(client.wait_for_end(), End::Fin);
        assert_eq!(client.text(), String::from_utf8_lossy(&says), "cut at {cut}");
    }
}

#[test]
fn case_2_verbs_in_any_case_and_runs_of_blanks_are_legal() {
    each(|stage| {
        let (said, injected) = stage.same(|port| {
            let mut raw = talk(
                port,
                HEADERS,
                b"pub\tin.a  \t 2 \r\nhi\r\nHpUb \t in.b\t12  \t14\t \r\nNATS/1.0\r\n\r\nyo\r\npInG\r\n",
            );
            // It says a PING of its own.
            raw.wait_for_pongs(3);
            raw
        });
        assert_eq!((said.len(), injected), (5, 2), "{said:?}");
    });
}

#[test]
fn case_3_a_control_line_may_end_in_a_bare_line_feed() {
    each(|stage| {
        let (said, injected) = stage.same(|port| talk(port, HEADERS, b"PUB in.a 2\nhi\r\nPUB in.b 0\n\r\n"));
        assert_eq!((said.len(), injected), (4, 2), "{said:?}");
        // After a payload it is a fault, and the server's to find.
        stage.same(|port| ended(port, b"PUB in.a 2\r\nhi\nPING\r\n"));
    });
}

/// Says this and waits for the server to hang up.
fn ended(port: u16, says: &[u8]) -> Raw {
    let mut raw = Raw::open(port, HEADERS);
    raw.say(b"SUB in.> 1\r\nPING\r\n");
    raw.wait_for("PONG\r\n");
    raw.say(says);
    raw.wait_for_end();
    raw
}

#[test]
fn case_4_what_the_server_refuses_is_passed_on_for_it_to_judge() {
    each(|stage| {
        let (said, _) = stage.same(|port| talk(port, ",\"headers\":false", b"PUB in.a 002\r\nhi\r\n"));
        assert!(matches!(&said[1], Said::Message { .. }), "{said:?}");
        for wrong in [
            &b"PUB in.a +2\r\nhi\r\n"[..],
            b"PUB in.a b c d 2\r\nhi\r\n",
            b"HPUB in.a 20 10\r\n0123456789\r\n",
            b"PUB in.a 99999999999999999999\r\nhi\r\n",
            b"PUB in.a\r\n",
            b"PUB in.a -1\r\nhi\r\n",
            b"SUB\r\n",
        ] {
            stage.same(|port| ended(port, wrong));
        }
        // The size reaches a subscriber as it was written.
        let raw = talk(stage.off.port, "", b"PUB in.a 002\r\nhi\r\n");
        assert!(raw.text().contains("MSG in.a 1 002\r\n"), "{}", raw.text());
    });
}

#[test]
fn case_5_bytes_that_do_not_come_are_not_waited_for() {
    each(|stage| {
        stage.same(|port| ended(port, b"PUB in.a 10\r\nhello\r\nPING\r\nPING\r\n"));
        stage.same(|port| ended(port, b"PUB in.a 3\r\nhello\r\nPING\r\n"));
        // A client that stops in the midst of a message, and goes on later.
        for cut in [6, 12, 15, 17] {
            let (said, injected) = stage.same(|port| {
                let mut raw = talk(port, HEADERS, b"");
                let message = b"PUB in.a 5\r\nhello\r\n";
                raw.say(&message[..cut]);
                std::thread::sleep(STALL);
                raw.say(&message[cut..]);
                raw.ping(3);
                raw
            });
            assert_eq!(said.iter().filter(|said| matches!(said, Said::Message { .. })).count(), 1);
            // Its header goes before the payload, so it can still get one while only the line has been seen.
            assert_eq!(injected, usize::from(cut >= 12), "cut at {cut}");
        }
        // A client that goes away in the midst of one.
        for port in [stage.server.port(), stage.on.port, stage.off.port] {
            let mut listener = talk(stage.server.port(), HEADERS, b"");
            let mut raw = Raw::open(port, HEADERS);
            raw.say(b"PUB in.x 1\r\nx\r\nPUB in.y 10\r\nhel");
            raw.finish();
            raw.wait_for_end();
            listener.ping(3);
            let said = listener.said();
            assert_eq!(said.iter().filter(|said| matches!(said, Said::Message { .. })).count(), 1, "{said:?}");
        }
    });
}

#[test]
fn case_6_a_line_at_the_limit_goes_on_without_a_header() {
    each(|stage| {
        let before = stage.on.metric("wilco_proxy_skipped_total{reason=\"control_line\"}");
        let longest = |room: usize| {
            let subject = format!("in.{}", "s".repeat(4096 - 3 - " 2".len() - room));
            format!("PUB {subject} 2\r\nhi\r\n").into_bytes()
        };
        let (said, injected) = stage.same(|port| talk(port, HEADERS, &longest(0)));
        assert_eq!((said.len(), injected), (3, 0));
        let (said, injected) = stage.same(|port| talk(port, HEADERS, &longest(64)));
        assert_eq!((said.len(), injected), (3, 1));
        assert_eq!(stage.on.metric("wilco_proxy_skipped_total{reason=\"control_line\"}"), before + 1);
        // One more byte is the server's to refuse.
        let mut over = longest(0);
        over.splice(4..4, *b"x");
        stage.same(|port| ended(port, &over));
    });
}

#[test]
fn case_7_header_blocks_are_kept_as_they_are_and_ours_go_last() {
    each(|stage| {
        let block = b"NATS/1.0\r\nB: 2\r\nb:1\r\nA:  x  \r\nB: 2\r\n\r\n";
        let mut says = format!("HPUB in.a {} {}\r\n", block.len(), block.len() + 2).into_bytes();
        says.extend_from_slice(block);
        says.extend_from_slice(b"hi\r\nHPUB in.b 12 12\r\nNATS/1.0\r\n\r\n\r\n");
        let (said, injected) = stage.same(|port| talk(port, HEADERS, &says));
        assert_eq!((said.len(), injected), (4, 2), "{said:?}");
        let Said::Message { headers, .. } = &talk(stage.on.port, HEADERS, &says).said()[1] else { panic!() };
        assert_eq!(headers[..5], ["NATS/1.0", "B: 2", "b:1", "A:  x  ", "B: 2"]);
        assert!(headers[5].starts_with("traceparent: 00-") && headers[6].starts_with("Wilco: 1;id="), "{headers:?}");
        // No block that one could add to: left alone.
        let before = stage.on.metric("wilco_proxy_skipped_total{reason=\"header_block\"}");
        let odd: [&[u8]; 3] = [
            b"HPUB in.a 0 2\r\nhi\r\n",
            b"HPUB in.b 10 12\r\nNATS/1.0\r\nhi\r\n",
            b"HPUB in.c 15 17\r\nHTTP/1.0\r\nA\r\n\r\nhi\r\n",
        ];
        for says in odd {
            let raw = |port| {
                let mut raw = talk(port, HEADERS, b"");
                raw.say(says);
                raw.hear_for(Duration::from_millis(50));
                raw
            };
            assert_eq!(frames(&raw(stage.on.port)), frames(&raw(stage.server.port())));
        }
        assert_eq!(stage.on.metric("wilco_proxy_skipped_total{reason=\"header_block\"}"), before + 3);
    });
}

/// What was heard after the first PONG, byte for byte.
fn frames(raw: &Raw) -> String {
    let text = raw.text();
    text.split_once("PONG\r\n").map(|(_, rest)| rest.to_owned()).unwrap_or(text)
}

#[test]
fn case_8_what_the_server_says_is_never_written_anew() {
    let says = "INFO {\"headers\":true,\"x\" : [ 1 ],\"nonce\":\"\\u0041\"} \r\nMSG  in   1 \t 2  \r\nhi\r\nmsg in 1 02\nhi\r\n";
    let server = Server::start();
    for args in [&["--inject", "all"][..], &["--inject", "off"]] {
        let proxy = Proxy::start(server.port, args);
        let mut client = Raw::connect(proxy.port);
        server.accept().write_all(says.as_bytes()).unwrap();
        assert_eq!((client.wait_for_end(), client.text().as_str()), (End::Fin, says));
    }
}

#[test]
fn case_9_unknown_verbs_and_a_second_connect_are_passed_on() {
    let server = Server::start();
    let proxy = Proxy::start(server.port, &[]);
    let says =
        b"CONNECT {\"headers\":true}\r\n+OK\r\n-ERR 'x'\r\nCONNECT {\"headers\":true,\"a\":1}\r\nSUB \xff\x01 1\r\n\
FETCH a 5\r\nhello\r\nPUB in.a 2\r\nhi\r\n\x00\xff";
    let mut client = Raw::connect(proxy.port);
    let mut served = server.accept();
    served.write_all(b"INFO {\"headers\":true}\r\n").unwrap();
    client.wait_for("INFO");
    client.say(says);
    client.finish();
    let mut heard = Vec::new();
    served.read_to_end(&mut heard).unwrap();
    assert_eq!(String::from_utf8_lossy(&heard), String::from_utf8_lossy(says));
    assert_eq!(proxy.metric("wilco_proxy_opaque_total{reason=\"unknown\"}"), 1);
}

// ---------------------------------------------------------------------------------------------------------- negotiation

#[test]
fn case_10_nothing_is_injected_where_headers_were_not_agreed() {
    each(|stage| {
        for options in ["", ",\"headers\":false"] {
            let (_, injected) = stage.same(|port| talk(port, options, b"PUB in.a 2\r\nhi\r\n"));
            assert_eq!(injected, 0);
        }
        assert!(stage.on.metric("wilco_proxy_skipped_total{reason=\"no_headers\"}") >= 2);
        // No CONNECT at all.
        let (said, injected) = stage.same(|port| {
            let mut raw = Raw::connect(port);
            raw.say(b"SUB in.> 1\r\nPUB in.a 2\r\nhi\r\n");
            raw.ping(1);
            raw
        });
        assert!(injected == 0 && said.iter().any(|said| matches!(said, Said::Message { .. })), "{said:?}");
    });
    // A server without headers.
    let server = Server::start();
    let proxy = Proxy::start(server.port, &[]);
    let mut client = Raw::connect(proxy.port);
    let mut served = server.accept();
    served.write_all(b"INFO {\"headers\":false}\r\n").unwrap();
    client.wait_for("INFO");
    let says = b"CONNECT {\"headers\":true}\r\nPUB in.a 2\r\nhi\r\n";
    client.say(says);
    client.finish();
    let mut heard = Vec::new();
    served.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, says);
}

#[test]
fn case_11_a_subscriber_without_headers_gets_none() {
    each(|stage| {
        let mut plain = talk(stage.on.port, "", b"");
        let mut modern = talk(stage.on.port, HEADERS, b"PUB in.a 2\r\nhi\r\n");
        plain.ping(3);
        modern.ping(3);
        assert!(plain.text().contains("MSG in.a 1 2\r\nhi\r\n") && !plain.text().contains("HMSG"), "{}", plain.text());
        assert!(modern.text().contains("HMSG in.a 1 ") && modern.text().contains("Wilco: 1;id="), "{}", modern.text());
    });
}

#[test]
fn case_12_pings_are_answered_by_the_server_and_every_command_has_its_ok() {
    each(|stage| {
        let (said, injected) = stage.same(|port| {
            let mut raw = Raw::connect(port);
            raw.wait_for("INFO");
            raw.say(b"CONNECT {\"verbose\":true,\"headers\":true}\r\nSUB in.> 1\r\nPUB in.a 1\r\na\r\nPING\r\nPUB in.b 1\r\nb\r\n");
            raw.ping(2);
            raw
        });
        let oks = said.iter().filter(|said| matches!(said, Said::Line(line) if line == "+OK")).count();
        assert_eq!((oks, injected), (4, 2), "{said:?}");
    });
    // A server that does not answer, so that nobody does.
    let server = Server::start();
    let proxy = Proxy::start(server.port, &[]);
    let mut client = Raw::connect(proxy.port);
    let mut served = server.accept();
    served.write_all(b"INFO {}\r\nPING\r\n").unwrap();
    client.wait_for("PING\r\n");
    client.say(b"PING\r\n");
    client.hear_for(Duration::from_millis(50));
    assert!(!client.text().contains("PONG"));
    client.finish();
    let mut heard = String::new();
    served.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "PING\r\n");
}

#[test]
fn case_13_info_comes_at_once_and_byte_for_byte_and_so_does_connect() {
    let info = "INFO {\"nonce\":\"x+/=\",\"unknown\":{\"a\":[1,2.50]},\"headers\":true,\"z\":\"\u{e9}\\u00e9\"}  \r\n";
    let connect = "CONNECT   {\"sig\":\"abc\", \"jwt\":\"e.y\" ,\"unknown\":null}\t\r\n";
    let server = Server::start();
    let proxy = Proxy::start(server.port, &[]);
    let mut client = Raw::connect(proxy.port);
    let mut served = server.accept();
    served.write_all(info.as_bytes()).unwrap();
    client.wait_until("INFO", |heard| heard == info.as_bytes());
    client.say(connect.as_bytes());
    client.finish();
    let mut heard = String::new();
    served.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, connect);
    // With handshake_first the client speaks first.
    let mut client = Raw::connect(proxy.port);
    let mut served = server.accept();
    client.say(b"\x16\x03\x01\x02\x00");
    let mut first = [0; 5];
    served.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"\x16\x03\x01\x02\x00");
}

#[test]
fn case_14_the_latest_info_counts() {
    let server = Server::start();
    let proxy = Proxy::start(server.port, &[]);
    let mut client = Raw::connect(proxy.port);
    let mut served = server.accept();
    served.write_all(b"INFO {\"headers\":true,\"max_payload\":2000}\r\n").unwrap();
    client.wait_for("2000");
    let publish = format!("PUB in.a 1000\r\n{}\r\n", "x".repeat(1000));
    client.say(format!("CONNECT {{\"headers\":true}}\r\n{publish}").as_bytes());
    let mut heard = vec![0; 26 + publish.len()];
    served.read_exact(&mut heard).unwrap();
    assert!(String::from_utf8_lossy(&heard).contains("PUB in.a 1000\r\n"));
    assert_eq!(proxy.metric("wilco_proxy_skipped_total{reason=\"max_payload\"}"), 1);
    served.write_all(b"INFO {\"headers\":true,\"max_payload\":8000}\r\n").unwrap();
    client.wait_for("8000");
    client.say(publish.as_bytes());
    client.finish();
    let mut rest = String::new();
    served.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("HPUB in.a ") && rest.contains("Wilco: 1;"), "{rest}");
}

#[test]
fn case_15_addresses_that_lead_around_the_proxy_are_told_or_replaced() {
    let info = "INFO {\"headers\":true,\"connect_urls\":[\"10.0.0.1:4222\"],\"x\":1}\r\n";
    let server = Server::start();
    let mut proxy = Proxy::start(server.port, &[]);
    for _ in 0..2 {
        let mut client = Raw::connect(proxy.port);
        server.accept().write_all(info.as_bytes()).unwrap();
        client.wait_for_end();
        assert_eq!(client.text(), info);
    }
    assert!(proxy.expect("addresses at which they would reconnect around the proxy").contains("client_advertise"));
    assert_eq!(proxy.metric("wilco_proxy_around_total"), 2);
    let proxy = Proxy::start(server.port, &["--advertise", "proxy.example:4223"]);
    for cut in 1..info.len() {
        let mut client = Raw::connect(proxy.port);
        let mut served = server.accept();
        served.write_all(&info.as_bytes()[..cut]).unwrap();
        std::thread::sleep(Duration::from_micros(300));
        served.write_all(&info.as_bytes()[cut..]).unwrap();
        served.write_all(b"PING\r\nMSG a 1 2\r\nhi\r\n").unwrap();
        drop(served);
        client.wait_for_end();
        let expected = info.replace("10.0.0.1:4222", "proxy.example:4223") + "PING\r\nMSG a 1 2\r\nhi\r\n";
        assert_eq!(client.text(), expected, "cut at {cut}");
    }
    assert_eq!(proxy.metric("wilco_proxy_around_total"), 0);
}

#[test]
fn case_16_an_error_before_a_close_reaches_the_client() {
    each(|stage| {
        for says in [&b"FETCH\r\n"[..], b"PUB in.a 9999999\r\n"] {
            let (said, _) = stage.same(|port| ended(port, says));
            assert!(said.iter().any(|said| matches!(said, Said::Line(line) if line.starts_with("-ERR"))), "{said:?}");
        }
    });
}

#[test]
fn case_16_an_orderly_end_stays_one_and_a_reset_a_reset() {
    let server = Server::start();
    let proxy = Proxy::start(server.port, &[]);
    let opened = |says: &[u8]| {
        let mut client = Raw::connect(proxy.port);
        let mut served = server.accept();
        served.write_all(b"INFO {}\r\n").unwrap();
        client.wait_for("INFO");
        served.write_all(says).unwrap();
        (client, served)
    };
    let (mut client, served) = opened(b"PING\r\n-ERR 'bye'\r\n");
    drop(served);
    assert_eq!((client.wait_for_end(), client.text().ends_with("-ERR 'bye'\r\n")), (End::Fin, true));

    // The client still talks while the server hangs up: its last words arrive, and then the end.
    let (mut client, served) = opened(b"-ERR 'enough'\r\n");
    served.shutdown(std::net::Shutdown::Both).unwrap();
    drop(served);
    client.wait_for("enough");
    for _ in 0..20 {
        let _ = client.try_say(b"PING\r\n");
        std::thread::sleep(Duration::from_millis(1));
    }
    client.wait_for_end();

    let (mut client, served) = opened(b"PING\r\n");
    client.wait_for("PING");
    reset(served);
    assert_eq!(client.wait_for_end(), End::Reset);

    let (client, mut served) = opened(b"");
    drop(client);
    assert_eq!(served.read(&mut [0; 16]).unwrap(), 0, "an orderly end");
}

/// Closes with a reset.
fn reset(stream: TcpStream) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    stream.set_nonblocking(true).unwrap();
    tokio::net::TcpStream::from_std(stream).unwrap().set_zero_linger().unwrap();
}

#[test]
fn case_16_a_dead_server_is_passed_over_and_no_client_waits_without_info() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server::start();
    let [first, second] = [dead, server.port].map(|port| format!("nats://127.0.0.1:{port}"));
    let proxy = Proxy::start_with(&["--upstream", &first, "--upstream", &second]);
    for _ in 0..3 {
        let mut client = Raw::connect(proxy.port);
        server.accept().write_all(b"INFO {}\r\n").unwrap();
        client.wait_for("INFO");
    }
    assert_eq!(proxy.metric("wilco_proxy_upstream_failures_total"), 1, "tried last from then on");

    // One that accepts and says nothing is as good as dead.
    let mute = Server::start();
    let [first, second] = [mute.port, server.port].map(|port| format!("nats://127.0.0.1:{port}"));
    let proxy = Proxy::start_with(&["--upstream", &first, "--upstream", &second, "--connect-within", "200ms"]);
    let mut client = Raw::connect(proxy.port);
    server.accept().write_all(b"INFO {}\r\n").unwrap();
    client.wait_for("INFO");

    let proxy = Proxy::start(dead, &[]);
    let mut client = Raw::connect(proxy.port);
    client.wait_for_end();
    assert_eq!(client.text(), "");
    proxy.wait_for_metric("wilco_proxy_refused_total{reason=\"upstream\"}", 1);
}

#[test]
fn case_16_a_lame_duck_is_passed_over_for_new_connections() {
    let servers = [Server::start(), Server::start()];
    let urls = [0, 1].map(|index: usize| format!("nats://127.0.0.1:{}", servers[index].port));
    let proxy = Proxy::start_with(&["--upstream", &urls[0], "--upstream", &urls[1]]);
    let mut client = Raw::connect(proxy.port);
    let mut served = servers[0].accept();
    served.write_all(b"INFO {}\r\nINFO {\"ldm\":true}\r\n").unwrap();
    client.wait_for("\"ldm\":true}\r\n");
    let mut other = Raw::connect(proxy.port);
    servers[1].accept().write_all(b"INFO {\"second\":1}\r\n").unwrap();
    other.wait_for("second");
    client.say(b"PING\r\n");
    served.read_exact(&mut [0; 6]).unwrap();
}

// ------------------------------------------------------------------------------------------------------------------ TLS

#[test]
fn tls_is_passed_on_untraced() {
    let server = Server::start();
    let proxy = Proxy::start(server.port, &[]);
    let mut client = Raw::connect(proxy.port);
    let mut served = server.accept();
    served.write_all(b"INFO {\"tls_required\":true,\"headers\":true}\r\n").unwrap();
    client.wait_for("INFO");
    let noise: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let hello = [b"\x16\x03\x01PUB in.a 2\r\nhi\r\n", &noise[..]].concat();
    client.say(&hello);
    let mut heard = vec![0; hello.len()];
    served.read_exact(&mut heard).unwrap();
    assert!(heard == hello, "what the client said");
    served.write_all(&noise).unwrap();
    drop(served);
    client.wait_for_end();
    assert!(client.heard.ends_with(&noise), "what the server said");
    assert_eq!(proxy.metric("wilco_proxy_opaque_total{reason=\"tls\"}"), 1);
}

/// Two proxies with TLS between them: the first begins it towards its server, the second ends it towards its client.
#[test]
fn tls_that_ends_at_the_proxy_is_traced() {
    let Some(server) = NatsServer::start() else { return };
    let file = |name: &str| format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let [certificate, key, ca] = ["server.pem", "server.key", "ca.pem"].map(file);
    for first in [false, true] {
        let [ends_first, begins_first] = ["--tls-first", "--upstream-tls-first"].map(|flag| format!("{flag}={first}"));
        let ends = ["--tls-certificate", &certificate, "--tls-key", &key, &ends_first];
        let second = Proxy::start(server.port(), &ends);
        let upstream = format!("tls://127.0.0.1:{}", second.port);
        let begins = ["--upstream", &upstream, "--upstream-ca", &ca, &begins_first];
        let one = Proxy::start_with(&begins);
        let says = format!("PUB in.a 2\r\nhi\r\nPUB in.b 300000\r\n{}\r\n", "x".repeat(300_000));
        let raw = talk(one.port, HEADERS, says.as_bytes());
        assert!(raw.text().contains("\"tls_required\":false"), "the client speaks without: {}", &raw.text()[..300]);
        let direct = talk(server.port(), HEADERS, says.as_bytes());
        assert_eq!(raw.said_without_ours(), (direct.said(), 2));
        assert_eq!(one.metric("wilco_proxy_injected_total"), 2);
        assert_eq!(second.metric("wilco_proxy_skipped_total{reason=\"has_wilco\"}"), 2);
        // A client that does not trust us is let go, and counted.
        let doubts = Proxy::start_with(&["--upstream", &upstream, &begins_first]);
        Raw::connect(doubts.port).wait_for_end();
        doubts.wait_for_metric("wilco_proxy_tls_failures_total", 1);
    }
}

/// With `tls_client_ca` only who has a certificate of that authority's is let in.
#[test]
fn clients_are_asked_for_a_certificate_where_an_authority_is_named() {
    let Some(server) = NatsServer::start() else { return };
    let file = |name: &str| format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let [certificate, key, ca] = ["server.pem", "server.key", "ca.pem"].map(file);
    let [client, client_key, client_ca] = ["client.pem", "client.key", "client-ca.pem"].map(file);
    let ends = ["--tls-certificate", &certificate, "--tls-key", &key, "--tls-client-ca", &client_ca];
    let second = Proxy::start(server.port(), &ends);
    let upstream = format!("tls://127.0.0.1:{}", second.port);
    let nobody = ["--upstream", &upstream, "--upstream-ca", &ca];
    let known = [&nobody[..], &["--upstream-certificate", &client, "--upstream-key", &client_key]].concat();
    let one = Proxy::start_with(&known);
    let raw = talk(one.port, HEADERS, b"PUB in.a 2\r\nhi\r\n");
    assert_eq!(raw.said_without_ours(), (talk(server.port(), HEADERS, b"PUB in.a 2\r\nhi\r\n").said(), 1));
    let stranger = Proxy::start_with(&nobody);
    let mut refused = Raw::connect(stranger.port);
    let _ = refused.try_say(b"CONNECT {}\r\nPING\r\n");
    refused.wait_for_end();
    assert!(!refused.text().contains("PONG"), "{}", refused.text());
    second.wait_for_metric("wilco_proxy_tls_failures_total", 1);
}

// ---------------------------------------------------------------------------------------------------------------- sizes

#[test]
fn case_18_a_message_that_would_be_over_max_payload_goes_on_without_a_header() {
    for binary in each_server_version() {
        let config = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(config.path(), "max_payload: 5000\n").unwrap();
        let server = NatsServer::start_with(&binary, &["-c", config.path().to_str().unwrap()]);
        let proxy = Proxy::start(server.port(), &[]);
        for (size, injected) in [(5000, 0), (4900, 0), (3900, 1)] {
            let says = format!("PUB in.a {size}\r\n{}\r\n", "x".repeat(size));
            let raw = talk(proxy.port, HEADERS, says.as_bytes());
            assert_eq!(
                raw.said_without_ours(),
                (talk(server.port(), HEADERS, says.as_bytes()).said(), injected),
                "{size}"
            );
        }
        assert_eq!(proxy.metric("wilco_proxy_skipped_total{reason=\"max_payload\"}"), 2);
        let says = format!("PUB in.a 5001\r\n{}\r\n", "x".repeat(5001));
        assert_eq!(ended(proxy.port, says.as_bytes()).said(), ended(server.port(), says.as_bytes()).said());
    }
}

#[test]
fn case_19_what_is_added_is_small() {
    each(|stage| {
        let raw = talk(stage.on.port, HEADERS, b"PUB in.a 2\r\nhi\r\n");
        let Said::Message { headers, .. } = &raw.said()[1] else { panic!() };
        let added: usize = headers.iter().map(|header| header.len() + 2).sum();
        assert!(added < 400, "{added} bytes: {headers:?}");
    });
}

#[test]
fn payloads_over_the_limit_stream_through_with_a_header_that_has_no_hash() {
    each(|stage| {
        let proxy = Proxy::start(stage.server.port(), &["--stream-over", "4KiB"]);
        let body: String = ('a'..='z').cycle().take(300_000).collect();
        for (size, has_hash) in [(4000, true), (300_000, false)] {
            let says = format!(
                "PUB in.a {size}\r\n{}\r\nHPUB in.b 17 {}\r\nNATS/1.0\r\nA:1\r\n\r\n{}\r\n",
                &body[..size],
                size + 17,
                &body[..size]
            );
            let raw = talk(proxy.port, HEADERS, says.as_bytes());
            assert_eq!(
                raw.said_without_ours(),
                (talk(stage.server.port(), HEADERS, says.as_bytes()).said_without_ours().0, 2),
                "{size}"
            );
            assert_eq!(raw.text().contains(";hash="), has_hash, "{size}");
            assert!(
                raw.text().contains(&format!(";size={size};")) || raw.text().contains(&format!(";size={size}\r\n"))
            );
        }
        assert_eq!(proxy.metric("wilco_proxy_streamed_total"), 2);
    });
}

#[test]
fn the_hash_is_that_of_the_payload() {
    each(|stage| {
        for size in [0, 1, 1000, 70_000, 900_000] {
            let body: Vec<u8> = (0..size).map(|index: usize| (index * 7) as u8).collect();
            let says = [format!("PUB in.a {size}\r\n").as_bytes(), &body, b"\r\n"].concat();
            let raw = talk(stage.on.port, HEADERS, &says);
            let expected = format!(";hash={};size={size}", blake3::hash(&body));
            let said = raw.said();
            let Said::Message { headers, payload, .. } = &said[1] else { panic!() };
            assert!(headers.iter().any(|header| header.contains(&expected)) && *payload == body, "{size}: {headers:?}");
        }
    });
}

// ---------------------------------------------------------------------------------------------- JetStream, services, inboxes

#[test]
fn subjects_of_the_server_and_inboxes_are_left_alone() {
    each(|stage| {
        let script = |port| {
            let mut raw = Raw::open(port, HEADERS);
            raw.say(b"SUB $JS.> 1\r\nSUB $SRV.> 2\r\nSUB $KV.> 3\r\nSUB $O.> 4\r\nSUB _INBOX.> 5\r\n");
            raw.say(b"PUB $JS.API.X 1\r\na\r\nPUB $SRV.PING 1\r\nb\r\nPUB $KV.a.b 1\r\nc\r\nPUB $O.a 1\r\nd\r\nPUB _INBOX.x 1\r\ne\r\nPUB _INBOX.x 0\r\n\r\n");
            raw.ping(1);
            raw
        };
        let (said, injected) = stage.same(script);
        assert_eq!((said.len(), injected), (7, 0), "{said:?}");
        // Byte for byte, not only modulo ours.
        assert_eq!(script(stage.on.port).said(), said);
    });
}

#[test]
fn a_message_with_a_wilco_header_gets_nothing_added() {
    each(|stage| {
        let block = "NATS/1.0\r\nWilco: 1;id=01957a5e-1234-7abc-8def-0123456789ab\r\n\r\n";
        let says = format!("HPUB in.a {} {}\r\n{block}hi\r\n", block.len(), block.len() + 2);
        let through = talk(stage.on.port, HEADERS, says.as_bytes());
        assert_eq!(through.said(), talk(stage.server.port(), HEADERS, says.as_bytes()).said());
        assert!(stage.on.metric("wilco_proxy_skipped_total{reason=\"has_wilco\"}") >= 1);
        // A context that is there already stays, and is not doubled.
        let context = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        let block = format!("NATS/1.0\r\n{context}\r\n\r\n");
        let says = format!("HPUB in.a {} {}\r\n{block}hi\r\n", block.len(), block.len() + 2);
        let text = talk(stage.on.port, HEADERS, says.as_bytes()).text();
        assert!(
            text.matches("traceparent").count() == 1 && text.contains(context) && text.contains("Wilco: 1;"),
            "{text}"
        );
    });
}

#[test]
fn no_responders_reach_the_one_who_asked() {
    each(|stage| {
        let (said, _) = stage.same(|port| {
            let mut raw = Raw::open(port, HEADERS);
            raw.say(b"SUB _INBOX.q 1\r\nPUB nobody.there _INBOX.q 1\r\n?\r\n");
            raw.wait_for("503");
            raw.ping(1);
            raw
        });
        assert!(matches!(&said[0], Said::Message { headers, .. } if headers[0] == "NATS/1.0 503"), "{said:?}");
    });
}

// ----------------------------------------------------------------------------------------------------------------- load

#[test]
fn a_stopped_reader_leaves_the_memory_flat() {
    let server = Server::start();
    let proxy = Proxy::start(server.port, &[]);
    let mut client = Raw::connect(proxy.port);
    let mut served = server.accept();
    served.write_all(b"INFO {\"headers\":true}\r\n").unwrap();
    client.wait_for("INFO");
    client.say(b"CONNECT {\"headers\":true}\r\n");
    let before = proxy.resident_kib();
    // Nobody reads what the client says, and then nobody what the server says: of 1 GiB in each direction what fits into
    // the buffers of sockets and proxy is taken, and the writer has to wait with the rest, for as long as it likes.
    let message = [b"PUB in.a 1000\r\n", &[b'x'; 1000][..], b"\r\n"].concat().repeat(100);
    let all = (1 << 30) / message.len();
    let written = |stream: &mut dyn FnMut() -> bool| {
        let mut count = 0;
        while count < all && stream() {
            count += 1;
        }
        count
    };
    client.limit_writes(Duration::from_millis(300));
    let up = written(&mut || client.try_say(&message).is_ok());
    let delivery = [b"MSG in.a 1 1000\r\n", &[b'x'; 1000][..], b"\r\n"].concat().repeat(100);
    served.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let down = written(&mut || served.write_all(&delivery).is_ok());
    assert!(up < all / 10 && down < all / 10, "both were held up: {up} {down} of {all}");
    let grown = proxy.resident_kib().saturating_sub(before);
    assert!(grown < 4096, "{grown} KiB more");
}

#[test]
fn idle_connections_cost_tens_of_kib_and_no_more_are_taken_than_allowed() {
    let Some(server) = NatsServer::start() else { return };
    let proxy = Proxy::start(server.port(), &["--connections", "200"]);
    let first = talk(proxy.port, HEADERS, b"PUB in.a 2\r\nhi\r\n");
    let before = proxy.resident_kib();
    let connections: Vec<Raw> = (0..199).map(|_| talk(proxy.port, HEADERS, b"PUB in.b 2\r\nhi\r\n")).collect();
    let each = (proxy.resident_kib() - before) / 199;
    assert!(each < 40, "{each} KiB a connection");
    assert_eq!(proxy.metric("wilco_proxy_connections_open"), 200);
    let mut refused = Raw::connect(proxy.port);
    refused.wait_for_end();
    assert_eq!(refused.text(), "-ERR 'maximum connections exceeded'\r\n");
    assert_eq!(proxy.metric("wilco_proxy_refused_total{reason=\"limit\"}"), 1);
    drop((connections, first));
    proxy.wait_for_metric("wilco_proxy_connections_open", 0);
    talk(proxy.port, HEADERS, b"");
}

// ----------------------------------------------------------------------------------------------------------- differential

#[test]
fn random_streams_of_commands_come_out_the_same() {
    each(|stage| {
        for seed in 0..12 {
            let mut random = fastrand::Rng::with_seed(seed);
            let says = commands(&mut random);
            let script = |port| {
                let mut random = fastrand::Rng::with_seed(seed + 1000);
                let mut raw = Raw::open(port, HEADERS);
                // Until the server has said that it takes headers, nothing gets any.
                raw.wait_for("\r\n");
                let mut rest = &says[..];
                while !rest.is_empty() {
                    let (piece, after) = rest.split_at(rest.len().min(random.usize(1..4000)));
                    raw.say(piece);
                    if random.u8(..4) == 0 {
                        std::thread::sleep(Duration::from_micros(random.u64(0..400)));
                    }
                    rest = after;
                }
                raw.wait_for("PUB-END");
                raw
            };
            let (said, injected) = stage.same(script);
            assert!(said.len() > 20 && injected > 5, "seed {seed}: {} and {injected}", said.len());
        }
    });
}

/// A legal stream of commands that ends with a message of `PUB-END`.
fn commands(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut says = b"SUB in.> 1\r\n".to_vec();
    let mut subscribed = 2;
    for _ in 0..60 {
        let blank = |random: &mut fastrand::Rng| ["\t", " ", "  ", " \t "][random.usize(..4)];
        let verb =
            |random: &mut fastrand::Rng, verb: &str| if random.bool() { verb.to_owned() } else { verb.to_lowercase() };
        let end = if random.u8(..5) == 0 { "\n" } else { "\r\n" };
        let size = [0, 1, 13, 500, 5_000, 40_000, 140_000][random.usize(..7)];
        let payload: Vec<u8> = (0..size).map(|_| b"PUB in.a 5\r\nxyz\x00\xff"[random.usize(..17)]).collect();
        let reply = if random.u8(..3) == 0 { "in.reply.x" } else { "" };
        let subject = ["in.a", "in.b.c", "in._INBOX", "out.x"][random.usize(..4)];
        match random.u8(..8) {
            0 => says.extend_from_slice(format!("{}{end}", verb(random, "PING")).as_bytes()),
            1 => {
                says.extend_from_slice(
                    format!("SUB{}in.{subscribed}{}{subscribed}{end}", blank(random), blank(random)).as_bytes(),
                );
                subscribed += 1;
            }
            2 => says.extend_from_slice(format!("UNSUB{}{}{end}", blank(random), random.usize(2..9)).as_bytes()),
            3 | 4 => {
                let lines: String =
                    (0..random.usize(..5)).map(|index| format!("K{index}:{}v\r\n", blank(random))).collect();
                let block = format!("NATS/1.0\r\n{lines}\r\n");
                let line = format!(
                    "{}{}{subject} {reply}{}{} {}{end}{block}",
                    verb(random, "HPUB"),
                    blank(random),
                    blank(random),
                    block.len(),
                    block.len() + size
                );
                says.extend_from_slice(line.as_bytes());
                says.extend_from_slice(&payload);
                says.extend_from_slice(b"\r\n");
            }
            _ => {
                let line =
                    format!("{}{}{subject} {reply}{}{size}{end}", verb(random, "PUB"), blank(random), blank(random));
                says.extend_from_slice(line.as_bytes());
                says.extend_from_slice(&payload);
                says.extend_from_slice(b"\r\n");
            }
        }
    }
    says.extend_from_slice(b"PUB in.end 7\r\nPUB-END\r\n");
    says
}

// ------------------------------------------------------------------------------------------------------------- operation

#[test]
fn sigterm_drains_and_the_program_exits_with_zero() {
    let Some(server) = NatsServer::start() else { return };
    let mut proxy = Proxy::start(server.port(), &["--drain-within", "300ms"]);
    assert!(proxy.page("/healthz").starts_with("HTTP/1.1 200"));
    let mut client = talk(proxy.port, HEADERS, b"PUB in.a 2\r\nhi\r\n");
    proxy.terminate();
    assert_eq!(client.wait_for_end(), End::Fin);
    assert!(proxy.wait(Duration::from_secs(10)).success(), "{:?}", proxy.noise);
    assert!(TcpStream::connect(("127.0.0.1", proxy.port)).is_err());
}

#[test]
fn print_config_shows_each_value_and_where_it_came_from() {
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    std::fs::write(file.path(), "# ours\nworkers = 1\ninject = [\"agents.>\"]\n").unwrap();
    let run = |args: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_wilco"))
            .args(["proxy", "--config", file.path().to_str().unwrap(), "--print-config"])
            .args(args)
            .env("WILCO_PROXY_STREAM_OVER", "2MiB")
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let (code, text) = run(&["--listen", "127.0.0.1:0", "--tls-first=false"]);
    assert_eq!(code, Some(0), "{text}");
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    for (name, value, origin) in [
        ("listen", "listen = \"127.0.0.1:0\"", "# --listen"),
        ("workers", "workers = 1", ".toml:2"),
        ("inject", "inject = [\"agents.>\"]", ".toml:3"),
        ("stream_over", "stream_over = \"2MiB\"", "# WILCO_PROXY_STREAM_OVER"),
        ("connections", "connections = 10000", "# default"),
    ] {
        assert!(line(name).starts_with(value) && line(name).ends_with(origin), "{name}: {text}");
    }
    let (code, text) = run(&["--workers", "many"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("--workers: workers: \"many\" is no number; write one of 1 to 64"), "{text}");
}

#[test]
fn metrics_have_the_promised_names() {
    each(|stage| {
        talk(stage.on.port, HEADERS, b"PUB in.a 2\r\nhi\r\n");
        // A delivery is looked at after it has gone on.
        stage.on.wait_for_metric("wilco_proxy_messages_total{direction=\"delivered\"}", 1);
        let page = stage.on.page("/metrics");
        for name in [
            "wilco_proxy_connections_total 1",
            "wilco_proxy_messages_total{direction=\"published\"} 1",
            "wilco_proxy_messages_total{direction=\"delivered\"} 1",
            "wilco_proxy_injected_total 1",
            "wilco_proxy_skipped_total{reason=\"untraced\"} 0",
            "wilco_spans_exported_total 0",
            "wilco_spans_dropped_total{reason=\"queue_full\"} 0",
            "wilco_proxy_handoffs_total{record=\"load\"} 0",
            "wilco_proxy_deliveries_unchecked_total 0",
        ] {
            assert!(page.lines().any(|line| line == name), "{name} is not in\n{page}");
        }
    });
}

/// A server that says what a test tells it to.
struct Server {
    listener: TcpListener,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    #[track_caller]
    fn accept(&self) -> TcpStream {
        self.listener.set_nonblocking(true).unwrap();
        let deadline = Instant::now() + support::PATIENCE;
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).unwrap();
                    stream.set_nodelay(true).unwrap();
                    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
                    return stream;
                }
                Err(_) => assert!(Instant::now() < deadline, "nobody connects"),
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}
