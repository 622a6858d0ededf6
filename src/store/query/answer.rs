use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params_from_iter};
use serde_json::Value as Json;

use super::ast::{Entity, Function, Measure, Query};
use super::field::{self, Field};
use super::sql::{Selection, Sql};
use super::{DEFAULT_LINES, QueryError};
use crate::model::Timestamp;
use crate::store::summary::timestamp;
use crate::store::words::HandoffKey;
use crate::store::{HandoffSummary, SpanSummary, StoreError, WorkflowSummary};

/// What a query found.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Answer {
    /// What the lines are: `handoffs`, `spans`, `workflows` or `groups`.
    pub what: String,
    /// Of groups, the names of the columns in order; else empty.
    pub columns: Vec<String>,
    /// The lines.
    pub lines: Vec<Line>,
    /// The offset of the next page; `None` where this is the last one.
    pub next: Option<usize>,
}

/// One line of an answer.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Line {
    /// A handoff.
    Handoff(Box<HandoffSummary>),
    /// A span.
    Span(Box<SpanSummary>),
    /// A workflow.
    Workflow(Box<WorkflowSummary>),
    /// A group: its columns by name.
    Group(serde_json::Map<String, Json>),
}

pub(super) fn answer(query: &Query, connection: &Connection, now: Timestamp) -> Result<Answer, StoreError> {
    let mut sql = Sql::new(now);
    let is_listing = query.by.is_empty() && query.measures.is_empty() && query.sort.is_empty();
    let wanted = query.limit.unwrap_or(DEFAULT_LINES) + 1 + query.offset;
    let by_time = |kind| Ok::<_, StoreError>(is_listing && is_sooner_by_time(connection, kind, wanted)?);
    let mut selection = sql.selection(&query.first, &query.chain, query.among.is_some(), by_time)?;
    if let Some(keys) = &query.among {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        selection.filter = format!("({}) AND e0.key IN ({})", selection.filter, keys.join(","));
    }
    let entity = query.chain.last().map_or(query.first.entity, |(_, node)| node.entity);
    if query.by.is_empty() && query.measures.is_empty() {
        lines(query, entity, &selection, sql, connection)
    } else {
        groups(query, entity, &selection, sql, connection)
    }
}

/// Whether so many handoffs with this kind of mismatch, last first, are sooner found by walking all handoffs back in time
/// than by looking at every one that has the kind: judged by how many of the last ones have it.
fn is_sooner_by_time(connection: &Connection, kind: i64, wanted: usize) -> rusqlite::Result<bool> {
    const LOOKED_AT: i64 = 2_000;
    let with_kind: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM (SELECT key FROM handoffs ORDER BY start_ns DESC LIMIT ?1) h \
             WHERE EXISTS (SELECT 1 FROM findings WHERE kind = ?2 AND handoff = h.key)",
        )?
        .query_row((LOOKED_AT, kind), |row| row.get(0))?;
    if with_kind == 0 {
        return Ok(false);
    }
    let steps = i64::try_from(wanted).unwrap_or(i64::MAX).saturating_mul(LOOKED_AT) / with_kind;
    let found: i64 = connection
        .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM findings WHERE kind = ?1 LIMIT ?2)")?
        .query_row((kind, steps), |row| row.get(0))?;
    Ok(found >= steps)
}

