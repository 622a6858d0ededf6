INSERT INTO workflow_traces (workflow, trace)
    SELECT t.workflow, n.key FROM traces t JOIN new_traces n ON n.id = t.trace_id;
DROP TABLE traces;
DROP TABLE spans;
ALTER TABLE new_traces RENAME TO traces;
ALTER TABLE new_spans RENAME TO spans;
-- Handoffs and their processing are looked for among the handoffs; what is left is rare enough for indexes of its own.
CREATE INDEX spans_by_type ON spans (type, subtype, start_ns) WHERE type > 2;
CREATE INDEX spans_by_start ON spans (start_ns) WHERE type > 2;
CREATE INDEX spans_of_no_workflow ON spans (arrived_ns) WHERE workflow IS NULL;
