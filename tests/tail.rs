//! `wilco tail`, as a person at a terminal sees it, and as a script reads it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(all(feature = "cli", unix))]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

mod support;

#[path = "support/dev.rs"]
#[allow(dead_code)]
mod dev;
#[path = "support/http.rs"]
#[allow(dead_code)]
mod http;
#[path = "support/stored.rs"]
#[allow(dead_code)]
mod stored;
#[path = "support/terminal.rs"]
mod terminal;

use dev::{Dev, wilco};
use stored::Told;
use support::{PATIENCE, poll, skip};
use terminal::Terminal;

/// Starts it there, and leaves its process id in a file.
fn start(terminal: &Terminal, dev: &Dev, before: &str) {
    let pid = terminal.folder().join("pid");
    let program = env!("CARGO_BIN_EXE_wilco");
    terminal.type_in(&format!(
        "clear; (echo $(exec sh -c 'echo $PPID') >{}; {before} exec {program} tail --server {}); echo \"ended with $?\"",
        pid.display(),
        dev.url()
    ));
    terminal.press("Enter");
    terminal.expect(&["wilco tail", "✓ live"]);
}

/// Agents of a newsroom, and six faults in what they hand to each other.
fn run_agents(dev: &Dev) {
    let ran = wilco(&["demo", "--seed", "3", "--nats", &dev.nats(), "--otlp", &dev.otlp()]).output().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
}

