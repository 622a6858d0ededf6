//! Did the handoffs of one sender take effect once, and in their order?
//!
//! Both trackers belong to one receiver and see what it alone sees: with several instances of a receiver, order and
//! duplicates are for a store to judge.

use std::collections::{HashMap, VecDeque};

use super::bounded::BoundedMap;
use crate::model::{AgentName, HandoffId, InstanceId, Mismatch, MismatchKind};

/// How many sender instances a [`SequenceTracker`] remembers by default. The least recently seen makes room.
pub const SENDERS: usize = 4096;

/// How many handoffs a [`DuplicateTracker`] remembers by default: some 4 MiB, and a minute at 1,000 a second.
pub const REMEMBERED_HANDOFFS: usize = 65_536;

/// Tells when two handoffs of one sender instance took effect in the other order.
#[derive(Clone, Debug)]
pub struct SequenceTracker {
    highest: BoundedMap<(AgentName, InstanceId), u64>,
}

impl Default for SequenceTracker {
    fn default() -> Self {
        Self::new(SENDERS)
    }
}

impl SequenceTracker {
    /// Remembers at most `senders` sender instances (at least one). A sender that was forgotten starts anew, which can
    /// hide a finding but never makes one.
    pub fn new(senders: usize) -> Self {
        Self { highest: BoundedMap::new(senders) }
    }

    /// Notes that handoff number `seq` (from 1) of this sender instance takes effect now, and says whether a later one
    /// did before it.
    ///
    /// Resends (`attempt` over 1) are late by nature and never a finding. The same number again is a matter for the
    /// [`DuplicateTracker`]; ask that one first and leave redeliveries out here. Number 0 is no number and ignored.
    pub fn observe(&mut self, from: &AgentName, instance: InstanceId, seq: u64, attempt: u32) -> Option<Mismatch> {
        if seq == 0 {
            return None;
        }
        let key = (from.clone(), instance);
        let Some(highest) = self.highest.touch(&key) else {
            self.highest.insert(key, seq);
            return None;
        };
        let before = *highest;
        *highest = before.max(seq);
        (seq < before && attempt <= 1).then(|| {
            let evidence = format!("number {seq} of {from} (instance {instance}) took effect after number {before}");
            Mismatch::new(MismatchKind::Reordered, evidence)
        })
    }

    /// How many sender instances are remembered.
    pub fn len(&self) -> usize {
        self.highest.len()
    }

    /// Whether nothing was observed yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Tells when a handoff came that was here before: the same id and attempt. First in, first forgotten.
///
/// A duplicate that is suppressed is no mismatch; [`DuplicateTracker::duplicated`] makes one where it was processed.
#[derive(Clone, Debug)]
pub struct DuplicateTracker {
    known: HashMap<(HandoffId, u32), u32>,
    in_order: VecDeque<(HandoffId, u32)>,
    capacity: usize,
}

impl Default for DuplicateTracker {
    fn default() -> Self {
        Self::new(REMEMBERED_HANDOFFS)
    }
}

impl DuplicateTracker {
    /// Remembers at most `capacity` handoffs (at least one). Memory is taken as it is needed, some 60 bytes each.
    pub fn new(capacity: usize) -> Self {
        Self { known: HashMap::new(), in_order: VecDeque::new(), capacity: capacity.max(1) }
    }

    /// How often this attempt of this handoff has come, this time included: 1 for the first.
    pub fn count(&mut self, id: HandoffId, attempt: u32) -> u32 {
        let times = self.known.entry((id, attempt)).or_insert(0);
        *times = times.saturating_add(1);
        if *times > 1 {
            return *times;
        }
        if self.in_order.len() == self.capacity
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.in_order.push_back((id, attempt));
        1
    }

    /// The finding for a duplicate that was processed again.
    pub fn duplicated(id: HandoffId, attempt: u32) -> Mismatch {
        Mismatch::new(MismatchKind::Duplicated, format!("handoff {id}, attempt {attempt}, was processed twice"))
    }

    /// How many handoffs are remembered.
    pub fn len(&self) -> usize {
        self.in_order.len()
    }

    /// Whether nothing was seen yet.
    pub fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn agent(name: &str) -> AgentName {
        AgentName::new(name).unwrap()
    }

    fn instance(hex: &str) -> InstanceId {
        hex.parse().unwrap()
    }

    #[test]
    fn a_lower_number_after_a_higher_one_is_reordered() {
        let mut tracker = SequenceTracker::default();
        let (planner, here) = (agent("planner"), instance("00c0ffee"));
        assert_eq!(tracker.observe(&planner, here, 1, 1), None);
        assert_eq!(tracker.observe(&planner, here, 3, 1), None);
        let found = tracker.observe(&planner, here, 2, 1).unwrap();
        assert_eq!(found.kind, MismatchKind::Reordered);
        assert_eq!(found.evidence, "number 2 of planner (instance 00c0ffee) took effect after number 3");
        assert_eq!(tracker.observe(&planner, here, 4, 1), None);
    }

    #[test]
    fn gaps_resends_repeats_and_other_senders_are_not_reordered() {
        let mut tracker = SequenceTracker::default();
        let (planner, here) = (agent("planner"), instance("00c0ffee"));
        for (from, inst, seq, attempt) in [
            ("planner", "00c0ffee", 1, 1),
            ("planner", "00c0ffee", 9, 1),
            ("planner", "00c0ffee", 9, 1),
            ("planner", "00c0ffee", 2, 2),
            ("planner", "00c0ffee", 0, 1),
            ("planner", "0badcafe", 1, 1),
            ("writer", "00c0ffee", 1, 1),
        ] {
            assert_eq!(tracker.observe(&agent(from), instance(inst), seq, attempt), None, "{from} {inst} {seq}");
        }
        assert!(tracker.observe(&planner, here, 8, 1).is_some());
    }

    #[test]
    fn the_number_of_senders_is_bounded() {
        let mut tracker = SequenceTracker::new(8);
        for n in 0..100u32 {
            tracker.observe(&agent("planner"), instance(&format!("{n:08x}")), 5, 1);
        }
        assert_eq!(tracker.len(), 8);
    }

    #[test]
    fn the_same_handoff_and_attempt_is_seen_once_and_forgotten_in_order() {
        let now = Timestamp::from_unix_nanos(1_772_359_202_358_506_115);
        let ids: Vec<_> = (0..5).map(|_| HandoffId::new(now)).collect();
        let mut tracker = DuplicateTracker::new(3);
        assert_eq!(tracker.count(ids[0], 1), 1);
        assert_eq!((tracker.count(ids[0], 1), tracker.count(ids[0], 1)), (2, 3));
        assert_eq!(tracker.count(ids[0], 2), 1);
        assert_eq!(tracker.count(ids[1], 1), 1);
        assert_eq!(tracker.count(ids[2], 1), 1, "pushes out the first");
        assert_eq!(tracker.len(), 3);
        assert_eq!(tracker.count(ids[0], 2), 2);
        assert_eq!(tracker.count(ids[0], 1), 1, "forgotten");
    }
}
