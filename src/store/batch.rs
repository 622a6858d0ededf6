use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, OptionalExtension, params};

use super::handoff_row::HandoffRow;
use super::row::{Origin, Root, SpanRow};
use super::words::HandoffKey;

/// What one transaction has learnt about the rows that it touches. Everything is written once at its end, however many
/// spans say something of it.
#[derive(Debug, Default)]
pub(super) struct Batch {
    origins: HashMap<[u8; 32], i64>,
    handoffs: HashMap<HandoffKey, HandoffRow>,
    workflows: HashMap<String, WorkflowRow>,
    traces: HashMap<[u8; 16], i64>,
    next: Next,
    /// Spans that were not there before.
    pub(super) fresh: u64,
}

/// The next key of each table.
#[derive(Clone, Copy, Debug, Default)]
struct Next {
    handoff: i64,
    workflow: i64,
}

#[derive(Clone, Debug)]
struct WorkflowRow {
    key: i64,
    is_new: bool,
    name: Option<String>,
    outcome: Option<String>,
    ok: Option<bool>,
    error: bool,
    root_end_ns: Option<i64>,
    first_ns: i64,
    last_ns: i64,
    spans: i64,
    handoffs: i64,
    mismatched: i64,
}

impl Batch {
    /// Begins within a transaction that is open for writing.
    pub(super) fn begin(connection: &Connection) -> rusqlite::Result<Self> {
        let next = |table: &str| {
            let sql = format!("SELECT ifnull(max(key), 0) + 1 FROM {table}");
            connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))
        };
        Ok(Self { next: Next { handoff: next("handoffs")?, workflow: next("workflows")? }, ..Self::default() })
    }

    /// Takes in one span. One that is there already is left as it is, unless the new one ends later.
    pub(super) fn add(&mut self, connection: &Connection, row: &SpanRow, now_ns: i64) -> rusqlite::Result<()> {
        let origin = self.origin(connection, &row.origin)?;
        let workflow = match &row.workflow {
            Some(id) => Some(self.workflow(connection, id, row)?),
            None => None,
        };
        let mut insert = connection.prepare_cached(
            "INSERT INTO spans (trace_id, span_id, parent_id, workflow, type, subtype, name, start_ns, end_ns, error, \
             origin, arrived_ns, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
             ON CONFLICT (trace_id, span_id) DO NOTHING",
        )?;
        let added = insert.execute(params![
            row.trace_id,
            row.span_id,
            row.parent_id,
            workflow,
            row.kind as i64,
            row.subtype,
            row.name,
            row.start_ns,
            row.end_ns,
            row.error,
            origin,
            now_ns,
            row.body
        ])?;
        let span = if added == 1 {
            self.fresh += 1;
            connection.last_insert_rowid()
        } else {
            match self.replace(connection, row, workflow, origin)? {
                Some(key) => key,
                None => return Ok(()),
            }
        };
        if let (Some(id), Some(key)) = (&row.workflow, workflow) {
            if self.traces.get(&row.trace_id) != Some(&key) {
                self.traces.entry(row.trace_id).or_insert(key);
                connection
                    .prepare_cached("INSERT OR IGNORE INTO traces (trace_id, workflow) VALUES (?1, ?2)")?
                    .execute(params![row.trace_id, key])?;
            }
            if let Some(workflow) = self.workflows.get_mut(id) {
                workflow.absorb(row, i64::from(added == 1));
            }
        }
        if let Some(side) = &row.side {
            let handoff = match self.handoffs.entry(side.id.clone()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(match HandoffRow::load(connection, &side.id)? {
                    Some(row) => row,
                    None => {
                        let key = self.next.handoff;
                        self.next.handoff += 1;
                        HandoffRow::new(key, side.id.clone())
                    }
                }),
            };
            handoff.absorb(side, span, row.start_ns, row.end_ns, workflow);
        }
        Ok(())
    }

    /// The keys of the handoffs that change.
    pub(super) fn changed(&self) -> Vec<i64> {
        let mut keys: Vec<i64> = self.handoffs.values().map(|row| row.key).collect();
        keys.sort_unstable();
        keys
    }

    /// Writes what was learnt of handoffs and workflows.
    pub(super) fn finish(mut self, connection: &Connection, now_ns: i64) -> rusqlite::Result<()> {
        let mut by_key: HashMap<i64, &mut WorkflowRow> =
            self.workflows.values_mut().map(|row| (row.key, row)).collect();
        // In the order of their keys, so that neighbours in time are neighbours in the file.
        let mut handoffs: Vec<&mut HandoffRow> = self.handoffs.values_mut().collect();
        handoffs.sort_unstable_by_key(|row| row.key);
        for handoff in handoffs {
            let change = handoff.store(connection)?;
            if let Some(workflow) = handoff.workflow.and_then(|key| by_key.get_mut(&key)) {
                workflow.handoffs += change.handoffs;
                workflow.mismatched += change.mismatched;
            } else if let Some(workflow) = handoff.workflow {
                // Told by a span that names no workflow.
                connection
                    .prepare_cached(
                        "UPDATE workflows SET handoffs = handoffs + ?2, mismatched = mismatched + ?3 WHERE key = ?1",
                    )?
                    .execute(params![workflow, change.handoffs, change.mismatched])?;
            }
        }
        let mut workflows: Vec<(&String, &WorkflowRow)> = self.workflows.iter().collect();
        workflows.sort_unstable_by_key(|(_, row)| row.key);
        for (id, row) in workflows {
            row.store(connection, id, now_ns)?;
        }
        Ok(())
    }

    fn replace(
        &self,
        connection: &Connection,
        row: &SpanRow,
        workflow: Option<i64>,
        origin: i64,
    ) -> rusqlite::Result<Option<i64>> {
        let mut update = connection.prepare_cached(
            "UPDATE spans SET parent_id = ?3, workflow = ifnull(?4, workflow), type = ?5, subtype = ?6, name = ?7, \
             start_ns = ?8, end_ns = ?9, error = ?10, origin = ?11, body = ?12 \
             WHERE trace_id = ?1 AND span_id = ?2 AND (end_ns < ?9 OR end_ns = ?9 AND body < ?12) RETURNING key",
        )?;
        update
            .query_row(
                params![
                    row.trace_id,
                    row.span_id,
                    row.parent_id,
                    workflow,
                    row.kind as i64,
                    row.subtype,
                    row.name,
                    row.start_ns,
                    row.end_ns,
                    row.error,
                    origin,
                    row.body
                ],
                |row| row.get(0),
            )
            .optional()
    }

    fn origin(&mut self, connection: &Connection, origin: &Origin) -> rusqlite::Result<i64> {
        if let Some(key) = self.origins.get(&origin.digest) {
            return Ok(*key);
        }
        let found = connection
            .prepare_cached("SELECT key FROM origins WHERE digest = ?1")?
            .query_row([&origin.digest], |row| row.get(0))
            .optional()?;
        let key = match found {
            Some(key) => key,
            None => {
                connection
                    .prepare_cached("INSERT INTO origins (digest, resource, scope) VALUES (?1, ?2, ?3)")?
                    .execute(params![origin.digest, origin.resource, origin.scope])?;
                connection.last_insert_rowid()
            }
        };
        self.origins.insert(origin.digest, key);
        Ok(key)
    }

    fn workflow(&mut self, connection: &Connection, id: &str, row: &SpanRow) -> rusqlite::Result<i64> {
        if let Some(known) = self.workflows.get(id) {
            return Ok(known.key);
        }
        let workflow = match WorkflowRow::load(connection, id)? {
            Some(workflow) => workflow,
            None => {
                let key = self.next.workflow;
                self.next.workflow += 1;
                WorkflowRow::new(key, row)
            }
        };
        let key = workflow.key;
        self.workflows.insert(id.to_owned(), workflow);
        Ok(key)
    }
}

impl WorkflowRow {
    fn new(key: i64, row: &SpanRow) -> Self {
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

    fn load(connection: &Connection, id: &str) -> rusqlite::Result<Option<Self>> {
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

    fn absorb(&mut self, row: &SpanRow, fresh: i64) {
        self.spans += fresh;
        self.first_ns = self.first_ns.min(row.start_ns);
        self.last_ns = self.last_ns.max(row.end_ns);
        let Some(Root { name, outcome, ok }) = &row.root else { return };
        if self.root_end_ns.is_none_or(|end| end <= row.end_ns) {
            self.root_end_ns = Some(row.end_ns);
            self.name.clone_from(name);
            self.outcome.clone_from(outcome);
            self.ok = *ok;
            self.error = row.error;
        }
    }

    fn store(&self, connection: &Connection, id: &str, now_ns: i64) -> rusqlite::Result<()> {
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
