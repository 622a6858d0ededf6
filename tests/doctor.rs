//! `wilco doctor` and `wilco healthcheck`, against real servers with right and with broken settings.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(all(feature = "cli", unix))]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use serde_json::Value;
use support::nats::{NatsServer, each_server_version};
use support::poll;
use support::proxy::Proxy;

/// Nothing listens here: the port is kept, and nobody accepts.
const NOBODY: &str = "127.0.0.1:1";

fn wilco(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wilco"));
    command.args(arguments).stdin(Stdio::null());
    for name in [
        "NATS_URL",
        "NATS_CREDS",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "WILCO_SERVER",
        "WILCO_TOKEN",
        "WILCO_HEALTH_URL",
    ] {
        command.env_remove(name);
    }
    command
}

/// The exit code, and what was found: name, level, text and advice of each check.
#[track_caller]
fn doctor(arguments: &[&str]) -> (i32, Vec<(String, String, String)>) {
    doctor_with(arguments, &[])
}

#[track_caller]
fn doctor_with(arguments: &[&str], env: &[(&str, &str)]) -> (i32, Vec<(String, String, String)>) {
    let output = wilco(&[&["doctor", "--json"], arguments].concat()).envs(env.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let word = |check: &Value, name: &str| check[name].as_str().unwrap_or_default().to_owned();
    let checks = report["checks"].as_array().unwrap();
    let checks = checks.iter().map(|check| {
        (word(check, "name"), word(check, "level"), format!("{} > {}", word(check, "says"), word(check, "advice")))
    });
    (output.status.code().unwrap(), checks.collect())
}

/// The level of one check, and its words.
#[track_caller]
fn of<'a>(checks: &'a [(String, String, String)], name: &str) -> (&'a str, &'a str) {
    let found = checks.iter().find(|(this, _, _)| this == name);
    let (_, level, text) = found.unwrap_or_else(|| panic!("no {name} in {checks:#?}"));
    (level, text)
}

#[test]
fn a_server_as_it_comes_is_well() {
    for binary in each_server_version() {
        let server = NatsServer::jetstream_with(&binary, &[]);
        let (code, checks) = doctor(&["--nats", &server.url()]);
        assert_eq!(code, 0, "{checks:#?}");
        let (major, minor, patch) = binary.version();
        assert!(of(&checks, "nats.reachable").1.contains(&format!("nats-server {major}.{minor}.{patch}")));
        for name in [
            "nats.headers",
            "nats.max_payload",
            "nats.advertised",
            "nats.login",
            "nats.round_trip",
            "nats.no_responders",
            "nats.jetstream",
            "nats.clock",
        ] {
            assert_eq!(of(&checks, name).0, "good", "{name}: {checks:#?}");
        }
        // Without JetStream it is no worse than a note.
        let plain = NatsServer::start_with(&binary, &[]);
        let (code, without) = doctor(&["--nats", &plain.url()]);
        assert_eq!((code, of(&without, "nats.jetstream").0), (0, "note"), "{without:#?}");
        for name in ["otlp", "server", "proxy"] {
            assert_eq!(of(&checks, name).0, "skipped", "{name}");
        }
    }
}

#[test]
fn settings_that_break_something_are_named_with_what_to_change() {
    for binary in each_server_version() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("nats.conf");
        std::fs::write(&config, "no_header_support: true\nmax_payload: 4096\n").unwrap();
        let server = NatsServer::start_with(&binary, &["-c", config.to_str().unwrap()]);
        let (code, checks) = doctor(&["--nats", &server.url()]);
        assert_eq!(code, 1, "{checks:#?}");
        let (level, text) = of(&checks, "nats.headers");
        assert!(level == "bad" && text.contains("remove no_header_support"), "{text}");
        let (level, text) = of(&checks, "nats.max_payload");
        assert!(level == "warning" && text.contains("4096 bytes") && text.contains("raise max_payload"), "{text}");
    }
}

#[test]
fn an_address_that_leads_around_the_proxy_is_named() {
    let Some(server) = NatsServer::start() else { return };
    // A server of a cluster, as far as it has to be one here.
    let other = Web::answering(
        "INFO {\"version\":\"2.15.1\",\"proto\":1,\"headers\":true,\"max_payload\":1048576,\
         \"connect_urls\":[\"127.0.0.9:4222\"]}\r\nPONG\r\n",
        true,
    );
    let proxy = Proxy::start_with(&["--upstream", &format!("nats://{}", other.0)]);
    let through = format!("nats://127.0.0.1:{}", proxy.port);
    let numbers = format!("http://127.0.0.1:{}", proxy.metrics_port());
    let (code, checks) = doctor(&["--nats", &server.url(), "--proxy", &through, "--proxy", &numbers]);
    assert_eq!(code, 1, "{checks:#?}");
    let (level, text) = of(&checks, "proxy.addresses");
    assert!(level == "bad" && text.contains("127.0.0.9:4222") && text.contains("--advertise"), "{text}");
    assert_eq!(of(&checks, "proxy.around").0, "bad");
    // Without the proxy it is a note at most, and here nobody is there.
    let (_, checks) = doctor(&["--nats", &format!("nats://{}", other.0)]);
    let (level, text) = of(&checks, "nats.advertised");
    assert!(level == "warning" && text.contains("127.0.0.9:4222"), "{text}");
}

