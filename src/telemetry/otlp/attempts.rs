use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often, and when last, the batch under way was sent: the library retries by itself and does not tell, but each
/// of its requests passes through our hands.
#[derive(Clone, Debug, Default)]
pub(in crate::telemetry) struct Attempts(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    count: u32,
    last: Option<Instant>,
}

impl Attempts {
    pub(in crate::telemetry) fn restart(&self) {
        *self.lock() = State::default();
    }

    /// Whether an attempt has failed already.
    pub(in crate::telemetry) fn is_retrying(&self) -> bool {
        self.lock().count > 1
    }

    /// Whether the last attempt began less than `ago`; a sink that tells of none has been at its first all along.
    pub(in crate::telemetry) fn last_is_younger_than(&self, ago: Duration) -> bool {
        self.lock().last.is_some_and(|last| last.elapsed() < ago)
    }

    pub(super) fn one_more(&self) {
        let mut state = self.lock();
        state.count += 1;
        state.last = Some(Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
