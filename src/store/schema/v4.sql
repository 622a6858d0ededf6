-- The bodies of spans that are of one trace and one workflow and came together (see `pack.rs`).
CREATE TABLE packs (
    key   INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

-- A span as before, but for its body, which is in a pack, at this byte.
CREATE TABLE new_spans (
    key        INTEGER PRIMARY KEY,
    span_id    BLOB NOT NULL,
    parent_id  BLOB,
    workflow   INTEGER,
    type       INTEGER NOT NULL,
    subtype    TEXT,
    name       TEXT NOT NULL,
    start_ns   INTEGER NOT NULL,
    end_ns     INTEGER NOT NULL,
    error      INTEGER NOT NULL,
    origin     INTEGER NOT NULL,
    arrived_ns INTEGER NOT NULL,
    pack       INTEGER NOT NULL,
    at         INTEGER NOT NULL
) STRICT;
