use std::path::PathBuf;
use std::time::Duration;

use super::query::QueryError;
use crate::otlp::OtlpError;

/// Why the store could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file could not be opened.
    #[error("{}: cannot be opened: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// The file is a database of something else.
    #[error("{}: is no database of wilco; name another file", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is no database, or is damaged.
    #[error("{}: is damaged ({reason}); move it away to start anew, or restore it from a copy", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// The open file turned out to be damaged.
    #[error("the database is damaged ({reason}); move it away to start anew, or restore it from a copy")]
    Corrupt {
        /// What SQLite says.
        reason: String,
    },
    /// The file was written by a newer version of this program.
    #[error("{}: has schema {found}, and this wilco knows schemas up to {known}; use a newer wilco", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// More spans wait to be written than memory is set aside for. Nothing was kept of the request: send it again.
    #[error("overloaded: {waiting} bytes of spans wait to be written, over the limit of {limit}; send again later")]
    Overloaded {
        /// Bytes that wait.
        waiting: usize,
        /// The most that may wait.
        limit: usize,
    },
    /// The disk, or the largest size that the file may have, is full. Nothing was kept of the request: send it again.
    #[error("disk full: nothing can be written until there is room; send again later")]
    Full,
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// An answer took too long.
    #[error("no answer within {limit:?}: ask for less, as with `last 1h`")]
    TooSlow {
        /// How long it may take.
        limit: Duration,
    },
    /// A query that says nothing the store understands.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A span in the file cannot be read.
    #[error("a stored span cannot be read: {0}")]
    Body(String),
    /// A request that is none, or is over a limit.
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    /// A span that could not be read again.
    #[error("span {name:?} holds values within values within values, deeper than is kept: leave some out")]
    Unreadable {
        /// Name of the span.
        name: String,
    },
    /// Anything else that SQLite says.
    #[error("the database says: {0}")]
    Database(String),
}

impl StoreError {
    /// Whether the same request may succeed later, so that whoever sent it should send it again.
    pub const fn is_retryable(&self) -> bool {
        self.is_busy() || matches!(self, Self::Closed)
    }

    /// Whether this store itself may take the same request later.
    pub(super) const fn is_busy(&self) -> bool {
        matches!(self, Self::Overloaded { .. } | Self::Full)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full,
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Self::Corrupt { reason: error.to_string() }
            }
            _ => Self::Database(error.to_string()),
        }
    }
}
