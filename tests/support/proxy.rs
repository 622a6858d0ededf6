//! `wilco proxy` as a process of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::{PATIENCE, poll};

/// A running proxy. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Proxy {
    process: Child,
    pub(crate) port: u16,
    metrics: u16,
    lines: Receiver<String>,
    pub(crate) noise: Vec<String>,
}

impl Proxy {
    /// Starts one before the server at this port, with further arguments.
    #[track_caller]
    pub(crate) fn start(upstream: u16, args: &[&str]) -> Self {
        let url = format!("nats://127.0.0.1:{upstream}");
        Self::start_with(&[&["--upstream", &url], args].concat())
    }

    #[track_caller]
    pub(crate) fn start_with(args: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_wilco"))
            .args(["proxy", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start wilco proxy");
        let output = BufReader::new(process.stderr.take().expect("standard error is piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut proxy = Self { process, port: 0, metrics: 0, lines, noise: Vec::new() };
        let port = |text: &str| text.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let metrics = proxy.expect("metrics on http://");
        proxy.metrics = port(metrics.trim_end_matches("/metrics")).expect("a port");
        proxy.port = port(&proxy.expect("listening on ")).expect("a port");
        proxy
    }

    /// Waits for a line on standard error that has this in it, and gives what follows.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.noise.push(line.clone());
                    if let Some((_, rest)) = line.split_once(text) {
                        return rest.trim().to_owned();
                    }
                }
                Err(_) => panic!("the proxy did not say {text:?}, but:\n{}", self.noise.join("\n")),
            }
        }
    }

    /// What it says from when it drains, once it has ended.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> String {
        self.expect("draining");
        self.wait(PATIENCE);
        self.lines.iter().collect::<Vec<_>>().join("\n")
    }

    /// Where its numbers are.
    pub(crate) fn metrics_port(&self) -> u16 {
        self.metrics
    }

    /// The page of this path, with its status line.
    pub(crate) fn page(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.metrics)).expect("metrics");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    }

    /// The number after this name and these labels.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let page = self.page("/metrics");
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        line.unwrap_or_else(|| panic!("no {name} in\n{page}"))
    }

    /// Waits until a metric is this.
    #[track_caller]
    pub(crate) fn wait_for_metric(&self, name: &str, wanted: u64) {
        let found = poll(PATIENCE, || (self.metric(name) == wanted).then_some(()));
        assert!(found.is_some(), "{name} is {} and not {wanted}", self.metric(name));
    }

    /// Resident memory in KiB.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Sends SIGTERM.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        let status = Command::new("kill").arg("-TERM").arg(self.process.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end of the process.
    #[track_caller]
    pub(crate) fn wait(&mut self, within: Duration) -> ExitStatus {
        poll(within, || self.process.try_wait().unwrap()).expect("the proxy does not end")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
