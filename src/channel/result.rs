use std::ops::Deref;
use std::sync::Arc;

use super::entry::{Arrived, Entry};
use super::hub::Hub;
use crate::model::{ContentHash, InvalidQuality, Quality};

/// The result of a task, in the hands of the agent that asked for it.
///
/// Say what becomes of it: [`used`](Self::used) or [`discarded`](Self::discarded), and before that, if somebody looked,
/// [`checked`](Self::checked). A poor result that is used unchecked is the finding `unverified_use`, a good one that is
/// set aside `ignored_result`. Dropping it says nothing.
#[derive(Debug)]
#[must_use = "say what becomes of the result: `used()` or `discarded(why)`"]
pub struct TaskResult<T> {
    value: Option<T>,
    arrived: Arrived,
    handle: Handle,
}

/// Keeps the handoff's record open until it is known what became of the result.
#[derive(Debug)]
struct Handle {
    hub: Arc<Hub>,
    entry: Arc<Entry>,
}

impl<T> TaskResult<T> {
    pub(crate) fn new(hub: Arc<Hub>, entry: Arc<Entry>, arrived: Arrived, value: T) -> Self {
        entry.add_handle();
        Self { value: Some(value), arrived, handle: Handle { hub, entry } }
    }

    /// The agent that was asked.
    pub fn by(&self) -> &crate::model::AgentName {
        self.handle.entry.sent.to()
    }

    /// The hash of the result's bytes, for [`super::Handoff::rests_on`].
    pub fn hash(&self) -> ContentHash {
        self.arrived.content.hash
    }

    /// The score it came with.
    pub fn quality(&self) -> Option<&Quality> {
        self.arrived.quality.as_ref()
    }

    /// Whether it has the score that was asked for; a result without a score has not, if one was asked for.
    pub fn is_good_enough(&self) -> bool {
        match (self.handle.entry.sent.handoff.extras().threshold, self.quality()) {
            (None, _) => true,
            (Some(threshold), Some(quality)) => quality.score() >= threshold,
            (Some(_), None) => false,
        }
    }

    /// Somebody looked at it, whatever its score.
    pub fn checked(self) -> Self {
        self.handle.entry.mark_checked(None, self.handle.hub.clock.now());
        self
    }

    /// Somebody looked at it and gives it a score of their own, which counts from here on.
    ///
    /// # Errors
    /// [`InvalidQuality`] if the score is not a number from 0 to 1.
    pub fn checked_as(self, score: f64, by: impl Into<Arc<str>>) -> Result<Self, InvalidQuality> {
        let quality = Quality::new(score, by)?;
        self.handle.entry.mark_checked(Some(quality), self.handle.hub.clock.now());
        Ok(self)
    }

    /// Builds on it: takes the value out, and says so.
    pub fn used(mut self) -> T {
        self.handle.entry.mark_used(self.handle.hub.clock.now());
        if let Some(task) = &self.handle.entry.sent.within {
            task.add_input(self.arrived.content.hash.short());
        }
        self.take()
    }

    /// Sets it aside, and says why: takes the value out all the same.
    pub fn discarded(mut self, why: &str) -> T {
        self.handle.entry.mark_discarded(why);
        self.take()
    }

    fn take(&mut self) -> T {
        match self.value.take() {
            Some(value) => value,
            // `used` and `discarded` consume the result, so its value is taken once.
            None => unreachable!("a result's value is taken once"),
        }
    }
}

/// Looking at a result is not using it.
impl<T> Deref for TaskResult<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.value {
            Some(value) => value,
            None => unreachable!("a result's value is taken once"),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let effects = self.entry.drop_handle(&self.hub.clock);
        self.hub.apply(&self.entry, effects);
    }
}
