//! The examples do what they say: each is run as a program of its own, on a real server.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(feature = "channel")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use support::nats::NatsServer;
use support::{PATIENCE, poll};

#[test]
fn planner_and_researcher_agree_and_the_result_is_used() {
    let Some(server) = NatsServer::start() else { return };
    let researcher = Example::start("researcher", &server);
    researcher.until_it_says("waiting for a task");
    let planner = run("planner", &server);
    assert_eq!(
        planner.lines().next(),
        Some(r#"agreed: {"constraints":{"max":5},"goal":"find_sources","object":"solid-state batteries"}"#)
    );
    assert_eq!(planner.lines().filter(|line| line.starts_with("source: https://")).count(), 5, "{planner}");
    holds(&planner, &["quality 0.83 by schema", "rung understood", "rung in_progress", "rung used"]);
    let (success, researcher) = researcher.outcome();
    assert!(success, "{researcher}");
    holds(&researcher, &["planner asks for 5 sources on solid-state batteries", "crm in version 41", "done"]);
}

#[test]
fn a_planner_without_a_researcher_says_so_and_fails() {
    let Some(server) = NatsServer::start() else { return };
    let (success, text) = Example::start("planner", &server).outcome();
    assert!(!success, "{text}");
    holds(&text, &["does not agree: undelivered", "no responders"]);
}

#[test]
fn the_hooks_narrate_one_handoff_and_refuse_the_other() {
    let Some(server) = NatsServer::start() else { return };
    let text = run("hooks", &server);
    // A hook runs on the channel's own task, so its lines may come after what the result woke.
    holds(&text, &["planner -> researcher: 14 bytes", "settled as agreed at rung completed", "result: 17"]);
    holds(&text, &["the hook of researcher refuses: stale_context", "settled as mismatched at rung refused"]);
    holds(&text, &["found refused: stale", "no result: the receiver refused"]);
    assert_eq!(text.matches("found ").count(), 1, "{text}");
}

#[test]
fn the_fan_out_names_who_is_missing_and_what_that_means() {
    let Some(server) = NatsServer::start() else { return };
    let text = run("fan_out", &server);
    holds(&text, &["2 of 3 answered", "missing archive: nobody listens", "web says", "shelves says"]);
    holds(
        &text,
        &[
            "the writer's text: what writer knows",
            "found incomplete_join: went on with 2 of 3 inputs; missing: archive",
        ],
    );
}

#[test]
fn plain_peers_take_part_on_both_sides() {
    let Some(server) = NatsServer::start() else { return };
    let text = run("plain_peer", &server);
    holds(&text, &["\ntranslator: good day (unconfirmed)\n  completed, known by wire; quality None"]);
    holds(&text, &["careful_translator: good day (agreed)\n  completed, known by wire; quality Some(0.9)"]);
    holds(&text, &["script asks in workflow abc-123", r#"result: ["https://example.org/1"]"#]);
    holds(
        &text,
        &[r#"Wilco-Readback: {"constraints":{"max":5},"goal":"find_sources"}"#, "Wilco-Quality: 0.83; by=schema"],
    );
}

#[track_caller]
fn holds(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
    }
}

/// Runs an example that must succeed; gives what it said.
#[track_caller]
fn run(name: &'static str, server: &NatsServer) -> String {
    let (success, text) = Example::start(name, server).outcome();
    assert!(success, "{name} failed:\n{text}");
    text
}

/// An example that runs. Dropping it kills it.
struct Example {
    name: &'static str,
    process: Child,
    folder: tempfile::TempDir,
}

impl Example {
    #[track_caller]
    fn start(name: &'static str, server: &NatsServer) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let [out, err] = ["out", "err"].map(|file| std::fs::File::create(folder.path().join(file)).expect("output"));
        let process = Command::new(program(name))
            .arg(server.url())
            // Whatever the environment says of servers and collectors is not for this run.
            .env_remove("NATS_URL")
            .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .expect("start an example");
        Self { name, process, folder }
    }

    #[track_caller]
    fn until_it_says(&self, wanted: &str) {
        let said = poll(PATIENCE, || self.said().contains(wanted).then_some(()));
        assert!(said.is_some(), "{} did not say {wanted:?} within {PATIENCE:?}:\n{}", self.name, self.said());
    }

    /// Waits for the end; gives whether it was a success, and what was said.
    #[track_caller]
    fn outcome(mut self) -> (bool, String) {
        let ended = poll(PATIENCE, || self.process.try_wait().expect("state of an example"));
        let Some(status) = ended else { panic!("{} did not end within {PATIENCE:?}:\n{}", self.name, self.said()) };
        (status.success(), self.said())
    }

    fn said(&self) -> String {
        let files = ["out", "err"].map(|file| std::fs::read(self.folder.path().join(file)).expect("output"));
        String::from_utf8_lossy(&files.concat()).into_owned()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // Fails only when the process is already gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An example as built beside this test program: `cargo test` and nextest build examples too, unless they are told to
/// build only some targets.
#[track_caller]
fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("path of this test program");
    let built = own.parent().and_then(|deps| deps.parent()).expect("target/debug").join("examples");
    let program = built.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).with_extension("rs");
    let [built, written] = [&program, &source].map(|file| file.metadata().and_then(|facts| facts.modified()).ok());
    assert!(
        built.is_some() && built >= written,
        "{} is not built, or older than its source: run `cargo build --examples` first",
        program.display()
    );
    program
}
