//! What pages show of many workflows at once, answered from indexes alone, so that it does not take longer where there
//! are more of them.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use super::summary::WorkflowSummary;
use super::words::VerdictWord;
use crate::model::Timestamp;

/// The most agents that are named.
const MOST_AGENTS: usize = 500;

/// Workflows to which something came at `since` or later, last come first.
pub(super) fn heard_of(
    connection: &Connection,
    since: Timestamp,
    limit: usize,
    offset: usize,
    mismatched_only: bool,
) -> Result<Vec<WorkflowSummary>, StoreError> {
    let sql = format!(
        "SELECT {} FROM workflows w WHERE w.arrived_ns >= ?4 AND (NOT ?3 OR w.mismatched > 0) \
         ORDER BY w.arrived_ns DESC, w.key DESC LIMIT ?1 OFFSET ?2",
        WorkflowSummary::columns("w")
    );
    let mut select = connection.prepare_cached(&sql)?;
    let rows =
        select.query_map(params![limit as i64, offset as i64, mismatched_only, nanos(since)], WorkflowSummary::read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The workflows of these ids, in this order; what is not known is left out.
pub(super) fn summaries(connection: &Connection, ids: &[String]) -> Result<Vec<WorkflowSummary>, StoreError> {
    let sql = format!("SELECT {} FROM workflows w WHERE w.id = ?1", WorkflowSummary::columns("w"));
    let mut select = connection.prepare_cached(&sql)?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.extend(select.query_row([id], WorkflowSummary::read).optional()?);
    }
    Ok(found)
}

/// How many mismatched handoffs began in each of `parts` equal parts of the time from `from` to `until`.
pub(super) fn mismatched_over_time(
    connection: &Connection,
    from: Timestamp,
    until: Timestamp,
    parts: usize,
) -> Result<Vec<u64>, StoreError> {
    let mut counts = vec![0; parts];
    let width = (until.nanos_since(from) / parts.max(1) as i64).max(1);
    let mut select = connection.prepare_cached(&format!(
        "SELECT (start_ns - ?1) / ?3 AS part, count(*) FROM handoffs WHERE verdict = {} AND start_ns >= ?1 \
         AND start_ns <= ?2 GROUP BY part",
        VerdictWord::Mismatched as i64
    ))?;
    let mut rows = select.query(params![nanos(from), nanos(until), width])?;
    while let Some(row) = rows.next()? {
        let (part, count): (i64, i64) = (row.get(0)?, row.get(1)?);
        let part = usize::try_from(part).unwrap_or(0).min(parts.saturating_sub(1));
        if let Some(sum) = counts.get_mut(part) {
            *sum += count.unsigned_abs();
        }
    }
    Ok(counts)
}

/// When the first handoff began. `None` where there is none.
pub(super) fn began(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let first: Option<i64> =
        connection.prepare_cached("SELECT min(start_ns) FROM handoffs")?.query_row([], |row| row.get(0))?;
    Ok(first.map(|ns| Timestamp::from_unix_nanos(ns.unsigned_abs())))
}

/// Agents that handed anything over or were handed anything, by name. Goes from name to name in the index.
pub(super) fn agents(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut names = std::collections::BTreeSet::new();
    for column in ["from_agent", "to_agent"] {
        let mut select = connection.prepare_cached(&format!(
            "WITH RECURSIVE names (name) AS (SELECT min({column}) FROM handoffs UNION ALL \
             SELECT (SELECT min({column}) FROM handoffs WHERE {column} > name) FROM names WHERE name IS NOT NULL) \
             SELECT name FROM names WHERE name IS NOT NULL LIMIT {MOST_AGENTS}"
        ))?;
        for name in select.query_map([], |row| row.get::<_, String>(0))? {
            names.insert(name?);
        }
    }
    Ok(names.into_iter().take(MOST_AGENTS).collect())
}

fn nanos(time: Timestamp) -> i64 {
    i64::try_from(time.unix_nanos()).unwrap_or(i64::MAX)
}
