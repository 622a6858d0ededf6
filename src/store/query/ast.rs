//! A query as it was understood, before anything is known of tables.

use std::time::Duration;

/// All of a query.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Query {
    /// One node, or several that stand in a relation. The answer has the last one.
    pub(super) first: Node,
    pub(super) chain: Vec<(Relation, Node)>,
    pub(super) by: Vec<Name>,
    pub(super) measures: Vec<Measure>,
    pub(super) sort: Vec<(Name, bool)>,
    pub(super) limit: Option<usize>,
    /// Only handoffs with these keys.
    pub(super) among: Option<Vec<i64>>,
    pub(super) offset: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) entity: Entity,
    pub(super) filter: Option<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entity {
    Handoff,
    Span,
    Workflow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// Directly below.
    Child,
    /// Somewhere below.
    Below,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Compare(Name, Operator, Value),
    In(Name, Vec<Value>),
    Last(Duration),
}

/// A name, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) column: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
    Prefix,
    Match,
    NoMatch,
}

/// A value, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    pub(super) kind: ValueKind,
    pub(super) column: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum ValueKind {
    Text(String),
    Int(i64),
    Number(f64),
    Bool(bool),
    Duration(Duration),
}

/// What is measured of a group.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Measure {
    Count,
    Rate,
    Of(Function, Name),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Sum,
    Mean,
    Least,
    Greatest,
    Percentile(u8),
}

impl Function {
    pub(super) const ALL: [(&'static str, Self); 8] = [
        ("sum", Self::Sum),
        ("avg", Self::Mean),
        ("min", Self::Least),
        ("max", Self::Greatest),
        ("p50", Self::Percentile(50)),
        ("p90", Self::Percentile(90)),
        ("p95", Self::Percentile(95)),
        ("p99", Self::Percentile(99)),
    ];

    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, function)| *function == self).map_or("", |(word, _)| word)
    }
}

impl Measure {
    /// The name of its column.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Count => "count".to_owned(),
            Self::Rate => "rate".to_owned(),
            Self::Of(function, name) => format!("{}({})", function.word(), name.text),
        }
    }
}

impl Expr {
    /// Every name in it.
    pub(super) fn names<'a>(&'a self, out: &mut Vec<&'a Name>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.names(out)),
            Self::Not(part) => part.names(out),
            Self::Compare(name, ..) | Self::In(name, _) => out.push(name),
            Self::Last(_) => {}
        }
    }

    /// The shortest time that all that is wanted lies in.
    pub(super) fn last(&self) -> Option<Duration> {
        match self {
            Self::Last(time) => Some(*time),
            Self::And(parts) => parts.iter().filter_map(Self::last).min(),
            _ => None,
        }
    }
}
