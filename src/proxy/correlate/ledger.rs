use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::open::{Open, Receiver, State, Task};
use super::overdue::AllOverdue;
use super::spans::{self, End, Life};
use crate::model::{AgentName, ContentHash, HandoffId, Timestamp};
use crate::proxy::observer::Rules;
use crate::proxy::record::{
    Answered, Arrived, Batch, Observed, ReplyKey, Return, Returned, Sent, SessionId, Settled, Settlement,
};
use crate::telemetry::record::Record;

/// How long a handoff stays open after the last thing that is waited for: other workers' records may be on their way,
/// and further subscribers.
pub(super) const GRACE: Duration = Duration::from_millis(500);

/// How many times as long as for an answer in time one that is late is waited for.
const OVERDUE: u32 = 10;

/// Agents whose last sign of life is remembered. Then all are forgotten.
const MOST_BEATS: usize = 4096;

/// Sessions that are remembered to have gone. Then all are forgotten.
const MOST_GONE: usize = 4096;

/// Deliveries that wait for the record of what was sent, where nothing in the message says which it is.
const MOST_STRAYS: usize = 1024;

/// Every handoff of which more may be heard, and how what is heard is joined.
///
/// Pure: time is an argument, and records of spans come out at the end. Every table is bounded.
#[derive(Debug)]
pub(super) struct Ledger {
    rules: Arc<Rules>,
    /// In boxes, as a table has more places than handoffs.
    open: HashMap<HandoffId, Box<Open>>,
    /// In the order in which they were opened; those that were settled since are among them.
    order: VecDeque<HandoffId>,
    /// When each is looked at next. Of one that is looked at sooner now, a later time may be here still.
    due: BinaryHeap<Reverse<(Timestamp, HandoffId)>>,
    /// Which handoff an answer to a reply subject is of. Of a handoff's several reply subjects (JetStream has one for each
    /// delivery) all are here.
    replies: HashMap<ReplyKey, (HandoffId, Option<u64>)>,
    reply_order: VecDeque<ReplyKey>,
    /// Handoffs whose id does not travel, by subject and content.
    bare: HashMap<u64, VecDeque<HandoffId>>,
    strays: VecDeque<(Arrived, Batch)>,
    /// Those that were settled without the answer that was owed.
    overdue: AllOverdue,
    beats: HashMap<AgentName, Timestamp>,
    gone: HashSet<SessionId>,
    records: Vec<Record>,
    opened: u64,
    evicted: u64,
}

