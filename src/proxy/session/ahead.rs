use super::buffers::READ_BYTES;
use crate::model::ContentHash;
use crate::nats::{Head, Op, Parsed, Parser, Speaker};
use crate::verify::lanes::{self, LANES};

/// Messages further on in what was read, that were hashed together with the one before them.
///
/// Filled where the hash of a message is wanted that is not the last of its batch; empty again when the batch is over.
#[derive(Debug)]
pub(crate) struct Ahead {
    /// Where each begins, and its control line.
    frames: [(usize, Option<Head>); LANES],
    hashes: [ContentHash; LANES],
    next: usize,
    count: usize,
}

impl Default for Ahead {
    fn default() -> Self {
        Self { frames: [(0, None); LANES], hashes: [ContentHash::from_bytes([0; 32]); LANES], next: 0, count: 0 }
    }
}

impl Ahead {
    /// The control line and the hash of the message that begins at `at`, if it was looked at.
    #[inline]
    pub(super) fn take(&mut self, at: usize) -> Option<(Head, ContentHash)> {
        if self.next == self.count {
            return None;
        }
        let (begins, head) = self.frames[self.next];
        let hash = self.hashes[self.next];
        self.next += 1;
        head.filter(|_| begins == at).map(|head| (head, hash))
    }

    /// The buffer changes: nothing in it was looked at.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.next = 0;
        self.count = 0;
    }

    /// The hash of the message at `at`, and of those after it that can be hashed together with it. `wants` says of which
    /// subjects hashes are wanted.
    pub(super) fn hash(
        &mut self,
        read: &[u8],
        at: usize,
        head: &Head,
        max_line: usize,
        mut wants: impl FnMut(&[u8]) -> bool,
    ) -> ContentHash {
        self.clear();
        let first = &read[at..][head.payload()];
        if !lanes::match_up(first.len(), first.len()) {
            return ContentHash::of(first);
        }
        let mut payloads = [first; LANES];
        let (mut count, mut next) = (1, at + head.len());
        let mut parser = Parser::new(Speaker::Client, max_line);
        while count < LANES && next - at < READ_BYTES {
            let Parsed::Frame(head) = parser.parse(&read[next..]) else { break };
            let (Op::Pub(message) | Op::Hpub(message)) = head.op else { break };
            let frame = &read[next..next + head.len()];
            let payload = &frame[head.payload()];
            if !lanes::match_up(first.len(), payload.len()) || !wants(message.subject.of(frame)) {
                break;
            }
            self.frames[count - 1] = (next, Some(head));
            payloads[count] = payload;
            count += 1;
            next += head.len();
        }
        if count == 1 {
            return ContentHash::of(first);
        }
        let mut hashes = [ContentHash::from_bytes([0; 32]); LANES];
        lanes::hash_each(&payloads[..count], &mut hashes);
        self.hashes[..count - 1].copy_from_slice(&hashes[1..count]);
        self.count = count - 1;
        hashes[0]
    }
}