fn lines(
    query: &Query,
    entity: Entity,
    selection: &Selection,
    mut sql: Sql,
    connection: &Connection,
) -> Result<Answer, StoreError> {
    let (what, columns, time) = match entity {
        Entity::Handoff => ("handoffs", HandoffSummary::columns("e0", "w"), "e0.start_ns"),
        Entity::Span => {
            // Keys of spans follow the order in which their traces came.
            let by_key = selection.in_order && !selection.indexed_types;
            ("spans", SpanSummary::columns("e0", "w"), if by_key { "e0.key" } else { "e0.start_ns" })
        }
        Entity::Workflow => ("workflows", WorkflowSummary::columns("e0"), "e0.arrived_ns"),
    };
    let join = if entity == Entity::Workflow { "" } else { "LEFT JOIN workflows w ON w.key = e0.workflow" };
    let mut order = Vec::new();
    for (name, descending) in &query.sort {
        let (expr, field) = sql.value(entity, name);
        if matches!(field, Field::Mismatch(_)) {
            return Err(QueryError::new(
                name.column,
                "a handoff has several mismatches: group by them, or sort by another name",
            )
            .into());
        }
        order.push(format!("{expr} {}", direction(*descending)));
    }
    if order.is_empty() {
        // A sign keeps the database from walking an index in order where something else finds fewer rows.
        order.push(format!("{}{time} DESC", if selection.in_order { "" } else { "+" }));
    }
    let limit = query.limit.unwrap_or(DEFAULT_LINES);
    let order = format!("ORDER BY {}, e0.key DESC", order.join(", "));
    let Selection { from, filter, .. } = selection;
    let part = format!("LIMIT {} OFFSET {}", limit + 1, query.offset);
    let text = if entity == Entity::Handoff && !selection.in_order {
        // All that is found is sorted before the first line comes, so by keys alone; columns are read of what is shown.
        format!(
            "SELECT {columns} FROM (SELECT e0.key AS key FROM {from} WHERE {filter} {order} {part}) found \
             CROSS JOIN handoffs e0 ON e0.key = found.key {join} {order}"
        )
    } else {
        format!("SELECT {columns} FROM {from} {join} WHERE {filter} {order} {part}")
    };
    let mut select = connection.prepare(&text)?;
    let read = |row: &Row<'_>| match entity {
        Entity::Handoff => HandoffSummary::read(row).map(|line| Line::Handoff(Box::new(line))),
        Entity::Span => SpanSummary::read(row).map(|line| Line::Span(Box::new(line))),
        Entity::Workflow => WorkflowSummary::read(row).map(|line| Line::Workflow(Box::new(line))),
    };
    let found: Vec<Line> = select.query_map(params_from_iter(sql.bound), read)?.collect::<Result<_, _>>()?;
    Ok(page(what, Vec::new(), found, limit, query.offset))
}

fn groups(
    query: &Query,
    entity: Entity,
    selection: &Selection,
    mut sql: Sql,
    connection: &Connection,
) -> Result<Answer, StoreError> {
    let (mut titles, mut exprs, mut fields) = (Vec::new(), Vec::new(), Vec::new());
    for name in &query.by {
        let (expr, field) = sql.value(entity, name);
        titles.push(name.text.clone());
        exprs.push(expr);
        fields.push(Some(field));
    }
    let by_mismatch = fields.iter().flatten().any(|field| matches!(field, Field::Mismatch(_)));
    let default = [Measure::Count];
    let measures = if query.measures.is_empty() { &default[..] } else { &query.measures };
    let time = match Field::of(entity, "e0", "timestamp") {
        Field::Time(column) => column,
        _ => "e0.start_ns".to_owned(),
    };
    let asked_for =
        query.chain.last().map_or(&query.first, |(_, node)| node).filter.as_ref().and_then(|filter| filter.last());
    for measure in measures {
        titles.push(measure.title());
        fields.push(None);
        exprs.push(match measure {
            Measure::Count => "count(*)".to_owned(),
            Measure::Rate => match asked_for.map(|time| time.as_secs_f64()).filter(|seconds| *seconds > 0.0) {
                Some(seconds) => format!("count(*) / {seconds:?}"),
                None => format!("count(*) * 1e9 / nullif(max({time}) - min({time}), 0)"),
            },
            Measure::Of(function, name) => {
                let (expr, field) = sql.value(entity, name);
                let number = match field {
                    Field::Number(_) => expr,
                    Field::Attribute(..) => expr.replacen("attr(", "attr_num(", 1),
                    _ => return Err(QueryError::new(name.column, format!("`{}` is no number", name.text)).into()),
                };
                match function {
                    Function::Sum => format!("sum({number})"),
                    Function::Mean => format!("avg({number})"),
                    Function::Least => format!("min({number})"),
                    Function::Greatest => format!("max({number})"),
                    Function::Percentile(percent) => format!("percentile({number}, {percent})"),
                }
            }
        });
    }
    let mut order = Vec::new();
    for (name, descending) in &query.sort {
        let at = titles.iter().position(|title| *title == name.text).ok_or_else(|| {
            QueryError::new(
                name.column,
                format!("expected one of the columns {}, found `{}`", titles.join(", "), name.text),
            )
        })?;
        order.push(format!("{} {}", at + 1, direction(*descending)));
    }
    if order.is_empty() {
        order.push("count(*) DESC".to_owned());
    }
    // Ties in the order of the groups, so that pages follow one another.
    order.extend((1..=query.by.len()).map(|at| at.to_string()));
    let limit = query.limit.unwrap_or(DEFAULT_LINES);
    let text = format!(
        "SELECT {} FROM {}{} WHERE {} {} ORDER BY {} LIMIT {} OFFSET {}",
        exprs.join(", "),
        selection.from,
        if by_mismatch { " LEFT JOIN findings g ON g.handoff = e0.key" } else { "" },
        selection.filter,
        if query.by.is_empty() {
            String::new()
        } else {
            format!("GROUP BY {}", (1..=query.by.len()).map(|at| at.to_string()).collect::<Vec<_>>().join(", "))
        },
        order.join(", "),
        limit + 1,
        query.offset
    );
    let mut select = connection.prepare(&text)?;
    let found: Vec<Line> = select
        .query_map(params_from_iter(sql.bound), |row| {
            let mut group = serde_json::Map::new();
            for (at, (title, field)) in titles.iter().zip(&fields).enumerate() {
                group.insert(title.clone(), shown(row.get_ref(at)?, field.as_ref()));
            }
            Ok(Line::Group(group))
        })?
        .collect::<Result<_, _>>()?;
    Ok(page("groups", titles, found, limit, query.offset))
}

