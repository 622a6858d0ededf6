//! What the database learns from us: to take a body out of its pack, to look for an attribute in one, to match patterns,
//! to take percentiles.

use std::sync::Arc;

use regex::Regex;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, Result};

use super::body::{self, Found};
use super::pack::LastOpened;

/// Arguments of the functions that look for an attribute: its name, then the bodies of up to two spans, then the
/// resources of these. Whatever is absent is NULL.
const ATTRIBUTE_ARGUMENTS: std::ffi::c_int = 5;

pub(super) fn add(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("attr", ATTRIBUTE_ARGUMENTS, flags, |ctx| Ok(look(ctx, whole)))?;
    connection.create_scalar_function("attr_num", ATTRIBUTE_ARGUMENTS, flags, |ctx| Ok(look(ctx, number)))?;
    connection.create_scalar_function("attr_text", ATTRIBUTE_ARGUMENTS, flags, |ctx| Ok(look(ctx, text)))?;
    connection.create_scalar_function("attr_is", ATTRIBUTE_ARGUMENTS + 1, flags, |ctx| {
        let wanted = ctx.get::<Value>(ATTRIBUTE_ARGUMENTS as usize)?;
        Ok(look(ctx, |found| Some(is(&found, &wanted))))
    })?;
    let last = LastOpened::default();
    connection.create_scalar_function("body", 2, flags, move |ctx| match (ctx.get_raw(0), ctx.get_raw(1)) {
        (ValueRef::Blob(pack), ValueRef::Integer(at)) => Ok(last.body(pack, at)),
        _ => Ok(None),
    })?;
    connection.create_scalar_function("matches", 2, flags, |ctx| {
        let pattern: Arc<Regex> =
            ctx.get_or_create_aux(1, |pattern| Regex::new(pattern.as_str().unwrap_or_default()))?;
        Ok(match ctx.get_raw(0) {
            ValueRef::Text(text) => Some(pattern.is_match(&String::from_utf8_lossy(text))),
            _ => None,
        })
    })?;
    connection.create_aggregate_function("percentile", 2, flags, Percentile)?;
    Ok(())
}

/// The first of the bodies that has the attribute, under its own name or under `wilco.`, and what is made of it.
fn look<T>(ctx: &Context<'_>, make: impl Fn(Found<'_>) -> Option<T>) -> Option<T> {
    let name = ctx.get_raw(0).as_str().ok()?;
    let longer = format!("wilco.{name}");
    for at in 1..ATTRIBUTE_ARGUMENTS as usize {
        let ValueRef::Blob(bytes) = ctx.get_raw(at) else { continue };
        let field = if at <= 2 { body::SPAN_ATTRIBUTES } else { body::RESOURCE_ATTRIBUTES };
        if let Some(found) = body::find(bytes, field, name).or_else(|| body::find(bytes, field, &longer)) {
            return make(found);
        }
    }
    None
}

fn whole(found: Found<'_>) -> Option<Value> {
    Some(match found {
        Found::Text(text) => Value::Text(text.to_owned()),
        Found::Bool(flag) => Value::Integer(flag.into()),
        Found::Int(int) => Value::Integer(int),
        Found::Double(double) => Value::Real(double),
        list @ Found::List(_) => Value::Text(json(&list).to_string()),
    })
}

fn number(found: Found<'_>) -> Option<Value> {
    match found {
        Found::Int(int) => Some(Value::Integer(int)),
        Found::Double(double) if double.is_finite() => Some(Value::Real(double)),
        _ => None,
    }
}

fn text(found: Found<'_>) -> Option<Value> {
    if let Found::Text(text) = found { Some(Value::Text(text.to_owned())) } else { None }
}

/// Whether a value is the one that is wanted; of a list, whether it holds it.
fn is(found: &Found<'_>, wanted: &Value) -> bool {
    match (found, wanted) {
        (Found::Text(text), Value::Text(wanted)) => text == wanted,
        (Found::Bool(flag), Value::Integer(wanted)) => i64::from(*flag) == *wanted,
        (Found::Int(int), Value::Integer(wanted)) => int == wanted,
        (Found::Int(int), Value::Real(wanted)) => *int as f64 == *wanted,
        (Found::Double(double), Value::Real(wanted)) => double == wanted,
        (Found::Double(double), Value::Integer(wanted)) => *double == *wanted as f64,
        (Found::List(values), wanted) => values.iter().any(|each| is(each, wanted)),
        _ => false,
    }
}

