//! Any header value is read; what was read is written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wilco::wire::limits::{MAX_HEADER_BYTES, MAX_LIST_ITEMS, MAX_PROBLEMS, MAX_UNKNOWN_KEYS};
use wilco::wire::{EncodeError, Envelope, MacCheck, MacKey};

fuzz_target!(|data: &[u8]| {
    let value = String::from_utf8_lossy(data);
    let key = MacKey::from_bytes([7; 32]);
    let decoded = Envelope::decode(&value, Some(&key));
    assert!(decoded.problems.len() <= MAX_PROBLEMS);
    assert!(decoded.envelope.contexts.len() <= MAX_LIST_ITEMS && decoded.envelope.inputs.len() <= MAX_LIST_ITEMS);
    assert!(decoded.envelope.unknown.len() <= MAX_UNKNOWN_KEYS);
    for problem in &decoded.problems {
        assert!(problem.to_string().len() < 4_096);
    }
    assert_eq!(Envelope::decode(&value, None).envelope, decoded.envelope);
    match decoded.envelope.encode(Some(&key)) {
        Ok(written) => {
            assert!(written.len() <= MAX_HEADER_BYTES && !written.contains(char::is_control));
            let again = Envelope::decode(&written, Some(&key));
            assert_eq!(again.envelope, decoded.envelope);
            assert!(again.problems.is_empty() && again.mac == MacCheck::Right);
        }
        // Escapes may make a value longer than it came.
        Err(EncodeError::HeaderTooLong { .. }) => {}
        Err(error) => panic!("what was read cannot be written: {error}"),
    }
});
