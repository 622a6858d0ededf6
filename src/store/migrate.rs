//! What of a step of the schema is not said in SQL.

use rusqlite::{Connection, params};

use super::pack::{self, Packer};
use super::{arrivals, span_key};

/// Places without a span that are written as such, before another row is begun.
const GAP: i64 = 64;

/// Keys in one row of arrivals.
const KEYS_A_ROW: usize = 1_000;

/// Moves spans under keys by trace. The place of a span in the order of arrival stays what it was, since exports go on
/// from a place.
pub(super) fn spans_by_trace(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "INSERT INTO new_traces (id) SELECT trace_id FROM spans GROUP BY trace_id ORDER BY min(key);
         CREATE TEMP TABLE moved (old INTEGER PRIMARY KEY, new INTEGER NOT NULL)",
    )?;
    let mut select = connection
        .prepare("SELECT s.key, t.key, s.span_id FROM spans s JOIN new_traces t ON t.id = s.trace_id ORDER BY s.key")?;
    let mut insert = connection.prepare(
        "INSERT INTO new_spans (key, span_id, parent_id, workflow, type, subtype, name, start_ns, end_ns, error, \
         origin, arrived_ns, body) SELECT ?1, span_id, parent_id, workflow, type, subtype, name, start_ns, end_ns, \
         error, origin, arrived_ns, body FROM spans WHERE key = ?2 ON CONFLICT (key) DO NOTHING",
    )?;
    let mut moved = connection.prepare("INSERT INTO moved (old, new) VALUES (?1, ?2)")?;
    let (mut first, mut keys) = (0, Vec::new());
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (old, trace, span_id): (i64, i64, [u8; 8]) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let mut key = span_key::first(trace, span_id);
        while insert.execute([key, old])? == 0 {
            key = span_key::next(key);
        }
        moved.execute([old, key])?;
        let gap = old - first - keys.len() as i64;
        if keys.is_empty() || gap > GAP || keys.len() >= KEYS_A_ROW {
            arrivals::write(connection, first, &keys)?;
            keys.clear();
            first = old;
        } else {
            keys.resize(keys.len() + usize::try_from(gap).unwrap_or(0), 0);
        }
        keys.push(key);
    }
    arrivals::write(connection, first, &keys)?;
    connection.execute(
        "UPDATE handoffs SET s_span = (SELECT new FROM moved WHERE old = s_span), \
         r_span = (SELECT new FROM moved WHERE old = r_span)",
        params![],
    )?;
    connection.execute_batch("DROP TABLE moved")
}

/// Moves the bodies of spans into packs, as they would have come in by trace and workflow.
pub(super) fn bodies_into_packs(connection: &Connection) -> rusqlite::Result<()> {
    let mut insert = connection.prepare(
        "INSERT INTO new_spans SELECT key, span_id, parent_id, workflow, type, subtype, name, start_ns, end_ns, error, \
         origin, arrived_ns, ?2, ?3 FROM spans WHERE key = ?1",
    )?;
    let mut select = connection.prepare("SELECT key, workflow, body FROM spans ORDER BY key")?;
    let mut rows = select.query([])?;
    let (mut packer, mut key, mut of) = (Packer::default(), 1, None);
    while let Some(row) = rows.next()? {
        let (span, workflow): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
        let here = Some((span_key::trace(span), workflow));
        if of.is_some() && (of != here || packer.is_full()) {
            pack::write(connection, key, &std::mem::take(&mut packer).finish())?;
            key += 1;
        }
        of = here;
        let at = packer.add(row.get_ref(2)?.as_blob()?);
        insert.execute(params![span, key, at])?;
    }
    if of.is_some() {
        pack::write(connection, key, &packer.finish())?;
    }
    Ok(())
}
