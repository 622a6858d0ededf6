//! Spans in SQLite.
