/// A query was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {problem}")]
pub struct QueryError {
    column: usize,
    problem: String,
}

impl QueryError {
    pub(in crate::store) fn new(column: usize, problem: impl Into<String>) -> Self {
        Self { column, problem: problem.into() }
    }

    /// The character that the text was not understood at, from 1.
    pub const fn column(&self) -> usize {
        self.column
    }

    /// What was expected there.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}
