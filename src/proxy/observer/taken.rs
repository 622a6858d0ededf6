use std::time::Duration;

use opentelemetry::trace::{SpanId, TraceId};

use super::headers::context_of;
use crate::model::{AgentName, HandoffId, Timestamp};
use crate::proxy::record::ReplyKey;

/// Handoffs that one session has taken and that are remembered: the last ones.
const MOST: usize = 64;

/// Longest id, `traceparent` or name of a workflow that is kept, in bytes.
const LONGEST: usize = 128;

/// What a session has taken lately, and what it may be working on.
///
/// An agent that takes one message and publishes before it takes another is working on it. So a handoff is *live* from
/// its arrival until it is answered or settled, or until another arrives after something was published from it. Where
/// two are live, nobody can tell from outside which of them a message comes from, unless it names its workflow or trace.
#[derive(Debug, Default)]
pub(super) struct Taken {
    entries: Vec<Entry>,
    /// The reply key of each entry, close together as they are looked through for every reply. 0: none.
    replies: Vec<u64>,
    next: usize,
    /// Entries from which something was published.
    published: usize,
    /// Entries whose reply subject does not look like one.
    unusual: usize,
}

/// One handoff that was taken.
#[derive(Debug)]
pub(super) struct Entry {
    /// Id, `traceparent` and workflow, one after the other: as text, as most are never asked for. The room is kept for the
    /// next one, so that a message costs no allocation.
    text: Vec<u8>,
    /// Where the id ends, and where the `traceparent` does.
    ends: [u16; 2],
    pub(super) agent: Option<AgentName>,
    reply_is_unusual: bool,
    at: Timestamp,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Taken,
    Published,
    Done,
}

/// What arrived.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    /// Empty if it says none.
    pub(super) id: &'a [u8],
    pub(super) traceparent: &'a [u8],
    pub(super) workflow: &'a [u8],
    pub(super) agent: Option<AgentName>,
    pub(super) reply: Option<ReplyKey>,
    pub(super) reply_is_unusual: bool,
    pub(super) at: Timestamp,
}

impl Taken {
    /// The session takes a handoff.
    pub(super) fn take(&mut self, arrival: Arrival<'_>) {
        if self.published > 0 {
            for entry in &mut self.entries {
                if entry.state == State::Published {
                    entry.state = State::Done;
                }
            }
            self.published = 0;
        }
        if self.entries.len() < MOST {
            self.next = self.entries.len();
            self.entries.push(Entry::empty());
            self.replies.push(0);
        }
        self.replies[self.next] = arrival.reply.map_or(0, |reply| reply.0);
        let entry = &mut self.entries[self.next];
        self.next = (self.next + 1) % MOST;
        self.unusual += usize::from(arrival.reply_is_unusual);
        self.unusual -= usize::from(entry.reply_is_unusual);
        entry.write(arrival.id, arrival.traceparent, arrival.workflow);
        entry.agent = arrival.agent;
        entry.reply_is_unusual = arrival.reply_is_unusual;
        entry.at = arrival.at;
        entry.state = State::Taken;
    }

    /// Whether any reply subject does not look like one, so that each subject must be compared.
    #[inline]
    pub(super) fn has_unusual_replies(&self) -> bool {
        self.unusual > 0
    }

    /// The handoff that is answered by this reply subject, the last if there are several.
    #[inline]
    pub(super) fn by_reply(&mut self, reply: ReplyKey) -> Option<&mut Entry> {
        let (newer, older) = (0..self.next, self.next..self.replies.len());
        let is_it = |index: &usize| self.replies[*index] == reply.0 && reply.0 != 0;
        let index = newer.rev().find(is_it).or_else(|| older.rev().find(is_it))?;
        self.entries.get_mut(index)
    }

    /// What the session is working on when it publishes; `None` if there is nothing, or if it cannot be told.
    #[inline]
    pub(super) fn cause(
        &mut self,
        workflow: &[u8],
        trace: Option<TraceId>,
        now: Timestamp,
        forget: Duration,
    ) -> Option<&Entry> {
        if self.entries.is_empty() {
            return None;
        }
        let oldest = now - forget;
        let matches = |entry: &Entry| {
            let is_one = entry.state != State::Done || !workflow.is_empty();
            let same_workflow = workflow.is_empty() || entry.workflow_bytes() == workflow;
            let same_trace = trace.is_none() || entry.context().is_some_and(|context| Some(context.0) == trace);
            is_one && entry.at >= oldest && same_workflow && (same_trace || !workflow.is_empty())
        };
        let only = |live: bool, entries: &[Entry]| {
            let mut found =
                entries.iter().enumerate().filter(|(_, entry)| matches(entry) && (entry.state != State::Done) == live);
            match (found.next(), found.next()) {
                (Some((index, _)), None) => Ok(Some(index)),
                (None, _) => Ok(None),
                (Some(_), Some(_)) => Err(()),
            }
        };
        let index = match only(true, &self.entries) {
            Ok(None) => only(false, &self.entries).ok().flatten()?,
            Ok(Some(index)) => index,
            Err(()) => return None,
        };
        let entry = &mut self.entries[index];
        if entry.state == State::Taken {
            entry.state = State::Published;
            self.published += 1;
        }
        Some(entry)
    }
}

