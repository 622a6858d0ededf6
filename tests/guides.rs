//! The guide `src/docs/start.md` and the README's first steps, done as they are written: Wilco in one process, strangers in
//! Python and TypeScript on it, and the root cause.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(all(feature = "cli", unix))]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use support::poll;

/// The commands of the README; in a test, ports are free ones.
const DEV: &str = "cargo run --release -- dev";
const AGENTS: &str = "python examples/first/agents.py";
const WHY: &str = "cargo run --release -- why job-3 --server http://127.0.0.1:4480";
const DOCTOR: &str = "cargo run --release -- doctor --nats nats://127.0.0.1:4222";

const ROOT_CAUSE: &str = "undelivered at boundary ?<-planner: the server said \"no responders\"";

#[test]
fn agents_in_python_get_from_nothing_to_a_root_cause() {
    let python = support::venv().join("bin/python");
    if !python.exists() {
        return support::skip("no Python packages found");
    }
    let dev = Dev::start();
    let script = AGENTS.split(' ').nth(1).unwrap();
    let output = Command::new(python).arg(root().join(script)).arg(&dev.bus).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("job-3: nobody translates"), "{output:?}");
    let text = dev.root_cause();
    assert!(text.starts_with("job-3  failure") && text.contains(ROOT_CAUSE), "{text}");
    let (code, text) = wilco(DOCTOR, &[("nats://127.0.0.1:4222", &dev.bus)]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("good     nats.headers"), "{text}");
}

#[test]
fn agents_in_typescript_get_from_nothing_to_a_root_cause() {
    let packages = support::venv().join("node/node_modules");
    if !packages.join("nats").exists() || !packages.join("esbuild").exists() {
        return support::skip("no Node.js packages found");
    }
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(&packages, folder.path().join("node_modules")).unwrap();
    // A Node.js that is older than 22.18 does not take types.
    let script = folder.path().join("agents.mjs");
    let stripped = Command::new(packages.join(".bin/esbuild"))
        .arg(root().join("examples/first/agents.ts"))
        .args(["--format=esm", "--log-level=warning", &format!("--outfile={}", script.display())])
        .output()
        .unwrap();
    assert!(stripped.status.success(), "{stripped:?}");
    let dev = Dev::start();
    let output = Command::new("node").arg(&script).arg(&dev.bus).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("job-3: nobody answers at translate"), "{output:?}");
    let text = dev.root_cause();
    assert!(text.starts_with("job-3  failure") && text.contains(ROOT_CAUSE), "{text}");
}

#[test]
fn the_guides_name_the_commands_and_files_that_there_are() {
    let help = wilco("wilco help", &[]).1;
    for page in ["start", "operate", "backends", "scaling", "security", "troubleshooting"] {
        let text = std::fs::read_to_string(root().join(format!("src/docs/{page}.md"))).unwrap();
        for word in text.split('`').skip(1).step_by(2) {
            if word.starts_with("examples/") {
                assert!(root().join(word).exists(), "{page}.md: {word}");
            }
            if let Some(rest) = word.strip_prefix("wilco ") {
                let command = rest.split_whitespace().next().unwrap();
                assert!(help.contains(&format!("\n  {command} ")), "{page}.md: wilco {command}");
                let options = wilco(&format!("wilco {command} --help"), &[]).1;
                for option in rest.split_whitespace().filter(|word| word.starts_with("--")) {
                    assert!(options.contains(option), "{page}.md: wilco {command} {option}");
                }
            }
        }
    }
}

// --------------------------------------------------------------------------------------------------------------- helpers

/// `wilco dev` on ports that are free. Dropping it kills it.
struct Dev {
    process: Child,
    bus: String,
    page: String,
    _folder: tempfile::TempDir,
}

impl Dev {
    #[track_caller]
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let any = "127.0.0.1:0";
        let process = command(DEV, &[])
            .args(["--bus", any, "--http", any, "--otlp-http", any, "--otlp-grpc", any])
            .current_dir(folder.path())
            .stdout(std::fs::File::create(&out).unwrap())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let word = |line: &str, name: &str| Some(line.strip_prefix(name)?.split_whitespace().next()?.to_owned());
        let found = poll(support::PATIENCE, || {
            let text = std::fs::read_to_string(&out).unwrap();
            // The last line is there, and whole.
            text.lines().any(|line| line.starts_with("data ")).then_some(())?;
            let of = |name: &str| text.lines().find_map(|line| word(line, name));
            Some((of("agents")?, of("pages")?))
        });
        let (bus, page) = found.expect("wilco dev says where it listens");
        Self { process, bus, page, _folder: folder }
    }

    /// What `why` says once the spans have come.
    fn root_cause(&self) -> String {
        let ask = || wilco(WHY, &[("http://127.0.0.1:4480", self.page.trim_end_matches('/'))]);
        let found = poll(support::PATIENCE, || {
            let (code, text) = ask();
            (code == Some(1)).then_some(text)
        });
        found.unwrap_or_else(|| panic!("no root cause, but {:?}", ask()))
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A command of the README, with the program as built for tests, and with some words replaced.
fn command(readme: &str, replaced: &[(&str, &str)]) -> Command {
    let own = readme.split_once(" -- ").map_or_else(|| readme.trim_start_matches("wilco "), |(_, own)| own);
    let own = replaced.iter().fold(own.to_owned(), |own, (from, to)| own.replace(from, to));
    let mut command = Command::new(env!("CARGO_BIN_EXE_wilco"));
    command.args(own.split(' ')).stdin(Stdio::null());
    for name in ["NATS_URL", "OTEL_EXPORTER_OTLP_ENDPOINT", "WILCO_SERVER", "WILCO_TOKEN"] {
        command.env_remove(name);
    }
    command
}

/// Its exit code, and what it said on standard output.
fn wilco(readme: &str, replaced: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = command(readme, replaced).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}
