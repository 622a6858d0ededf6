use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use super::buffers::{Buffers, Output, READ_BYTES};
use crate::nats::{Body, Parser, Speaker};
use crate::proxy::stream::Stream;

/// Least room that a read is given.
const ROOM: usize = 16 << 10;

/// From this length on, a read ends with a frame if it can.
const LONG: usize = 8 << 10;

/// Up to this length of frames, no more than [`MANY`] bytes are read at once: with a header each they become several
/// times as many, and what was read is to be in the cache still when it is written.
const SHORT: usize = 1 << 10;

const MANY: usize = 64 << 10;

/// A list of slices for one write. More only cost the kernel time.
const SLICES: usize = 64;

/// One direction of a connection: what was read and is not dealt with, and what could not be written yet.
///
/// An idle pipe holds no buffer. Its memory is bounded by one read and the frame that it is in the middle of: as long
/// as the other side does not take what is `pending`, nothing more is read.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// Lent by the worker while `start < end`.
    pub(crate) buffer: Vec<u8>,
    /// The unfinished frame is `buffer[start..end]`.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// How many bytes of it have gone on already.
    pub(crate) sent: usize,
    /// Bytes that the unfinished frame still lacks, where that is known.
    pub(crate) missing: usize,
    /// Bytes of the last frame, most likely of the next one too.
    pub(crate) usual: usize,
    pub(crate) parser: Parser,
    /// The body that is passing piecemeal.
    pub(crate) passing: Option<Passing>,
    /// Frames are no longer looked for; every byte goes on as it comes.
    pub(crate) opaque: bool,
    pub(crate) state: State,
    /// Bytes that were read in all, wrapping.
    pub(crate) total: usize,
    pending: Vec<u8>,
    written: usize,
    flushing: bool,
}

/// How far a direction has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    /// The reading side has ended; what is pending has still to be written.
    Ended,
    /// The writing side was told of the end.
    Closed,
    /// The writing side takes no more.
    Broken,
}

/// A message whose body passes as it comes.
#[derive(Debug)]
pub(crate) struct Passing {
    pub(crate) body: Body,
    /// Made in passing, if anybody wants it.
    pub(crate) hasher: Option<Box<blake3::Hasher>>,
    /// Whose hash it is.
    pub(crate) of: super::PassingOf,
}

/// What a read brought.
pub(crate) enum Read {
    Some,
    End,
    Failed(io::Error),
}

