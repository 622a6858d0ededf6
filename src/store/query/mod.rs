//! The query language: one line that says which handoffs, spans or workflows are wanted.
//!
//! ```text
//! from = "planner" AND mismatch = "stale_context" AND last 15m
//! type = "decision" AND decision.type = "approve" AND duration_ms > 5000 AND timestamp > "2026-01-15T10:00:00Z"
//! handoff{to = "writer"} >> handoff{verdict = "mismatched"}
//! last 1h | by to, mismatch | count, rate, p95(duration_ms)
//! ```
//!
//! | part | forms |
//! |---|---|
//! | what | `handoff{...}`, `span{...}`, `workflow{...}`; without: handoffs, or spans if the text says `type` |
//! | structure | `handoff{...} > handoff{...}`: the right one was handed over while the left one was worked on; `>>`: somewhere below. The answer has the right one |
//! | comparison | `=` `!=` `<` `<=` `>` `>=`, prefix `^=`, regular expression `=~` `!~`, `in ("a", "b")` |
//! | value | `"text"`, `'text'`, a bare word, a number, a duration such as `5s` (for names that end in `_ms`), `true`, `false` |
//! | time | `last 15m` (`s`, `m`, `h`, `d`), `timestamp > "2026-01-15T10:00:00Z"` |
//! | logic | `AND`, `OR`, `NOT`, parentheses; `NOT` binds tighter than `AND`, and that tighter than `OR` |
//! | then | <code>\| by to, mismatch \| count, rate, p95(duration_ms)</code>, <code>\| sort duration_ms desc</code>, <code>\| limit 20</code>, <code>\| offset 40</code> |
//!
//! What is known of a handoff: `id` `workflow` `parent` `from` `to` `kind` `verdict` `mismatch` `rung` `timestamp`
//! `duration_ms` `attempts` `deliveries` `size` `age_ms` `quality`. Of a span: `type` `name` `trace_id` `span_id`
//! `workflow` `timestamp` `duration_ms` `error` and, by its type, `decision.type`. Of a workflow: `id` `name` `outcome`
//! `ok` `error` `timestamp` `duration_ms` `spans` `handoffs` `mismatched`. Every other name is that of an attribute, with
//! or without `wilco.` before it: of a handoff, on the sender's span, else on the receiver's; of a workflow, on its root
//! span; else on the resource. A name that is nearly one of the known ones is refused as a slip; in quotes it is an
//! attribute's all the same.
//!
//! A comparison with something that is absent does not hold, and neither does its opposite: `NOT x = 1` holds where there
//! is no `x`, `x != 1` does not. A list holds what any of its values holds.
//!
//! Answers have the newest first (spans of all types have those of the newest trace first), and at most 100 lines if no
//! limit is given. `count`, `rate` (per second, over the span
//! of time asked for by `last`, else from the first to the last that counts), `sum`, `avg`, `min`, `max`, `p50`, `p90`,
//! `p95`, `p99` make lines of groups. Fields are bound as parameters, never pasted into SQL.

mod answer;
mod ast;
mod error;
mod field;
mod lexer;
mod parser;
mod sql;

pub use answer::{Answer, Line};
pub use error::QueryError;

use rusqlite::Connection;

use super::StoreError;
use crate::model::Timestamp;

/// The longest text of a query, in bytes.
pub const LONGEST: usize = 16_384;

/// The most lines that one answer may have.
pub const MOST_LINES: usize = 10_000;

/// How many lines an answer has, if no limit is given.
pub const DEFAULT_LINES: usize = 100;

/// Why handoffs cannot be followed by a query that gives anything else.
pub(crate) const NO_HANDOFFS: &str = "handoffs are followed one by one, not spans, workflows or groups";

/// A query that was understood.
///
/// ```
/// use wilco::store::query::Query;
///
/// assert!(Query::parse("from = \"planner\" AND mismatch = \"stale_context\"").is_ok());
/// let error = Query::parse("from = ").unwrap_err();
/// assert_eq!(error.column(), 8);
/// assert_eq!(error.to_string(), "column 8: expected a value, found the end");
/// ```
#[derive(Clone, Debug)]
pub struct Query {
    ast: ast::Query,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// [`QueryError`] points at the column, and says what was expected there.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        parser::parse(text).map(|ast| Self { ast })
    }

    /// Gives at most `lines` of the answer, whatever the text says of its limit.
    #[must_use]
    pub fn at_most(mut self, lines: usize) -> Self {
        self.ast.limit = Some(self.ast.limit.unwrap_or(DEFAULT_LINES).min(lines));
        self
    }

    /// Finds only what began within this time before now, besides what the text says.
    #[must_use]
    pub fn within(mut self, time: std::time::Duration) -> Self {
        let node = self.ast.chain.last_mut().map_or(&mut self.ast.first, |(_, node)| node);
        let last = ast::Expr::Last(time);
        node.filter = Some(match node.filter.take() {
            Some(filter) => ast::Expr::And(vec![filter, last]),
            None => last,
        });
        self
    }

    /// Whether it gives handoffs, one a line: neither spans, nor workflows, nor groups.
    pub fn lists_handoffs(&self) -> bool {
        let last = self.ast.chain.last().map_or(&self.ast.first, |(_, node)| node);
        last.entity == ast::Entity::Handoff && self.ast.by.is_empty() && self.ast.measures.is_empty()
    }

    /// Finds what of these handoffs is wanted, whatever the text says of its limit.
    pub(super) fn among(mut self, keys: &[i64]) -> Self {
        self.ast.limit = Some(keys.len());
        self.ast.offset = 0;
        self.ast.among = Some(keys.to_vec());
        self
    }

    pub(super) fn run(&self, connection: &Connection, now: Timestamp) -> Result<Answer, StoreError> {
        answer::answer(&self.ast, connection, now)
    }
}
