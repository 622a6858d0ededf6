DROP TABLE spans;
ALTER TABLE new_spans RENAME TO spans;
CREATE INDEX spans_by_type ON spans (type, subtype, start_ns) WHERE type > 2;
CREATE INDEX spans_by_start ON spans (start_ns) WHERE type > 2;
CREATE INDEX spans_of_no_workflow ON spans (arrived_ns) WHERE workflow IS NULL;
