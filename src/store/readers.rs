use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::{StoreError, functions};

/// The most answers that are made at once.
const MOST_READERS: usize = 4;

/// How many steps of the database's machine pass between two looks at the clock.
const STEPS: std::ffi::c_int = 10_000;

/// Connections that only read. A store in memory has but one connection, and shares it with its writer.
#[derive(Debug)]
pub(super) enum Readers {
    File { path: PathBuf, idle: Mutex<Idle>, freed: Condvar },
    Shared(Arc<Mutex<Connection>>),
}

#[derive(Debug, Default)]
pub(super) struct Idle {
    connections: Vec<Connection>,
    lent: usize,
}

impl Readers {
    pub(super) fn of_file(path: PathBuf) -> Self {
        Self::File { path, idle: Mutex::default(), freed: Condvar::new() }
    }

    /// Asks a question in one consistent view of the data, for at most `limit`.
    pub(super) fn ask<T>(
        &self,
        limit: Duration,
        question: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + limit;
        match self {
            Self::Shared(connection) => {
                let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                timed(&mut connection, deadline, limit, question)
            }
            Self::File { .. } => {
                let mut connection = self.lend(deadline, limit)?;
                let answer = timed(&mut connection, deadline, limit, question);
                self.give_back(connection);
                answer
            }
        }
    }

    fn lend(&self, deadline: Instant, limit: Duration) -> Result<Connection, StoreError> {
        let Self::File { path, idle, freed } = self else { return Err(StoreError::Closed) };
        let mut state = lock(idle);
        loop {
            if let Some(connection) = state.connections.pop() {
                state.lent += 1;
                return Ok(connection);
            }
            if state.lent < MOST_READERS {
                state.lent += 1;
                break;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StoreError::TooSlow { limit });
            }
            state = freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        open(path).inspect_err(|_| {
            lock(idle).lent -= 1;
            freed.notify_one();
        })
    }

    fn give_back(&self, connection: Connection) {
        if let Self::File { idle, freed, .. } = self {
            let mut state = lock(idle);
            state.lent -= 1;
            state.connections.push(connection);
            freed.notify_one();
        }
    }
}

fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(path: &std::path::Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    tune(&connection)?;
    Ok(connection)
}

/// What every connection has, whether it reads or writes.
pub(super) fn tune(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch("PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY")?;
    functions::add(connection)?;
    Ok(())
}

fn timed<T>(
    connection: &mut Connection,
    deadline: Instant,
    limit: Duration,
    question: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.progress_handler(STEPS, Some(move || Instant::now() > deadline))?;
    let answer = connection.unchecked_transaction().map_err(StoreError::from).and_then(|view| {
        let answer = question(&view);
        // Nothing was written; this only ends the view.
        let _ = view.finish();
        answer
    });
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match answer {
        Err(StoreError::Database(_)) if Instant::now() > deadline => Err(StoreError::TooSlow { limit }),
        other => other,
    }
}
