//! One client connection and its connection to the server: one task on one worker, so that no byte and no record of
//! theirs meets a lock or a channel.
//!
//! ```text
//! client --read--> [Pipe: unfinished frame] --frames--> up.rs: plan, hash, header --one write--> server
//! client <--one write-- [Pipe: unfinished frame] <--read-- server, then down.rs looks at what has gone on
//! ```
//!
//! What goes down goes on first and is looked at afterwards. What goes up may get a header with a hash of the payload,
//! and headers precede the payload: so a message that may get one waits until it is whole, unless it is larger than
//! `stream_over`, or the client has stopped in its midst for [`STALL`].

mod ahead;
mod buffers;
mod down;
mod ends;
mod inject;
mod open;
mod pipe;
mod up;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

pub(crate) use buffers::Buffers;
pub(crate) use open::open;

use self::ends::Ends;
use self::pipe::{Pipe, Read, State};
use super::info::InfoEdit;
use super::observer::Observer;
use super::stream::Stream;
use super::worker::Worker;
use crate::model::{HandoffId, Timestamp};
use crate::nats::{Info, Speaker, limits};

/// How long an unfinished message is held back for its rest. A server waits for the rest, too; but it answers some
/// faults as soon as it sees the control line.
pub(crate) const STALL: Duration = Duration::from_millis(20);

/// Both directions of one connection.
pub(crate) struct Session {
    client: Stream,
    server: Stream,
    up: Pipe,
    down: Pipe,
    ends: Ends,
    talk: Talk,
    worker: Rc<Worker>,
    /// Runs while something is held back.
    stall: Option<std::pin::Pin<Box<tokio::time::Sleep>>>,
    /// What was held when it began to run.
    stalled_at: usize,
}

/// What both sides have said of themselves, and who listens in.
pub(crate) struct Talk {
    pub(crate) info: Option<Info>,
    /// CONNECT said `headers: true`.
    pub(crate) headers: bool,
    pub(crate) edit: InfoEdit,
    pub(crate) observer: Observer,
    pub(crate) number: u64,
    /// Which of the servers it is.
    pub(crate) upstream: usize,
}

/// Whose body is passing.
#[derive(Debug)]
pub(crate) enum PassingOf {
    /// Nobody's who cares.
    Nobody,
    /// A message of this handoff, on its way up.
    Handoff(HandoffId),
    /// The message that was delivered last.
    Delivery,
}

impl Session {
    pub(crate) fn new(client: Stream, server: Stream, talk: Talk, worker: Rc<Worker>) -> Self {
        let control_line = worker.shared.config.control_line;
        Self {
            client,
            server,
            up: Pipe::new(Speaker::Client, control_line),
            down: Pipe::new(Speaker::Server, limits::MAX_SERVER_LINE),
            ends: Ends::default(),
            talk,
            worker,
            stall: None,
            stalled_at: 0,
        }
    }

    /// Carries bytes until both directions have ended.
    ///
    /// # Cancel safety
    /// Dropping it closes both connections; what was read has been written, or was waiting for its receiver.
    pub(crate) async fn run(&mut self) {
        poll_fn(|cx| {
            self.worker.remember(self.talk.number, cx.waker());
            Poll::Ready(())
        })
        .await;
        poll_fn(|cx| self.poll(cx)).await;
        self.ends.finish(&mut self.client, &self.server).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let down = self.poll_down(cx);
            let opaque = self.down.opaque;
            let up = self.poll_up(cx);
            let (up, down) = (up.is_ready(), down.is_ready());
            if up && down || (up || down) && (self.ends.is_reset() || self.ends.poll_patience(cx).is_ready()) {
                return Poll::Ready(());
            }
            if self.worker.draining.get() && self.up.is_at_rest() && self.down.is_at_rest() {
                return Poll::Ready(());
            }
            // What came up can make the way down opaque, or the other way round; each then has bytes to let go.
            if opaque == self.down.opaque && self.poll_stall(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// The way from client to server. Ready when it is over.
    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.up.state {
                State::Open => {}
                State::Closed | State::Broken => return Poll::Ready(()),
                State::Ended => {
                    let flushed = ready!(self.up.poll_pending(cx, &mut self.server));
                    // The server may be gone already. After a reset there is no orderly end.
                    let _ = !self.ends.is_reset() && flushed.is_ok() && ready!(self.server.poll_shutdown(cx)).is_ok();
                    self.up.state = State::Closed;
                    continue;
                }
            }
            if let Err(error) = ready!(self.up.poll_pending(cx, &mut self.server)) {
                self.server_refused(&error);
                continue;
            }
            let worker = Rc::clone(&self.worker);
            let mut desk = worker.desk.borrow_mut();
            let desk = &mut *desk;
            desk.buffers.out.clear();
            match ready!(self.up.poll_read(cx, &mut self.client, &mut desk.buffers)) {
                Read::Some => {
                    up::walk(&mut self.up, &mut self.down, &mut self.talk, desk, &worker, Timestamp::now());
                    worker.mind(&mut desk.batch);
                }
                Read::End => {
                    // Whatever is unfinished was all there will be.
                    self.up.let_go(&mut desk.buffers.out);
                    self.up.state = State::Ended;
                }
                Read::Failed(error) => {
                    self.ends.client_failed(&error);
                    self.up.let_go(&mut desk.buffers.out);
                    self.up.state = State::Ended;
                }
            }
            let written = self.up.write(cx, &mut self.server, &desk.buffers.out);
            self.up.give_back(&mut desk.buffers);
            if let Err(error) = written {
                self.server_refused(&error);
            }
        }
    }

