use std::sync::Arc;

use tokio::sync::broadcast;

use super::query::{Line, NO_HANDOFFS, Query, QueryError};
use super::{HandoffSummary, Store, StoreError};
use crate::model::Timestamp;

/// Handoffs as they change, in the order of the commits.
#[derive(Debug)]
pub struct Watch {
    store: Store,
    changes: broadcast::Receiver<Arc<[i64]>>,
    wanted: Option<Query>,
}

/// Commits came faster than they were looked at; so many were passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} commits came faster than they were looked at, and were passed over")]
pub struct Lagged(pub u64);

impl Watch {
    pub(super) fn new(store: Store, changes: broadcast::Receiver<Arc<[i64]>>) -> Self {
        Self { store, changes, wanted: None }
    }

    /// Only those that a query finds: as they are when they are looked at, one that is wanted no more is not told again.
    /// What the text says of limits is passed over.
    ///
    /// # Errors
    /// [`QueryError`] where it gives anything but handoffs.
    pub fn only(mut self, query: Query) -> Result<Self, QueryError> {
        if !query.lists_handoffs() {
            return Err(QueryError::new(1, NO_HANDOFFS));
        }
        self.wanted = Some(query);
        Ok(self)
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
        let (store, wanted) = (self.store.clone(), self.wanted.clone());
        let read = tokio::task::spawn_blocking(move || match wanted {
            None => store.handoffs(&keys),
            Some(query) => found(&store, query, &keys),
        })
        .await;
        read.unwrap_or(Err(StoreError::Closed)).map(|handoffs| Some(Ok(handoffs)))
    }
}

/// Those of the handoffs with these keys that are wanted, the one that began first first.
fn found(store: &Store, query: Query, keys: &[i64]) -> Result<Vec<HandoffSummary>, StoreError> {
    let answer = store.query(&query.among(keys), Timestamp::now())?;
    let handoffs = answer.lines.into_iter().rev().filter_map(|line| match line {
        Line::Handoff(handoff) => Some(*handoff),
        _ => None,
    });
    Ok(handoffs.collect())
}
