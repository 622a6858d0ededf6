use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: nanoseconds since the Unix epoch, as on the wire.
///
/// Covers 1970 to 2554. A time before the epoch is taken as the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);

    /// From nanoseconds since the Unix epoch.
    pub const fn from_unix_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The time now, by the host's clock. Code that must be testable asks a [`Clock`] instead.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn unix_nanos(self) -> u64 {
        self.0
    }

    /// This time less `earlier`, in nanoseconds; negative where `earlier` is later. What is further apart than an `i64`
    /// can say (292 years) is as far as it can say.
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        if self.0 >= earlier.0 {
            let nanos = self.0 - earlier.0;
            if nanos > i64::MAX as u64 { i64::MAX } else { nanos as i64 }
        } else {
            let nanos = earlier.0 - self.0;
            if nanos > i64::MAX as u64 { i64::MIN } else { -(nanos as i64) }
        }
    }

    /// This time less `earlier`, zero where `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// RFC 3339 in UTC with nanoseconds, as in `2026-03-01T10:00:03.770338478Z`.
    pub fn to_rfc3339(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, nanos) = ((self.0 / 1_000_000_000) as i64, (self.0 % 1_000_000_000) as i32);
        match jiff::Timestamp::new(secs, nanos) {
            Ok(t) => write!(f, "{t:.9}"),
            Err(_) => write!(f, "{} ns", self.0),
        }
    }
}

impl From<SystemTime> for Timestamp {
    fn from(t: SystemTime) -> Self {
        Self(t.duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(t: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_nanos(t.0)
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Where the time is read. Every stamp on a message or a span comes from one of these, so that a test can
/// choose the time.
///
/// The default is the host's clock.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<FakeClock>);

impl Clock {
    /// The host's clock.
    pub const fn system() -> Self {
        Self(None)
    }

    /// The time now.
    #[inline]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            None => Timestamp::now(),
            Some(fake) => fake.now(),
        }
    }
}

impl From<FakeClock> for Clock {
    fn from(fake: FakeClock) -> Self {
        Self(Some(fake))
    }
}

/// A clock that stands still until it is moved, for tests. Clones share the time.
#[derive(Clone, Debug, Default)]
pub struct FakeClock(Arc<AtomicU64>);

impl FakeClock {
    /// A clock that shows `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(start.0)))
    }

    /// What the clock shows.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Acquire))
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_as_rfc_3339_with_nanoseconds() {
        let t = Timestamp::from_unix_nanos(1_772_359_203_770_338_478);
        assert_eq!(t.to_rfc3339(), "2026-03-01T10:00:03.770338478Z");
        assert_eq!(Timestamp::EPOCH.to_rfc3339(), "1970-01-01T00:00:00.000000000Z");
    }

    #[test]
    fn differences_are_signed_and_do_not_wrap() {
        let (a, b) = (Timestamp::from_unix_nanos(5), Timestamp::from_unix_nanos(9));
        assert_eq!(b.nanos_since(a), 4);
        assert_eq!(a.nanos_since(b), -4);
        assert_eq!(a.since(b), Duration::ZERO);
        assert_eq!(a - Duration::from_secs(1), Timestamp::EPOCH);
        let end = Timestamp::from_unix_nanos(u64::MAX);
        assert_eq!((end.nanos_since(a), a.nanos_since(end)), (i64::MAX, i64::MIN));
    }

    #[test]
    fn a_fake_clock_moves_only_when_told() {
        let fake = FakeClock::at(Timestamp::from_unix_nanos(100));
        let clock = Clock::from(fake.clone());
        assert_eq!(clock.now(), clock.now());
        fake.advance(Duration::from_nanos(5));
        assert_eq!(clock.now().unix_nanos(), 105);
    }
}