    /// The way from server to client. Ready when it is over.
    fn poll_down(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.down.state {
                State::Open => {}
                State::Closed | State::Broken => return Poll::Ready(()),
                State::Ended => {
                    let flushed = ready!(self.down.poll_pending(cx, &mut self.client));
                    let _ = !self.ends.is_reset() && flushed.is_ok() && ready!(self.client.poll_shutdown(cx)).is_ok();
                    self.down.state = State::Closed;
                    continue;
                }
            }
            if let Err(error) = ready!(self.down.poll_pending(cx, &mut self.client)) {
                self.client_refused(&error);
                continue;
            }
            let worker = Rc::clone(&self.worker);
            let mut desk = worker.desk.borrow_mut();
            let desk = &mut *desk;
            desk.buffers.out.clear();
            let read = ready!(self.down.poll_read(cx, &mut self.server, &mut desk.buffers));
            if matches!(read, Read::Some) && self.talk.edit.is_none() {
                // On first, and looked at afterwards.
                self.down.let_go(&mut desk.buffers.out);
                let written = self.down.write(cx, &mut self.client, &desk.buffers.out);
                down::walk(&mut self.down, &mut self.talk, desk, &worker, Timestamp::now());
                worker.mind(&mut desk.batch);
                self.down.give_back(&mut desk.buffers);
                if let Err(error) = written {
                    self.client_refused(&error);
                }
                continue;
            }
            match read {
                Read::Some => down::walk(&mut self.down, &mut self.talk, desk, &worker, Timestamp::now()),
                Read::End => {
                    self.down.let_go(&mut desk.buffers.out);
                    self.down.state = State::Ended;
                }
                Read::Failed(error) => {
                    self.ends.server_failed(&error);
                    self.down.let_go(&mut desk.buffers.out);
                    self.down.state = State::Ended;
                }
            }
            let written = self.down.write(cx, &mut self.client, &desk.buffers.out);
            self.down.give_back(&mut desk.buffers);
            if let Err(error) = written {
                self.client_refused(&error);
            }
        }
    }

    /// The server takes no more. What it said last must still reach the client.
    fn server_refused(&mut self, error: &std::io::Error) {
        self.up.state = State::Broken;
        self.ends.server_refused(error, self.down.state != State::Open);
    }

    /// The client takes no more. What it said last must still reach the server.
    fn client_refused(&mut self, error: &std::io::Error) {
        self.down.state = State::Broken;
        self.ends.client_refused(error, self.up.state != State::Open);
    }

    /// Lets go of what has been held back for too long.
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let held = self.up.held();
        if held == 0 || self.up.state != State::Open {
            return Poll::Pending;
        }
        let stall = match &mut self.stall {
            Some(running) => running,
            None => {
                self.stalled_at = self.up.total;
                self.stall.insert(Box::pin(tokio::time::sleep(STALL)))
            }
        };
        ready!(stall.as_mut().poll(cx));
        self.stall = None;
        if self.stalled_at != self.up.total {
            // More has come since: it goes on waiting.
            return Poll::Ready(());
        }
        let worker = Rc::clone(&self.worker);
        let mut desk = worker.desk.borrow_mut();
        let desk = &mut *desk;
        desk.buffers.out.clear();
        up::stalled(&mut self.up, &mut self.talk, desk, &worker, Timestamp::now());
        let written = self.up.write(cx, &mut self.server, &desk.buffers.out);
        self.up.shrink(&mut desk.buffers);
        if let Err(error) = written {
            self.server_refused(&error);
        }
        Poll::Ready(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut desk = self.worker.desk.borrow_mut();
        let desk = &mut *desk;
        for pipe in [&mut self.up, &mut self.down] {
            pipe.start = pipe.end;
            pipe.give_back(&mut desk.buffers);
        }
        self.talk.observer.on_closed(&mut desk.batch);
    }
}
