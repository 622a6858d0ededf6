use super::limits::{MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_LIST_ITEMS};

/// Something cannot be written as it is, because a reader could not read it back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The header would be too long.
    #[error("a `Wilco` header of {len} bytes is over the limit of {MAX_HEADER_BYTES}; send fewer contexts or inputs")]
    HeaderTooLong {
        /// What it would take, in bytes.
        len: usize,
    },
    /// The JSON body would be too long.
    #[error("a body of {len} bytes is over the limit of {MAX_BODY_BYTES}; shorten the readback or the error text")]
    BodyTooLong {
        /// What it would take, in bytes.
        len: usize,
    },
    /// A list has too many items.
    #[error("`{part}` with {len} items is over the limit of {MAX_LIST_ITEMS}")]
    TooManyItems {
        /// The key or field.
        part: &'static str,
        /// How many there are.
        len: usize,
    },
    /// A value cannot be written.
    #[error("`{part}` {reason}")]
    Value {
        /// The key or field.
        part: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An extra key is no key, is one of ours, or comes twice.
    #[error("extra key {key:?} {reason}")]
    Key {
        /// The key.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// A message cannot be taken for a receipt or decision at all.
///
/// Where only an optional part is malformed there is a [`Problem`](super::Problem) instead, and the rest is used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body is too long to be read.
    #[error("a body of {len} bytes is over the limit of {MAX_BODY_BYTES}")]
    BodyTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The body is not a JSON object.
    #[error("the body is not a JSON object: {0}")]
    NotAnObject(String),
    /// The version of the body is not one that this library reads.
    #[error("version {0} of the body is not known; this library reads version 1")]
    Version(String),
    /// There is no `Wilco` header with a well-formed `id`, so nobody can tell which handoff it is about.
    #[error("no `Wilco` header with a handoff id: {0}")]
    NoId(String),
    /// A required field is absent or malformed.
    #[error("required field `{field}` {reason}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}
