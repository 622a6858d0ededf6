use std::collections::BTreeMap;

use opentelemetry::trace::TraceId;
use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use super::body;
use super::summary::{HandoffSummary, WorkflowSummary};
use super::words::HandoffKey;
use crate::model::Span;

/// The most spans of one workflow that are given; one has a few hundred at most.
const MOST_SPANS: i64 = 100_000;

/// All spans of a workflow: those that name it, and those of other makers that are in its traces. Where no workflow has
/// this id, those of the trace that has it. Empty where there are none.
pub(super) fn spans(connection: &Connection, id: &str) -> Result<Vec<Span>, StoreError> {
    let key: Option<i64> = connection
        .prepare_cached("SELECT key FROM workflows WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    if let Some(key) = key {
        return collect(
            connection,
            "SELECT origin, body FROM spans WHERE workflow = ?1 \
             UNION ALL SELECT origin, body FROM spans WHERE workflow IS NULL \
             AND trace_id IN (SELECT trace_id FROM traces WHERE workflow = ?1) LIMIT ?2",
            params![key, MOST_SPANS],
        );
    }
    match TraceId::from_hex(id) {
        Ok(trace) if id.len() == 32 => collect(
            connection,
            "SELECT origin, body FROM spans WHERE trace_id = ?1 LIMIT ?2",
            params![trace.to_bytes(), MOST_SPANS],
        ),
        _ => Ok(Vec::new()),
    }
}

/// The spans that the row of a handoff was joined from.
pub(super) fn spans_of_handoff(connection: &Connection, id: &str) -> Result<Vec<Span>, StoreError> {
    collect(
        connection,
        "SELECT s.origin, s.body FROM handoffs h JOIN spans s ON s.key IN (h.s_span, h.r_span) WHERE h.id = ?1 LIMIT ?2",
        params![HandoffKey::new(id), MOST_SPANS],
    )
}

fn collect(connection: &Connection, sql: &str, params: &[&dyn rusqlite::ToSql]) -> Result<Vec<Span>, StoreError> {
    let mut by_origin: BTreeMap<i64, Vec<Vec<u8>>> = BTreeMap::new();
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(params)?;
    while let Some(row) = rows.next()? {
        by_origin.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    let mut spans = Vec::new();
    for (origin, bodies) in by_origin {
        let (resource, scope) = origin_of(connection, origin)?;
        spans.extend(body::decode(&resource, &scope, bodies.iter().map(Vec::as_slice))?);
    }
    spans.sort_by_key(|span| (span.start, span.end));
    Ok(spans)
}

fn origin_of(connection: &Connection, key: i64) -> rusqlite::Result<(Vec<u8>, Vec<u8>)> {
    connection
        .prepare_cached("SELECT resource, scope FROM origins WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// One workflow in a line.
pub(super) fn workflow(connection: &Connection, id: &str) -> Result<Option<WorkflowSummary>, StoreError> {
    let sql = format!("SELECT {} FROM workflows w WHERE w.id = ?1", WorkflowSummary::columns("w"));
    Ok(connection.prepare_cached(&sql)?.query_row([id], WorkflowSummary::read).optional()?)
}

/// The handoffs of a workflow, by when they began.
pub(super) fn handoffs_of(connection: &Connection, workflow: &str) -> Result<Vec<HandoffSummary>, StoreError> {
    let sql = format!(
        "SELECT {} FROM workflows w JOIN handoffs h ON h.workflow = w.key WHERE w.id = ?1 \
         ORDER BY h.start_ns, h.key LIMIT {MOST_SPANS}",
        HandoffSummary::columns("h", "w")
    );
    Ok(connection.prepare_cached(&sql)?.query_map([workflow], HandoffSummary::read)?.collect::<Result<_, _>>()?)
}

/// One handoff in a line.
pub(super) fn handoff(connection: &Connection, id: &str) -> Result<Option<HandoffSummary>, StoreError> {
    let sql = format!(
        "SELECT {} FROM handoffs h LEFT JOIN workflows w ON w.key = h.workflow WHERE h.id = ?1",
        HandoffSummary::columns("h", "w")
    );
    Ok(connection.prepare_cached(&sql)?.query_row([HandoffKey::new(id)], HandoffSummary::read).optional()?)
}

/// Handoffs by their keys, in the order of these; what is gone is left out.
pub(super) fn handoffs(connection: &Connection, keys: &[i64]) -> Result<Vec<HandoffSummary>, StoreError> {
    let sql = format!(
        "SELECT {} FROM handoffs h LEFT JOIN workflows w ON w.key = h.workflow WHERE h.key = ?1",
        HandoffSummary::columns("h", "w")
    );
    let mut select = connection.prepare_cached(&sql)?;
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        found.extend(select.query_row([key], HandoffSummary::read).optional()?);
    }
    Ok(found)
}

/// Workflows, last arrived first: those that come after the place `after` (from an earlier page), at most `limit`.
pub(super) fn workflows(
    connection: &Connection,
    limit: usize,
    offset: usize,
    mismatched_only: bool,
) -> Result<Vec<WorkflowSummary>, StoreError> {
    let sql = format!(
        "SELECT {} FROM workflows w WHERE NOT ?3 OR w.mismatched > 0 ORDER BY w.arrived_ns DESC, w.key DESC LIMIT ?1 OFFSET ?2",
        WorkflowSummary::columns("w")
    );
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map(params![limit as i64, offset as i64, mismatched_only], WorkflowSummary::read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One page of all spans, as an OTLP request: those after the place `after`, about `most_bytes`. With it the place of
/// the last one, and how many there are; `None` where there are no more.
pub(super) fn export(
    connection: &Connection,
    after: i64,
    since_ns: i64,
    most_spans: usize,
) -> Result<Option<(Vec<u8>, i64, usize)>, StoreError> {
    type Part = (i64, i64, Vec<u8>, Vec<u8>, Vec<u8>);
    let parts: Vec<Part> = connection
        .prepare_cached(
            "SELECT s.key, s.origin, o.resource, o.scope, s.body FROM spans s JOIN origins o ON o.key = s.origin \
             WHERE s.key > ?1 AND s.end_ns >= ?2 ORDER BY s.key LIMIT ?3",
        )?
        .query_map(params![after, since_ns, most_spans as i64], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })?
        .collect::<Result<_, _>>()?;
    let Some(last) = parts.last().map(|part| part.0) else { return Ok(None) };
    let request =
        body::frame(parts.iter().map(|(_, origin, resource, scope, body)| {
            (*origin, resource.as_slice(), scope.as_slice(), body.as_slice())
        }));
    Ok(Some((request, last, parts.len())))
}
