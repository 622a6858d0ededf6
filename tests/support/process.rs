//! A second real process under a test, and the lines that the two say to each other.
//!
//! A Rust peer is this same test program, started again for one ignored test that serves as its `main`:
//!
//! ```ignore
//! #[test]
//! #[ignore = "the other process of receiver_in_another_process"]
//! fn receiver_main() {
//!     if !process::is_peer("receiver_main") { return }
//!     process::say("READY");
//!     let order = process::hear().unwrap();
//! }
//!
//! #[test]
//! fn receiver_in_another_process() {
//!     let mut peer = Peer::spawn("receiver_main", &[("NATS_URL", &server.url())]);
//!     peer.expect("READY");
//!     peer.tell("go");
//! }
//! ```

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::{PATIENCE, poll};

/// Stands before every line that is meant for the test; what a process says besides is the noise of its runtime.
const MARK: &str = "peer: ";

/// Names the ignored test whose process this is.
const ROLE: &str = "WILCO_TEST_PEER";

/// Another process. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Peer {
    name: String,
    process: Child,
    orders: Option<ChildStdin>,
    lines: Receiver<String>,
    noise: Vec<String>,
}

impl Peer {
    /// Starts this test program again, to run nothing but the ignored test of this full name.
    #[track_caller]
    pub(crate) fn spawn(test: &str, env: &[(&str, &str)]) -> Self {
        let program = std::env::current_exe().expect("path of this test program");
        let mut command = Command::new(program);
        command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]).env(ROLE, test);
        command.envs(env.iter().copied());
        Self::run(test, command)
    }

    /// Starts any program that keeps to the protocol.
    #[track_caller]
    pub(crate) fn run(name: &str, mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let orders = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("standard output is piped"));
        let (sender, lines) = channel();
        // Ends with the process' output, so with the process.
        std::thread::spawn(move || {
            for line in output.split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
        Self { name: name.to_owned(), process, orders, lines, noise: Vec::new() }
    }

    /// Waits for the next line and demands that it begins with `prefix`; gives what follows, trimmed.
    #[track_caller]
    pub(crate) fn expect(&mut self, prefix: &str) -> String {
        let line = self.next_within(PATIENCE);
        let line =
            line.unwrap_or_else(|why| panic!("{} {why} instead of saying {prefix:?}\n{}", self.name, self.heard()));
        match line.strip_prefix(prefix) {
            Some(rest) => rest.trim().to_owned(),
            None => panic!("{} said {line:?} instead of {prefix:?}\n{}", self.name, self.heard()),
        }
    }

    /// The next line, or `None` once the peer has closed its output.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<String> {
        match self.next_within(PATIENCE) {
            Ok(line) => Some(line),
            Err("ended") => None,
            Err(why) => panic!("{} {why}\n{}", self.name, self.heard()),
        }
    }

    /// The next line if it comes within `patience`, or what happened in its place.
    pub(crate) fn next_within(&mut self, patience: Duration) -> Result<String, &'static str> {
        let deadline = Instant::now() + patience;
        loop {
            let line = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let line = line.map_err(|error| match error {
                RecvTimeoutError::Timeout => "was silent until the deadline",
                RecvTimeoutError::Disconnected => "ended",
            })?;
            // Not only at the start of a line: libtest leaves the name of the test before the first one.
            match line.find(MARK) {
                Some(at) => return Ok(line[at + MARK.len()..].trim_end().to_owned()),
                None => self.noise.push(line),
            }
        }
    }

    /// Says one line to the peer, which gets it by [`hear`].
    #[track_caller]
    pub(crate) fn tell(&mut self, line: &str) {
        let orders = self.orders.as_mut().expect("the peer was told to finish");
        if let Err(error) = writeln!(orders, "{line}").and_then(|()| orders.flush()) {
            panic!("{} does not listen: {error}\n{}", self.name, self.heard());
        }
    }

    /// Closes the peer's input, and waits until it has ended by itself.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> ExitStatus {
        self.orders = None;
        let status = poll(PATIENCE, || self.process.try_wait().expect("state of a child process"));
        status.unwrap_or_else(|| panic!("{} did not end by the deadline\n{}", self.name, self.heard()))
    }

    /// Kills the peer, as a crash would.
    pub(crate) fn kill(&mut self) {
        // Fails only when the process is already gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    fn heard(&self) -> String {
        format!("it also wrote:\n{}", self.noise.join("\n"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// In the ignored test that serves as a peer's `main`: whether it was started as that peer. Otherwise somebody ran
/// the ignored tests by hand, and it should return at once.
pub(crate) fn is_peer(test: &str) -> bool {
    std::env::var(ROLE).is_ok_and(|role| role == test)
}

/// In a peer: says one line to the test.
pub(crate) fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    // A line break first, because libtest may have left half a line.
    writeln!(output, "\n{MARK}{line}").and_then(|()| output.flush()).expect("the test listens");
}

/// In a peer: waits for a line from the test; `None` once it has no more to say, or is gone.
pub(crate) fn hear() -> Option<String> {
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line.trim_end().to_owned()),
    }
}
