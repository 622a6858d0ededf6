use rusqlite::types::Value as Bound;

use super::QueryError;
use super::ast::{Entity, Expr, Name, Node, Operator, Relation, Value, ValueKind};
use super::field::{self, Field};
use crate::model::Timestamp;
use crate::store::StoreError;
use crate::store::span_key;
use crate::store::words::HandoffKey;

/// SQL as it is put together. Whatever the query says is bound; only numbers and names of ours are in the text.
#[derive(Debug)]
pub(super) struct Sql {
    pub(super) bound: Vec<Bound>,
    now: Timestamp,
}

/// Where rows come from, and which of them count.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) from: String,
    pub(super) filter: String,
    /// Whether the rows come in the order of their time by themselves, so that a limit ends the search early.
    pub(super) in_order: bool,
    /// Of spans: whether they are only of the types that are indexed by time.
    pub(super) indexed_types: bool,
}

impl Sql {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { bound: Vec::new(), now }
    }

    fn bind(&mut self, value: Bound) -> String {
        self.bound.push(value);
        format!("?{}", self.bound.len())
    }

    /// The last node of a chain under the alias `e0`; what stands before it is a condition on it. `by_key`: the rows are
    /// found by their keys, whatever else is said of them. `by_time` says of a kind of mismatch whether it is so frequent
    /// that handoffs are better walked by time than found by the kind.
    pub(super) fn selection(
        &mut self,
        first: &Node,
        chain: &[(Relation, Node)],
        by_key: bool,
        by_time: impl Fn(i64) -> Result<bool, StoreError>,
    ) -> Result<Selection, StoreError> {
        let nodes: Vec<&Node> = std::iter::once(first).chain(chain.iter().map(|(_, node)| node)).collect();
        let last = nodes.len() - 1;
        let node = nodes[last];
        let table = match node.entity {
            Entity::Handoff => "handoffs",
            Entity::Span => "spans",
            Entity::Workflow => "workflows",
        };
        let mut conditions = Vec::new();
        let tops = tops(node.filter.as_ref());
        let by_id = by_key
            || tops.iter().any(|expr| {
                matches!(expr, Expr::Compare(name, Operator::Equal, _)
                if ["id", "handoff", "workflow", "parent", "trace_id"].contains(&name.text.as_str()))
            });
        // A kind of mismatch is rarer than what any other index finds, except for an id; where it is not, time goes first.
        let finding = tops.iter().find_map(|expr| match expr {
            Expr::Compare(name, Operator::Equal, value)
                if node.entity == Entity::Handoff && ["mismatch", "mismatches"].contains(&name.text.as_str()) =>
            {
                Some(value)
            }
            _ => None,
        });
        let mut from = format!("{table} e0");
        let mut in_order = !by_id;
        if let (Some(value), false) = (finding, by_id) {
            let kinds = chosen(&field::mismatch_words(), false, Operator::Equal, value)?;
            let kind = kinds.first().copied().unwrap_or(-1);
            if !by_time(kind)? {
                from = "findings f CROSS JOIN handoffs e0 ON e0.key = f.handoff".to_owned();
                conditions.push(format!("f.kind = {kind}"));
                in_order = false;
            }
        }
        // The spans of a workflow are in few traces, and those of a trace lie together.
        let workflow = tops.iter().find_map(|expr| match expr {
            Expr::Compare(name, Operator::Equal, value) if node.entity == Entity::Span && name.text == "workflow" => {
                Some(value)
            }
            _ => None,
        });
        if let Some(value) = workflow {
            from = format!("workflow_traces l CROSS JOIN spans e0 ON {}", span_key::in_trace("e0", "l.trace"));
            let id = self.bind(Bound::Text(text_of(value)));
            conditions.push(format!("l.workflow = (SELECT key FROM workflows WHERE id = {id})"));
        }
        if let Some(filter) = &node.filter {
            conditions.push(self.expr(node.entity, "e0", filter)?);
        }
        if last > 0 {
            conditions.push(self.above(&nodes, chain, last)?);
        }
        let indexed_types = node.entity == Entity::Span
            && tops.iter().any(|expr| match expr {
                Expr::Compare(name, Operator::Equal, value) if name.text == "type" => {
                    value.kind != ValueKind::Text("handoff".to_owned())
                        && value.kind != ValueKind::Text("process".to_owned())
                }
                _ => false,
            });
        if indexed_types {
            conditions.push("e0.type > 2".to_owned());
        }
        if conditions.is_empty() {
            conditions.push("1".to_owned());
        }
        Ok(Selection { from, filter: conditions.join(" AND "), in_order, indexed_types })
    }

    /// That something above the node at `at` is as the node before it says, and so on up.
    fn above(&mut self, nodes: &[&Node], chain: &[(Relation, Node)], at: usize) -> Result<String, QueryError> {
        let (below, here) = (format!("e{}", nodes.len() - 1 - at), format!("e{}", nodes.len() - at));
        let mut condition = match &nodes[at - 1].filter {
            Some(filter) => self.expr(Entity::Handoff, &here, filter)?,
            None => "1".to_owned(),
        };
        if at > 1 {
            let further = self.above(nodes, chain, at - 1)?;
            condition = format!("{condition} AND {further}");
        }
        Ok(match chain[at - 1].0 {
            Relation::Child => {
                format!("EXISTS (SELECT 1 FROM handoffs {here} WHERE {here}.id = {below}.parent AND {condition})")
            }
            // UNION leaves out what was seen, so that handoffs in a ring end.
            Relation::Below => format!(
                "EXISTS (WITH RECURSIVE up{at} (id) AS (SELECT {below}.parent UNION \
                 SELECT p.parent FROM up{at} JOIN handoffs p ON p.id = up{at}.id WHERE p.parent IS NOT NULL) \
                 SELECT 1 FROM up{at} JOIN handoffs {here} ON {here}.id = up{at}.id WHERE {condition})"
            ),
        })
    }

    fn expr(&mut self, entity: Entity, alias: &str, expr: &Expr) -> Result<String, QueryError> {
        Ok(match expr {
            Expr::And(parts) => self.joined(entity, alias, parts, " AND ")?,
            Expr::Or(parts) => self.joined(entity, alias, parts, " OR ")?,
            // What is not known does not hold, so its opposite does.
            Expr::Not(inner) => format!("NOT ifnull({}, 0)", self.expr(entity, alias, inner)?),
            Expr::Compare(name, operator, value) => {
                self.compare(&Field::of(entity, alias, &name.text), name, *operator, value)?
            }
            Expr::In(name, values) => {
                let field = Field::of(entity, alias, &name.text);
                let parts = values.iter().map(|value| self.compare(&field, name, Operator::Equal, value));
                format!("({})", parts.collect::<Result<Vec<_>, _>>()?.join(" OR "))
            }
            Expr::Last(time) => {
                let since = self.now.unix_nanos().saturating_sub(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
                let time = match Field::of(entity, alias, "timestamp") {
                    Field::Time(column) => column,
                    _ => format!("{alias}.start_ns"),
                };
                let since = self.bind(Bound::Integer(nanos(since)));
                format!("{time} >= {since}")
            }
        })
    }

    fn joined(&mut self, entity: Entity, alias: &str, parts: &[Expr], word: &str) -> Result<String, QueryError> {
        let parts = parts.iter().map(|part| self.expr(entity, alias, part)).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("({})", parts.join(word)))
    }

    fn compare(&mut self, field: &Field, name: &Name, operator: Operator, value: &Value) -> Result<String, QueryError> {
        match field {
            Field::Text(column) => Ok(self.text(column, operator, text_of(value))),
            Field::Workflow(column) => {
                let text = text_of(value);
                if operator == Operator::Equal {
                    let id = self.bind(Bound::Text(text));
                    return Ok(format!("{column} = (SELECT key FROM workflows WHERE id = {id})"));
                }
                Ok(self.text(&format!("(SELECT id FROM workflows WHERE key = {column})"), operator, text))
            }
            Field::HandoffId(column) => {
                let sign = equality(name, operator, value)?;
                let id = self.bind(match HandoffKey::new(&text_of(value)) {
                    HandoffKey::Uuid(bytes) => Bound::Blob(bytes.to_vec()),
                    HandoffKey::Text(text) => Bound::Text(text),
                });
                Ok(format!("{column} {sign} {id}"))
            }
            Field::Hex(column, length) => {
                let sign = equality(name, operator, value)?;
                let bytes = self.bind(Bound::Blob(hex_of(name, value, *length)?));
                Ok(format!("{column} {sign} {bytes}"))
            }
            Field::Trace(alias) => {
                let is = equality(name, operator, value)? == "=";
                let id = self.bind(Bound::Blob(hex_of(name, value, 16)?));
                let key = format!("SELECT key FROM traces WHERE id = {id}");
                let inside = span_key::in_trace(alias, &key);
                // As it is, a range of keys that is looked up.
                Ok(if is { format!("({inside})") } else { format!("NOT ifnull({inside}, 0)") })
            }
            Field::Number(column) => {
                let number = number_of(name, value)?;
                self.ordered(column, name, operator, value, number)
            }
            Field::Flag(column) => match value.kind {
                ValueKind::Bool(flag) => {
                    Ok(format!("{column} {} {}", equality(name, operator, value)?, i64::from(flag)))
                }
                _ => Err(QueryError::new(value.column, format!("`{}` is true or false", name.text))),
            },
            Field::Time(column) => {
                let time = time_of(name, value)?;
                self.ordered(column, name, operator, value, Bound::Integer(time))
            }
            Field::Words { column, words, in_order } => {
                let numbers = chosen(words, *in_order, operator, value)?;
                let condition = one_of(column, &numbers);
                // Said in so many words, so that the index over all but the agreed ones can be used.
                let agreed = column.ends_with(".verdict") && !numbers.contains(&1) && !numbers.is_empty();
                Ok(if agreed { format!("({condition} AND {column} <> 1)") } else { condition })
            }
            Field::Mismatch(alias) => {
                let kinds = chosen(&field::mismatch_words(), false, operator, value)?;
                Ok(format!(
                    "EXISTS (SELECT 1 FROM findings WHERE {} AND handoff = {alias}.key)",
                    one_of("kind", &kinds)
                ))
            }
            Field::Subtype(alias, kind) => {
                let condition = self.text(&format!("{alias}.subtype"), operator, text_of(value));
                Ok(format!("({alias}.type = {} AND {condition})", *kind as i64))
            }
            Field::Attribute(attribute, places) => self.attribute(attribute, places, name, operator, value),
        }
    }

    fn attribute(
        &mut self,
        attribute: &str,
        places: &[String; 4],
        name: &Name,
        operator: Operator,
        value: &Value,
    ) -> Result<String, QueryError> {
        let bound = self.bind(Bound::Text(attribute.to_owned()));
        let arguments = format!("{bound}, {}", places.join(", "));
        let value_ = match &value.kind {
            ValueKind::Text(text) => Bound::Text(text.clone()),
            ValueKind::Bool(flag) => Bound::Integer((*flag).into()),
            _ => number_of(name, value)?,
        };
        if matches!(operator, Operator::Equal | Operator::NotEqual) {
            let value = self.bind(value_);
            let not = if operator == Operator::NotEqual { "NOT " } else { "" };
            return Ok(format!("{not}attr_is({arguments}, {value})"));
        }
        match value_ {
            Bound::Text(text) => Ok(self.text(&format!("attr_text({arguments})"), operator, text)),
            number => self.ordered(&format!("attr_num({arguments})"), name, operator, value, number),
        }
    }

    fn text(&mut self, expr: &str, operator: Operator, text: String) -> String {
        match operator {
            Operator::Match | Operator::NoMatch => {
                let pattern = self.bind(Bound::Text(text));
                let not = if operator == Operator::NoMatch { "NOT " } else { "" };
                format!("{not}matches({expr}, {pattern})")
            }
            Operator::Prefix => {
                let end = after_all_with(&text);
                let begin = self.bind(Bound::Text(text));
                match end {
                    Some(end) => {
                        let end = self.bind(Bound::Text(end));
                        format!("({expr} >= {begin} AND {expr} < {end})")
                    }
                    None => format!("{expr} >= {begin}"),
                }
            }
            operator => {
                let text = self.bind(Bound::Text(text));
                format!("{expr} {} {text}", operator.sign())
            }
        }
    }

    fn ordered(
        &mut self,
        expr: &str,
        name: &Name,
        operator: Operator,
        value: &Value,
        bound: Bound,
    ) -> Result<String, QueryError> {
        if matches!(operator, Operator::Prefix | Operator::Match | Operator::NoMatch) {
            return Err(QueryError::new(
                value.column,
                format!("`{}` is no text: compare it by = != < <= > >=", name.text),
            ));
        }
        let bound = self.bind(bound);
        Ok(format!("{expr} {} {bound}", operator.sign()))
    }

    /// An expression for the value of a field, to sort, to group and to measure by.
    pub(super) fn value(&mut self, entity: Entity, name: &Name) -> (String, Field) {
        let field = Field::of(entity, "e0", &name.text);
        let expr = match &field {
            Field::Text(expr) | Field::Number(expr) | Field::Flag(expr) | Field::Time(expr) => expr.clone(),
            Field::HandoffId(column) | Field::Hex(column, _) | Field::Words { column, .. } => column.clone(),
            Field::Workflow(column) => format!("(SELECT id FROM workflows WHERE key = {column})"),
            Field::Trace(alias) => span_key::trace_id(alias),
            Field::Mismatch(_) => "g.kind".to_owned(),
            Field::Subtype(alias, kind) => {
                format!("CASE WHEN {alias}.type = {} THEN {alias}.subtype END", *kind as i64)
            }
            Field::Attribute(attribute, places) => {
                let bound = self.bind(Bound::Text(attribute.clone()));
                format!("attr({bound}, {})", places.join(", "))
            }
        };
        (expr, field)
    }
}