fn tell(dev: &Dev, told: &Told) {
    let body = wilco::otlp::to_json(&told.spans());
    let reply = http::post(dev.otlp, "/v1/traces", &[("content-type", "application/json")], body.as_bytes());
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[test]
fn a_person_sees_handoffs_come_filters_looks_into_one_and_is_told_when_the_server_restarts() {
    let Some(terminal) = Terminal::open(100, 30) else { return };
    let dev = Dev::start(&[]);
    start(&terminal, &dev, "");
    terminal.expect(&["no handoff yet", "? help"]);
    run_agents(&dev);
    let screen = terminal.expect(&["stale context", "misunderstood", "undelivered", "unverified use", "corrupted"]);
    assert!(screen.contains("researcher<-planner") && screen.contains("✓ agreed"), "{screen}");

    // The mark is under the letter that is wrong, and nothing is lost of what was typed.
    terminal.type_in("/mismatch = = ");
    let screen = terminal.expect(&["^ expected a value, found `=`"]);
    let column = |text: &str| screen.lines().find_map(|line| line.find(text)).unwrap();
    assert_eq!(column("^ expected"), column("= =") + 2, "{screen}");
    terminal.press("BSpace");
    terminal.press("BSpace");
    terminal.type_in("misunderstood");
    terminal.press("Enter");
    terminal.expect(&["filter: mismatch = misunderstood", "1 handoff, 1 mismatched"]);

    terminal.press("Enter");
    let screen = terminal.expect(&["What was found", "Ladder", "Intent and readback"]);
    for text in [
        "writer<-planner",
        "✕ mismatched",
        "misunderstood at boundary writer<-planner",
        "this handoff is the root cause of its failure",
        "constraints.pages: 5 -> 50",
        "declared, says writer",
    ] {
        assert!(screen.contains(text), "{text:?} is not in\n{screen}");
    }
    let slot = screen.lines().find(|line| line.contains("✕ constraints.pages")).unwrap();
    assert_eq!(slot.split_whitespace().collect::<Vec<_>>(), ["✕", "constraints.pages", "5", "50"]);

    terminal.resize(40, 15);
    terminal.expect(&["more lines"]);
    terminal.type_in("G");
    terminal.expect(&["wilco why", "--server"]);
    terminal.press("Escape");
    terminal.type_in("/");
    terminal.press("C-u");
    terminal.press("Enter");
    terminal.expect(&["filter: none"]);
    terminal.resize(100, 30);

    terminal.type_in("p");
    terminal.expect(&["paused, 0 changes"]);
    tell(&dev, &Told::new(1, "later", "alpha", "omega").found("refused"));
    let screen = terminal.expect(&["paused, 1 change"]);
    assert!(!screen.contains("omega<-alpha"), "{screen}");
    terminal.type_in("p");
    terminal.expect(&["omega<-alpha", "refused", "✓ live"]);

    let pages = dev.page.to_string();
    let (status, said) = dev.end("-TERM");
    assert_eq!(status.code(), Some(0), "{said}");
    terminal.expect(&["✕ lost, trying again", "omega<-alpha"]);
    let dev = Dev::start_at(&pages, &[]);
    terminal.expect(&["✓ live"]);
    tell(&dev, &Told::new(2, "again", "beta", "psi"));
    terminal.expect(&["psi<-beta"]);

    terminal.type_in("?");
    terminal.expect(&["The last 2\u{202f}000 handoffs are kept"]);
    terminal.type_in("jq");
    terminal.expect(&["ended with 0"]);
    assert!(!terminal.is_taken());
}

#[test]
fn the_terminal_is_given_back_however_it_ends() {
    let Some(terminal) = Terminal::open(60, 12) else { return };
    let dev = Dev::start(&[]);
    let is_given_back = || {
        terminal.expect(&["ended with 0"]);
        assert!(!terminal.is_taken());
        // What is typed is shown again, and line by line.
        terminal.type_in("clear; stty -a | tr ' ' '\\n' | grep -x -e echo -e icanon | tr '\\n' +");
        terminal.press("Enter");
        terminal.expect(&["icanon+echo+"]);
    };
    start(&terminal, &dev, "NO_COLOR=1");
    assert!(terminal.is_taken());
    terminal.press("C-c");
    is_given_back();
    start(&terminal, &dev, "");
    let pid = std::fs::read_to_string(terminal.folder().join("pid")).unwrap();
    assert!(Command::new("kill").args(["-TERM", pid.trim()]).status().unwrap().success());
    is_given_back();
}

/// One whose output is read line by line. Dropping it kills it.
struct Lines {
    process: Child,
    told: Receiver<String>,
    noted: Receiver<String>,
}

impl Lines {
    fn of(dev: &Dev, arguments: &[&str]) -> Self {
        let mut process = wilco(&[&["tail", "--server", &dev.url()], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = lines(process.stdout.take().unwrap());
        let noted = lines(process.stderr.take().unwrap());
        Self { process, told, noted }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

#[test]
fn a_script_gets_lines_of_what_a_query_finds_and_hears_of_a_restart() {
    let dev = Dev::start(&[]);
    let tail = Lines::of(&dev, &["to = c AND mismatch = refused", "--json", "--lines", "2"]);
    let noted = || tail.noted.recv_timeout(PATIENCE).unwrap();
    let told = || serde_json::from_str::<serde_json::Value>(&tail.told.recv_timeout(PATIENCE).unwrap()).unwrap();
    assert!(noted().starts_with("listening to http://"));
    for (number, to, kind) in [(1, "b", "refused"), (2, "c", "failed"), (3, "c", "refused")] {
        tell(&dev, &Told::new(number, "wf", "a", to).found(kind));
    }
    assert_eq!(told()["id"], Told::id(3));

    let pages = dev.page.to_string();
    drop(dev);
    let said = noted();
    assert!(said.ends_with("until it is there again"), "{said}");
    let dev = Dev::start_at(&pages, &[]);
    assert_eq!(noted(), "listening again; what came in between is not told");
    tell(&dev, &Told::new(4, "wf", "a", "c").found("refused"));
    assert_eq!(told()["id"], Told::id(4));
    let mut tail = tail;
    assert_eq!(tail.process.wait().unwrap().code(), Some(0), "after two lines");
}

#[test]
fn what_is_no_filter_is_said_with_its_column_before_anything_else() {
    // No server is there, and none is needed to say so.
    let refused = |filter: &str, more: &[&str]| {
        let output = wilco(&[&["tail", filter, "--server", "http://127.0.0.1:9"], more].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let said = refused("from = = writer", &[]);
    assert!(said.contains("  from = = writer\n         ^\n") && said.contains("column 8: expected a value"), "{said}");
    let said = refused("| by to", &["--json"]);
    assert!(said.contains("followed one by one, not spans, workflows or groups"), "{said}");
    let said = refused("", &["--plain"]);
    assert!(said.contains("does not answer") && said.contains("is `wilco serve` running there?"), "{said}");
    // Some faults only the server sees.
    let dev = Dev::start(&[]);
    let output = wilco(&["tail", "verdict = fine", "--plain", "--server", &dev.url()]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("column 11"), "{said}");
}
