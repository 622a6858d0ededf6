//! Every command of the README is run by a test, or is one that a named file runs.
//!
//! Blocks marked `sh`, `bash` or `shell` hold one command per line (a backslash continues it, `#` begins a comment).
//! In blocks marked `console` the commands are the lines that begin with `$ `. A command that the table does not know
//! fails the test, and so does an entry that the README no longer has.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]

mod support;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// How it is known that a command of the README works.
enum How {
    /// This test runs it. `cargo run --release --` stands for the program as built for tests, everything else goes
    /// through `sh` in a folder that holds only the project's `tests`, with the servers that the tests installed on `PATH`.
    Run {
        /// Exit code.
        exit: i32,
        /// Texts that standard output and standard error together must hold.
        says: &'static [&'static str],
    },
    /// This file, relative to the project, contains it word for word and runs it.
    CoveredBy(&'static str),
    /// It measures, for longer than a test may take: this file says how it is called, word for word.
    ToldIn(&'static str),
}

/// Every command of the README.
const COMMANDS: &[(&str, How)] = &[
    (
        "cargo run --release -- demo",
        How::Run { exit: 1, says: &["server: embedded bus", "8 workflows", "6 of 6 seeded faults found"] },
    ),
    ("cargo run --release -- dev", How::CoveredBy("tests/dev.rs")),
    ("cargo run --release -- bus --listen 127.0.0.1:4222", How::CoveredBy("tests/cli_bus.rs")),
    (
        "cargo run --release -- demo --healthy",
        How::Run { exit: 0, says: &["8 workflows, 24 handoffs", "nothing was found"] },
    ),
    ("cargo run --release -- demo --json", How::Run { exit: 1, says: &["\"workflows\"", "\"misunderstood\""] }),
    (
        "cargo run --release -- proxy --listen 127.0.0.1:4223 --upstream nats://127.0.0.1:4222 \
         --otlp http://127.0.0.1:4318 --metrics 127.0.0.1:9222",
        How::ToldIn("src/proxy/mod.rs"),
    ),
    (
        "cargo run --release -- proxy --print-config",
        How::Run { exit: 0, says: &["listen = \"127.0.0.1:4223\"", "# default"] },
    ),
    ("bash tests/run.sh", How::CoveredBy(".ci/run")),
    (
        "cargo run --release -- demo --otlp http://127.0.0.1:4318",
        How::Run { exit: 1, says: &["http://127.0.0.1:4318", "6 of 6 seeded faults found"] },
    ),
    (
        "cargo run --release -- replay tests/fixtures/replay/group-chat-heating.json",
        How::Run { exit: 1, says: &["group-chat-heating"] },
    ),
    (
        "cargo run --release -- why story-42 --file tests/fixtures/why/story.otlp.jsonl",
        How::Run { exit: 1, says: &["stale context at boundary writer<-planner"] },
    ),
    (
        "cargo run --release -- trace story-42 --file tests/fixtures/why/story.otlp.jsonl",
        How::Run { exit: 1, says: &["5 handoffs", "stale context at boundary writer<-planner"] },
    ),
    ("cargo bench --bench diagnose", How::ToldIn("benches/diagnose.rs")),
    ("cargo run --release -- serve", How::CoveredBy("tests/server_commands.rs")),
    (
        "cargo run --release -- query 'from = planner AND mismatch = stale_context' --file tests/fixtures/store/spans.jsonl",
        How::Run { exit: 0, says: &["writer<-planner", "stale_context"] },
    ),
    (
        "cargo run --release -- query '| by to, mismatch | count, rate, p95(duration_ms)' --file tests/fixtures/store/spans.jsonl",
        How::Run { exit: 0, says: &["p95(duration_ms)", "reviewer"] },
    ),
    (
        "cargo run --release -- stats --file tests/fixtures/store/spans.jsonl",
        How::Run {
            exit: 0,
            says: &[
                "writer<-planner      2         1 (50.0 %)  210.0   210.0   210.0   12042       0.70     stale_context 1",
            ],
        },
    ),
    (
        "cargo run --release -- why --all --file tests/fixtures/store/spans.jsonl",
        How::Run {
            exit: 1,
            says: &["story-1  clean", "story-2  failure", "stale context at boundary writer<-planner"],
        },
    ),
    ("cargo bench --bench store -- --handoffs 1000000", How::ToldIn("benches/store.rs")),
    ("cargo bench --bench pages -- --handoffs 1000000", How::ToldIn("benches/pages.rs")),
    ("python examples/first/agents.py", How::CoveredBy("tests/guides.rs")),
    ("cargo run --release -- why job-3 --server http://127.0.0.1:4480", How::CoveredBy("tests/guides.rs")),
    ("docker compose up --build", How::ToldIn("docker-compose.yml")),
    ("bash tests/stack.sh", How::CoveredBy(".ci/run")),
    ("cargo run --release -- doctor --nats nats://127.0.0.1:4222", How::CoveredBy("tests/guides.rs")),
    ("cargo run --release -- completions bash", How::Run { exit: 0, says: &["_wilco()", "doctor"] }),
    ("cargo run --release -- man", How::Run { exit: 0, says: &[".TH wilco 1"] }),
    ("cargo bench --bench cpu -- --server 127.0.0.1:4222", How::ToldIn("benches/cpu.rs")),
];

/// Longest time that one command may take.
const LIMIT: Duration = Duration::from_secs(180);

#[test]
fn every_command_of_the_readme_is_known_and_works() {
    let commands = commands(&read("README.md"));
    assert!(!commands.is_empty(), "README.md has no commands");
    let problems: Vec<String> = problems(&commands, COMMANDS);
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

// ------------------------------------------------------------------------------------------- the test finds what it should

#[test]
fn commands_are_told_from_comments_output_and_other_blocks() {
    let text = "\
run `not this`\n```sh\n# a comment\none --flag\n\ntwo \\\n  --more\n```\n```rust\nlet not = 1;\n```\n\
```\nnor this\n```\n```console\n$ three\nits output\n```\n- item\n  ```bash\n  four # why\n  ```\n";
    assert_eq!(commands(text), ["one --flag", "two --more", "three", "four"]);
}

#[test]
fn an_unknown_command_and_a_forgotten_entry_are_found() {
    let found = problems(&["new".to_owned()], &[("old", How::CoveredBy("README.md"))]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("`new`") && found[1].contains("`old`"), "{found:?}");
}

#[test]
fn a_cover_that_does_not_hold_the_command_is_found() {
    let command = || vec!["bash tests/sing.sh".to_owned()];
    assert_eq!(problems(&command(), &[("bash tests/sing.sh", How::CoveredBy(".ci/run"))]).len(), 1);
    assert_eq!(problems(&command(), &[("bash tests/sing.sh", How::CoveredBy("no/such/file"))]).len(), 1);
    // A comment runs nothing.
    let commented = vec!["#!/usr/bin/env bash".to_owned()];
    assert_eq!(problems(&commented, &[("#!/usr/bin/env bash", How::CoveredBy(".ci/run"))]).len(), 1);
}

#[test]
#[cfg(unix)]
fn a_command_that_ends_or_speaks_otherwise_is_found() {
    let run =
        |exit, says| problems(&["echo hello; exit 3".to_owned()], &[("echo hello; exit 3", How::Run { exit, says })]);
    assert_eq!(run(3, &["hello"]), [""; 0]);
    assert_eq!(run(0, &["hello"]).len(), 1);
    assert_eq!(run(3, &["good night"]).len(), 1);
}

#[test]
#[cfg(unix)]
fn the_programs_place_is_taken_by_the_one_built_for_tests() {
    let Some(program) = PROGRAM else { return };
    assert_eq!(as_built("cargo run --release -- demo --seed 3").unwrap(), format!("'{program}' demo --seed 3"));
    assert_eq!(as_built("wilco demo").unwrap(), format!("'{program}' demo"));
    assert_eq!(as_built("echo wilco").unwrap(), "echo wilco");
    let fetched = as_built("fetch it && fetch that && wilco demo").unwrap();
    assert_eq!(fetched, format!("{{ fetch it && fetch that; }} || exit 77; '{program}' demo"));
}

// ------------------------------------------------------------------------------------------------------------ the checks

fn problems(commands: &[String], table: &[(&str, How)]) -> Vec<String> {
    let unknown = commands.iter().filter(|command| !table.iter().any(|(known, _)| known == command));
    let unknown = unknown.map(|command| format!("`{command}` is not in the table of tests/readme.rs"));
    let kept = table.iter().filter_map(|(known, how)| {
        if !commands.iter().any(|command| command == known) {
            return Some(format!("`{known}` is in the table of tests/readme.rs, but not in README.md"));
        }
        let problem = match how {
            How::Run { exit, says } => run(known, *exit, says),
            How::CoveredBy(file) => covered(known, file),
            How::ToldIn(file) => match text_of(file) {
                Ok(text) if text.contains(known) => Ok(()),
                Ok(_) => Err(format!("{file} does not tell of it")),
                Err(error) => Err(error),
            },
        };
        problem.err().map(|why| format!("`{known}`: {why}"))
    });
    unknown.chain(kept).collect()
}

fn covered(command: &str, file: &str) -> Result<(), String> {
    let text = text_of(file)?;
    let mut code = text.lines().map(str::trim).filter(|line| !line.starts_with('#') && !line.starts_with("//"));
    if code.any(|line| line.contains(command)) { Ok(()) } else { Err(format!("{file} does not contain it")) }
}

fn text_of(file: &str) -> Result<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(path).map_err(|error| format!("{file}: {error}"))
}

/// Ends a command whose first part could not fetch what the rest needs.
const NOT_FETCHED: i32 = 77;

fn run(command: &str, exit: i32, says: &[&str]) -> Result<(), String> {
    let Some(line) = as_built(command) else {
        // The program is there only with the feature that it needs.
        support::note(&format!("SKIPPED `{command}`: this build has no `wilco` program"));
        return Ok(());
    };
    let output = shell(&line)?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(NOT_FETCHED) && !support::is_ci() {
        support::note(&format!("SKIPPED `{command}`: it could not fetch what it needs\n{text}"));
        return Ok(());
    }
    if output.status.code() != Some(exit) {
        return Err(format!("ended with {}, not {exit}; it said:\n{text}", output.status));
    }
    match says.iter().find(|wanted| !text.contains(**wanted)) {
        Some(lack) => Err(format!("did not say {lack:?}, but:\n{text}")),
        None => Ok(()),
    }
}

/// The program, in builds that have a command line.
const PROGRAM: Option<&str> = if cfg!(feature = "cli") { option_env!("CARGO_BIN_EXE_wilco") } else { None };

/// The command with the program as built for tests in place of the one that it builds. What stands before the last `&&`
/// fetches what the program needs.
fn as_built(command: &str) -> Option<String> {
    if let Some((fetch, command)) = command.rsplit_once(" && ") {
        return Some(format!("{{ {fetch}; }} || exit {NOT_FETCHED}; {}", as_built(command)?));
    }
    for own in ["cargo run --release -- ", "cargo run --release --quiet -- ", "cargo run -- ", "wilco "] {
        if let Some(arguments) = command.strip_prefix(own) {
            return Some(format!("'{}' {arguments}", PROGRAM?));
        }
    }
    Some(command.to_owned())
}

fn shell(line: &str) -> Result<Output, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([support::venv().join("bin")].into_iter().chain(std::env::split_paths(&path)));
    // Commands name the files that the project ships.
    #[cfg(unix)]
    std::os::unix::fs::symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), folder.path().join("tests"))
        .map_err(|error| error.to_string())?;
    let files = ["out", "err"].map(|name| folder.path().join(name));
    let [out, err] = files.clone().map(|file| std::fs::File::create(file).expect("output of a command"));
    let mut child = Command::new("sh")
        .args(["-c", line])
        .current_dir(folder.path())
        .env("PATH", path.map_err(|error| error.to_string())?)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(|error| error.to_string())?;
    let Some(status) = support::poll(LIMIT, || child.try_wait().expect("state of a command")) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("did not end within {LIMIT:?}"));
    };
    let [stdout, stderr] = files.map(|file| std::fs::read(file).expect("output of a command"));
    Ok(Output { status, stdout, stderr })
}

/// The commands in the fenced blocks of a Markdown text, in order.
fn commands(markdown: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<&str> = None;
    let mut begun = String::new();
    for line in markdown.lines().map(str::trim) {
        if let Some(mark) = line.strip_prefix("```") {
            let language = mark.split([' ', ',', '{']).next().unwrap_or_default();
            block = if block.is_some() { None } else { Some(language) };
            continue;
        }
        let command = match block {
            Some("sh" | "bash" | "shell") => line,
            Some("console") if begun.is_empty() => line.strip_prefix("$ ").unwrap_or_default(),
            Some("console") => line.strip_prefix("> ").unwrap_or(line),
            _ => continue,
        };
        let command =
            if command.starts_with('#') { "" } else { command.split(" # ").next().unwrap_or_default().trim() };
        if let Some(first) = command.strip_suffix('\\') {
            begun = format!("{begun}{} ", first.trim());
        } else if !command.is_empty() {
            found.push(format!("{}{command}", std::mem::take(&mut begun)));
        }
    }
    found
}

#[track_caller]
fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
