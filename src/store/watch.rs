use std::sync::Arc;

use tokio::sync::broadcast;

use super::{HandoffSummary, Store, StoreError};

/// Handoffs as they change, in the order of the commits.
#[derive(Debug)]
pub struct Watch {
    store: Store,
    changes: broadcast::Receiver<Arc<[i64]>>,
}

/// Commits came faster than they were looked at; so many were passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} commits came faster than they were looked at, and were passed over")]
pub struct Lagged(pub u64);

impl Watch {
    pub(super) fn new(store: Store, changes: broadcast::Receiver<Arc<[i64]>>) -> Self {
        Self { store, changes }
    }

    /// The handoffs of the next commit, as they are now. `None` when the store is closed.
    ///
    /// # Errors
    /// [`Lagged`] within `Ok` says that some were passed over; [`StoreError`] that they cannot be read.
    ///
    /// # Cancel safety
    /// A dropped future may lose the handoffs of one commit.
    pub async fn next(&mut self) -> Result<Option<Result<Vec<HandoffSummary>, Lagged>>, StoreError> {
        let keys = match self.changes.recv().await {
            Ok(keys) => keys,
            Err(broadcast::error::RecvError::Lagged(passed)) => return Ok(Some(Err(Lagged(passed)))),
            Err(broadcast::error::RecvError::Closed) => return Ok(None),
        };
        let store = self.store.clone();
        let read = tokio::task::spawn_blocking(move || store.handoffs(&keys)).await;
        read.unwrap_or(Err(StoreError::Closed)).map(|handoffs| Some(Ok(handoffs)))
    }
}
