use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::Timestamp;
use crate::server::api::blocking;
use crate::server::error::Problem;
use crate::server::server::Shared;
use crate::store::Stats;

/// The most answers that are kept.
const MOST: usize = 64;

/// Numbers over a time that were counted a moment ago: counting a day of many handoffs takes a while, and pages that
/// are open ask again and again.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Numbers(Arc<Mutex<Known>>);

/// By how long the time is, and how long ago it ended: in whole steps of how long an answer stays.
type Known = HashMap<(Option<Duration>, u64), (Instant, Arc<Stats>)>;

impl Numbers {
    /// Of what began from `from` up to `until`; `length` is the difference, or `None` for all that there is.
    pub(super) async fn of(
        &self,
        shared: &Shared,
        from: Timestamp,
        until: Timestamp,
        length: Option<Duration>,
    ) -> Result<Arc<Stats>, Problem> {
        let stays = length.map_or(Duration::from_secs(5), |length| {
            (length / 3_600).clamp(Duration::from_secs(1), Duration::from_secs(60))
        });
        let ago = Timestamp::now().since(until).as_secs() / stays.as_secs().max(1);
        let key = (length, ago);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some((counted, stats)) = known
            && counted.elapsed() < stays
        {
            return Ok(stats);
        }
        let stats = Arc::new(blocking(shared, move |store| store.stats_between(from, until)).await?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, (Instant::now(), Arc::clone(&stats)));
        Ok(stats)
    }
}
