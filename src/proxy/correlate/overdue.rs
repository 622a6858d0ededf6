use std::collections::{HashMap, VecDeque};

use super::open::{Open, Receiver, State, Task};
use super::spans;
use crate::model::{HandoffId, Mismatch, MismatchKind, Timestamp};
use crate::proxy::record::{Answered, Batch, ReplyKey, Said};
use crate::telemetry::record::Record;

/// Handoffs that are kept.
const MOST: usize = 1024;

/// Handoffs whose answer did not come in time, and may come still: slow is told from dead by it. Each is a few hundred
/// bytes; the oldest goes where there are too many.
#[derive(Debug, Default)]
pub(super) struct AllOverdue {
    by_reply: HashMap<ReplyKey, Overdue>,
    /// When each is forgotten.
    order: VecDeque<(Timestamp, ReplyKey)>,
}

/// A handoff that was reported as `timed_out`.
#[derive(Debug)]
pub(super) struct Overdue {
    id: HandoffId,
    reply: ReplyKey,
    sent: Timestamp,
    limit: Timestamp,
    streams_back: bool,
    receivers: Vec<Receiver>,
}

impl AllOverdue {
    /// Waits for the answer until then.
    pub(super) fn keep(&mut self, overdue: Overdue, until: Timestamp) {
        if self.order.len() >= MOST
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.by_reply.remove(&oldest);
        }
        self.order.push_back((until, overdue.reply));
        self.by_reply.insert(overdue.reply, overdue);
    }

    /// Forgets those whose answer nobody waits for any more.
    pub(super) fn forget(&mut self, now: Timestamp) {
        while let Some((until, reply)) = self.order.front()
            && *until <= now
        {
            self.by_reply.remove(reply);
            self.order.pop_front();
        }
    }

    /// An answer came. Its record, if it is the end of one that is late.
    pub(super) fn answered(&mut self, answered: &Answered, batch: &Batch) -> Option<Record> {
        let overdue = self.by_reply.get_mut(&answered.reply)?;
        let by_session = overdue.receivers.iter().position(|receiver| receiver.session == answered.session);
        // Whoever got it may have passed it on to whom answers.
        let index = by_session.unwrap_or(0);
        let receiver = overdue.receivers.get_mut(index)?;
        receiver.answer(answered, overdue.streams_back, batch);
        if receiver.state != State::Done {
            return None;
        }
        let mut receiver = overdue.receivers.swap_remove(index);
        let word = if receiver.completions > 0 { "completed" } else { "failed" };
        let late = seconds(receiver.last_at.since(overdue.limit));
        let limit = seconds(overdue.limit.since(overdue.sent));
        let line = format!("{word}, {late} after the limit of {limit}");
        receiver.mismatches.insert(0, Mismatch::new(MismatchKind::TimedOut, line));
        let id = overdue.id;
        if overdue.receivers.is_empty() {
            self.by_reply.remove(&answered.reply);
        }
        spans::process(id, receiver).map(|record| Record::Process(Box::new(record)))
    }
}

impl Overdue {
    /// Those receivers that have timed out; what else was found of them is on record.
    pub(super) fn of(open: &Open, task: &Task, receivers: &[Receiver]) -> Option<Self> {
        let said = || Said {
            id: open.id,
            // It was compared.
            hash: None,
            size: None,
            from: Some(task.from.clone()),
            workflow: task.workflow.clone(),
            parent: task.parent,
            by_library: false,
            context: Some((task.trace.trace_id, task.trace.span_id, task.trace.sampled)),
        };
        let overdue =
            |receiver: &Receiver| Receiver { said: Some(Box::new(said())), mismatches: Vec::new(), ..receiver.clone() };
        let receivers: Vec<_> = receivers.iter().filter(|receiver| receiver.has_timed_out()).map(overdue).collect();
        (!receivers.is_empty()).then_some(Self {
            id: open.id,
            reply: task.reply?,
            sent: task.at,
            limit: open.due,
            streams_back: task.streams_back,
            receivers,
        })
    }
}

/// To a tenth of a second, for a person.
fn seconds(time: std::time::Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
