use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; a panic of another holder does not spread, since every state guarded here is whole between two statements.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
