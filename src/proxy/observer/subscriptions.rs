use std::collections::HashMap;
use std::sync::Arc;

use crate::model::AgentName;

/// Subscriptions of one session that are remembered. Those beyond it are the session's, without a name of their own.
const MOST: usize = 65_536;

/// Longest subscription id that is remembered, in bytes.
const LONGEST_SID: usize = 256;

/// What a client has subscribed to.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    places: HashMap<Box<[u8]>, usize>,
    all: Vec<Subscription>,
    /// Places of those that have ended.
    free: Vec<usize>,
    /// The one that a message came for last, most likely the next one too; nobody's if the name is empty.
    last: (Vec<u8>, usize),
}

/// One subscription.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    /// Its number, which no other in the process has.
    pub(super) number: u64,
    /// The agent that it is of, if it says.
    pub(super) agent: Option<AgentName>,
    pub(super) group: Option<Arc<str>>,
    /// Messages until it ends by itself.
    left: Option<u64>,
    seen: u64,
}

impl Subscriptions {
    /// A subscription of that agent, if it says.
    pub(super) fn add(&mut self, sid: &[u8], group: Option<&[u8]>, number: u64, agent: Option<AgentName>) {
        // A second SUB with the same id is none to the server.
        if self.places.len() >= MOST || sid.len() > LONGEST_SID || self.places.contains_key(sid) {
            return;
        }
        let group = group.map(|group| String::from_utf8_lossy(group).into());
        let subscription = Subscription { number, agent, group, left: None, seen: 0 };
        let place = match self.free.pop() {
            Some(place) => {
                self.all[place] = subscription;
                place
            }
            None => {
                self.all.push(subscription);
                self.all.len() - 1
            }
        };
        self.places.insert(sid.into(), place);
    }

    pub(super) fn end(&mut self, sid: &[u8], max: Option<u64>) {
        let Some(&place) = self.places.get(sid) else { return };
        let subscription = &mut self.all[place];
        match max {
            Some(max) if max > subscription.seen => subscription.left = Some(max - subscription.seen),
            _ => self.remove(sid),
        }
    }

    fn remove(&mut self, sid: &[u8]) {
        self.last.0.clear();
        if let Some(place) = self.places.remove(sid) {
            self.free.push(place);
        }
    }

    /// The place of the subscription that a message came for. Counts it.
    #[inline]
    pub(super) fn take(&mut self, sid: &[u8]) -> Option<usize> {
        let place = if self.last.0 == sid && !sid.is_empty() { self.last.1 } else { self.find(sid)? };
        let subscription = &mut self.all[place];
        subscription.seen += 1;
        let is_last = subscription.left.as_mut().is_some_and(|left| {
            *left = left.saturating_sub(1);
            *left == 0
        });
        if is_last {
            // What is there stays until the place is taken anew.
            self.remove(sid);
        }
        Some(place)
    }

    fn find(&mut self, sid: &[u8]) -> Option<usize> {
        let place = *self.places.get(sid)?;
        self.last.0.clear();
        self.last.0.extend_from_slice(sid);
        self.last.1 = place;
        Some(place)
    }

    /// The subscription at a place that [`take`](Self::take) gave.
    #[inline]
    pub(super) fn at(&self, place: usize) -> Option<&Subscription> {
        self.all.get(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_ends_when_told_or_after_its_number_of_messages() {
        let mut subscriptions = Subscriptions::default();
        for sid in [b"1", b"2", b"3"] {
            subscriptions.add(sid, Some(b"workers"), 7, None);
        }
        assert_eq!(
            subscriptions.take(b"1").and_then(|place| subscriptions.at(place)).unwrap().group.as_deref(),
            Some("workers")
        );
        subscriptions.end(b"1", Some(2));
        assert!(subscriptions.take(b"1").is_some());
        assert!(subscriptions.take(b"1").is_none(), "the second was the last");
        subscriptions.end(b"2", None);
        assert!(subscriptions.take(b"2").is_none());
        subscriptions.take(b"3");
        subscriptions.end(b"3", Some(1));
        assert!(subscriptions.take(b"3").is_none(), "it had its one already");
    }
}
