//! Payloads of several chunks each: the first chunks of all of them side by side, then the second ones; and their trees in
//! the same way.

use blake3::IncrementCounter;
use blake3::platform::Platform;

use super::{BLOCK, CHUNK, CHUNK_END, CHUNK_START, INITIAL, LANES, PARENT, ROOT};
use crate::model::ContentHash;

/// The hash of a chunk, or of what is below a node of the tree.
type Value = [u8; 32];

/// Whether so many payloads of so many chunks take less time together. All lanes are filled then, whether there is a
/// payload for each or not; a payload by itself fills as many as it has chunks, and the less it fills the less they cost.
pub(super) fn are_worth_it(platform: Platform, payloads: usize, chunks: usize) -> bool {
    let width = platform.simd_degree();
    3 * payloads * chunks.div_ceil(width) > 4 * chunks * LANES.div_ceil(width)
}

/// The hashes of payloads of so many chunks each, two at least and fewer than [`LANES`]; the last may not be whole.
pub(super) fn hash_each(platform: Platform, payloads: &[&[u8]], chunks: usize, hashes: &mut [ContentHash; LANES]) {
    let mut values = [[[0; 32]; LANES]; LANES];
    for (at, values) in values[..chunks].iter_mut().enumerate() {
        let begin = at * CHUNK;
        let mut inputs = [&[0; CHUNK]; LANES];
        let mut are_whole = true;
        // Lanes for which there is no payload take the first one's.
        for (lane, input) in inputs.iter_mut().enumerate() {
            match payloads.get(lane).unwrap_or(&payloads[0])[begin..].first_chunk() {
                Some(chunk) => *input = chunk,
                None => are_whole = false,
            }
        }
        if are_whole {
            side_by_side(platform, &inputs, at as u64, 0, (CHUNK_START, CHUNK_END), values);
        } else {
            for (payload, value) in payloads.iter().zip(values) {
                *value = chunk(platform, &payload[begin..], at as u64);
            }
        }
    }
    // Level by level: neighbours have a node above them, and one that is left over goes up as it is.
    let mut count = chunks;
    while count > 1 {
        let flags = if count == 2 { PARENT | ROOT } else { PARENT };
        for pair in 0..count / 2 {
            let (left, right) = (values[2 * pair], values[2 * pair + 1]);
            let mut nodes = [[0; BLOCK]; LANES];
            for (node, (left, right)) in nodes.iter_mut().zip(left.iter().zip(&right)) {
                node[..32].copy_from_slice(left);
                node[32..].copy_from_slice(right);
            }
            side_by_side(platform, &nodes.each_ref(), 0, flags, (0, 0), &mut values[pair]);
        }
        if count % 2 == 1 {
            values[count / 2] = values[count - 1];
        }
        count = count.div_ceil(2);
    }
    for (hash, value) in hashes.iter_mut().zip(&values[0][..payloads.len()]) {
        *hash = ContentHash::from_bytes(*value);
    }
}

fn side_by_side<const N: usize>(
    platform: Platform,
    inputs: &[&[u8; N]; LANES],
    counter: u64,
    flags: u8,
    (start, end): (u8, u8),
    values: &mut [Value; LANES],
) {
    let out = values.as_flattened_mut();
    platform.hash_many(inputs, &INITIAL, counter, IncrementCounter::No, flags, start, end, out);
}

/// A chunk by itself, which may not be whole.
fn chunk(platform: Platform, bytes: &[u8], counter: u64) -> Value {
    let bytes = &bytes[..bytes.len().min(CHUNK)];
    let mut words = INITIAL;
    let last = bytes.len().div_ceil(BLOCK) - 1;
    for (at, part) in bytes.chunks(BLOCK).enumerate() {
        let mut block = [0; BLOCK];
        block[..part.len()].copy_from_slice(part);
        let start = if at == 0 { CHUNK_START } else { 0 };
        let end = if at == last { CHUNK_END } else { 0 };
        platform.compress_in_place(&mut words, &block, part.len() as u8, counter, start | end);
    }
    let mut value = [0; 32];
    for (word, bytes) in words.iter().zip(value.chunks_exact_mut(4)) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    value
}
