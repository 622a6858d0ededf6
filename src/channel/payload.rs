use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use serde::Serialize;

/// Room that the next payload is likely to need, by the last one.
static LIKELY: AtomicUsize = AtomicUsize::new(SMALLEST);

const SMALLEST: usize = 128;
/// A payload that is larger grows into its room: keeping so much for a smaller one would be worse.
const LARGEST: usize = 16_384;

/// The payload as JSON. A buffer that grows from nothing would be copied several times on its way.
pub(crate) fn to_json(payload: &(impl Serialize + ?Sized)) -> Result<Bytes, serde_json::Error> {
    let mut json = Vec::with_capacity(LIKELY.load(Ordering::Relaxed));
    serde_json::to_writer(&mut json, payload)?;
    // A little more, as a number may have one more digit the next time.
    LIKELY.store((json.len() + json.len() / 16).clamp(SMALLEST, LARGEST), Ordering::Relaxed);
    Ok(json.into())
}
