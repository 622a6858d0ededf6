//! What is followed under a number of our own.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Values by token.
pub(crate) type ByToken<T> = HashMap<u64, T, BuildHasherDefault<TokenHasher>>;

/// Tokens count up and are ours, so nobody can choose them to collide: spreading them over the table is enough.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TokenHasher(u64);

impl Hasher for TokenHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(self.0 ^ u64::from(*byte)));
    }

    fn write_u64(&mut self, token: u64) {
        // 2^64 by the golden ratio (Knuth's multiplicative hashing): low bits stay distinct, high bits differ.
        self.0 = token.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
