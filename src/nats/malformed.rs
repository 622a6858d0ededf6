use super::limits::MAX_SIZE_DIGITS;

/// Why bytes are no frame. nats-server closes the connection over each of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The arguments of a control line are over the limit that the parser was made with.
    #[error("a control line has arguments over the limit of {limit} bytes")]
    LineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// Too few or too many arguments.
    #[error("`{verb}` with {count} arguments")]
    Arguments {
        /// The command, in capitals.
        verb: &'static str,
        /// How many there were; 6 stands for more, too.
        count: usize,
    },
    /// A size is no number, or has too many digits.
    #[error("`{verb}` with a size that is not 1 to {MAX_SIZE_DIGITS} digits")]
    Size {
        /// The command, in capitals.
        verb: &'static str,
    },
    /// The header is said to be longer than header and payload together.
    #[error("`{verb}` with a header size over its total size")]
    HeaderSize {
        /// The command, in capitals.
        verb: &'static str,
    },
    /// A carriage return within a control line. What nats-server makes of it depends on how the bytes were split.
    #[error("a carriage return within a control line")]
    StrayReturn,
    /// No CR LF follows the payload: the size was wrong.
    #[error("no CR LF after a payload: its size was wrong")]
    BodyEnd,
}

impl Malformed {
    /// A short `snake_case` name, of low cardinality, for counting.
    pub fn reason(self) -> &'static str {
        match self {
            Self::LineTooLong { .. } => "line_too_long",
            Self::Arguments { .. } => "arguments",
            Self::Size { .. } => "size",
            Self::HeaderSize { .. } => "header_size",
            Self::StrayReturn => "stray_return",
            Self::BodyEnd => "body_end",
        }
    }
}