fn json(found: &Found<'_>) -> serde_json::Value {
    match found {
        Found::Text(text) => (*text).into(),
        Found::Bool(flag) => (*flag).into(),
        Found::Int(int) => (*int).into(),
        Found::Double(double) => (*double).into(),
        Found::List(values) => values.iter().map(json).collect(),
    }
}

/// `percentile(value, p)`: the smallest value that p percent of all are not over (nearest rank). NULL of none.
struct Percentile;

#[derive(Default)]
struct Sample {
    values: Vec<f64>,
    percent: f64,
}

impl Aggregate<Sample, Option<f64>> for Percentile {
    fn init(&self, _: &mut Context<'_>) -> Result<Sample> {
        Ok(Sample::default())
    }

    fn step(&self, ctx: &mut Context<'_>, sample: &mut Sample) -> Result<()> {
        sample.percent = ctx.get(1)?;
        match ctx.get_raw(0) {
            ValueRef::Integer(int) => sample.values.push(int as f64),
            ValueRef::Real(real) => sample.values.push(real),
            ValueRef::Null => {}
            _ => return Err(Error::InvalidFunctionParameterType(0, rusqlite::types::Type::Text)),
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sample: Option<Sample>) -> Result<Option<f64>> {
        Ok(sample.and_then(|Sample { mut values, percent }| nearest_rank(&mut values, percent)))
    }
}

/// The smallest value that so many percent of all are not over. `None` of none.
pub(super) fn nearest_rank(values: &mut [f64], percent: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let rank = (percent / 100.0 * values.len() as f64).ceil().max(1.0) as usize - 1;
    let at = rank.min(values.len() - 1);
    Some(*values.select_nth_unstable_by(at, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let connection = Connection::open_in_memory().unwrap();
        add(&connection).unwrap();
        let of = |percent: f64| -> f64 {
            let sql = "WITH RECURSIVE n (v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 200) \
                       SELECT percentile(v, ?1) FROM n";
            connection.query_row(sql, [percent], |row| row.get(0)).unwrap()
        };
        assert_eq!((of(50.0), of(95.0), of(99.0), of(100.0), of(0.0)), (100.0, 190.0, 198.0, 200.0, 1.0));
        let none: Option<f64> =
            connection.query_row("SELECT percentile(v, 50) FROM (SELECT NULL AS v)", [], |row| row.get(0)).unwrap();
        assert_eq!(none, None);
    }

    #[test]
    fn an_attribute_is_compared_by_its_type() {
        use crate::store::samples;
        let connection = Connection::open_in_memory().unwrap();
        add(&connection).unwrap();
        let span = samples::everything();
        let (body, resource) = (body::encode_span(&span), body::encode_resource(&span.resource));
        let ask = |call: &str| -> Value {
            let sql = format!("SELECT {}", call.replace("...", "?1, NULL, ?2, NULL"));
            connection.query_row(&sql, [&body, &resource], |row| row.get(0)).unwrap()
        };
        assert_eq!(ask("attr('int', ...)"), Value::Integer(-7));
        assert_eq!(ask("attr_num('text', ...)"), Value::Null);
        assert_eq!(ask("attr_text('int', ...)"), Value::Null);
        assert_eq!(ask("attr('service.name', ...)"), Value::Text("s".to_owned()));
        assert_eq!(ask("attr('list', ...)"), Value::Text("[\"a\",\"b\"]".to_owned()));
        assert_eq!(ask("attr_is('list', ..., 'b')"), Value::Integer(1));
        assert_eq!(ask("attr_is('double', ..., 0.25)"), Value::Integer(1));
        assert_eq!(ask("attr_is('none', ..., 1)"), Value::Null);
    }
}
