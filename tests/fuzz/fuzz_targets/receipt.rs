//! Any receipt is read or refused; what was read is written and read again as the same. The header ends at the first
//! line end of the input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wilco::wire::{EncodeError, Receipt};

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|&b| b == b'\n').unwrap_or(data.len());
    let (header, body) = (String::from_utf8_lossy(&data[..end]), data.get(end + 1..).unwrap_or_default());
    let Ok(decoded) = Receipt::decode(Some(&header), body, None) else { return };
    match decoded.receipt.encode(decoded.id, None) {
        Ok((header, body)) => {
            let again = Receipt::decode(Some(&header), &body, None).expect("own receipt");
            assert_eq!((again.id, again.receipt), (decoded.id, decoded.receipt));
            assert!(again.problems.iter().all(|problem| problem.part == "sent_at"), "{:?}", again.problems);
        }
        Err(EncodeError::BodyTooLong { .. }) => {}
        Err(error) => panic!("what was read cannot be written: {error}"),
    }
});
