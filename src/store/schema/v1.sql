-- Who made spans: a process and a library, each pair once. Bodies are OTLP/protobuf messages: Resource and
-- InstrumentationScope here, Span below.
CREATE TABLE origins (
    key      INTEGER PRIMARY KEY,
    digest   BLOB NOT NULL UNIQUE,
    resource BLOB NOT NULL,
    scope    BLOB NOT NULL
) STRICT;

-- Every span as it came. Times are in nanoseconds of the Unix epoch, by the clock that each came from.
CREATE TABLE spans (
    key        INTEGER PRIMARY KEY,
    trace_id   BLOB NOT NULL,
    span_id    BLOB NOT NULL,
    parent_id  BLOB,
    workflow   INTEGER,
    handoff    INTEGER,
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
CREATE UNIQUE INDEX spans_by_id ON spans (trace_id, span_id);
CREATE INDEX spans_by_workflow ON spans (workflow) WHERE workflow IS NOT NULL;
-- Handoffs and their processing are looked for among the handoffs; what is left is rare enough for indexes of its own.
CREATE INDEX spans_by_type ON spans (type, subtype, start_ns) WHERE type > 2;
CREATE INDEX spans_by_start ON spans (start_ns) WHERE type > 2;

-- One line per handoff, joined from the spans of both sides (s: sender, r: receiver) in any order of arrival. An id is
-- 16 bytes if it is a UUID, else text.
CREATE TABLE handoffs (
    key         INTEGER PRIMARY KEY,
    id          ANY NOT NULL UNIQUE,
    workflow    INTEGER,
    parent      ANY,
    from_agent  TEXT,
    to_agent    TEXT,
    kind        INTEGER NOT NULL,
    verdict     INTEGER NOT NULL,
    mismatches  INTEGER NOT NULL,
    rung        INTEGER NOT NULL,
    start_ns    INTEGER NOT NULL,
    duration_ns INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    deliveries  INTEGER NOT NULL,
    size        INTEGER,
    age_ms      REAL,
    quality     REAL,
    s_span      INTEGER,
    s_start_ns  INTEGER,
    s_end_ns    INTEGER,
    s_turn      INTEGER,
    s_verdict   INTEGER,
    r_span      INTEGER,
    r_start_ns  INTEGER,
    r_end_ns    INTEGER,
    r_turn      INTEGER,
    r_verdict   INTEGER
) STRICT;
CREATE INDEX handoffs_by_workflow ON handoffs (workflow);
CREATE INDEX handoffs_by_start ON handoffs (start_ns);
CREATE INDEX handoffs_by_from ON handoffs (from_agent, start_ns);
CREATE INDEX handoffs_by_to ON handoffs (to_agent, start_ns);
CREATE INDEX handoffs_by_parent ON handoffs (parent) WHERE parent IS NOT NULL;

CREATE TABLE workflows (
    key        INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    name       TEXT,
    outcome    TEXT,
    ok         INTEGER,
    error      INTEGER NOT NULL,
    root_end_ns INTEGER,
    first_ns   INTEGER NOT NULL,
    last_ns    INTEGER NOT NULL,
    arrived_ns INTEGER NOT NULL,
    spans      INTEGER NOT NULL,
    handoffs   INTEGER NOT NULL,
    mismatched INTEGER NOT NULL
) STRICT;
CREATE INDEX workflows_by_arrival ON workflows (arrived_ns);

-- Which workflows the spans of a trace belong to: spans of other makers carry no workflow id.
CREATE TABLE traces (
    trace_id BLOB NOT NULL,
    workflow INTEGER NOT NULL,
    PRIMARY KEY (trace_id, workflow)
) STRICT, WITHOUT ROWID;
CREATE INDEX traces_by_workflow ON traces (workflow);
