use std::collections::VecDeque;

use async_nats::{Message, Subscriber};
use futures_util::{FutureExt, StreamExt};

use crate::model::ContentHash;
use crate::verify::lanes::{self, LANES};

/// Messages that have come and were not offered yet, with their hashes.
///
/// Several short payloads side by side take hardly longer to hash than one of them, so messages that are there already
/// are taken along. Nobody waits for that: only what the client holds at this moment is looked at.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    waiting: VecDeque<Arrived>,
}

/// A message, and the hash of its payload.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) message: Message,
    pub(super) hash: ContentHash,
}

impl Ahead {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn take(&mut self) -> Option<Arrived> {
        self.waiting.pop_front()
    }

    /// Takes a message in, and with it those behind it that are of about the same length. Called when nothing waits.
    pub(super) fn look(&mut self, first: Message, behind: &mut Subscriber) {
        let len = first.payload.len();
        let mut alike = self.add(first);
        while alike < LANES && lanes::match_up(len, len) {
            let Some(Some(message)) = behind.next().now_or_never() else { break };
            if !lanes::match_up(len, message.payload.len()) {
                let hash = ContentHash::of(&message.payload);
                self.waiting.push_back(Arrived { message, hash });
                break;
            }
            alike = self.add(message);
        }
        let mut payloads: [&[u8]; LANES] = [&[]; LANES];
        for (payload, arrived) in payloads.iter_mut().zip(&self.waiting) {
            *payload = &arrived.message.payload;
        }
        let mut hashes = [UNKNOWN; LANES];
        lanes::hash_each(&payloads[..alike], &mut hashes);
        for (arrived, hash) in self.waiting.iter_mut().zip(&hashes[..alike]) {
            arrived.hash = *hash;
        }
    }

    /// Adds a message whose hash is to come; gives how many there are.
    fn add(&mut self, message: Message) -> usize {
        self.waiting.push_back(Arrived { message, hash: UNKNOWN });
        self.waiting.len()
    }
}

const UNKNOWN: ContentHash = ContentHash::from_bytes([0; 32]);
