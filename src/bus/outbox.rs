use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::parting::Parting;

/// What an empty outbox keeps of its memory, in bytes.
const KEPT: usize = 64 << 10;

/// What waits for one connection, in order. Whole frames go in; sockets take as much as they like.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Gone once the connection has ended: others may remember its subscriptions for longer, and must not keep the
    /// socket open.
    stream: Option<Arc<TcpStream>>,
    max_pending: usize,
    bytes: Vec<u8>,
    sent: usize,
    /// Somebody will flush it at the end of a batch.
    pub(super) flush_due: bool,
    /// Nothing more goes in.
    pub(super) parting: Option<Parting>,
}

impl Outbox {
    pub(super) fn new(stream: Arc<TcpStream>, max_pending: usize) -> Self {
        Self { stream: Some(stream), max_pending, bytes: Vec::new(), sent: 0, flush_due: false, parting: None }
    }

    pub(super) fn pending(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Where a frame is to be appended, with room for it. `None` if the connection is ending; it also ends if so much
    /// may not wait for it.
    pub(super) fn room(&mut self, len: usize) -> Option<&mut Vec<u8>> {
        if self.parting.is_none() && self.pending() + len > self.max_pending {
            self.part(Parting::SlowConsumer);
        } else if self.parting.is_none() {
            return Some(self.grown(len));
        }
        None
    }

    fn grown(&mut self, len: usize) -> &mut Vec<u8> {
        // The front that was sent goes before the memory grows, and costs no more than what it makes room for.
        if self.sent > self.bytes.len() / 2 && self.bytes.len() + len > self.bytes.capacity() {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        self.bytes.reserve(len);
        &mut self.bytes
    }

    /// Says goodbye after what waits already. The first reason counts.
    pub(super) fn part(&mut self, parting: Parting) -> bool {
        let first = self.parting.is_none();
        if first {
            self.bytes.extend_from_slice(parting.line());
            self.parting = Some(parting);
        }
        first
    }

    /// Gives the socket what it takes now; `Ok(true)` if that is all.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        let Some(stream) = &self.stream else { return Err(io::ErrorKind::NotConnected.into()) };
        while self.sent < self.bytes.len() {
            match stream.try_write(&self.bytes[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => self.sent += taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.sent = 0;
        Ok(true)
    }

    /// Forgets what waits, and the socket: nobody will read it.
    pub(super) fn discard(&mut self) {
        self.bytes = Vec::new();
        self.sent = 0;
        self.stream = None;
    }
}
