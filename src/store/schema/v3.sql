-- A trace under a number of its own, so that what is stored of it lies together, and the traces of one time do too.
CREATE TABLE new_traces (
    key INTEGER PRIMARY KEY,
    id  BLOB NOT NULL UNIQUE
) STRICT;

-- Every span as it came. Its key is the number of its trace and a part made of its own id (see `span_key.rs`): one tree
-- finds the spans of a trace, finds a span by its ids, and holds the bodies. Times are in nanoseconds of the Unix epoch,
-- by the clock that each came from.
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
    body       BLOB NOT NULL
) STRICT;

-- Which traces the spans of a workflow are in: spans of other makers carry no workflow id.
CREATE TABLE workflow_traces (
    workflow INTEGER NOT NULL,
    trace    INTEGER NOT NULL,
    PRIMARY KEY (workflow, trace)
) STRICT, WITHOUT ROWID;
CREATE INDEX workflow_traces_by_trace ON workflow_traces (trace);

-- In which order spans came: the place of the first span of a commit, and the keys of all, eight bytes each. A key that
-- is 0, or of no span, is passed over.
CREATE TABLE arrivals (
    first INTEGER PRIMARY KEY,
    keys  BLOB NOT NULL
) STRICT;
