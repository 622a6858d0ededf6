use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::handoff_row::HandoffRow;
use super::request::Request;
use super::row::{Origin, SpanRow};
use super::words::HandoffKey;
use super::workflow_row::WorkflowRow;
use super::{arrivals, pack, span_key};

/// What one transaction has learnt about the rows that it touches. Everything is written once at its end, however many
/// spans say something of it.
pub(super) struct Batch<'c> {
    connection: &'c Connection,
    origins: HashMap<[u8; 32], i64>,
    traces: HashMap<[u8; 16], i64>,
    handoffs: HashMap<HandoffKey, HandoffRow>,
    workflows: HashMap<&'c str, WorkflowRow>,
    /// Pairs of a workflow and a trace that are known to be in the file.
    links: HashSet<(i64, i64)>,
    next: Next,
    /// By request: the keys of its packs, of those that are written.
    packs: Vec<Vec<Option<i64>>>,
    /// Packs, with their traces, out of which spans were taken.
    left: HashMap<i64, HashSet<i64>>,
    /// The keys of the spans that came, in their order.
    came: Vec<i64>,
    insert: CachedStatement<'c>,
    now_ns: i64,
}

/// The next key of each table.
#[derive(Clone, Copy, Debug, Default)]
struct Next {
    trace: i64,
    handoff: i64,
    workflow: i64,
    pack: i64,
}

/// A span on its way into the file.
struct Placed<'r> {
    key: i64,
    trace: i64,
    workflow: Option<i64>,
    origin: i64,
    row: &'r SpanRow,
    request: usize,
    at: usize,
}

