use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use opentelemetry::trace::TraceId;
use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use super::body;
use super::pack::Unpacker;
use super::summary::{HandoffSummary, WorkflowSummary};
use super::words::HandoffKey;
use super::{arrivals, span_key};
use crate::model::Span;

/// The most spans of one workflow that are given; one has a few hundred at most.
const MOST_SPANS: i64 = 100_000;

/// The most spans that are looked at for one page, so that it takes no long time where few are wanted.
const MOST_LOOKED_AT: usize = 50_000;

/// All spans of a workflow: those that name it, and those of other makers that are in its traces. Where no workflow has
/// this id, those of the trace that has it. Empty where there are none.
pub(super) fn spans(connection: &Connection, id: &str) -> Result<Vec<Span>, StoreError> {
    match Place::of(connection, id)? {
        Some(place) => collect(connection, &place.sql(), params![place.key(), MOST_SPANS]),
        None => Ok(Vec::new()),
    }
}

/// What tells these spans from any others, also from the same ones a moment later, without decoding them.
pub(super) fn print(connection: &Connection, id: &str) -> Result<SpansPrint, StoreError> {
    let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0);
    if let Some(place) = Place::of(connection, id)? {
        let mut unpacker = Unpacker::new(connection);
        let mut select = connection.prepare_cached(&place.sql())?;
        let mut rows = select.query(params![place.key(), MOST_SPANS])?;
        while let Some(row) = rows.next()? {
            let body = unpacker.body(row.get(1)?, row.get(2)?)?;
            hasher.update(&row.get::<_, i64>(0)?.to_le_bytes());
            hasher.update(&body.len().to_le_bytes());
            hasher.update(body);
            bytes += body.len();
        }
    }
    Ok(SpansPrint { digest: hasher.finalize().into(), bytes })
}

/// Tells the spans of a workflow at one moment from those at another: equal where they are the same, byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpansPrint {
    /// BLAKE3 over the spans as they are stored.
    pub digest: [u8; 32],
    /// How many bytes the spans have as they are stored: OTLP messages, without what their makers have in common.
    pub bytes: usize,
}

/// Where the spans that an id stands for are.
enum Place {
    Workflow(i64),
    Trace([u8; 16]),
}

impl Place {
    fn of(connection: &Connection, id: &str) -> Result<Option<Self>, StoreError> {
        let key = connection
            .prepare_cached("SELECT key FROM workflows WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        Ok(match (key, TraceId::from_hex(id)) {
            (Some(key), _) => Some(Self::Workflow(key)),
            (None, Ok(trace)) if id.len() == 32 => Some(Self::Trace(trace.to_bytes())),
            _ => None,
        })
    }

    fn key(&self) -> &dyn rusqlite::ToSql {
        match self {
            Self::Workflow(key) => key,
            Self::Trace(id) => id,
        }
    }

    fn sql(&self) -> String {
        match self {
            Self::Workflow(_) => format!(
                "SELECT s.origin, s.pack, s.at FROM workflow_traces l CROSS JOIN spans s ON {} \
                 WHERE l.workflow = ?1 AND (s.workflow = ?1 OR s.workflow IS NULL) LIMIT ?2",
                span_key::in_trace("s", "l.trace")
            ),
            Self::Trace(_) => format!(
                "SELECT s.origin, s.pack, s.at FROM traces t CROSS JOIN spans s ON {} WHERE t.id = ?1 LIMIT ?2",
                span_key::in_trace("s", "t.key")
            ),
        }
    }
}

/// The spans that the row of a handoff was joined from.
pub(super) fn spans_of_handoff(connection: &Connection, id: &str) -> Result<Vec<Span>, StoreError> {
    collect(
        connection,
        "SELECT s.origin, s.pack, s.at FROM handoffs h JOIN spans s ON s.key IN (h.s_span, h.r_span) WHERE h.id = ?1 \
         LIMIT ?2",
        params![HandoffKey::new(id), MOST_SPANS],
    )
}

fn collect(connection: &Connection, sql: &str, params: &[&dyn rusqlite::ToSql]) -> Result<Vec<Span>, StoreError> {
    let mut by_origin: BTreeMap<i64, Vec<Vec<u8>>> = BTreeMap::new();
    let mut unpacker = Unpacker::new(connection);
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(params)?;
    while let Some(row) = rows.next()? {
        by_origin.entry(row.get(0)?).or_default().push(unpacker.body(row.get(1)?, row.get(2)?)?.to_vec());
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

/// One page of all spans in the order of their arrival, as an OTLP request: at most `most_spans` after the place `after`.
/// With it the place of the last one that was looked at, and how many there are; `None` where there are no more.
pub(super) fn export(
    connection: &Connection,
    after: i64,
    since_ns: i64,
    most_spans: usize,
) -> Result<Option<(Vec<u8>, i64, usize)>, StoreError> {
    let mut select = connection.prepare_cached("SELECT origin, pack, at FROM spans WHERE key = ?1 AND end_ns >= ?2")?;
    let mut unpacker = Unpacker::new(connection);
    let mut origins: BTreeMap<i64, (Vec<u8>, Vec<u8>)> = BTreeMap::new();
    let mut parts: Vec<(i64, Vec<u8>)> = Vec::new();
    let (mut place, mut looked_at) = (after.max(0), 0);
    'rows: while let Some((first, keys)) = arrivals::after(connection, place)? {
        place = first - 1;
        for key in keys {
            if parts.len() == most_spans || looked_at == MOST_LOOKED_AT {
                break 'rows;
            }
            place += 1;
            looked_at += 1;
            let part: Option<(i64, i64, i64)> =
                select.query_row([key, since_ns], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
            if let Some((origin, pack, at)) = part {
                if let Entry::Vacant(entry) = origins.entry(origin) {
                    entry.insert(origin_of(connection, origin)?);
                }
                parts.push((origin, unpacker.body(pack, at)?.to_vec()));
            }
        }
    }
    if parts.is_empty() && looked_at < MOST_LOOKED_AT {
        return Ok(None);
    }
    let none = (Vec::new(), Vec::new());
    let request = body::frame(parts.iter().map(|(origin, body)| {
        let (resource, scope) = origins.get(origin).unwrap_or(&none);
        (*origin, resource.as_slice(), scope.as_slice(), body.as_slice())
    }));
    Ok(Some((request, place, parts.len())))
}
