//! Comparing two intents, whatever a peer wrote: no panic, an intent agrees with itself, and neither side is favoured.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wilco::model::Intent;
use wilco::verify::intent::{Comparer, Comparison, compare};

fuzz_target!(|data: &[u8]| {
    // Two intents, parted by a NUL, which JSON never holds.
    let Some(at) = data.iter().position(|byte| *byte == 0) else { return };
    let (Ok(sent), Ok(read_back)) = (Intent::from_json(&data[..at]), Intent::from_json(&data[at + 1..])) else { return };
    let comparer = Comparer::new();
    assert!(compare(&sent, &sent, &comparer).agrees(), "{sent} does not agree with itself");
    let there = compare(&sent, &read_back, &comparer);
    let back = compare(&read_back, &sent, &comparer);
    assert_eq!(
        matches!(there, Comparison::Differs(_)),
        matches!(back, Comparison::Differs(_)),
        "{sent} and {read_back} differ one way only"
    );
    // What is shown to people stays one line each.
    for difference in there.differences() {
        assert!(!difference.to_string().contains('\n'));
    }
});
