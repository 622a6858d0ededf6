//! One boundary over time: what a page of agents shows of it.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::words::{VerdictWord, mismatch_words};
use super::{HandoffSummary, StoreError, lookup};
use crate::model::Timestamp;

/// Handoffs that began in one part of a time.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Part {
    /// Handoffs.
    pub handoffs: i64,
    /// How many of them are mismatched.
    pub mismatched: i64,
    /// Duration in milliseconds, 95 % of all are not over it.
    pub duration_ms_p95: Option<f64>,
    /// Context age in milliseconds, 95 % of those that tell one are not over it.
    pub age_ms_p95: Option<f64>,
    /// Mean score of the results that have one.
    pub quality_mean: Option<f64>,
    /// How many handoffs have a finding of each kind that there is.
    pub kinds: BTreeMap<String, i64>,
}

/// The handoffs of a boundary (from, to; empty where none is told) in each of `parts` equal parts of the time from `from` up
/// to `until`.
pub(super) fn over_time(
    connection: &Connection,
    boundary: (&str, &str),
    from: Timestamp,
    until: Timestamp,
    parts: usize,
) -> Result<Vec<Part>, StoreError> {
    let mut found = vec![Part::default(); parts];
    let width = (until.nanos_since(from) / parts.max(1) as i64).max(1);
    let mut select = connection.prepare_cached(&format!(
        "SELECT (start_ns - ?3) / ?5 AS part, count(*), sum(verdict = {mismatched}), \
         percentile(duration_ns / 1e6, 95), percentile(age_ms, 95), avg(quality) FROM handoffs \
         WHERE from_agent IS ?1 AND to_agent IS ?2 AND start_ns >= ?3 AND start_ns < ?4 GROUP BY part",
        mismatched = VerdictWord::Mismatched as i64
    ))?;
    let mut rows = select.query(params![named(boundary.0), named(boundary.1), nanos(from), nanos(until), width])?;
    // The rest of the division falls to the last.
    let place = |part: i64| usize::try_from(part).unwrap_or(0).min(parts.saturating_sub(1));
    while let Some(row) = rows.next()? {
        if let Some(place) = found.get_mut(place(row.get(0)?)) {
            *place = Part {
                handoffs: place.handoffs + row.get::<_, i64>(1)?,
                mismatched: place.mismatched + row.get::<_, i64>(2)?,
                duration_ms_p95: row.get(3)?,
                age_ms_p95: row.get(4)?,
                quality_mean: row.get(5)?,
                ..Part::default()
            };
        }
    }
    let mut select = connection.prepare_cached(
        "SELECT (start_ns - ?3) / ?5 AS part, mismatches, count(*) FROM handoffs \
         WHERE from_agent IS ?1 AND to_agent IS ?2 AND start_ns >= ?3 AND start_ns < ?4 AND mismatches <> 0 \
         GROUP BY part, mismatches",
    )?;
    let mut rows = select.query(params![named(boundary.0), named(boundary.1), nanos(from), nanos(until), width])?;
    while let Some(row) = rows.next()? {
        if let Some(place) = found.get_mut(place(row.get(0)?)) {
            for kind in mismatch_words(row.get(1)?) {
                *place.kinds.entry(kind.to_owned()).or_default() += row.get::<_, i64>(2)?;
            }
        }
    }
    Ok(found)
}

/// The mismatched handoffs of a boundary (from, to) that began from `from` up to `until`, last first.
pub(super) fn mismatched(
    connection: &Connection,
    boundary: (&str, &str),
    from: Timestamp,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<HandoffSummary>, StoreError> {
    let keys: Vec<i64> = connection
        .prepare_cached(&format!(
            "SELECT key FROM handoffs WHERE from_agent IS ?1 AND to_agent IS ?2 AND start_ns >= ?3 AND start_ns < ?4 \
             AND verdict = {} ORDER BY start_ns DESC, key DESC LIMIT ?5",
            VerdictWord::Mismatched as i64
        ))?
        .query_map(params![named(boundary.0), named(boundary.1), nanos(from), nanos(until), limit as i64], |row| {
            row.get(0)
        })?
        .collect::<Result<_, _>>()?;
    lookup::handoffs(connection, &keys)
}

fn named(agent: &str) -> Option<&str> {
    (!agent.is_empty()).then_some(agent)
}

fn nanos(time: Timestamp) -> i64 {
    i64::try_from(time.unix_nanos()).unwrap_or(i64::MAX)
}
