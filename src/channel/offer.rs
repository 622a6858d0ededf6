use std::sync::Arc;

use super::came::what_came;
use super::delivery::Delivery;
use super::error::ReplyError;
use super::hooks::ContextRead;
use super::task::Task;
use crate::model::{ContentHash, Intent, Mismatch, MismatchKind, Refusal};

/// A task that was handed to this agent and that it has not taken yet.
///
/// It shows the payload and the context, and not what the sender means by them: the agent says that itself, with
/// [`Offer::read_back`], which is the only way to a [`Task`]. An offer that is dropped with nothing said leaves the
/// finding `abandoned` on both sides.
#[derive(Debug)]
#[must_use = "read the offer back, acknowledge it or refuse it; dropped, it counts as abandoned"]
pub struct Offer {
    delivery: Option<Arc<Delivery>>,
}

impl Offer {
    pub(crate) fn new(delivery: Arc<Delivery>) -> Self {
        Self { delivery: Some(delivery) }
    }
}

what_came!(Offer);

impl Offer {
    /// Uses the context item `name`, if it came. As soon as an agent has used one item, those that it has not used are
    /// not held against it.
    pub fn context(&self, name: &str) -> Option<ContextRead> {
        let delivery = self.delivery();
        let item = delivery.envelope.contexts.iter().find(|item| item.name == name)?;
        delivery.mark_read(name);
        Some(delivery.context_now(item))
    }

    /// Uses the context item `name`, without which the task cannot be done. That it did not come is the finding
    /// `missing_context`; going on or refusing is the agent's to decide.
    pub fn require_context(&self, name: &str) -> Option<ContextRead> {
        let item = self.context(name);
        if item.is_none() {
            self.delivery().find(Mismatch::new(MismatchKind::MissingContext, format!("{name} did not come")));
        }
        item
    }

    /// As [`Offer::require_context`], for an agent that holds the snapshot itself: that the sender's is another one (by
    /// its hash) is the finding `missing_context` too.
    pub fn require_context_content(&self, name: &str, held: &[u8]) -> Option<ContextRead> {
        let item = self.require_context(name)?;
        let came = self.delivery().envelope.contexts.iter().find(|item| item.name == name)?.hash;
        let held = ContentHash::of(held).short();
        if let Some(came) = came.filter(|came| *came != held) {
            let text = format!("{name} with hash {held} is at hand, and {came} was sent");
            self.delivery().find(Mismatch::new(MismatchKind::MissingContext, text));
        }
        Some(item)
    }

    /// Takes the task, and says what this agent understood it to be. The sender compares, and may withdraw the task.
    ///
    /// Under the sender's `hold_for_agreement` this waits for its word, at most until its deadline.
    ///
    /// # Errors
    /// [`ReplyError`] if the readback could not leave, if the sender withdrew, or if it gave no word in time.
    ///
    /// # Cancel safety
    /// If it is dropped before it returns, the readback may have left, and the task counts as abandoned.
    pub async fn read_back(mut self, intent: Intent) -> Result<Task, ReplyError> {
        // Made first, so that dropping this future leaves an abandoned task rather than nothing.
        let task = Task::new(self.take());
        match task.delivery().read_back(intent).await {
            Ok(()) => Ok(task),
            Err(error) => {
                if matches!(error, ReplyError::Withdrawn { .. } | ReplyError::NoDecision { .. }) {
                    task.end();
                }
                Err(error)
            }
        }
    }

    /// Takes note of a message that asks for nothing: its sender learns that it was received, and no more.
    ///
    /// # Errors
    /// [`ReplyError`] if the receipt could not leave.
    ///
    /// # Cancel safety
    /// If it is dropped before it returns, the receipt may or may not have left.
    pub async fn acknowledge(self) -> Result<(), ReplyError> {
        self.delivery().acknowledge().await
    }

    /// Refuses the task, and says why.
    ///
    /// # Errors
    /// [`ReplyError`] if the refusal could not leave.
    ///
    /// # Cancel safety
    /// If it is dropped before it returns, the refusal may or may not have left.
    pub async fn refuse(self, refusal: Refusal) -> Result<(), ReplyError> {
        self.delivery().refuse(refusal).await
    }

    /// Refuses it as `busy`, from where nobody can wait.
    pub(crate) fn turn_away(mut self) {
        self.take().refuse_later(&Refusal::Busy);
    }

    fn delivery(&self) -> &Arc<Delivery> {
        match &self.delivery {
            Some(delivery) => delivery,
            // Whatever takes the delivery consumes the offer.
            None => unreachable!("an offer is answered once"),
        }
    }

    fn take(&mut self) -> Arc<Delivery> {
        match self.delivery.take() {
            Some(delivery) => delivery,
            None => unreachable!("an offer is answered once"),
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        if let Some(delivery) = self.delivery.take() {
            delivery.abandon("offer");
        }
    }
}
