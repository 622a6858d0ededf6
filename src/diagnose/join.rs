use super::reading::Reading;
use crate::model::{Span, names};

/// A join on record: how many parts were owed, how many had arrived when it went on.
#[derive(Clone, Copy, Debug)]
pub struct Join<'a> {
    /// The span.
    pub span: &'a Span,
    /// Parts that were owed.
    pub expected: usize,
    /// Parts that had arrived.
    pub arrived: usize,
    /// The handoff that the joiner was working on, where it is known.
    pub within: Option<usize>,
}

impl<'a> Join<'a> {
    pub(super) fn read(span: &'a Span, told: &Reading<'_>, within: Option<usize>) -> Option<Self> {
        let count = |count: i64| usize::try_from(count).ok();
        let (expected, arrived) = (count(told.join_expected?)?, count(told.join_arrived?)?);
        Some(Self { span, expected, arrived, within })
    }

    /// Who joined: the service or agent that made the span.
    pub(super) fn agent(&self) -> Option<&'a str> {
        self.span.attributes.text(names::GEN_AI_AGENT_NAME).or_else(|| self.span.service())
    }
}
