//! How far two clocks are apart, from the four stamps of ordinary exchanges.
//!
//! One exchange gives hard bounds: the task cannot have arrived before it was sent, nor the receipt. The method is
//! that of the network time protocol (RFC 5905), but the interval is kept instead of its middle, so that no symmetry
//! of the way there and back is assumed.

use crate::model::Timestamp;

/// An estimate forgets exchanges after this time if newer ones came, in nanoseconds (60 s), so that a small step of a
/// clock that contradicts nothing does not bias it for ever. Forgetting goes by half windows.
pub const WINDOW_NS: u64 = 60_000_000_000;

/// How fast two clocks may drift apart: 500 parts per million, which is the most that NTP itself corrects for.
pub const DRIFT_PPM: u64 = 500;

/// An estimate whose latest exchange is older than this is none, in nanoseconds (15 min).
pub const LONGEST_AGE_NS: u64 = 900_000_000_000;

/// Where the offset between two clocks lies: the receiver's clock less the sender's, in nanoseconds, as hard bounds.
///
/// Invariant: `low_ns() <= high_ns()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    low_ns: i64,
    high_ns: i64,
}

impl ClockOffset {
    /// No offset: both stamps come from one clock, as on one host.
    pub const ZERO: Self = Self { low_ns: 0, high_ns: 0 };

    /// From bounds; `None` if `low_ns > high_ns`.
    pub const fn new(low_ns: i64, high_ns: i64) -> Option<Self> {
        if low_ns <= high_ns { Some(Self { low_ns, high_ns }) } else { None }
    }

    /// The bounds that one exchange gives: `[receipt_left - receipt_arrived, seen - sent]`.
    ///
    /// `sent` and `receipt_arrived` are in the sender's clock, `seen` and `receipt_left` in the receiver's. `None` for
    /// an exchange that cannot have been: one that ends before it began on either clock, or took longer at the receiver
    /// than at the sender.
    pub fn from_exchange(
        sent: Timestamp,
        seen: Timestamp,
        receipt_left: Timestamp,
        receipt_arrived: Timestamp,
    ) -> Option<Self> {
        if receipt_left < seen || receipt_arrived < sent {
            return None;
        }
        Self::new(clamp(difference(receipt_left, receipt_arrived)), clamp(difference(seen, sent)))
    }

    /// The least that the offset can be, in nanoseconds.
    pub const fn low_ns(self) -> i64 {
        self.low_ns
    }

    /// The most that the offset can be, in nanoseconds.
    pub const fn high_ns(self) -> i64 {
        self.high_ns
    }

    /// How far apart the bounds are, in nanoseconds.
    pub const fn width_ns(self) -> u64 {
        self.high_ns.abs_diff(self.low_ns)
    }

    /// The same offset seen from the other side: the sender's clock less the receiver's.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { low_ns: self.high_ns.saturating_neg(), high_ns: self.low_ns.saturating_neg() }
    }

    /// Both bounds further out by `by_ns`.
    #[must_use]
    pub fn widened(self, by_ns: u64) -> Self {
        let by = i64::try_from(by_ns).unwrap_or(i64::MAX);
        Self { low_ns: self.low_ns.saturating_sub(by), high_ns: self.high_ns.saturating_add(by) }
    }

    /// What both allow; `None` if they contradict each other.
    pub fn intersect(self, other: Self) -> Option<Self> {
        Self::new(self.low_ns.max(other.low_ns), self.high_ns.min(other.high_ns))
    }

    /// The smallest interval that holds both: for several clocks of which it is not known which one it was.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { low_ns: self.low_ns.min(other.low_ns), high_ns: self.high_ns.max(other.high_ns) }
    }

    /// [`ClockOffset::union`] of all; `None` for none.
    pub fn union_all(offsets: impl IntoIterator<Item = Self>) -> Option<Self> {
        offsets.into_iter().reduce(Self::union)
    }
}