impl Ledger {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        Self {
            rules,
            open: HashMap::new(),
            order: VecDeque::new(),
            due: BinaryHeap::new(),
            replies: HashMap::new(),
            reply_order: VecDeque::new(),
            bare: HashMap::new(),
            strays: VecDeque::new(),
            overdue: AllOverdue::default(),
            beats: HashMap::new(),
            gone: HashSet::new(),
            records: Vec::new(),
            opened: 0,
            evicted: 0,
        }
    }

    /// Joins what one worker saw.
    pub(super) fn take(&mut self, batch: &Batch, now: Timestamp) {
        for record in batch.records() {
            match record {
                Observed::Sent(sent) => self.sent(sent, batch, now),
                Observed::Streamed { id, hash } => self.streamed(*id, *hash),
                Observed::Checked { id, receiver, hash } => self.checked(*id, *receiver, *hash),
                Observed::Arrived(arrived) => self.arrived(arrived, batch, now),
                Observed::Answered(answered) => self.answered(answered, batch),
                Observed::Returned(returned) => self.returned(returned, batch),
                Observed::Settled(settled) => self.settled(settled, batch),
                Observed::Beat { agent, at } => self.beat(agent, *at),
                Observed::Closed { session } => self.closed(*session),
            }
        }
    }

    /// Settles what is due, up to [`AT_ONCE`]. `true`: there is more, and the records are to be taken first.
    pub(super) fn tick(&mut self, now: Timestamp) -> bool {
        self.overdue.forget(now);
        while let Some((arrived, _)) = self.strays.front()
            && arrived.at + GRACE <= now
        {
            // Nobody here sent it, and nothing says what it is.
            self.strays.pop_front();
        }
        while let Some(&Reverse((due, id))) = self.due.peek()
            && due <= now
        {
            if self.records.len() >= AT_ONCE {
                return true;
            }
            self.due.pop();
            match self.open.get_mut(&id) {
                Some(open) if open.settled_at() <= now => self.settle(id, End::Due, now),
                Some(open) if open.looked_at == due => {
                    open.looked_at = open.settled_at();
                    self.due.push(Reverse((open.looked_at, id)));
                }
                _ => {}
            }
        }
        if self.due.len() > 2 * self.open.len() + KEPT {
            let open = &self.open;
            self.due.retain(|Reverse((due, id))| open.get(id).is_some_and(|open| open.looked_at == *due));
        }
        false
    }

    /// Settles everything with what is known, up to [`AT_ONCE`]. `true`: as above.
    pub(super) fn drain(&mut self, now: Timestamp) -> bool {
        if self.tick(now) {
            return true;
        }
        while let Some(id) = self.order.pop_front() {
            self.settle(id, End::Early, now);
            if self.records.len() >= AT_ONCE {
                return true;
            }
        }
        false
    }

    /// The records that are finished.
    pub(super) fn records(&mut self) -> &mut Vec<Record> {
        &mut self.records
    }

    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Of those, how many are owed something that was not seen.
    pub(super) fn owed_count(&self) -> usize {
        self.open.values().filter(|open| open.is_owed()).count()
    }

    /// Times at which something is to be looked at.
    #[cfg(test)]
    pub(super) fn times(&self) -> usize {
        self.due.len()
    }

    /// How many were opened, and how many settled early, since this was asked.
    pub(super) fn counts(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.opened), std::mem::take(&mut self.evicted))
    }

    fn sent(&mut self, sent: &Sent, batch: &Batch, now: Timestamp) {
        let task = Task::of(sent, batch);
        let reply_within = self.rules.reply_within;
        let wait = self.rules.settle_within.max(if task.reply.is_some() { reply_within } else { Duration::ZERO });
        let open = self.open(sent.id, sent.at + wait, now);
        let due = if open.receivers.is_empty() {
            sent.at + wait
        } else if task.reply.is_some() && open.receivers.iter().any(|receiver| receiver.state != State::Done) {
            // One has it, so that the wait is for its answer alone.
            open.due.max(sent.at + reply_within)
        } else {
            open.due
        };
        open.sent = Some(task);
        self.set_due(sent.id, due);
        if let Some(reply) = sent.reply {
            self.expect(reply, sent.id, None);
        }
        if !sent.travels
            && let Some(hash) = sent.hash
        {
            let key = self.rules.content(batch.text(sent.subject), hash);
            if self.bare.len() >= 2 * self.rules.open_handoffs {
                // Of those that nobody received.
                let open = &self.open;
                self.bare.retain(|_, ids| ids.iter().any(|id| open.contains_key(id)));
            }
            self.bare.entry(key).or_default().push_back(sent.id);
            self.join_strays(now);
        }
    }

    fn streamed(&mut self, id: HandoffId, hash: ContentHash) {
        if let Some(task) = self.open.get_mut(&id).and_then(|open| open.sent.as_mut()) {
            task.hash = Some(hash);
        }
    }

    fn arrived(&mut self, arrived: &Arrived, batch: &Batch, now: Timestamp) {
        let said = arrived.said.as_ref().map(|said| said.id);
        match said.or_else(|| self.bare_id(arrived, batch)) {
            Some(id) => self.receive(id, arrived, batch, said.is_none(), now),
            None if arrived.said.is_none() && arrived.hash.is_some() => self.stray(arrived, batch),
            None => {}
        }
    }

    fn checked(&mut self, id: HandoffId, receiver: u64, hash: ContentHash) {
        let receivers = self.open.get_mut(&id).map(|open| &mut open.receivers);
        if let Some(receiver) = receivers.and_then(|all| all.iter_mut().find(|one| one.number == receiver)) {
            receiver.hash = Some(hash);
        }
    }

    fn receive(&mut self, id: HandoffId, arrived: &Arrived, batch: &Batch, is_inferred: bool, now: Timestamp) {
        let (settle_within, reply_within) = (self.rules.settle_within, self.rules.reply_within);
        let open = self.open(id, arrived.at + GRACE, now);
        match open.receivers.iter().position(|receiver| receiver.number == arrived.receiver) {
            Some(index) => open.receivers[index].again(arrived),
            None if open.receivers.len() < MOST_RECEIVERS => {
                // Most handoffs have one, and thousands are open: room for four, as a list begins with, is most of them.
                open.receivers.reserve_exact(usize::from(open.receivers.is_empty()));
                let sent = open.sent.as_ref();
                open.receivers.push(Receiver::of(arrived, batch, is_inferred, sent));
            }
            None => return,
        }
        let wait = match (arrived.expects_reply, arrived.delivery) {
            (true, _) => reply_within,
            (false, Some(_)) => settle_within,
            (false, None) => GRACE,
        };
        let is_first = open.receivers.len() == 1;
        let due = arrived.at + wait;
        // The first delivery ends the wait for one.
        let due = if is_first { due } else { open.due.max(due) };
        self.set_due(id, due);
        if let Some(reply) = arrived.reply {
            self.expect(reply, id, Some(arrived.receiver));
        }
    }

    fn answered(&mut self, answered: &Answered, batch: &Batch) {
        let reply_within = self.rules.reply_within;
        let id = self.replies.get(&answered.reply).map(|(id, _)| *id);
        let Some((id, open)) = id.and_then(|id| Some((id, self.open.get_mut(&id)?))) else {
            self.records.extend(self.overdue.answered(answered, batch));
            return;
        };
        let streams_back = open.sent.as_ref().is_some_and(|task| task.streams_back);
        let by_session = open.receivers.iter().position(|receiver| receiver.session == answered.session);
        // Whoever got it may have passed it on to whom answers.
        let index = by_session.or((open.receivers.len() == 1).then_some(0));
        let Some(receiver) = index.and_then(|index| open.receivers.get_mut(index)) else {
            open.returned.get_or_insert(answered.at);
            return;
        };
        receiver.answer(answered, streams_back, batch);
        let all_done = open.receivers.iter().all(|receiver| receiver.state == State::Done);
        let due = if all_done { answered.at + GRACE } else { open.due.max(answered.at + reply_within) };
        self.set_due(id, due);
    }

    fn returned(&mut self, returned: &Returned, batch: &Batch) {
        let Some(&(id, _)) = self.replies.get(&returned.reply) else { return };
        let Some(open) = self.open.get_mut(&id) else { return };
        match returned.what {
            Return::NoResponders => {
                let subject = open.sent.as_ref().map_or("the subject", |task| &*task.subject);
                let why = format!("the server said that nobody subscribes to {subject} (503)");
                open.undelivered = Some((returned.at, why));
            }
            Return::NotStored(why) => {
                let why = String::from_utf8_lossy(batch.text(why)).into_owned();
                open.undelivered = Some((returned.at, why));
            }
            Return::Stored => {
                open.stored = Some(returned.at);
                // The wait is for a consumer now.
                let due = returned.at + self.rules.settle_within;
                if open.receivers.is_empty() {
                    self.set_due(id, due);
                } else if open.receivers.iter().all(|receiver| !receiver.from_store) {
                    self.set_due(id, returned.at + GRACE);
                }
                return;
            }
            Return::Reply | Return::Empty => {
                let streams_back = open.sent.as_ref().is_some_and(|task| task.streams_back);
                if streams_back && returned.what == Return::Reply {
                    return;
                }
                open.returned.get_or_insert(returned.at);
                // Those who answer are seen to do so, or are not behind this proxy.
                if open.receivers.iter().any(|receiver| receiver.state != State::Done) {
                    return;
                }
            }
        }
        self.set_due(id, returned.at + GRACE);
    }

    fn settled(&mut self, settled: &Settled, batch: &Batch) {
        let Some(&(id, number)) = self.replies.get(&settled.reply) else { return };
        let settle_within = self.rules.settle_within;
        let Some(open) = self.open.get_mut(&id) else { return };
        let Some(receiver) = open.receivers.iter_mut().find(|receiver| Some(receiver.number) == number) else { return };
        receiver.session = settled.session;
        receiver.settle(settled.settlement, settled.at, batch);
        let all_done = open.receivers.iter().all(|receiver| receiver.state == State::Done);
        let more = matches!(settled.settlement, Settlement::Refused | Settlement::InProgress) || !all_done;
        let due = if more { open.due.max(settled.at + settle_within) } else { settled.at + GRACE };
        self.set_due(id, due);
    }

    fn beat(&mut self, agent: &AgentName, at: Timestamp) {
        if self.beats.len() >= MOST_BEATS && !self.beats.contains_key(agent) {
            self.beats.clear();
        }
        self.beats.insert(agent.clone(), at);
    }

    fn closed(&mut self, session: SessionId) {
        if self.gone.len() >= MOST_GONE {
            self.gone.clear();
        }
        self.gone.insert(session);
    }

    /// The handoff of that id, opened if it is not.
    fn open(&mut self, id: HandoffId, due: Timestamp, now: Timestamp) -> &mut Open {
        if !self.open.contains_key(&id) {
            while self.open.len() >= self.rules.open_handoffs
                && let Some(oldest) = self.order.pop_front()
            {
                if self.open.contains_key(&oldest) {
                    self.evicted += 1;
                    self.settle(oldest, End::Early, now);
                }
            }
            // Those that are settled in other ways stay in the order until it is their turn.
            if self.order.len() > 4 * self.rules.open_handoffs {
                let open = &self.open;
                self.order.retain(|id| open.contains_key(id));
            }
            self.order.push_back(id);
            self.opened += 1;
            self.rules.telemetry.handoff_opened();
            self.due.push(Reverse((due, id)));
        }
        self.open.entry(id).or_insert_with(|| Box::new(Open::new(id, due)))
    }

    fn set_due(&mut self, id: HandoffId, due: Timestamp) {
        if self.open.get_mut(&id).is_some_and(|open| open.wait_until(due)) {
            self.due.push(Reverse((due, id)));
        }
    }

    fn expect(&mut self, reply: ReplyKey, id: HandoffId, receiver: Option<u64>) {
        let most = 2 * self.rules.open_handoffs;
        while self.reply_order.len() >= most
            && let Some(oldest) = self.reply_order.pop_front()
        {
            self.replies.remove(&oldest);
        }
        let before = self.replies.insert(reply, (id, receiver));
        if before.is_none() {
            self.reply_order.push_back(reply);
        }
    }

    /// The oldest handoff of that subject and content that this receiver has not had.
    fn bare_id(&mut self, arrived: &Arrived, batch: &Batch) -> Option<HandoffId> {
        let key = self.rules.content(batch.text(arrived.subject), arrived.hash?);
        let candidates = self.bare.get_mut(&key)?;
        candidates.retain(|id| self.open.contains_key(id));
        let is_free = |id: &&HandoffId| {
            let had = |open: &Open| open.receivers.iter().any(|receiver| receiver.number == arrived.receiver);
            self.open.get(*id).is_some_and(|open| !had(open))
        };
        let found = candidates.iter().find(is_free).copied();
        if candidates.is_empty() {
            self.bare.remove(&key);
        }
        found
    }

    /// The record of what was sent may be on its way from another worker.
    fn stray(&mut self, arrived: &Arrived, batch: &Batch) {
        if self.strays.len() >= MOST_STRAYS {
            self.strays.pop_front();
        }
        let mut own = Batch::default();
        let subject = own.keep(batch.text(arrived.subject));
        let arrived = Arrived {
            agent: arrived.agent.clone(),
            group: arrived.group.clone(),
            template: arrived.template.clone(),
            server: arrived.server.clone(),
            said: None,
            subject,
            ..*arrived
        };
        self.strays.push_back((arrived, own));
    }

    fn join_strays(&mut self, now: Timestamp) {
        for (arrived, batch) in std::mem::take(&mut self.strays) {
            match self.bare_id(&arrived, &batch) {
                Some(id) => self.receive(id, &arrived, &batch, true, now),
                None => self.strays.push_back((arrived, batch)),
            }
        }
    }

    fn settle(&mut self, id: HandoffId, end: End, now: Timestamp) {
        let Some(open) = self.open.remove(&id) else { return };
        self.rules.telemetry.handoff_settled();
        let life = |receiver: &Receiver| Life {
            last_beat: self.beats.get(&receiver.agent).copied(),
            is_gone: self.gone.contains(&receiver.session),
        };
        if let Some(overdue) = spans::records(*open, end, now, life, &mut self.records) {
            self.overdue.keep(overdue, now + OVERDUE * self.rules.reply_within);
        }
        if self.open.is_empty() {
            self.forget();
        }
    }

    /// Nothing is open, so nothing refers to anything; and what many handoffs needed is given back.
    fn forget(&mut self) {
        self.order.clear();
        self.due.clear();
        self.replies.clear();
        self.reply_order.clear();
        self.bare.clear();
        self.open.shrink_to(KEPT);
        self.order.shrink_to(KEPT);
        self.due.shrink_to(KEPT);
        self.replies.shrink_to(KEPT);
        self.reply_order.shrink_to(KEPT);
        self.bare.shrink_to(KEPT);
    }
}

/// Records that are made before they are given away: after a burst, thousands of handoffs are due at once.
const AT_ONCE: usize = 64;

/// Handoffs for which room is kept while none is open.
const KEPT: usize = 256;

/// Receivers of one handoff that are told apart.
const MOST_RECEIVERS: usize = 256;
