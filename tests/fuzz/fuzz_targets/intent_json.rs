//! Any JSON is an intent or refused; the canonical form of an intent is a fixed point and keeps its digest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wilco::model::Intent;

fuzz_target!(|data: &[u8]| {
    let Ok(intent) = Intent::from_json(data) else { return };
    let canonical = intent.canonical_json();
    let again = Intent::from_json(canonical.as_bytes()).expect("own JSON");
    assert_eq!(again.canonical_json(), canonical);
    assert_eq!(again.digest(), intent.digest());
    assert_eq!(again.slots().count(), intent.slots().count());
});
