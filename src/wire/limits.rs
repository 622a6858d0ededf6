//! How much of a peer's bytes is written or read, so that hostile input costs bounded work.

/// Longest value of the packed `Wilco` header, and of a plain header, in bytes. A writer refuses to go over it; a
/// reader reads the parts that lie within it and reports the rest.
///
/// JetStream takes up to 64 KiB of headers in all, and W3C baggage may need 8 KiB of that.
pub const MAX_HEADER_BYTES: usize = 8_192;

/// Longest JSON body of a receipt or decision, in bytes.
pub const MAX_BODY_BYTES: usize = 262_144;

/// Most items in one list: contexts, inputs, context ages, mismatches, lines of a diff.
pub const MAX_LIST_ITEMS: usize = 64;

/// Most unknown keys that are kept from one header.
pub const MAX_UNKNOWN_KEYS: usize = 32;

/// Longest key of the packed header, in bytes.
pub const MAX_KEY_BYTES: usize = 32;

/// Longest subject taken from a peer, in bytes.
pub const MAX_SUBJECT_BYTES: usize = 512;

/// Most problems that are listed for one message; what is malformed beyond that is still left out, but not told.
pub const MAX_PROBLEMS: usize = 32;