#[test]
fn a_proxy_that_is_well_says_so_and_one_that_adds_nothing_is_told_of() {
    let Some(server) = NatsServer::start() else { return };
    let proxy = Proxy::start(server.port(), &[]);
    let through = format!("nats://127.0.0.1:{}", proxy.port);
    let numbers = format!("http://127.0.0.1:{}", proxy.metrics_port());
    let (code, checks) = doctor(&["--nats", &server.url(), "--proxy", &through, "--proxy", &numbers]);
    assert_eq!(code, 0, "{checks:#?}");
    for name in ["proxy.addresses", "proxy.injects", "proxy.health", "proxy.numbers"] {
        assert_eq!(of(&checks, name).0, "good", "{name}: {checks:#?}");
    }
    // The server in place of the proxy: nothing is added.
    let (code, checks) = doctor(&["--nats", &server.url(), "--proxy", &server.url()]);
    assert_eq!((code, of(&checks, "proxy.injects").0), (0, "warning"), "{checks:#?}");
}

#[test]
fn who_is_not_let_in_is_told_how_to_say_who_it_is() {
    for binary in each_server_version() {
        let server = NatsServer::start_with(&binary, &["--user", "a", "--pass", "secret-word"]);
        let (code, checks) = doctor(&["--nats", &server.url()]);
        let (level, text) = of(&checks, "nats.login");
        assert_eq!((code, level), (1, "bad"), "{checks:#?}");
        assert!(text.contains("nats://USER:PASSWORD@HOST:PORT"), "{text}");
        let url = server.url().replace("nats://", "nats://a:secret-word@");
        let (code, checks) = doctor(&["--nats", &url]);
        assert_eq!(code, 0, "{checks:#?}");
        assert!(!format!("{checks:?}").contains("secret-word"), "a password is not for reports");
    }
}

#[test]
fn what_is_not_there_or_something_else_is_told_from_a_server() {
    let (code, checks) = doctor(&["--nats", &format!("nats://{NOBODY}")]);
    let (level, text) = of(&checks, "nats.reachable");
    assert!((code, level) == (1, "bad") && text.contains("nothing answers at 127.0.0.1:1"), "{text}");
    let web = Web::answering("HTTP/1.1 400 Bad Request\r\n\r\n", true);
    let (code, checks) = doctor(&["--nats", &format!("nats://{}", web.0)]);
    let (level, text) = of(&checks, "nats.reachable");
    assert!((code, level) == (1, "bad") && text.contains("is no NATS server"), "{text}");
    assert_eq!(doctor(&["--nats", "nats://h:port"]).0, 1);
    let proxy = Proxy::start(1, &[]);
    let (code, checks) = doctor(&["--nats", &format!("nats://127.0.0.1:{}", proxy.port)]);
    let (level, text) = of(&checks, "nats.reachable");
    assert!((code, level) == (1, "bad") && text.contains("without a greeting > a proxy does so"), "{text}");
}

