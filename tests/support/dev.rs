//! `wilco dev` as a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use super::{PATIENCE, poll};

/// A running one. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Dev {
    process: Child,
    stderr: ChildStderr,
    /// Where agents connect.
    pub(crate) agents: SocketAddr,
    pub(crate) otlp: SocketAddr,
    pub(crate) page: SocketAddr,
    /// The four lines that it said.
    pub(crate) said: [String; 4],
}

/// Every address but that of the pages, left to the system.
const ADDRESSES: [&str; 6] = ["--bus", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0"];

/// The command, without what the environment of the test says.
pub(crate) fn wilco(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wilco"));
    command.args(arguments);
    for name in ["WILCO_SERVER", "WILCO_TOKEN", "NATS_URL", "OTEL_EXPORTER_OTLP_ENDPOINT", "WILCO_PROXY_UPSTREAM"] {
        command.env_remove(name);
    }
    command.env("RUST_LOG", "off");
    command
}

impl Dev {
    #[track_caller]
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", arguments)
    }

    /// With its pages at this address.
    #[track_caller]
    pub(crate) fn start_at(pages: &str, arguments: &[&str]) -> Self {
        let mut command = wilco(&["dev"]);
        command.args(ADDRESSES).args(["--http", pages]).args(arguments);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("wilco runs");
        let mut stderr = process.stderr.take().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let said = std::array::from_fn(|_| {
            lines.next().unwrap_or_else(|| {
                let mut why = String::new();
                let _ = stderr.read_to_string(&mut why);
                panic!("wilco dev ended: {why}")
            })
        });
        let said: [String; 4] = said.map(Result::unwrap);
        let address = |line: &str, start: &str| {
            let rest = line.strip_prefix(start).unwrap_or_else(|| panic!("{line:?} does not begin with {start:?}"));
            rest.split_whitespace().next().and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("{line}"))
        };
        let agents = address(&said[0], "agents  nats://");
        let (otlp, page) = (address(&said[1], "otlp    http://"), address(&said[2], "pages   http://"));
        Self { process, stderr, agents, otlp, page, said }
    }

    /// For agents.
    pub(crate) fn nats(&self) -> String {
        format!("nats://{}", self.agents)
    }

    /// For OTLP over HTTP.
    pub(crate) fn otlp(&self) -> String {
        format!("http://{}", self.otlp)
    }

    /// For page and API.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.page)
    }

    /// Waits for a line on standard error that has this in it.
    #[track_caller]
    pub(crate) fn hear(&mut self, text: &str) -> String {
        let mut lines = BufReader::new(&mut self.stderr).lines().map_while(Result::ok);
        lines.find(|line| line.contains(text)).unwrap_or_else(|| panic!("wilco dev ended without {text:?}"))
    }

    /// Tells it to end by this signal, and waits for that. Gives what it said on standard error, too.
    #[cfg(unix)]
    #[track_caller]
    pub(crate) fn end(mut self, signal: &str) -> (ExitStatus, String) {
        let told = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(told.success());
        let status = poll(PATIENCE, || self.process.try_wait().unwrap()).expect("wilco dev does not end");
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        (status, said)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
