use super::ast::Entity;
use crate::model::{MismatchKind, Rung};
use crate::store::words::{SpanType, VerdictWord};
use crate::store::{pack, span_key};

/// What a name means on an entity: where its value is, and of which type it is.
#[derive(Clone, Debug)]
pub(super) enum Field {
    /// An expression that is text.
    Text(String),
    /// The id of a workflow, in whose place the entity has a key: the column.
    Workflow(String),
    /// The column of a handoff id.
    HandoffId(String),
    /// A column of so many bytes, written in hexadecimal.
    Hex(String, usize),
    /// The trace of the span with this alias.
    Trace(String),
    /// An expression that is a number.
    Number(String),
    /// An expression that is true or false.
    Flag(String),
    /// A column of nanoseconds.
    Time(String),
    /// A column of numbers that stand for words, in order.
    Words { column: String, words: Vec<(i64, &'static str)>, in_order: bool },
    /// The findings of the handoff with this alias.
    Mismatch(String),
    /// The subtype of a span of this type: the alias.
    Subtype(String, SpanType),
    /// An attribute, by its name; with it where to look: two bodies, two resources.
    Attribute(String, [String; 4]),
}

impl Field {
    /// The field of this name on an entity under an alias.
    pub(super) fn of(entity: Entity, alias: &str, name: &str) -> Self {
        let known = match entity {
            Entity::Handoff => handoff(alias, name),
            Entity::Span => span(alias, name),
            Entity::Workflow => workflow(alias, name),
        };
        known.unwrap_or_else(|| Self::Attribute(attribute(entity, name).to_owned(), places(entity, alias)))
    }
}

fn handoff(h: &str, name: &str) -> Option<Field> {
    Some(match name {
        "id" | "handoff" => Field::HandoffId(format!("{h}.id")),
        "parent" => Field::HandoffId(format!("{h}.parent")),
        "workflow" => Field::Workflow(format!("{h}.workflow")),
        "from" => Field::Text(format!("{h}.from_agent")),
        "to" => Field::Text(format!("{h}.to_agent")),
        "kind" => words(format!("{h}.kind"), vec![(1, "delegation"), (2, "transfer")], false),
        "verdict" => {
            words(format!("{h}.verdict"), VerdictWord::ALL.map(|(verdict, word)| (verdict as i64, word)).into(), false)
        }
        "mismatch" | "mismatches" => Field::Mismatch(h.to_owned()),
        "rung" => words(
            format!("{h}.rung"),
            Rung::ALL.iter().enumerate().map(|(at, rung)| (at as i64, rung.as_str())).collect(),
            true,
        ),
        "timestamp" => Field::Time(format!("{h}.start_ns")),
        "duration_ms" => Field::Number(format!("({h}.duration_ns / 1e6)")),
        "attempts" | "deliveries" | "size" | "age_ms" | "quality" => Field::Number(format!("{h}.{name}")),
        _ => return None,
    })
}

fn span(s: &str, name: &str) -> Option<Field> {
    Some(match name {
        "type" => words(format!("{s}.type"), SpanType::ALL.map(|(kind, word)| (kind as i64, word)).into(), false),
        "name" => Field::Text(format!("{s}.name")),
        "trace_id" => Field::Trace(s.to_owned()),
        "span_id" => Field::Hex(format!("{s}.span_id"), 8),
        "parent_span_id" => Field::Hex(format!("{s}.parent_id"), 8),
        "workflow" => Field::Workflow(format!("{s}.workflow")),
        "timestamp" => Field::Time(format!("{s}.start_ns")),
        "duration_ms" => Field::Number(format!("(({s}.end_ns - {s}.start_ns) / 1e6)")),
        "error" => Field::Flag(format!("{s}.error")),
        "decision.type" | "wilco.decision.type" => Field::Subtype(s.to_owned(), SpanType::Decision),
        "tool" | "gen_ai.tool.name" => Field::Subtype(s.to_owned(), SpanType::Tool),
        _ => return None,
    })
}

fn workflow(w: &str, name: &str) -> Option<Field> {
    Some(match name {
        "id" | "workflow" => Field::Text(format!("{w}.id")),
        "name" | "outcome" => Field::Text(format!("{w}.{name}")),
        "ok" | "error" => Field::Flag(format!("{w}.{name}")),
        "timestamp" => Field::Time(format!("{w}.first_ns")),
        "duration_ms" => Field::Number(format!("(({w}.last_ns - {w}.first_ns) / 1e6)")),
        "spans" | "handoffs" | "mismatched" => Field::Number(format!("{w}.{name}")),
        _ => return None,
    })
}

/// What [`handoff`], [`span`] and [`workflow`] know by name, and [`attribute`] by a shorter one.
const NAMES: [&str; 32] = [
    "id",
    "handoff",
    "parent",
    "workflow",
    "from",
    "to",
    "kind",
    "verdict",
    "mismatch",
    "mismatches",
    "rung",
    "timestamp",
    "duration_ms",
    "attempts",
    "deliveries",
    "size",
    "age_ms",
    "quality",
    "type",
    "name",
    "trace_id",
    "span_id",
    "parent_span_id",
    "error",
    "decision.type",
    "tool",
    "outcome",
    "ok",
    "spans",
    "handoffs",
    "mismatched",
    "agent",
];

/// The name that this one is a slip of the pen away from: one letter, in a longer one two, or its end. Names of
/// attributes that are in use have parts between dots, so that none is taken for a slip.
pub(super) fn nearly(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    if name.contains('.') || name.len() < 3 || NAMES.contains(&name) {
        return None;
    }
    let slips = if name.len() < 6 { 1 } else { 2 };
    let distance = |known: &&str| strsim::osa_distance(known, &lower);
    let is_cut = |known: &&str| lower.len() >= 4 && known.starts_with(&lower);
    NAMES.into_iter().filter(|known| is_cut(known) || distance(known) <= slips).min_by_key(distance)
}

/// The name of an attribute, where another entity has a shorter one for it.
fn attribute(entity: Entity, name: &str) -> &str {
    match (entity, name) {
        (Entity::Span, "from") => "wilco.handoff.from",
        (Entity::Span, "to") => "wilco.handoff.to",
        (Entity::Span, "handoff") => "wilco.handoff.id",
        (Entity::Span, "mismatch" | "mismatches") => "wilco.mismatches",
        (_, "agent") => "gen_ai.agent.name",
        _ => name,
    }
}

fn places(entity: Entity, alias: &str) -> [String; 4] {
    let body = |key: &str| format!("(SELECT {} FROM spans s WHERE s.key = {alias}.{key})", pack::body_of("s"));
    let resource = |key: &str| {
        format!("(SELECT resource FROM origins WHERE key = (SELECT origin FROM spans WHERE key = {alias}.{key}))")
    };
    match entity {
        Entity::Handoff => [body("s_span"), body("r_span"), resource("s_span"), resource("r_span")],
        Entity::Span => [
            pack::body_of(alias),
            "NULL".to_owned(),
            format!("(SELECT resource FROM origins WHERE key = {alias}.origin)"),
            "NULL".to_owned(),
        ],
        Entity::Workflow => {
            let root = format!(
                "FROM workflow_traces l CROSS JOIN spans s ON {} WHERE l.workflow = {alias}.key \
                 AND s.workflow = {alias}.key AND s.type = {} ORDER BY s.end_ns DESC LIMIT 1",
                span_key::in_trace("s", "l.trace"),
                SpanType::Workflow as i64
            );
            [
                format!("(SELECT {} {root})", pack::body_of("s")),
                "NULL".to_owned(),
                format!("(SELECT resource FROM origins WHERE key = (SELECT s.origin {root}))"),
                "NULL".to_owned(),
            ]
        }
    }
}

fn words(column: String, words: Vec<(i64, &'static str)>, in_order: bool) -> Field {
    Field::Words { column, words, in_order }
}

/// Every kind of mismatch with its number.
pub(super) fn mismatch_words() -> Vec<(i64, &'static str)> {
    MismatchKind::ALL.iter().enumerate().map(|(at, kind)| (at as i64, kind.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_a_slip_leads_to_means_something() {
        for name in NAMES {
            let is_field = handoff("h", name).is_some() || span("s", name).is_some() || workflow("w", name).is_some();
            let is_short = attribute(Entity::Handoff, name) != name;
            assert!(is_field || is_short, "{name}");
            assert_eq!(nearly(name), None);
        }
    }
}
