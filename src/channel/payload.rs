use std::cell::Cell;

use bytes::{Bytes, BytesMut};
use serde::Serialize;

/// Small payloads stand together in pieces of this size, as to allocate and free each by itself takes longer than to
/// write it. A payload keeps its whole piece alive.
const PIECE: usize = 16_384;
/// A payload that is larger stands alone.
const SMALL: usize = 2_048;
/// The most room that is made before a payload is there to fill it.
const MOST: usize = 16_384;

thread_local! {
    /// Where payloads are written; kept, so that it has grown to what they need.
    static DESK: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// The rest of the piece that the last small payload stands in.
    static REST: Cell<BytesMut> = Cell::default();
}

/// The payload as JSON.
pub(crate) fn to_json(payload: &(impl Serialize + ?Sized)) -> Result<Bytes, serde_json::Error> {
    // Taken, as a payload may make another one while it is written.
    let mut json = DESK.take();
    json.clear();
    serde_json::to_writer(&mut json, payload)?;
    if json.len() > SMALL {
        // The next one is likely to be as large; growing to that from nothing would copy it several times.
        DESK.set(Vec::with_capacity((json.len() + json.len() / 16).min(MOST)));
        return Ok(json.into());
    }
    let mut rest = REST.take();
    if rest.capacity() < json.len() {
        rest = BytesMut::with_capacity(PIECE);
    }
    rest.extend_from_slice(&json);
    let bytes = rest.split().freeze();
    REST.set(rest);
    DESK.set(json);
    Ok(bytes)
}
