//! The key of a span: the number of its trace above [`OWN_BITS`] bits made of its own id. Two spans of one trace whose
//! ids make the same bits take the next ones that are free.

/// Bits of a key that are a span's own.
pub(super) const OWN_BITS: u32 = 30;

const OWN: i64 = (1 << OWN_BITS) - 1;

/// Where a span of this trace and id is, if nothing else is there.
pub(super) fn first(trace: i64, span_id: [u8; 8]) -> i64 {
    // Ids are random by convention and may be anything: a multiplication spreads small numbers too.
    let mixed = u64::from_be_bytes(span_id).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - OWN_BITS);
    trace << OWN_BITS | mixed.cast_signed()
}

/// Where to look when something else is there.
pub(super) const fn next(key: i64) -> i64 {
    (key & !OWN) | ((key + 1) & OWN)
}

/// The number of the trace in a key.
pub(super) const fn trace(key: i64) -> i64 {
    key >> OWN_BITS
}

/// The first and the last key that spans of a trace may have.
pub(super) const fn range(trace: i64) -> (i64, i64) {
    (trace << OWN_BITS, trace << OWN_BITS | OWN)
}

/// SQL that is true of the spans under an alias that are in the trace with this number.
pub(super) fn in_trace(span: &str, trace: &str) -> String {
    format!("{span}.key BETWEEN ({trace}) << {OWN_BITS} AND (({trace}) << {OWN_BITS}) + {OWN}")
}

/// SQL for the id of the trace of a span under an alias.
pub(super) fn trace_id(span: &str) -> String {
    format!("(SELECT id FROM traces WHERE key = {span}.key >> {OWN_BITS})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_trace_stay_in_its_range_whatever_the_id() {
        for id in [0_u64, 1, u64::MAX, 1 << 63] {
            let (low, high) = range(7);
            let mut key = first(7, id.to_be_bytes());
            assert!((low..=high).contains(&key) && trace(key) == 7);
            for _ in 0..3 {
                key = next(key);
                assert!((low..=high).contains(&key));
            }
        }
        assert_eq!(next(range(7).1), range(7).0);
    }
}