/// Keeps the tightest bounds that the recent exchanges with one peer allow, in constant memory.
///
/// Exchanges that agree are intersected; bounds widen with age by [`DRIFT_PPM`]; an exchange that contradicts them
/// says that a clock was stepped, and starts the estimate anew.
///
/// ```
/// use wilco::{model::Timestamp, verify::offset::OffsetEstimator};
/// let at = Timestamp::from_unix_nanos;
/// let mut peer = OffsetEstimator::new();
/// assert!(peer.estimate(at(0)).is_none());
/// // Sent at 1,000; seen at 6,200 there; the receipt left at 6,300 there, and arrived at 1,500.
/// peer.observe(at(1_000), at(6_200), at(6_300), at(1_500));
/// let offset = peer.estimate(at(1_500)).expect("an estimate");
/// assert!(offset.low_ns() <= 5_000 && 5_000 <= offset.high_ns());
/// ```
#[derive(Clone, Debug, Default)]
pub struct OffsetEstimator {
    recent: Option<Bounds>,
    before: Option<Bounds>,
    latest: Timestamp,
}

/// Bounds that held at `at` (sender's clock), gathered since `since`.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    offset: ClockOffset,
    at: Timestamp,
    since: Timestamp,
}

impl Bounds {
    fn offset_at(&self, now: Timestamp) -> ClockOffset {
        self.offset.widened(drift(nanos_between(self.at, now)))
    }
}

impl OffsetEstimator {
    /// Knows nothing yet.
    pub const fn new() -> Self {
        Self { recent: None, before: None, latest: Timestamp::EPOCH }
    }

    /// Takes in one exchange; the arguments are those of [`ClockOffset::from_exchange`]. Says whether it was possible;
    /// an impossible one changes nothing.
    pub fn observe(
        &mut self,
        sent: Timestamp,
        seen: Timestamp,
        receipt_left: Timestamp,
        receipt_arrived: Timestamp,
    ) -> bool {
        let Some(exact) = ClockOffset::from_exchange(sent, seen, receipt_left, receipt_arrived) else { return false };
        // Each bound held at some time within the exchange; both hold now if the drift since its begin is added.
        let until = |now: Timestamp| exact.widened(drift(nanos_between(sent, now)));
        let mut now = self.latest.max(receipt_arrived);
        let agrees = self.bounds_at(now).is_none_or(|known| known.intersect(until(now)).is_some());
        if !agrees {
            // A clock was stepped. If it was the sender's, its stamps may now be lower than earlier ones.
            *self = Self::new();
            now = receipt_arrived;
        }
        let bounds = until(now);
        self.latest = now;
        match self.recent {
            Some(recent) if nanos_between(recent.since, now) < WINDOW_NS / 2 => {
                let offset = recent.offset_at(now).intersect(bounds).unwrap_or(bounds);
                self.recent = Some(Bounds { offset, at: now, since: recent.since });
            }
            _ => {
                self.before = self.recent;
                self.recent = Some(Bounds { offset: bounds, at: now, since: now });
            }
        }
        true
    }

    /// What is known at `now` (sender's clock); `None` if there was no exchange within [`LONGEST_AGE_NS`].
    ///
    /// A `now` before the latest exchange is taken as that one's time.
    pub fn estimate(&self, now: Timestamp) -> Option<ClockOffset> {
        let now = now.max(self.latest);
        if nanos_between(self.latest, now) > LONGEST_AGE_NS { None } else { self.bounds_at(now) }
    }

    fn bounds_at(&self, now: Timestamp) -> Option<ClockOffset> {
        let recent = self.recent?.offset_at(now);
        match &self.before {
            // Both halves agreed when they were taken in and have only grown since, so they still meet.
            Some(before) => Some(before.offset_at(now).intersect(recent).unwrap_or(recent)),
            None => Some(recent),
        }
    }
}

fn difference(a: Timestamp, b: Timestamp) -> i128 {
    i128::from(a.unix_nanos()) - i128::from(b.unix_nanos())
}

fn clamp(ns: i128) -> i64 {
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}

fn nanos_between(earlier: Timestamp, later: Timestamp) -> u64 {
    later.unix_nanos().saturating_sub(earlier.unix_nanos())
}

/// By how much two clocks can drift apart in `elapsed_ns`, rounded up.
fn drift(elapsed_ns: u64) -> u64 {
    let ns = (u128::from(elapsed_ns) * u128::from(DRIFT_PPM)).div_ceil(1_000_000);
    u64::try_from(ns).unwrap_or(u64::MAX)
}
