use rusqlite::{Connection, OptionalExtension, params};

use super::row::SpanRow;

/// One workflow, as one transaction finds and leaves it.
#[derive(Clone, Debug)]
pub(super) struct WorkflowRow {
    pub(super) key: i64,
    is_new: bool,
    name: Option<String>,
    outcome: Option<String>,
    ok: Option<bool>,
    error: bool,
    root_end_ns: Option<i64>,
    first_ns: i64,
    last_ns: i64,
    spans: i64,
    pub(super) handoffs: i64,
    pub(super) mismatched: i64,
}

impl WorkflowRow {
    pub(super) fn new(key: i64, row: &SpanRow) -> Self {
        Self {
            key,
            is_new: true,
            name: None,
            outcome: None,
            ok: None,
            error: false,
            root_end_ns: None,
            first_ns: row.start_ns,
            last_ns: row.end_ns,
            spans: 0,
            handoffs: 0,
            mismatched: 0,
        }
    }

    pub(super) fn load(connection: &Connection, id: &str) -> rusqlite::Result<Option<Self>> {
        let mut select = connection.prepare_cached(
            "SELECT key, name, outcome, ok, error, root_end_ns, first_ns, last_ns, spans, handoffs, mismatched \
             FROM workflows WHERE id = ?1",
        )?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Self {
                key: row.get(0)?,
                is_new: false,
                name: row.get(1)?,
                outcome: row.get(2)?,
                ok: row.get(3)?,
                error: row.get(4)?,
                root_end_ns: row.get(5)?,
                first_ns: row.get(6)?,
                last_ns: row.get(7)?,
                spans: row.get(8)?,
                handoffs: row.get(9)?,
                mismatched: row.get(10)?,
            })
        };
        select.query_row([id], read).optional()
    }

    pub(super) fn absorb(&mut self, row: &SpanRow, fresh: i64) {
        self.spans += fresh;
        self.first_ns = self.first_ns.min(row.start_ns);
        self.last_ns = self.last_ns.max(row.end_ns);
        let Some(root) = &row.root else { return };
        if self.root_end_ns.is_none_or(|end| end <= row.end_ns) {
            self.root_end_ns = Some(row.end_ns);
            self.name = row.subtype().map(str::to_owned);
            self.outcome = row.outcome().map(str::to_owned);
            self.ok = root.ok;
            self.error = row.error;
        }
    }

    pub(super) fn store(&self, connection: &Connection, id: &str, now_ns: i64) -> rusqlite::Result<()> {
        let sql = if self.is_new {
            "INSERT INTO workflows (key, id, name, outcome, ok, error, root_end_ns, first_ns, last_ns, arrived_ns, spans, \
             handoffs, mismatched) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
        } else {
            "UPDATE workflows SET id = ?2, name = ?3, outcome = ?4, ok = ?5, error = ?6, root_end_ns = ?7, \
             first_ns = ?8, last_ns = ?9, arrived_ns = ?10, spans = ?11, handoffs = ?12, mismatched = ?13 WHERE key = ?1"
        };
        connection.prepare_cached(sql)?.execute(params![
            self.key,
            id,
            self.name,
            self.outcome,
            self.ok,
            self.error,
            self.root_end_ns,
            self.first_ns,
            self.last_ns,
            now_ns,
            self.spans,
            self.handoffs,
            self.mismatched
        ])?;
        Ok(())
    }
}
