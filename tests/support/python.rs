//! Python programs of `tests/python`, run with the interpreter that has the packages they need.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::Peer;
use super::{skip, venv};

/// Starts a script of `tests/python`; `None`, after a loud skip, when its interpreter is not installed.
///
/// The script speaks to the test as [`super::process`] says: lines that begin with `peer: `.
#[track_caller]
pub(crate) fn spawn(script: &str, args: &[&str]) -> Option<Peer> {
    let mut command = Command::new(interpreter()?);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script)).args(args);
    // Output at once, and no caches beside the sources.
    command.env("PYTHONUNBUFFERED", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    Some(Peer::run(script, command))
}

/// A program that a PyPI package brought, such as `tv`; `None`, after a loud skip, when it is not installed.
#[track_caller]
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    installed(venv().join("bin").join(name))
}

#[track_caller]
fn interpreter() -> Option<PathBuf> {
    installed(venv().join("bin/python"))
}

#[track_caller]
fn installed(program: PathBuf) -> Option<PathBuf> {
    if program.exists() {
        return Some(program);
    }
    skip(&format!("no {}", program.display()));
    None
}
