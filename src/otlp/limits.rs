//! What one request may hold: its bytes, and what few bytes can blow up to in memory.

/// The longest request that is read, in bytes: one line of a file, or one body.
pub const LONGEST_REQUEST: usize = 64 << 20;

/// The most spans in one request.
pub const MOST_SPANS: usize = 200_000;

/// The most JSON objects in one request: each span, event, link and value is one or two. Counted before anything is
/// built, so that a request of empty objects costs no memory.
pub const MOST_OBJECTS: usize = 4_000_000;
