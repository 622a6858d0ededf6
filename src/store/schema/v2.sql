-- Findings by kind, so that the rare kind is found without reading all that is mismatched. A kind is the number of its
-- bit in `handoffs.mismatches`.
CREATE TABLE findings (
    kind    INTEGER NOT NULL,
    handoff INTEGER NOT NULL,
    PRIMARY KEY (kind, handoff)
) STRICT, WITHOUT ROWID;

WITH RECURSIVE bits (bit) AS (SELECT 0 UNION ALL SELECT bit + 1 FROM bits WHERE bit < 31)
INSERT INTO findings SELECT bit, key FROM handoffs, bits WHERE mismatches & (1 << bit) <> 0;

-- Spans of no workflow are forgotten by their own age.
CREATE INDEX spans_of_no_workflow ON spans (arrived_ns) WHERE workflow IS NULL;
-- The rest of a listing by verdict.
CREATE INDEX handoffs_by_verdict ON handoffs (verdict, start_ns) WHERE verdict <> 1;
