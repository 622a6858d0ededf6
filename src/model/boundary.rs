use std::fmt;

use super::AgentName;

/// The place where a handoff can break: the pair of agents on its two sides, written `to<-from`.
///
/// ```
/// use wilco::model::{AgentName, Boundary};
/// let boundary = Boundary { from: AgentName::new("researcher")?, to: AgentName::new("writer")? };
/// assert_eq!(boundary.to_string(), "writer<-researcher");
/// # Ok::<(), wilco::model::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Boundary {
    /// The agent that handed over.
    pub from: AgentName,
    /// The agent that was to take it.
    pub to: AgentName,
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}<-{}", self.to, self.from)
    }
}
