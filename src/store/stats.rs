use rusqlite::{Connection, Row, params};

use super::StoreError;
use super::words::mismatch_words;
use crate::model::Timestamp;

/// Numbers over many workflows.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// Per boundary, those with the most mismatches first.
    pub boundaries: Vec<BoundaryStats>,
    /// Per agent, by name.
    pub agents: Vec<AgentStats>,
    /// Per type of decision, by name.
    pub decisions: Vec<DecisionStats>,
}

/// Numbers of one boundary.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct BoundaryStats {
    /// Agent that hands over.
    pub from: Option<String>,
    /// Agent that takes.
    pub to: Option<String>,
    /// Handoffs.
    pub handoffs: i64,
    /// How many of them are mismatched.
    pub mismatched: i64,
    /// How many handoffs have a finding of each kind that there is.
    pub kinds: std::collections::BTreeMap<String, i64>,
    /// Duration in milliseconds, half of all are not over it.
    pub duration_ms_p50: Option<f64>,
    /// Duration in milliseconds, 95 % of all are not over it.
    pub duration_ms_p95: Option<f64>,
    /// Duration in milliseconds, 99 % of all are not over it.
    pub duration_ms_p99: Option<f64>,
    /// Context age in milliseconds, half of those that tell one are not over it.
    pub age_ms_p50: Option<f64>,
    /// Context age in milliseconds, 95 % of those that tell one are not over it.
    pub age_ms_p95: Option<f64>,
    /// Mean score of the results that have one.
    pub quality_mean: Option<f64>,
    /// Lowest score of a result.
    pub quality_min: Option<f64>,
}

/// Numbers of one agent.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct AgentStats {
    /// Its name.
    pub agent: String,
    /// Handoffs that it made.
    pub sent: i64,
    /// How many of these are mismatched.
    pub sent_mismatched: i64,
    /// Handoffs that it got.
    pub received: i64,
    /// How many of these are mismatched.
    pub received_mismatched: i64,
    /// Mean score of its results.
    pub quality_mean: Option<f64>,
}

/// Numbers of one type of decision.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct DecisionStats {
    /// Its type, as in `approve`.
    pub decision: Option<String>,
    /// Decisions.
    pub count: i64,
    /// How many of them ended in an error.
    pub errors: i64,
    /// Duration in milliseconds, half of all are not over it.
    pub duration_ms_p50: Option<f64>,
    /// Duration in milliseconds, 95 % of all are not over it.
    pub duration_ms_p95: Option<f64>,
}

/// Of what began from `since` up to `until`.
pub(super) fn stats(connection: &Connection, since: Timestamp, until: Timestamp) -> Result<Stats, StoreError> {
    let nanos = |time: Timestamp| i64::try_from(time.unix_nanos()).unwrap_or(i64::MAX);
    let time = (nanos(since), nanos(until));
    let mut boundaries = all(connection, BOUNDARIES, time, boundary)?;
    let kinds: Vec<(Option<String>, Option<String>, u32, i64)> =
        all(connection, KINDS, time, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    for (from, to, kind, count) in kinds {
        let found = boundaries.iter_mut().find(|each: &&mut BoundaryStats| (&each.from, &each.to) == (&from, &to));
        if let (Some(boundary), [word, ..]) = (found, &mismatch_words(1 << kind.min(62))[..]) {
            boundary.kinds.insert((*word).to_owned(), count);
        }
    }
    let agents = all(connection, AGENTS, time, |row| {
        Ok(AgentStats {
            agent: row.get(0)?,
            sent: row.get(1)?,
            sent_mismatched: row.get(2)?,
            received: row.get(3)?,
            received_mismatched: row.get(4)?,
            quality_mean: row.get(5)?,
        })
    })?;
    let decisions = all(connection, DECISIONS, time, |row| {
        Ok(DecisionStats {
            decision: row.get(0)?,
            count: row.get(1)?,
            errors: row.get(2)?,
            duration_ms_p50: row.get(3)?,
            duration_ms_p95: row.get(4)?,
        })
    })?;
    Ok(Stats { boundaries, agents, decisions })
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    (since, until): (i64, i64),
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    Ok(connection.prepare_cached(sql)?.query_map(params![since, until], read)?.collect::<Result<_, _>>()?)
}

fn boundary(row: &Row<'_>) -> rusqlite::Result<BoundaryStats> {
    Ok(BoundaryStats {
        from: row.get(0)?,
        to: row.get(1)?,
        handoffs: row.get(2)?,
        mismatched: row.get(3)?,
        kinds: std::collections::BTreeMap::new(),
        duration_ms_p50: row.get(4)?,
        duration_ms_p95: row.get(5)?,
        duration_ms_p99: row.get(6)?,
        age_ms_p50: row.get(7)?,
        age_ms_p95: row.get(8)?,
        quality_mean: row.get(9)?,
        quality_min: row.get(10)?,
    })
}

const BOUNDARIES: &str = "SELECT from_agent, to_agent, count(*), sum(verdict = 3), percentile(duration_ns / 1e6, 50), \
     percentile(duration_ns / 1e6, 95), percentile(duration_ns / 1e6, 99), percentile(age_ms, 50), \
     percentile(age_ms, 95), avg(quality), min(quality) FROM handoffs WHERE start_ns >= ?1 AND start_ns < ?2 \
     GROUP BY from_agent, to_agent ORDER BY 4 DESC, 3 DESC, 1, 2 LIMIT 1000";

const KINDS: &str = "SELECT h.from_agent, h.to_agent, f.kind, count(*) FROM findings f \
     JOIN handoffs h ON h.key = f.handoff WHERE h.start_ns >= ?1 AND h.start_ns < ?2 GROUP BY 1, 2, 3";

const AGENTS: &str = "SELECT agent, sum(sent), sum(sent AND bad), sum(NOT sent), sum(NOT sent AND bad), \
     avg(CASE WHEN NOT sent THEN quality END) FROM ( \
         SELECT from_agent AS agent, 1 AS sent, verdict = 3 AS bad, quality FROM handoffs \
         WHERE start_ns >= ?1 AND start_ns < ?2 \
         UNION ALL SELECT to_agent, 0, verdict = 3, quality FROM handoffs WHERE start_ns >= ?1 AND start_ns < ?2) \
     WHERE agent IS NOT NULL GROUP BY agent ORDER BY agent LIMIT 1000";

const DECISIONS: &str = "SELECT subtype, count(*), sum(error), percentile((end_ns - start_ns) / 1e6, 50), \
     percentile((end_ns - start_ns) / 1e6, 95) FROM spans WHERE type = 4 AND start_ns >= ?1 AND start_ns < ?2 \
     GROUP BY subtype ORDER BY subtype LIMIT 1000";
