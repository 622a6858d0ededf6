use std::ops::Range;

use super::ahead::Ahead;

/// Bytes of a read buffer. A worker has a few, and lends one to a connection for as long as a frame is unfinished in it.
/// Room for several large messages, so that one write wakes its receiver for all of them; no more than a core's cache holds.
pub(crate) const READ_BYTES: usize = 256 << 10;

/// Buffers that are kept while nobody needs them.
const SPARE: usize = 2;

/// Largest buffer that is kept: one that has held a frame of 1 MiB.
const KEPT_BYTES: usize = (1 << 20) + READ_BYTES;

/// How many buffers of the usual size come back before a larger one is let go: until then, the next large frame is likely.
const LARGE_FOR: u32 = 1024;

/// A piece of what is to be written: of the bytes that were read, or of those that were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Read(Range<usize>),
    Made(Range<usize>),
}

/// Pieces of a read that are shorter than this are copied together: a slice of its own costs the kernel more.
const OWN_SLICE: usize = 4096;

/// What all connections of one worker share, as only one of them runs at a time.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    spare: Vec<Vec<u8>>,
    /// One that has held a large frame, for the next one.
    large: Option<Vec<u8>>,
    /// Buffers that came back since `large` was used.
    since_large: u32,
    pub(crate) out: Output,
    pub(crate) ahead: Ahead,
}

impl Buffers {
    /// A buffer of [`READ_BYTES`] at least.
    pub(crate) fn lend(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_else(|| vec![0; READ_BYTES])
    }

    /// A buffer of so many bytes at least, for a frame for which the usual one is too short, with what is in that one.
    pub(crate) fn exchange(&mut self, usual: Vec<u8>, len: usize) -> Vec<u8> {
        let mut larger = match &self.large {
            _ if len <= READ_BYTES => self.lend(),
            Some(large) if large.len() >= len => self.large.take().unwrap_or_default(),
            _ => vec![0; len.next_multiple_of(READ_BYTES)],
        };
        larger[..usual.len()].copy_from_slice(&usual);
        self.take_back(usual);
        larger
    }

    /// Takes a buffer back.
    pub(crate) fn take_back(&mut self, buffer: Vec<u8>) {
        if buffer.len() > READ_BYTES {
            if buffer.len() <= KEPT_BYTES {
                self.large = Some(buffer);
                self.since_large = 0;
            }
            return;
        }
        if self.spare.len() < SPARE && buffer.len() == READ_BYTES {
            self.spare.push(buffer);
        }
        self.since_large += 1;
        if self.since_large >= LARGE_FOR {
            self.large = None;
        }
    }
}

/// One batch of bytes for one side: what was read, with what was made in between.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) made: Vec<u8>,
    pub(crate) pieces: Vec<Piece>,
}

impl Output {
    pub(crate) fn clear(&mut self) {
        self.made.clear();
        self.pieces.clear();
    }

    /// Bytes of the read buffer go on as they are.
    pub(crate) fn pass(&mut self, read: &[u8], range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        match self.pieces.last_mut() {
            Some(Piece::Read(last)) if last.end == range.start => last.end = range.end,
            Some(_) if range.len() < OWN_SLICE => {
                let start = self.made.len();
                self.made.extend_from_slice(&read[range]);
                self.made_since(start);
            }
            _ => self.pieces.push(Piece::Read(range)),
        }
    }

    /// What was appended to `made` since it had this length goes on.
    pub(crate) fn made_since(&mut self, start: usize) {
        let end = self.made.len();
        match self.pieces.last_mut() {
            Some(Piece::Made(last)) if last.end == start => last.end = end,
            _ => self.pieces.push(Piece::Made(start..end)),
        }
    }

    /// The bytes of a piece.
    pub(crate) fn bytes<'a>(&'a self, read: &'a [u8], piece: &Piece) -> &'a [u8] {
        match piece {
            Piece::Read(range) => &read[range.clone()],
            Piece::Made(range) => &self.made[range.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(out: &Output, read: &[u8]) -> String {
        out.pieces.iter().map(|piece| String::from_utf8_lossy(out.bytes(read, piece)).into_owned()).collect()
    }

    #[test]
    fn neighbours_are_one_piece_and_short_ones_are_copied_together() {
        let read = b"abcdef".repeat(1000);
        let mut out = Output::default();
        out.pass(&read, 0..3);
        out.pass(&read, 3..5);
        assert_eq!(out.pieces, [Piece::Read(0..5)]);
        out.made.extend_from_slice(b"XY");
        out.made_since(0);
        out.pass(&read, 5..6);
        assert_eq!((out.pieces.len(), text(&out, &read).as_str()), (2, "abcdeXYf"));
        out.pass(&read, 6..5500);
        assert_eq!(out.pieces.last(), Some(&Piece::Read(6..5500)));
    }

    #[test]
    fn a_huge_buffer_is_not_kept() {
        let mut buffers = Buffers::default();
        buffers.take_back(vec![0; KEPT_BYTES + 1]);
        assert_eq!(buffers.lend().len(), READ_BYTES);
        assert_eq!(buffers.exchange(vec![7; 10], KEPT_BYTES).len(), KEPT_BYTES);
    }

    #[test]
    fn a_large_buffer_is_for_large_frames_and_is_let_go_when_there_are_none() {
        let mut buffers = Buffers::default();
        let usual = buffers.lend();
        let mut large = buffers.exchange([usual.as_slice(), &[]].concat(), READ_BYTES + 1);
        assert_eq!(large.len(), 2 * READ_BYTES);
        large[READ_BYTES] = 1;
        buffers.take_back(large);
        assert_eq!(buffers.lend().len(), READ_BYTES, "who needs no large one gets none");
        let again = buffers.exchange(vec![7; 3], 2 * READ_BYTES);
        assert_eq!((&again[..3], again[READ_BYTES]), (&[7; 3][..], 1), "the same as before");
        buffers.take_back(again);
        for _ in 0..LARGE_FOR {
            let usual = buffers.lend();
            buffers.take_back(usual);
        }
        assert!(buffers.large.is_none());
    }
}
