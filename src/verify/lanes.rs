//! BLAKE3 of several payloads side by side, one in each SIMD lane.
//!
//! A payload of up to 1 KiB is one BLAKE3 chunk: a chain of 64-byte blocks, which a CPU can only take one after the other.
//! But the chains of several payloads can be taken at once. `blake3` does so for the chunks of one long input, and
//! exposes the function that does it (`Platform::hash_many`) for benchmarks only, without a promise that it stays. Hence
//! `~1.8` in Cargo.toml, and the tests below, which compare every length with the crate's public function. If it goes,
//! [`hash_each`] becomes a loop over `ContentHash::of`, and only takes longer.
//!
//! Payloads of several chunks fill lanes of their own, but not all of them before they have [`LANES`] chunks. So of a few
//! such payloads the first chunks are taken together, then the second ones, and so on ([`trees`]).

mod trees;

use blake3::IncrementCounter;
use blake3::platform::Platform;

use crate::model::ContentHash;

/// Payloads that are hashed at once at most: the lanes of AVX-512.
pub(crate) const LANES: usize = 16;

/// Longest payload for which it helps: longer ones fill the lanes by themselves.
pub(crate) const LONGEST: usize = (LANES - 1) * CHUNK;

const CHUNK: usize = 1024;
const BLOCK: usize = 64;

/// BLAKE3's initial chaining value: the words of its specification, which are SHA-256's.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
const CHUNK_START: u8 = 1;
const CHUNK_END: u8 = 2;
const PARENT: u8 = 4;
const ROOT: u8 = 8;

/// Whether two payloads go side by side: both are one chunk of as many blocks, and of more than one, so that there is
/// something to gain; or of as many chunks.
#[inline]
pub(crate) fn match_up(one: usize, other: usize) -> bool {
    if one > CHUNK {
        return one <= LONGEST && one.div_ceil(CHUNK) == other.div_ceil(CHUNK);
    }
    one > BLOCK && one.div_ceil(BLOCK) == other.div_ceil(BLOCK)
}

/// The hashes of payloads of which each [matches](match_up) the first, [`LANES`] at most.
pub(crate) fn hash_each(payloads: &[&[u8]], hashes: &mut [ContentHash; LANES]) {
    let payloads = &payloads[..payloads.len().min(LANES)];
    let platform = Platform::detect();
    let first = payloads.first().map_or(0, |payload| payload.len());
    let chunks = first.div_ceil(CHUNK);
    if payloads.len() < 2
        || payloads.iter().any(|payload| !match_up(first, payload.len()))
        || chunks > 1 && !trees::are_worth_it(platform, payloads.len(), chunks)
    {
        for (payload, hash) in payloads.iter().zip(hashes) {
            *hash = ContentHash::of(payload);
        }
        return;
    }
    if chunks > 1 {
        return trees::hash_each(platform, payloads, chunks, hashes);
    }
    let blocks = first.div_ceil(BLOCK);
    let are_whole = payloads.iter().all(|payload| payload.len() == blocks * BLOCK);
    let mut words = [0; LANES * 32];
    let together = if are_whole { blocks } else { blocks - 1 };
    let end = if are_whole { CHUNK_END | ROOT } else { 0 };
    chain(platform, together, payloads, end, &mut words);
    for ((payload, words), hash) in payloads.iter().zip(words.chunks_exact(32)).zip(hashes) {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(words);
        if !are_whole {
            bytes = last(platform, &bytes, &payload[together * BLOCK..]);
        }
        *hash = ContentHash::from_bytes(bytes);
    }
}

/// The chaining values after the last block, which may not be a whole one and is taken by itself.
fn last(platform: Platform, chained: &[u8; 32], rest: &[u8]) -> [u8; 32] {
    let mut words = [0; 8];
    for (word, bytes) in words.iter_mut().zip(chained.chunks_exact(4)) {
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    let mut block = [0; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    platform.compress_in_place(&mut words, &block, rest.len() as u8, 0, CHUNK_END | ROOT);
    let mut bytes = [0; 32];
    for (word, bytes) in words.iter().zip(bytes.chunks_exact_mut(4)) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// The chaining values after the first `blocks` blocks of each payload. The crate's function wants their number at
/// compile time.
fn chain(platform: Platform, blocks: usize, payloads: &[&[u8]], end: u8, out: &mut [u8]) {
    macro_rules! by_blocks {
        ($($n:literal)*) => {
            match blocks {
                $($n => chain_of::<{ $n * BLOCK }>(platform, payloads, end, out),)*
                _ => {}
            }
        };
    }
    by_blocks!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
}

fn chain_of<const N: usize>(platform: Platform, payloads: &[&[u8]], end: u8, out: &mut [u8]) {
    let mut inputs = [&[0; N]; LANES];
    let mut count = 0;
    for (input, first) in inputs.iter_mut().zip(payloads.iter().filter_map(|payload| payload.first_chunk::<N>())) {
        *input = first;
        count += 1;
    }
    let inputs = &inputs[..count];
    platform.hash_many(inputs, &INITIAL, 0, IncrementCounter::No, 0, CHUNK_START, end, &mut out[..count * 32]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(len: usize, seed: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 31 + seed * 17 + (at >> 8)) as u8).collect()
    }

    fn check(payloads: &[Vec<u8>]) {
        let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        let mut hashes = [ContentHash::from_bytes([0; 32]); LANES];
        hash_each(&slices, &mut hashes);
        for (payload, hash) in slices.iter().zip(hashes) {
            assert_eq!(hash, ContentHash::of(payload), "{} of {} bytes", slices.len(), payload.len());
        }
    }

    #[test]
    fn every_length_and_number_has_the_hash_that_the_crate_gives() {
        for len in 0..=CHUNK + 70 {
            check(&(0..LANES).map(|seed| payload(len, seed)).collect::<Vec<_>>());
        }
        for count in 0..=LANES {
            for len in [100, 128, 1000, 1024, 2048, 8192, 8200] {
                check(&(0..count).map(|seed| payload(len, seed)).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn trees_of_every_number_of_chunks_have_the_hash_that_the_crate_gives() {
        for chunks in 2..=LANES + 1 {
            for len in [1, 63, 64, 65, 1000, 1023, 1024].map(|last| (chunks - 1) * CHUNK + last) {
                check(&(0..LANES).map(|seed| payload(len, seed)).collect::<Vec<_>>());
            }
            check(&(0..LANES).map(|n| payload((chunks - 1) * CHUNK + 1 + n * 68, n)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn lengths_that_differ_within_a_block_and_beyond_are_told_apart() {
        check(&(0..LANES).map(|n| payload(65 + n * 4, n)).collect::<Vec<_>>());
        check(&(0..LANES).map(|n| payload(60 + n * 9, n)).collect::<Vec<_>>());
        assert!(match_up(65, 128) && match_up(1024, 961));
        assert!(match_up(1025, 2048) && match_up(LONGEST, LONGEST - 1023));
        assert!(!match_up(64, 64) && !match_up(128, 129) && !match_up(1024, 1025) && !match_up(1025, 1024));
        assert!(!match_up(2048, 2049) && !match_up(LONGEST + 1, LONGEST + 1));
    }
}
