use super::graph::Graph;
use super::view::is_optional;

/// Something that was due, and of which there is no record: it never happened, or its record is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// Handoff id.
    pub handoff: String,
    /// `to<-from`.
    pub boundary: String,
    /// What was due.
    pub what: &'static str,
}

/// How much of a workflow is on record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Handoffs that some record tells of.
    pub handoffs: usize,
    /// Of these, how many lack what their sender should have told.
    pub without_sender: usize,
    /// Of these, how many lack what their receiver should have told.
    pub without_receiver: usize,
}

impl Records {
    pub(super) fn of(graph: &Graph<'_>) -> Self {
        let count =
            |lacks: fn(&super::Handoff<'_>) -> bool| graph.handoffs.iter().filter(|handoff| lacks(handoff)).count();
        Self {
            handoffs: graph.handoffs.len(),
            without_sender: count(|handoff| handoff.attempts.is_empty()),
            // Where the sender heard of nobody who took it, no receiver has anything to tell.
            without_receiver: count(|handoff| {
                handoff.deliveries.is_empty() && handoff.sent().is_none_or(|sent| sent.was_taken())
            }),
        }
    }

    /// The share of sides of which nothing is on record, 0 to 1.
    pub fn missing(&self) -> f64 {
        let sides = 2 * self.handoffs.max(1);
        (self.without_sender + self.without_receiver) as f64 / sides as f64
    }
}

/// What was due and is not on record, in the order of the handoffs.
pub(super) fn owed(graph: &Graph<'_>) -> Vec<Owed> {
    let mut found = Vec::new();
    for handoff in graph.handoffs.iter().filter(|handoff| !is_optional(handoff)) {
        let mut owe = |what| found.push(Owed { handoff: handoff.id.to_owned(), boundary: handoff.boundary(), what });
        if handoff.is_unseen() {
            owe("both sides: it is known only by what was done on its behalf");
        }
        let Some(sent) = handoff.sent() else { continue };
        if handoff.is_delegation && !handoff.has_result() {
            owe("a result");
        }
        if sent.inputs().count() < sent.expected_inputs() {
            owe("parts that its task should rest on");
        }
    }
    found.sort_by(|left, right| left.handoff.cmp(&right.handoff));
    found
}
