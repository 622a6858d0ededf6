//! JavaScript programs of `tests/node`, run with the packages that `tests/run.sh` installs.

use std::path::Path;
use std::process::{Command, Stdio};

use super::process::Peer;
use super::{skip, venv};

/// Starts a program of `tests/node`; `None`, after a loud skip, when Node.js or its packages are not installed.
///
/// The program speaks to the test as [`super::process`] says: lines that begin with `peer: `.
#[track_caller]
pub(crate) fn spawn(program: &str, args: &[&str]) -> Option<Peer> {
    spawn_with(program, args, &[])
}

/// As [`spawn`], with more in its environment.
#[track_caller]
pub(crate) fn spawn_with(program: &str, args: &[&str], env: &[(&str, &str)]) -> Option<Peer> {
    let packages = venv().join("node");
    if !packages.join("node_modules").exists() {
        skip(&format!("no {}", packages.join("node_modules").display()));
        return None;
    }
    let found = Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        skip("no node");
        return None;
    }
    let mut command = Command::new("node");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node").join(program)).args(args);
    command.env("NODE_PACKAGES", packages).envs(env.iter().copied());
    Some(Peer::run(program, command))
}
