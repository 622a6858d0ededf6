use super::limits::{LONGEST_REQUEST, MOST_OBJECTS, MOST_SPANS};

/// Why a request could not be read. Says which part it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// Not JSON, or a field of the wrong type. Names what was expected, and the line and column.
    #[error("not an OTLP/JSON trace request: {0}")]
    Json(#[from] serde_json::Error),
    /// Not the protobuf message.
    #[cfg(feature = "otlp")]
    #[error("not an OTLP/protobuf trace request: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// An id of the wrong length.
    #[cfg(feature = "otlp")]
    #[error("{field} of span {span} has {bytes} bytes, and {expected} are due")]
    Id {
        /// Which field.
        field: &'static str,
        /// Place of the span in its request, from 1.
        span: usize,
        /// Bytes that it has.
        bytes: usize,
        /// Bytes that it should have.
        expected: usize,
    },
    /// The request is too long.
    #[error("request of {bytes} bytes is over the limit of {LONGEST_REQUEST}: send it in several")]
    TooLong {
        /// Bytes that it has.
        bytes: usize,
    },
    /// Too many spans in one request.
    #[error("request of {spans} spans is over the limit of {MOST_SPANS}: send it in several")]
    TooManySpans {
        /// Spans that it has.
        spans: usize,
    },
    /// Too many objects in one request.
    #[error("request of {objects} objects is over the limit of {MOST_OBJECTS}: send it in several")]
    TooManyObjects {
        /// Objects that it has.
        objects: usize,
    },
}