#[test]
fn an_empty_export_is_really_sent_and_what_comes_back_is_explained() {
    let Some(server) = NatsServer::start() else { return };
    let nats = server.url();
    let store = Serve::start(&[]);
    for otlp in [&store.otlp, &store.grpc] {
        let (code, checks) = doctor(&["--nats", &nats, "--otlp", otlp, "--server", &store.api]);
        assert_eq!(code, 0, "{checks:#?}");
        assert_eq!(of(&checks, "otlp.traces").0, "good");
        assert_eq!(of(&checks, "server.numbers").0, "good");
    }
    let (code, checks) =
        doctor(&["--nats", &nats, "--otlp", &format!("http://{NOBODY}"), "--server", &format!("http://{NOBODY}")]);
    assert_eq!((code, of(&checks, "otlp.traces").0, of(&checks, "server.reachable").0), (1, "bad", "bad"));
    let (code, checks) = doctor(&["--nats", &nats, "--otlp", &format!("grpc://{NOBODY}")]);
    assert_eq!((code, of(&checks, "otlp.traces").0), (1, "bad"));
    let answers = [
        ("404 Not Found", "bad", "name the base"),
        ("401 Unauthorized", "bad", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("400 Bad Request", "warning", "takes no empty export"),
    ];
    for (status, expected, advice) in answers {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let web = Web::answering(&answer, false);
        let (code, checks) = doctor(&["--nats", &nats, "--otlp", &format!("http://{}", web.0)]);
        let (level, text) = of(&checks, "otlp.traces");
        assert!(
            code == i32::from(expected == "bad") && level == expected && text.contains(advice),
            "{code} {level} {text}"
        );
    }
}

#[test]
fn a_store_that_wants_a_token_is_told_from_one_that_is_not_there() {
    let Some(server) = NatsServer::start() else { return };
    let store = Serve::start(&["--token", "open-sesame"]);
    let (code, checks) = doctor(&["--nats", &server.url(), "--server", &store.api]);
    let (level, text) = of(&checks, "server.token");
    assert!((code, level) == (1, "bad") && text.contains("WILCO_TOKEN"), "{text}");
    let (code, checks) = doctor_with(
        &["--nats", &server.url(), "--server", &store.api, "--otlp", &store.otlp],
        &[("WILCO_TOKEN", "open-sesame"), ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20open-sesame")],
    );
    assert_eq!(code, 0, "{checks:#?}");
}

#[test]
fn people_read_the_same_in_lines() {
    let output = wilco(&["doctor", "--nats", &format!("nats://{NOBODY}")]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text.starts_with("bad      nats.reachable") && text.contains("> start a nats-server there"), "{text}");
    assert!(text.trim_end().ends_with("1 to change"), "{text}");
}

// ----------------------------------------------------------------------------------------------------------- health check

fn healthcheck(url: &str) -> Output {
    wilco(&["healthcheck", "--within", "10", url]).output().unwrap()
}

#[test]
fn a_health_check_tells_well_from_unwell_by_its_exit_code() {
    let store = Serve::start(&[]);
    let health = format!("{}/healthz", store.api);
    let output = healthcheck(&health);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    let output = wilco(&["healthcheck"]).env("WILCO_HEALTH_URL", &health).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = healthcheck(&format!("{}/nothing", store.api));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("404"), "{output:?}");
    assert_eq!(healthcheck(&format!("http://{NOBODY}/healthz")).status.code(), Some(1));
    assert_eq!(healthcheck("ftp://127.0.0.1").status.code(), Some(2));
}

#[test]
fn a_health_check_of_a_server_that_says_nothing_ends_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/healthz", silent.local_addr().unwrap());
    let output = wilco(&["healthcheck", "--within", "1", &url]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn a_health_check_waits_for_the_greeting_of_a_nats_server() {
    for binary in each_server_version() {
        let server = NatsServer::start_with(&binary, &[]);
        assert_eq!(healthcheck(&server.url()).status.code(), Some(0));
        let proxy = Proxy::start(server.port(), &[]);
        assert_eq!(healthcheck(&format!("nats://127.0.0.1:{}", proxy.port)).status.code(), Some(0));
        assert_eq!(healthcheck(&format!("http://127.0.0.1:{}/healthz", proxy.metrics_port())).status.code(), Some(0));
    }
}

// --------------------------------------------------------------------------------------------------------------- servers

/// `wilco serve` on ports that are free. Dropping it kills it.
struct Serve {
    process: Child,
    api: String,
    otlp: String,
    grpc: String,
    _folder: tempfile::TempDir,
}

impl Serve {
    #[track_caller]
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let any = "127.0.0.1:0";
        let process = wilco(&["serve", "--http", any, "--otlp-http", any, "--otlp-grpc", any, "--db", ":memory:"])
            .args(arguments)
            .stdout(std::fs::File::create(&out).unwrap())
            .spawn()
            .unwrap();
        let lines = poll(support::PATIENCE, || {
            let text = std::fs::read_to_string(&out).unwrap();
            text.contains("grpc://").then_some(text)
        });
        let lines = lines.expect("the server says where it listens");
        let url = |begin: &str| {
            let found = lines.split_whitespace().filter(|word| word.starts_with(begin)).map(str::to_owned);
            found.collect::<Vec<_>>()
        };
        let (http, grpc) = (url("http://"), url("grpc://"));
        let otlp = lines.lines().find_map(|line| line.strip_prefix("otlp")?.trim().strip_prefix("http://"));
        let otlp = format!("http://{}", otlp.unwrap());
        Self { process, api: http[0].trim_end_matches('/').to_owned(), otlp, grpc: grpc[0].clone(), _folder: folder }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Something that answers everything with the same. Ends with the test program.
struct Web(String);

impl Web {
    fn answering(answer: &str, at_once: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answer = answer.to_owned();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let _ = serve(stream, &answer, at_once);
            }
        });
        Self(address)
    }
}

fn serve(mut stream: TcpStream, answer: &str, at_once: bool) -> std::io::Result<()> {
    if !at_once {
        let _ = stream.read(&mut [0; 4096])?;
    }
    stream.write_all(answer.as_bytes())?;
    // Open until the other side has had enough.
    stream.set_read_timeout(Some(std::time::Duration::from_secs(if at_once { 10 } else { 1 })))?;
    while stream.read(&mut [0; 4096])? > 0 {}
    Ok(())
}