impl Entry {
    fn empty() -> Self {
        Self {
            text: Vec::new(),
            ends: [0; 2],
            agent: None,
            reply_is_unusual: false,
            at: Timestamp::EPOCH,
            state: State::Done,
        }
    }

    fn write(&mut self, id: &[u8], traceparent: &[u8], workflow: &[u8]) {
        let [id, traceparent, workflow] =
            [id, traceparent, workflow].map(|text| if text.len() <= LONGEST { text } else { &[] });
        self.text.clear();
        self.text.reserve_exact(id.len() + traceparent.len() + workflow.len());
        self.text.extend_from_slice(id);
        self.text.extend_from_slice(traceparent);
        self.text.extend_from_slice(workflow);
        // Thrice the longest fits.
        self.ends = [id.len() as u16, (id.len() + traceparent.len()) as u16];
    }

    /// The session has answered or settled it.
    pub(super) fn done(&mut self) {
        self.state = State::Done;
    }

    pub(super) fn id(&self) -> Option<HandoffId> {
        std::str::from_utf8(self.id_text()).ok()?.parse().ok()
    }

    pub(super) fn id_text(&self) -> &[u8] {
        &self.text[..usize::from(self.ends[0])]
    }

    /// The trace context that came with it.
    pub(super) fn context(&self) -> Option<(TraceId, SpanId, bool)> {
        context_of(&self.text[usize::from(self.ends[0])..usize::from(self.ends[1])])
    }

    /// The workflow's name; empty if it has none.
    pub(super) fn workflow(&self) -> &str {
        std::str::from_utf8(self.workflow_bytes()).unwrap_or_default()
    }

    fn workflow_bytes(&self) -> &[u8] {
        &self.text[usize::from(self.ends[1])..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORGET: Duration = Duration::from_secs(60);

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_nanos(1_000_000_000_000) + Duration::from_millis(ms)
    }

    fn take(taken: &mut Taken, ms: u64, workflow: &str, reply: Option<u64>) -> HandoffId {
        let id = HandoffId::new(at(ms));
        let traceparent = format!("00-{:032x}-{:016x}-01", ms + 1, ms + 1);
        taken.take(Arrival {
            id: id.to_string().as_bytes(),
            traceparent: traceparent.as_bytes(),
            workflow: workflow.as_bytes(),
            agent: None,
            reply: reply.map(ReplyKey),
            reply_is_unusual: false,
            at: at(ms),
        });
        id
    }

    fn cause(taken: &mut Taken, ms: u64, workflow: &str) -> Option<HandoffId> {
        taken.cause(workflow.as_bytes(), None, at(ms), FORGET).and_then(|entry| entry.id())
    }

    #[test]
    fn one_message_taken_and_then_a_publication_is_a_cause() {
        let mut taken = Taken::default();
        assert_eq!(cause(&mut taken, 0, ""), None);
        let first = take(&mut taken, 1, "", None);
        assert_eq!(cause(&mut taken, 2, ""), Some(first));
        assert_eq!(cause(&mut taken, 3, ""), Some(first), "it may publish more than once");
        let second = take(&mut taken, 4, "", None);
        assert_eq!(cause(&mut taken, 5, ""), Some(second), "the first has published before");
    }

    #[test]
    fn two_taken_at_once_are_ambiguous_until_one_is_done() {
        let mut taken = Taken::default();
        let first = take(&mut taken, 1, "", Some(1));
        take(&mut taken, 2, "", Some(2));
        assert_eq!(cause(&mut taken, 3, ""), None);
        taken.by_reply(ReplyKey(2)).unwrap().done();
        assert_eq!(cause(&mut taken, 4, ""), Some(first));
        taken.by_reply(ReplyKey(1)).unwrap().done();
        assert_eq!(cause(&mut taken, 5, ""), None, "all are answered");
    }

    #[test]
    fn a_workflow_tells_them_apart_and_so_does_a_trace() {
        let mut taken = Taken::default();
        let a = take(&mut taken, 1, "a", Some(1));
        let b = take(&mut taken, 2, "b", None);
        assert_eq!(cause(&mut taken, 3, "a"), Some(a));
        assert_eq!(cause(&mut taken, 3, "c"), None, "a workflow of its own");
        taken.by_reply(ReplyKey(1)).unwrap().done();
        assert_eq!(cause(&mut taken, 4, "a"), Some(a), "the answer may go out first");
        let by_trace = taken.cause(b"", Some(TraceId::from(3)), at(5), FORGET).and_then(|entry| entry.id());
        assert_eq!(by_trace, Some(b));
        let again = take(&mut taken, 6, "b", None);
        assert_eq!(cause(&mut taken, 7, "b"), Some(again), "the first has published before");
        take(&mut taken, 8, "c", None);
        take(&mut taken, 9, "c", None);
        assert_eq!(cause(&mut taken, 10, "c"), None, "two of one workflow");
    }

    #[test]
    fn what_was_taken_long_ago_is_forgotten_and_memory_is_bounded() {
        let mut taken = Taken::default();
        take(&mut taken, 0, "", None);
        assert_eq!(cause(&mut taken, 60_001, ""), None);
        for n in 0..1000 {
            take(&mut taken, n, "w", Some(n));
        }
        assert_eq!(taken.entries.len(), MOST);
        assert!(taken.by_reply(ReplyKey(999)).is_some() && taken.by_reply(ReplyKey(0)).is_none());
    }
}
