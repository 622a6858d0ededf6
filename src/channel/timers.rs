use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Mutex;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::lock::lock;

/// What is due when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The readback of a handoff.
    ReadBack(u64),
    /// The result of a handoff.
    Result(u64),
    /// The export of a settled handoff whose result nobody used.
    Export(u64),
    /// The end of waiting for a receiver that is to learn of a withdrawal.
    Forget(u64),
    /// The server's word on handoffs without receipts.
    MarkerLost(u64),
    /// The receipt `received` for an offer that its agent still thinks about.
    Acknowledge(u64),
    /// The end of waiting for a sender's decision on work that is over.
    Undecided(u64),
}

/// The deadlines of a channel, soonest first. Bounded: entries whose handoff is over are swept out.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: Mutex<Due>,
    sooner: Notify,
}

#[derive(Debug, Default)]
struct Due {
    heap: BinaryHeap<Reverse<(Instant, Timer)>>,
    /// The heap is swept when it has grown to this.
    sweep_at: usize,
}

/// Below this many entries a sweep is not worth it.
const SWEEP_FROM: usize = 4_096;

impl Timers {
    pub(crate) fn add(&self, at: Instant, timer: Timer) {
        let mut due = lock(&self.due);
        let sooner = due.heap.peek().is_none_or(|Reverse((first, _))| at < *first);
        due.heap.push(Reverse((at, timer)));
        drop(due);
        if sooner {
            self.sooner.notify_one();
        }
    }

    /// Waits for the next timer that is due.
    ///
    /// # Cancel safety
    /// Nothing is taken before it is returned.
    pub(crate) async fn next(&self) -> Timer {
        loop {
            let first = lock(&self.due).heap.peek().map(|Reverse((at, _))| *at);
            match first {
                None => self.sooner.notified().await,
                Some(at) if at <= Instant::now() => {
                    if let Some(Reverse((_, timer))) = lock(&self.due).heap.pop() {
                        return timer;
                    }
                }
                Some(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at) => {}
                        () = self.sooner.notified() => {}
                    }
                }
            }
        }
    }

    /// Drops timers that `live` says are over, if there are many.
    pub(crate) fn sweep(&self, live: impl Fn(Timer) -> bool) {
        let mut due = lock(&self.due);
        if due.heap.len() >= due.sweep_at.max(SWEEP_FROM) {
            due.heap.retain(|Reverse((_, timer))| live(*timer));
            due.sweep_at = due.heap.len() * 2;
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        lock(&self.due).heap.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn timers_fire_in_order_even_if_a_sooner_one_is_added_late() {
        let timers = std::sync::Arc::new(Timers::default());
        let start = Instant::now();
        timers.add(start + Duration::from_secs(5), Timer::Result(1));
        let waiting = tokio::spawn({
            let timers = timers.clone();
            async move { (timers.next().await, timers.next().await) }
        });
        tokio::task::yield_now().await;
        timers.add(start + Duration::from_secs(1), Timer::ReadBack(1));
        let fired = waiting.await.expect("no panic");
        assert_eq!(fired, (Timer::ReadBack(1), Timer::Result(1)));
        assert_eq!(start.elapsed(), Duration::from_secs(5));
    }

    #[test]
    fn a_sweep_drops_what_is_over() {
        let timers = Timers::default();
        let at = Instant::now() + Duration::from_secs(100);
        for n in 0..SWEEP_FROM as u64 {
            timers.add(at, Timer::Result(n));
        }
        timers.sweep(|timer| timer == Timer::Result(7));
        assert_eq!(timers.len(), 1);
    }
}