impl Pipe {
    pub(crate) fn new(speaker: Speaker, max_line: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            end: 0,
            sent: 0,
            missing: 0,
            usual: 0,
            parser: Parser::new(speaker, max_line),
            passing: None,
            opaque: false,
            state: State::Open,
            total: 0,
            pending: Vec::new(),
            written: 0,
            flushing: false,
        }
    }

    /// Bytes that are held back, waiting for the rest of their frame.
    pub(crate) fn held(&self) -> usize {
        self.end - self.start - self.sent
    }

    /// Everything that has not gone on yet does, as it is.
    pub(crate) fn let_go(&mut self, out: &mut Output) {
        out.pass(&self.buffer, self.start + self.sent..self.end);
        self.sent = self.end - self.start;
    }

    /// As [`let_go`](Self::let_go), and no more frames are looked for.
    pub(crate) fn give_up(&mut self, out: &mut Output) {
        self.let_go(out);
        self.opaque = true;
        self.passing = None;
        self.start = self.end;
        self.sent = 0;
    }

    /// Whether it is between two frames, with nothing left to write.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.start == self.end && self.passing.is_none() && self.pending.is_empty()
    }

    /// Reads what is there behind the unfinished frame.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, from: &mut Stream, shared: &mut Buffers) -> Poll<Read> {
        let room = self.make_room(shared);
        let until = self.end + room;
        let polled = from.poll_read(cx, &mut self.buffer[self.end..until]);
        let read = match polled {
            Poll::Pending => {
                self.give_back(shared);
                return Poll::Pending;
            }
            Poll::Ready(Ok(0)) => Read::End,
            Poll::Ready(Ok(count)) => {
                self.end += count;
                self.total = self.total.wrapping_add(count);
                Read::Some
            }
            Poll::Ready(Err(error)) => Read::Failed(error),
        };
        Poll::Ready(read)
    }

    /// Sees to it that there is room, and says how much of it to read.
    fn make_room(&mut self, shared: &mut Buffers) -> usize {
        if self.buffer.is_empty() {
            self.buffer = shared.lend();
        }
        let least = if self.missing > 0 { self.missing.min(READ_BYTES) } else { ROOM };
        if self.buffer.len() - self.end < least {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            let wanted = self.end + self.missing.max(ROOM);
            if self.buffer.len() < wanted {
                self.buffer = shared.exchange(std::mem::take(&mut self.buffer), wanted);
            }
        }
        whole_frames(self.buffer.len() - self.end, self.missing, self.usual)
    }

    /// Returns the buffer if nothing unfinished is in it.
    pub(crate) fn give_back(&mut self, shared: &mut Buffers) {
        if self.start == self.end && !self.buffer.is_empty() {
            self.start = 0;
            self.end = 0;
            shared.take_back(std::mem::take(&mut self.buffer));
        }
    }

    /// Copies an unfinished frame that nobody completes into memory of its own size.
    pub(crate) fn shrink(&mut self, shared: &mut Buffers) {
        let held = self.buffer[self.start..self.end].to_vec();
        shared.take_back(std::mem::replace(&mut self.buffer, held));
        self.end -= self.start;
        self.start = 0;
        self.give_back(shared);
    }

    /// Writes what could not be written before.
    pub(crate) fn poll_pending(&mut self, cx: &mut Context<'_>, to: &mut Stream) -> Poll<io::Result<()>> {
        while self.written < self.pending.len() {
            let slice = IoSlice::new(&self.pending[self.written..]);
            self.written += ready!(to.poll_write(cx, &[slice]))?;
            self.flushing = true;
        }
        if !self.pending.is_empty() {
            self.written = 0;
            self.pending = Vec::new();
        }
        if self.flushing {
            ready!(to.poll_flush(cx))?;
            self.flushing = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes a batch; what the other side does not take now becomes pending.
    pub(crate) fn write(&mut self, cx: &mut Context<'_>, to: &mut Stream, out: &Output) -> io::Result<()> {
        let mut pieces = out.pieces.iter().map(|piece| out.bytes(&self.buffer, piece));
        let mut slices = [IoSlice::new(&[]); SLICES];
        loop {
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(&mut pieces) {
                *slice = IoSlice::new(piece);
                count += 1;
            }
            if count == 0 {
                return Ok(());
            }
            let mut left = &mut slices[..count];
            while !left.is_empty() {
                match to.poll_write(cx, left) {
                    Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(Ok(written)) => {
                        self.flushing = true;
                        IoSlice::advance_slices(&mut left, written);
                    }
                    Poll::Ready(Err(error)) => return Err(error),
                    Poll::Pending => {
                        for slice in left.iter() {
                            self.pending.extend_from_slice(slice);
                        }
                        for piece in pieces {
                            self.pending.extend_from_slice(piece);
                        }
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// How much of the room to read, so that it ends with a frame if the next ones are as long as the last: the beginning of
/// a long one would have to be moved to have room for its end.
fn whole_frames(room: usize, missing: usize, usual: usize) -> usize {
    if usual < SHORT {
        return room.min(missing.max(MANY));
    }
    if usual < LONG || missing > room {
        return room;
    }
    let whole = missing + (room - missing) / usual * usual;
    if whole == 0 { room } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_ends_with_a_frame_where_frames_are_long() {
        assert_eq!(whole_frames(1000, 0, 128), 1000, "short ones cost little to move");
        assert_eq!(whole_frames(262_144, 0, 128), 65_536, "and would become much more");
        assert_eq!(whole_frames(262_144, 100_000, 128), 100_000);
        assert_eq!(whole_frames(131_072, 0, 65_582), 65_582);
        assert_eq!(whole_frames(131_072, 92, 65_000), 92 + 2 * 65_000);
        assert_eq!(whole_frames(16_384, 92, 65_000), 92, "the next would not be whole");
        assert_eq!(whole_frames(16_384, 0, 65_000), 16_384, "nor is this one, however it is read");
        assert_eq!(whole_frames(16_384, 20_000, 65_000), 16_384);
    }
}
