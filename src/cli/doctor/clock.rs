//! How far two clocks are apart, between bounds that cannot be wrong: what another clock showed is between what ours
//! showed before and after the question.

use std::time::Duration;

use super::report::Report;
use crate::model::Timestamp;

/// Clocks further apart than this make ages of contexts hard to judge.
const MOST: Duration = Duration::from_millis(500);

/// Their clock less ours, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    low: i64,
    high: i64,
}

impl Offset {
    /// From one exchange: what their clock showed, to this precision, between two readings of ours.
    pub(super) fn of(before: Timestamp, theirs: Timestamp, precision: Duration, after: Timestamp) -> Self {
        let precision = i64::try_from(precision.as_nanos()).unwrap_or(i64::MAX);
        Self { low: theirs.nanos_since(after), high: theirs.nanos_since(before).saturating_add(precision) }
    }

    /// What both allow. None if a clock was set in between.
    pub(super) fn and(self, other: Self) -> Option<Self> {
        let both = Self { low: self.low.max(other.low), high: self.high.min(other.high) };
        (both.low <= both.high).then_some(both)
    }

    pub(super) fn judge(self, report: &mut Report, name: &'static str, whose: &str) {
        let most = i64::try_from(MOST.as_nanos()).unwrap_or(i64::MAX);
        let seconds = |nanos: i64| nanos as f64 / 1e9;
        let says =
            format!("{whose} clock is {:+.3} to {:+.3} s from this host's", seconds(self.low), seconds(self.high));
        if self.low > most || self.high < -most {
            report.warning(name, says, "set both by NTP; until then ages of contexts are known no better than this");
        } else {
            report.good(name, says);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_unix_nanos(millis * 1_000_000)
    }

    #[test]
    fn the_true_offset_is_within_the_bounds_and_more_exchanges_narrow_them() {
        // Their clock is 250 ms ahead, and shows whole seconds.
        let second = Duration::from_secs(1);
        let one = Offset::of(at(10_100), at(10_000), second, at(10_110));
        let two = Offset::of(at(10_740), at(10_000), second, at(10_749));
        let three = Offset::of(at(10_755), at(11_000), second, at(10_760));
        let all = one.and(two).and_then(|both| both.and(three)).unwrap();
        assert!(all.low <= 250_000_000 && all.high >= 250_000_000, "{all:?}");
        assert!(all.high - all.low < 30_000_000, "{all:?}");
    }

    #[test]
    fn clocks_that_are_set_in_between_agree_on_nothing() {
        let one = Offset::of(at(1_000), at(1_000), Duration::ZERO, at(1_001));
        let two = Offset::of(at(2_000), at(9_000), Duration::ZERO, at(2_001));
        assert_eq!(one.and(two), None);
    }
}
