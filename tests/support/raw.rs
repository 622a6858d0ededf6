//! A NATS client of raw bytes, and a reader of what a server sends that shares no code with the library.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// A connection that says what it is told, in the pieces it is told.
#[derive(Debug)]
pub(crate) struct Raw {
    stream: TcpStream,
    /// Everything that was heard.
    pub(crate) heard: Vec<u8>,
    /// How the other side ended, once it has.
    pub(crate) end: Option<End>,
}

/// How the other side ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Fin,
    Reset,
}

/// What the server said, one entry a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The control line of a message as it came, without verb and sizes; its header lines; its payload.
    Message { line: String, headers: Vec<String>, payload: Vec<u8> },
    /// Any other line.
    Line(String),
}

impl Raw {
    #[track_caller]
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
        stream.set_nodelay(true).unwrap();
        Self { stream, heard: Vec::new(), end: None }
    }

    /// Connects, and says `CONNECT` with these options beside `verbose: false`.
    #[track_caller]
    pub(crate) fn open(port: u16, options: &str) -> Self {
        let mut raw = Self::connect(port);
        raw.say(format!("CONNECT {{\"verbose\":false{options}}}\r\n").as_bytes());
        raw
    }

    pub(crate) fn try_say(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// A write that takes longer than this fails.
    pub(crate) fn limit_writes(&self, within: Duration) {
        self.stream.set_write_timeout(Some(within)).unwrap();
    }

    #[track_caller]
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        self.try_say(bytes).expect("write");
    }

    /// Says the pieces one after the other, with enough time between them to arrive as such.
    #[track_caller]
    pub(crate) fn say_in_pieces<'a>(&mut self, pieces: impl IntoIterator<Item = &'a [u8]>) {
        for (index, piece) in pieces.into_iter().enumerate() {
            if index > 0 {
                std::thread::sleep(Duration::from_micros(500));
            }
            // A server that has hung up is no reason to stop.
            let _ = self.stream.write_all(piece);
        }
    }

    /// Ends this side.
    pub(crate) fn finish(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// Reads once, for at most so long. `false` if nothing came.
    pub(crate) fn hear_for(&mut self, within: Duration) -> bool {
        if self.end.is_some() {
            return false;
        }
        self.stream.set_read_timeout(Some(within.max(Duration::from_millis(1)))).unwrap();
        let mut buffer = [0; 65_536];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.end = Some(End::Fin),
            Ok(count) => self.heard.extend_from_slice(&buffer[..count]),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) =>
            {
                return false;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
                self.end = Some(End::Reset);
            }
        }
        true
    }

    /// Waits until what was heard has this in it.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |heard| memchr::memmem::find(heard, text.as_bytes()).is_some());
    }

    #[track_caller]
    pub(crate) fn wait_until(&mut self, what: &str, holds: impl Fn(&[u8]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(&self.heard) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && self.end.is_none(),
                "waited for {what:?}, {:?}, heard {}",
                self.end,
                self.text()
            );
            self.hear_for(left);
        }
    }

    /// Says PING and waits for so many PONGs in all.
    #[track_caller]
    pub(crate) fn ping(&mut self, pongs: usize) {
        self.say(b"PING\r\n");
        self.wait_for_pongs(pongs);
    }

    /// Waits for so many PONGs in all.
    #[track_caller]
    pub(crate) fn wait_for_pongs(&mut self, pongs: usize) {
        self.wait_until("PONG", |heard| memchr::memmem::find_iter(heard, b"PONG\r\n").count() >= pongs);
    }

    /// Waits until the other side has ended, and says how.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self) -> End {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(end) = self.end {
                return end;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the other side does not end; heard {}", self.text());
            self.hear_for(left);
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }

    /// What was heard after INFO, frame by frame.
    pub(crate) fn said(&self) -> Vec<Said> {
        let mut rest = &self.heard[..];
        let mut said = Vec::new();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line = String::from_utf8_lossy(&rest[..end]).trim_end().to_owned();
            rest = &rest[end + 1..];
            let verb = line.split_whitespace().next().unwrap_or_default().to_owned();
            if verb == "INFO" {
                continue;
            }
            if !matches!(verb.as_str(), "MSG" | "HMSG") {
                said.push(Said::Line(line));
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let total: usize = words[words.len() - 1].parse().unwrap();
            let has_headers = verb == "HMSG";
            let header: usize = if has_headers { words[words.len() - 2].parse().unwrap() } else { 0 };
            if rest.len() < total + 2 {
                break;
            }
            let sizes = 1 + usize::from(has_headers);
            let headers = String::from_utf8_lossy(&rest[..header]).lines().map(str::to_owned).collect();
            let payload = rest[header..total].to_vec();
            said.push(Said::Message { line: words[1..words.len() - sizes].join(" "), headers, payload });
            rest = &rest[total + 2..];
        }
        said
    }

    /// What was heard, without the headers that the proxy adds. How many messages had one.
    pub(crate) fn said_without_ours(&self) -> (Vec<Said>, usize) {
        let mut injected = 0;
        let said = self.said().into_iter().map(|said| match said {
            Said::Message { line, mut headers, payload } => {
                let count = headers.len();
                headers.retain(|header| !header.starts_with("Wilco: 1;") && !header.starts_with("traceparent: 00-"));
                injected += usize::from(count > headers.len());
                // A block that holds nothing else may have been made for ours.
                if headers == ["NATS/1.0", ""] {
                    headers.clear();
                }
                Said::Message { line, headers, payload }
            }
            line => line,
        });
        (said.collect(), injected)
    }
}
