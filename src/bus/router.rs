use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::sublist::{Matched, Sublist};
use super::subscription::Subscription;

/// Subjects that one connection remembers the receivers of. Replies go to a new subject each time, so it fills.
const CACHED_SUBJECTS: usize = 512;

/// The subscriptions of all clients.
#[derive(Debug, Default)]
pub(super) struct Router {
    list: RwLock<Sublist>,
    /// Changes whenever the list does, under its lock.
    generation: AtomicU64,
}

impl Router {
    pub(super) fn len(&self) -> usize {
        self.list.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn insert(&self, subscription: Arc<Subscription>) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        list.insert(subscription);
        self.generation.fetch_add(1, Ordering::Release);
    }

    pub(super) fn remove(&self, subscription: &Arc<Subscription>) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        if list.remove(subscription) {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    fn find(&self, subject: &[u8]) -> (u64, Matched) {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        (self.generation.load(Ordering::Acquire), list.find(subject))
    }
}

/// What one connection remembers of the router. It is never behind: whoever subscribed before a message was read gets it.
#[derive(Debug, Default)]
pub(super) struct Routes {
    generation: u64,
    known: HashMap<Box<[u8]>, Arc<Matched>>,
    /// The subject of the message before, as the next is often on the same.
    last: Option<(Box<[u8]>, Arc<Matched>)>,
}

impl Routes {
    pub(super) fn find(&mut self, router: &Router, subject: &[u8]) -> Arc<Matched> {
        if self.generation != router.generation.load(Ordering::Acquire) {
            self.known.clear();
            self.last = None;
        } else if let Some((known, matched)) = &self.last
            && **known == *subject
        {
            return matched.clone();
        } else if let Some((known, matched)) = self.known.get_key_value(subject) {
            self.last = Some((known.clone(), matched.clone()));
            return matched.clone();
        }
        let (generation, matched) = router.find(subject);
        let matched = Arc::new(matched);
        if generation != self.generation || self.known.len() >= CACHED_SUBJECTS {
            self.known.clear();
            self.generation = generation;
        }
        self.known.insert(subject.into(), matched.clone());
        self.last = Some((subject.into(), matched.clone()));
        matched
    }
}