/// The conditions that must all hold.
fn tops(filter: Option<&Expr>) -> Vec<&Expr> {
    match filter {
        Some(Expr::And(parts)) => parts.iter().flat_map(|part| tops(Some(part))).collect(),
        Some(expr) => vec![expr],
        None => Vec::new(),
    }
}

/// The numbers of the words for which a comparison holds.
fn chosen(
    words: &[(i64, &'static str)],
    in_order: bool,
    operator: Operator,
    value: &Value,
) -> Result<Vec<i64>, QueryError> {
    let text = text_of(value);
    let known = words.iter().find(|(_, word)| *word == text);
    let pattern = match operator {
        Operator::Match | Operator::NoMatch => regex::Regex::new(&text).ok(),
        Operator::Prefix => None,
        Operator::Equal | Operator::NotEqual => {
            known.ok_or_else(|| unknown(words, value))?;
            None
        }
        _ if in_order => {
            known.ok_or_else(|| unknown(words, value))?;
            None
        }
        _ => return Err(QueryError::new(value.column, "these words have no order: compare them by = != ^= =~ !~ in")),
    };
    let at = known.map_or(0, |(number, _)| *number);
    let holds = |number: i64, word: &str| match operator {
        Operator::Equal => word == text,
        Operator::NotEqual => word != text,
        Operator::Prefix => word.starts_with(&text),
        Operator::Match => pattern.as_ref().is_some_and(|pattern| pattern.is_match(word)),
        Operator::NoMatch => pattern.as_ref().is_some_and(|pattern| !pattern.is_match(word)),
        Operator::Less => number < at,
        Operator::LessOrEqual => number <= at,
        Operator::More => number > at,
        Operator::MoreOrEqual => number >= at,
    };
    Ok(words.iter().filter(|(number, word)| holds(*number, word)).map(|(number, _)| *number).collect())
}

fn unknown(words: &[(i64, &'static str)], value: &Value) -> QueryError {
    let words: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
    QueryError::new(value.column, format!("expected one of {}, found \"{}\"", words.join(", "), text_of(value)))
}

fn one_of(column: &str, numbers: &[i64]) -> String {
    match numbers {
        [] => "0".to_owned(),
        [only] => format!("{column} = {only}"),
        many => format!("{column} IN ({})", many.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")),
    }
}

fn equality(name: &Name, operator: Operator, value: &Value) -> Result<&'static str, QueryError> {
    match operator {
        Operator::Equal => Ok("="),
        Operator::NotEqual => Ok("<>"),
        _ => Err(QueryError::new(value.column, format!("`{}` is compared by = and != only", name.text))),
    }
}

fn text_of(value: &Value) -> String {
    match &value.kind {
        ValueKind::Text(text) => text.clone(),
        ValueKind::Int(int) => int.to_string(),
        ValueKind::Number(number) => number.to_string(),
        ValueKind::Bool(flag) => flag.to_string(),
        ValueKind::Duration(time) => format!("{time:?}"),
    }
}

fn number_of(name: &Name, value: &Value) -> Result<Bound, QueryError> {
    match value.kind {
        ValueKind::Int(int) => Ok(Bound::Integer(int)),
        ValueKind::Number(number) => Ok(Bound::Real(number)),
        ValueKind::Duration(time) if name.text.ends_with("_ms") => Ok(Bound::Real(time.as_secs_f64() * 1e3)),
        ValueKind::Duration(_) => {
            Err(QueryError::new(value.column, format!("`{}` does not end in _ms, so it is no duration", name.text)))
        }
        ValueKind::Text(_) | ValueKind::Bool(_) => {
            Err(QueryError::new(value.column, format!("expected a number, for `{}` is one", name.text)))
        }
    }
}

fn hex_of(name: &Name, value: &Value, length: usize) -> Result<Vec<u8>, QueryError> {
    hex(&text_of(value))
        .filter(|bytes| bytes.len() == length)
        .ok_or_else(|| QueryError::new(value.column, format!("`{}` has {} hexadecimal digits", name.text, length * 2)))
}

fn time_of(name: &Name, value: &Value) -> Result<i64, QueryError> {
    let wrong = || {
        QueryError::new(
            value.column,
            format!("`{}` is a time such as \"2026-01-15T10:00:00Z\" or \"2026-01-15\"", name.text),
        )
    };
    let ValueKind::Text(text) = &value.kind else { return Err(wrong()) };
    let time = text.parse::<jiff::Timestamp>().or_else(|_| format!("{text}T00:00:00Z").parse());
    let time = time.map_err(|_| wrong())?;
    Ok(i64::try_from(time.as_nanosecond().max(0)).unwrap_or(i64::MAX))
}

fn nanos(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// The first text after all that begin with this one. `None` if there is none.
fn after_all_with(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // Over the gap of the surrogates.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}