fn page(what: &str, columns: Vec<String>, mut lines: Vec<Line>, limit: usize, offset: usize) -> Answer {
    let more = lines.len() > limit;
    lines.truncate(limit);
    Answer { what: what.to_owned(), columns, lines, next: more.then(|| offset + limit) }
}

fn direction(descending: bool) -> &'static str {
    if descending { "DESC" } else { "ASC" }
}

/// A value as the field that it is of is written.
fn shown(value: ValueRef<'_>, field: Option<&Field>) -> Json {
    let word = |words: &[(i64, &'static str)], number: i64| {
        words.iter().find(|(known, _)| *known == number).map_or(Json::Null, |(_, word)| (*word).into())
    };
    match (value, field) {
        (ValueRef::Null, _) => Json::Null,
        (value, Some(Field::HandoffId(_))) => HandoffKey::text_of(value).into(),
        (ValueRef::Integer(number), Some(Field::Words { words, .. })) => word(words, number),
        (ValueRef::Integer(number), Some(Field::Mismatch(_))) => word(&field::mismatch_words(), number),
        (ValueRef::Integer(ns), Some(Field::Time(_))) => timestamp(ns).into(),
        (ValueRef::Integer(flag), Some(Field::Flag(_))) => (flag != 0).into(),
        (ValueRef::Integer(int), _) => int.into(),
        (ValueRef::Real(real), _) => real.into(),
        (ValueRef::Text(text), _) => String::from_utf8_lossy(text).into(),
        (ValueRef::Blob(bytes), _) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequent_kind_is_found_by_time_and_a_rare_or_an_old_one_by_the_kind() {
        let connection = Connection::open_in_memory().unwrap();
        // Of 20,000: kind 0 has every other, kind 1 one of a thousand, kind 2 the first half and none of the rest.
        connection
            .execute_batch(
                "CREATE TABLE handoffs (key INTEGER PRIMARY KEY, start_ns INTEGER);
                 CREATE TABLE findings (kind INTEGER, handoff INTEGER, PRIMARY KEY (kind, handoff)) WITHOUT ROWID;
                 WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000)
                 INSERT INTO handoffs SELECT n, n FROM n;
                 INSERT INTO findings SELECT 0, key FROM handoffs WHERE key % 2 = 0;
                 INSERT INTO findings SELECT 1, key FROM handoffs WHERE key % 1000 = 0;
                 INSERT INTO findings SELECT 2, key FROM handoffs WHERE key <= 10000;",
            )
            .unwrap();
        let by_time = |kind, wanted| is_sooner_by_time(&connection, kind, wanted).unwrap();
        assert!(by_time(0, 101));
        assert!(!by_time(0, 9_000), "most of them are wanted");
        assert!(!by_time(1, 101));
        assert!(!by_time(2, 101));
    }
}