impl<'c> Batch<'c> {
    /// Begins within a transaction that is open for writing.
    pub(super) fn begin(connection: &'c Connection, now_ns: i64) -> rusqlite::Result<Self> {
        let next = |table: &str| {
            let sql = format!("SELECT ifnull(max(key), 0) + 1 FROM {table}");
            connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))
        };
        Ok(Self {
            connection,
            origins: HashMap::new(),
            traces: HashMap::new(),
            handoffs: HashMap::new(),
            workflows: HashMap::new(),
            links: HashSet::new(),
            next: Next {
                trace: next("traces")?,
                handoff: next("handoffs")?,
                workflow: next("workflows")?,
                pack: next("packs")?,
            },
            packs: Vec::new(),
            left: HashMap::new(),
            came: Vec::new(),
            insert: connection.prepare_cached(INSERT)?,
            now_ns,
        })
    }

    /// Takes in the spans of several requests. One that is there already is left as it is, unless the new one ends
    /// later. Gives for each request how many of its spans were not there.
    pub(super) fn add(&mut self, requests: &[&'c Request]) -> rusqlite::Result<Vec<u64>> {
        let mut placed = Vec::with_capacity(requests.iter().map(|request| request.len()).sum());
        self.packs = requests.iter().map(|request| vec![None; request.packs.len()]).collect();
        for (request, of) in requests.iter().enumerate() {
            for row in &of.rows {
                // Neighbours are alike, more often than not.
                let before: Option<&Placed<'_>> = placed.last();
                let trace = match before.filter(|before| before.row.trace_id == row.trace_id) {
                    Some(before) => before.trace,
                    None => self.trace(row.trace_id)?,
                };
                let workflow = match (before.filter(|before| before.row.is_of_workflow_of(row)), row.workflow()) {
                    (Some(before), _) => before.workflow,
                    (None, Some(id)) => Some(self.workflow(id, row)?),
                    (None, None) => None,
                };
                let origin = match before.filter(|before| Arc::ptr_eq(&before.row.origin, &row.origin)) {
                    Some(before) => before.origin,
                    None => self.origin(&row.origin)?,
                };
                let key = span_key::first(trace, row.span_id);
                placed.push(Placed { key, trace, workflow, origin, row, request, at: placed.len() });
            }
        }
        // In the order of the file: what is appended is cheaper than what is put between. It is stable, so that of a span
        // that comes twice the first one is the first.
        placed.sort_by_key(|span| span.key);
        let mut fresh = vec![0; requests.len()];
        let mut came = Vec::with_capacity(placed.len());
        for span in &placed {
            let (key, is_fresh) = match self.put(span, requests[span.request])? {
                Put::Fresh(key) => (key, true),
                Put::Replaced(key) => (key, false),
                Put::Left => continue,
            };
            fresh[span.request] += u64::from(is_fresh);
            came.push((span.at, key));
            self.tell(span, key, is_fresh)?;
        }
        came.sort_unstable();
        self.came.extend(came.into_iter().map(|(_, key)| key));
        Ok(fresh)
    }

    /// Writes what was learnt of handoffs and workflows; gives the keys of the handoffs that changed.
    pub(super) fn finish(mut self) -> rusqlite::Result<Vec<i64>> {
        let connection = self.connection;
        for (trace, packs) in &self.left {
            pack::drop_unused(connection, *trace, packs)?;
        }
        arrivals::write(connection, arrivals::next_place(connection)?, &self.came)?;
        let mut by_key: HashMap<i64, &mut WorkflowRow> =
            self.workflows.values_mut().map(|row| (row.key, row)).collect();
        // In the order of their keys, so that neighbours in time are neighbours in the file.
        let mut handoffs: Vec<&mut HandoffRow> = self.handoffs.values_mut().collect();
        handoffs.sort_unstable_by_key(|row| row.key);
        let mut changed = Vec::with_capacity(handoffs.len());
        for handoff in handoffs {
            let change = handoff.store(connection)?;
            changed.push(handoff.key);
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
        let mut workflows: Vec<(&&str, &WorkflowRow)> = self.workflows.iter().collect();
        workflows.sort_unstable_by_key(|(_, row)| row.key);
        for (id, row) in workflows {
            row.store(connection, id, self.now_ns)?;
        }
        changed.sort_unstable();
        Ok(changed)
    }

    fn put(&mut self, span: &Placed<'_>, of: &Request) -> rusqlite::Result<Put> {
        let (row, mut key) = (span.row, span.key);
        let written = self.packs[span.request][row.pack];
        loop {
            let added = self.insert.execute(params![
                key,
                row.span_id,
                row.parent_id,
                span.workflow,
                row.kind as i64,
                row.bound_subtype(),
                row.bound_name(),
                row.start_ns,
                row.end_ns,
                row.error,
                span.origin,
                self.now_ns,
                written.unwrap_or(self.next.pack),
                row.at
            ])?;
            if added == 1 {
                self.pack(span, of)?;
                return Ok(Put::Fresh(key));
            }
            let mut there =
                self.connection.prepare_cached("SELECT span_id, end_ns, pack, at FROM spans WHERE key = ?1")?;
            let (span_id, end_ns, pack, at): ([u8; 8], i64, i64, i64) =
                there.query_row([key], |there| Ok((there.get(0)?, there.get(1)?, there.get(2)?, there.get(3)?)))?;
            if span_id == row.span_id {
                return self.replace(span, of, key, (end_ns, pack, at));
            }
            key = span_key::next(key);
        }
    }

    /// Of two that say to be the same span, the one that ends later stays; of two that end together, one of them
    /// whichever came first.
    fn replace(
        &mut self,
        span: &Placed<'_>,
        of: &Request,
        key: i64,
        (end_ns, pack, at): (i64, i64, i64),
    ) -> rusqlite::Result<Put> {
        let row = span.row;
        if end_ns > row.end_ns {
            return Ok(Put::Left);
        }
        if end_ns == row.end_ns {
            let mut select = self.connection.prepare_cached("SELECT bytes FROM packs WHERE key = ?1")?;
            let raw = select.query_row([pack], |there| Ok(pack::open(there.get_ref(0)?.as_blob()?)))?;
            if raw.as_ref().and_then(|raw| pack::body(raw, at)).is_some_and(|there| there >= &row.body[..]) {
                return Ok(Put::Left);
            }
        }
        let into = self.pack(span, of)?;
        self.connection.prepare_cached(REPLACE)?.execute(params![
            key,
            row.parent_id,
            span.workflow,
            row.kind as i64,
            row.bound_subtype(),
            row.bound_name(),
            row.start_ns,
            row.end_ns,
            row.error,
            span.origin,
            into,
            row.at
        ])?;
        self.left.entry(span.trace).or_default().insert(pack);
        Ok(Put::Replaced(key))
    }

    /// The key of the pack that a span is in. A pack is written with the first of its spans that is kept.
    fn pack(&mut self, span: &Placed<'_>, of: &Request) -> rusqlite::Result<i64> {
        let written = &mut self.packs[span.request][span.row.pack];
        if let Some(key) = *written {
            return Ok(key);
        }
        let key = self.next.pack;
        pack::write(self.connection, key, &of.packs[span.row.pack])?;
        self.next.pack += 1;
        *written = Some(key);
        Ok(key)
    }

    /// Tells the workflow and the handoff of a span what it says.
    fn tell(&mut self, span: &Placed<'c>, key: i64, is_fresh: bool) -> rusqlite::Result<()> {
        let row = span.row;
        if let (Some(id), Some(workflow)) = (row.workflow(), span.workflow) {
            if self.links.insert((workflow, span.trace)) {
                self.connection
                    .prepare_cached("INSERT OR IGNORE INTO workflow_traces (workflow, trace) VALUES (?1, ?2)")?
                    .execute([workflow, span.trace])?;
            }
            if let Some(workflow) = self.workflows.get_mut(id) {
                workflow.absorb(row, i64::from(is_fresh));
            }
        }
        if let Some(side) = &row.side {
            let handoff = match self.handoffs.entry(side.id.clone()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let key = self.next.handoff;
                    self.next.handoff += 1;
                    entry.insert(HandoffRow::new(key, side.id.clone()))
                }
            };
            handoff.absorb(row, side, key, span.workflow);
        }
        Ok(())
    }

    fn trace(&mut self, id: [u8; 16]) -> rusqlite::Result<i64> {
        let entry = match self.traces.entry(id) {
            Entry::Occupied(known) => return Ok(*known.get()),
            Entry::Vacant(entry) => entry,
        };
        let added = self
            .connection
            .prepare_cached("INSERT INTO traces (key, id) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING")?
            .execute(params![self.next.trace, id])?;
        let key = if added == 1 {
            self.next.trace += 1;
            self.next.trace - 1
        } else {
            self.connection.prepare_cached("SELECT key FROM traces WHERE id = ?1")?.query_row([id], |row| row.get(0))?
        };
        Ok(*entry.insert(key))
    }

    fn origin(&mut self, origin: &Origin) -> rusqlite::Result<i64> {
        if let Some(key) = self.origins.get(&origin.digest) {
            return Ok(*key);
        }
        let found = self
            .connection
            .prepare_cached("SELECT key FROM origins WHERE digest = ?1")?
            .query_row([&origin.digest], |row| row.get(0))
            .optional()?;
        let key = match found {
            Some(key) => key,
            None => {
                self.connection
                    .prepare_cached("INSERT INTO origins (digest, resource, scope) VALUES (?1, ?2, ?3)")?
                    .execute(params![origin.digest, origin.resource, origin.scope])?;
                self.connection.last_insert_rowid()
            }
        };
        self.origins.insert(origin.digest, key);
        Ok(key)
    }

    fn workflow(&mut self, id: &'c str, row: &SpanRow) -> rusqlite::Result<i64> {
        if let Some(known) = self.workflows.get(id) {
            return Ok(known.key);
        }
        let workflow = match WorkflowRow::load(self.connection, id)? {
            Some(workflow) => workflow,
            None => {
                let key = self.next.workflow;
                self.next.workflow += 1;
                WorkflowRow::new(key, row)
            }
        };
        let key = workflow.key;
        self.workflows.insert(id, workflow);
        Ok(key)
    }
}

/// What became of a span, and where it is.
enum Put {
    Fresh(i64),
    Replaced(i64),
    Left,
}

const INSERT: &str = "INSERT INTO spans (key, span_id, parent_id, workflow, type, subtype, name, start_ns, end_ns, error, \
     origin, arrived_ns, pack, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
     ON CONFLICT (key) DO NOTHING";

const REPLACE: &str = "UPDATE spans SET parent_id = ?2, workflow = ifnull(?3, workflow), type = ?4, subtype = ?5, name = ?6, \
     start_ns = ?7, end_ns = ?8, error = ?9, origin = ?10, pack = ?11, at = ?12 WHERE key = ?1";
