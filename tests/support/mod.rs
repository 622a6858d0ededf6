//! What several test programs share: real servers, second processes, Python agents.
//!
//! A test program takes it in with `mod support;`.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]
#![allow(dead_code, reason = "each test program uses its own part of this")]
#![allow(clippy::print_stderr, reason = "a skipped test has to say so")]
#![allow(clippy::print_stdout, reason = "a second process talks to its test over standard output")]

pub(crate) mod nats;
#[cfg(feature = "channel")]
pub(crate) mod newsroom;
#[cfg(feature = "cli")]
pub(crate) mod node;
pub(crate) mod process;
#[cfg(feature = "cli")]
pub(crate) mod proxy;
pub(crate) mod python;
pub(crate) mod raw;
#[cfg(feature = "channel")]
pub(crate) mod relay;
#[cfg(feature = "channel")]
pub(crate) mod spans;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long anything local may take before a test gives up on it. Generous: CI has two cores and is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Asks `question` again and again until it has an answer; `None` when `patience` is over.
pub(crate) fn poll<T>(patience: Duration, mut question: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = question() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Says loudly that a test does not run here. Under `CI=true` nothing may be skipped, so there it panics.
#[track_caller]
pub(crate) fn skip(missing: &str) {
    assert!(!is_ci(), "{missing}; `bash tests/run.sh` installs it");
    // Not by a macro: what those print is hidden when a test passes.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {missing}; `bash tests/run.sh` installs it");
}

/// Whether a missing piece is an error.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// The directory that `tests/run.sh` installs into.
pub(crate) fn venv() -> PathBuf {
    std::env::var_os("WILCO_TEST_VENV")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv"), PathBuf::from)
}

/// Shows a text among the output of the test, so that a failure can be understood.
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}
