//! What `wilco why` and `wilco trace` say of agents that know nothing of Wilco, from what the proxy saw of them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(feature = "cli")]

#[path = "support/http.rs"]
#[allow(dead_code)]
mod http;
#[path = "support/running.rs"]
#[allow(dead_code)]
mod running;
mod support;

use std::net::TcpListener;
use std::process::Command;

use running::Running;
use support::nats::NatsServer;
use support::proxy::Proxy;
use support::raw::Raw;
use support::{PATIENCE, poll};

/// A bus, a proxy before it, and a store behind that.
struct Stack {
    store: Running,
    proxy: Proxy,
    _bus: NatsServer,
}

impl Stack {
    fn start(args: &[&str]) -> Option<Self> {
        let bus = NatsServer::start()?;
        let store = Running::start(|options| options);
        let otlp = format!("http://{}", store.at.otlp_http);
        let proxy = Proxy::start(bus.port(), &[&["--otlp", &otlp], args].concat());
        Some(Self { store, proxy, _bus: bus })
    }

    fn agent(&self, name: &str) -> Raw {
        Raw::open(self.proxy.port, &format!(",\"headers\":true,\"name\":\"{name}\""))
    }

    /// What a command says of all workflows.
    fn ask(&self, command: &str) -> String {
        let server = format!("http://{}", self.store.at.http);
        let mut wilco = Command::new(env!("CARGO_BIN_EXE_wilco"));
        let output = wilco.args([command, "--all", "--server", &server]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Asks until that is part of the answer.
    #[track_caller]
    fn wait_for(&self, command: &str, text: &str) -> String {
        let found = poll(PATIENCE, || Some(self.ask(command)).filter(|answer| answer.contains(text)));
        found.unwrap_or_else(|| panic!("wilco {command} does not say {text:?}, but:\n{}", self.ask(command)))
    }
}

#[test]
fn an_answer_that_comes_late_is_told_from_one_that_never_comes() {
    let Some(stack) = Stack::start(&["--reply-within", "1s"]) else { return };
    let (mut planner, mut worker) = (stack.agent("planner"), stack.agent("worker"));
    worker.say(b"SUB tasks 1\r\nPING\r\n");
    worker.wait_for("PONG");
    planner.say(b"SUB _INBOX.p.* 1\r\nPUB tasks _INBOX.p.1 4\r\nfind\r\n");
    worker.wait_for("find");
    let dead = stack.wait_for("why", "timed out at boundary worker<-planner");
    assert!(dead.contains("no result by the deadline") && dead.contains("owed"), "{dead}");

    worker.say(b"PUB _INBOX.p.1 5\r\nfound\r\n");
    planner.wait_for("found");
    let slow = stack.wait_for("why", "after the limit of 1.0 s");
    assert!(slow.contains("timed out at boundary worker<-planner: completed, "), "{slow}");
    assert!(!slow.contains("never seen"), "nothing is owed any more: {slow}");
    let tree = stack.ask("trace");
    assert!(tree.contains("completed") && tree.contains("timed_out"), "{tree}");
}

#[test]
fn a_drain_tells_of_what_is_owed_an_answer_and_of_nothing_else() {
    let said = |answer: &[u8], owed: &str| {
        let mut stack = Stack::start(&["--drain-within", "1s"])?;
        let (mut planner, mut worker) = (stack.agent("planner"), stack.agent("worker"));
        worker.say(b"SUB tasks 1\r\nPING\r\n");
        worker.wait_for("PONG");
        planner.say(b"PUB nobody 1\r\nx\r\nPUB tasks _INBOX.p.1 4\r\nfind\r\n");
        worker.wait_for("find");
        worker.say(answer);
        worker.ping(2);
        stack.proxy.terminate();
        let rest = stack.proxy.rest();
        assert_eq!(rest.contains("owed an answer still"), !owed.is_empty(), "{rest}");
        assert!(rest.contains(owed), "{rest}");
        Some(())
    };
    let _ = said(b"PUB _INBOX.p.1 5\r\nfound\r\n", "");
    let _ = said(b"PUB other 1\r\nx\r\n", "handoffs that were owed an answer still: 1");
}

#[test]
fn a_server_or_a_collector_that_is_gone_is_told_once_and_once_when_it_is_back() {
    let Some(mut bus) = NatsServer::start() else { return };
    let otlp = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut proxy = Proxy::start(bus.port(), &["--otlp", &format!("http://{otlp}"), "--settle-within", "100ms"]);
    Raw::open(proxy.port, "").say(b"PUB tasks 1\r\nx\r\n");
    assert!(proxy.expect("spans wait: ").contains(&format!("http://{otlp}/v1/traces")));
    bus.stop();
    for _ in 0..20 {
        Raw::connect(proxy.port).wait_for_end();
    }
    assert!(proxy.expect("a NATS server does not answer").contains(&format!("nats://127.0.0.1:{}", bus.port())));
    bus.restart();
    let _store = Running::start(|options| options.otlp_http(otlp));
    Raw::connect(proxy.port).wait_for("INFO");
    assert!(proxy.expect("a NATS server answers again").contains("turned_away=20"));
    proxy.expect("the collector takes spans again");
    proxy.terminate();
    let rest = proxy.rest();
    let warnings = proxy.noise.iter().map(String::as_str).chain(rest.lines()).filter(|line| line.contains("WARN"));
    assert_eq!(warnings.count(), 4, "{:?} {rest}", proxy.noise);
}

#[test]
fn what_nobody_received_is_named_by_its_subject() {
    let Some(stack) = Stack::start(&["--settle-within", "300ms"]) else { return };
    stack.agent("planner").say(b"PUB orders.price 1\r\nx\r\nPUB orders.stock _INBOX.p.1 1\r\nx\r\n");
    stack.wait_for("why", "nobody is known to have received orders.price");
}
