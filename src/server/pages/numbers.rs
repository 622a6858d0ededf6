use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::agents::Edge;
use super::range::Range;
use crate::model::Timestamp;
use crate::server::api::blocking;
use crate::server::error::Problem;
use crate::server::server::Shared;
use crate::store::{Stats, Store, StoreError};

/// The most answers of a kind that are kept.
const MOST: usize = 64;

/// An answer that is older than this, beyond the time that it stays, is not given any more: whoever asks waits.
const TOO_OLD: Duration = Duration::from_secs(60);

/// Numbers over a time that were counted a moment ago: counting a million handoffs takes a while, and pages that are
/// open ask again and again.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Numbers {
    /// By how long the time is, and how long ago it ended: in whole steps of how long an answer stays.
    stats: Remembered<(Option<Duration>, u64), Stats>,
    /// By when the time begins and ends, in nanoseconds.
    times: Remembered<(u64, u64), Stats>,
    /// By how long the time is, from and to.
    boundaries: Remembered<(Option<Duration>, String, String), Edge>,
}

impl Numbers {
    /// Of what began from `from` up to `until`; `length` is the difference, or `None` for all that there is.
    pub(super) async fn of(
        &self,
        shared: &Shared,
        from: Timestamp,
        until: Timestamp,
        length: Option<Duration>,
    ) -> Result<Arc<Stats>, Problem> {
        let stays = stays(length);
        let ago = Timestamp::now().since(until).as_secs() / stays.as_secs().max(1);
        self.stats.of(shared, (length, ago), stays, move |store| store.stats_between(from, until)).await
    }

    /// Of what began from `from` up to `until`, and no other time near it.
    pub(super) async fn between(
        &self,
        shared: &Shared,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Arc<Stats>, Problem> {
        let key = (from.unix_nanos(), until.unix_nanos());
        let count = move |store: &Store| store.stats_between(from, until);
        self.times.of(shared, key, stays(Some(until.since(from))), count).await
    }

    /// Of one boundary, up to now.
    pub(super) async fn of_boundary(
        &self,
        shared: &Shared,
        giver: &str,
        taker: &str,
        range: Range,
    ) -> Result<Arc<Edge>, Problem> {
        let (giver, taker) = (giver.to_owned(), taker.to_owned());
        let key = (range.length(), giver.clone(), taker.clone());
        let count = move |store: &Store| {
            let until = Timestamp::now();
            Edge::of(store, (&giver, &taker), range.since(until), until)
        };
        self.boundaries.of(shared, key, stays(range.length()), count).await
    }
}

/// How long an answer is as good as a new one.
fn stays(length: Option<Duration>) -> Duration {
    length.map_or(Duration::from_secs(5), |length| {
        (length / 3_600).clamp(Duration::from_secs(1), Duration::from_secs(60))
    })
}

#[derive(Debug)]
struct Remembered<K, T>(Arc<Mutex<HashMap<K, Known<T>>>>);

#[derive(Debug)]
struct Known<T> {
    answer: Arc<T>,
    counted: Instant,
    is_counted_again: bool,
}

/// Not derived, which would ask the same of what is in it.
impl<K, T> Clone for Remembered<K, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, T> Default for Remembered<K, T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, T> Remembered<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Send + Sync + 'static,
{
    /// The last answer, if it is not too old; one that does not stay any more is counted again behind it, for the next
    /// who asks. Else whoever asks waits.
    async fn of(
        &self,
        shared: &Shared,
        key: K,
        stays: Duration,
        count: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Arc<T>, Problem> {
        let mut is_mine_to_count = true;
        let last = self.known().get_mut(&key).and_then(|known| {
            let age = known.counted.elapsed();
            is_mine_to_count = age >= stays && !known.is_counted_again;
            known.is_counted_again |= is_mine_to_count;
            (age < stays + TOO_OLD).then(|| Arc::clone(&known.answer))
        });
        let (this, asked) = (self.clone(), shared.clone());
        let count = async move {
            let counted = blocking(&asked, count).await;
            this.keep(key, counted)
        };
        match last {
            None => count.await,
            Some(answer) => {
                if is_mine_to_count {
                    tokio::spawn(count);
                }
                Ok(answer)
            }
        }
    }

    fn keep(&self, key: K, counted: Result<T, Problem>) -> Result<Arc<T>, Problem> {
        let mut known = self.known();
        match counted {
            Ok(answer) => {
                if known.len() >= MOST && !known.contains_key(&key) {
                    known.clear();
                }
                let answer = Arc::new(answer);
                let kept = Known { answer: Arc::clone(&answer), counted: Instant::now(), is_counted_again: false };
                known.insert(key, kept);
                Ok(answer)
            }
            Err(problem) => {
                if let Some(known) = known.get_mut(&key) {
                    known.is_counted_again = false;
                }
                Err(problem)
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<K, Known<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
