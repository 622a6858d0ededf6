use std::fmt;

/// Hard bounds on the difference of two clocks: **the receiver's clock minus the sender's**, in nanoseconds.
///
/// `low: 2_000_000, high: 3_000_000` says that the receiver's clock is ahead by 2 to 3 ms. A time of the sender's
/// is shown in the receiver's clock by adding the offset. On one host both are zero.
///
/// From the four stamps of one exchange (t1 `at` by the sender, t2 `seen_at` and t3 the receipt's `at` by the
/// receiver, t4 its arrival at the sender) the bounds are `low = t3 - t4` and `high = t2 - t1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct OffsetBounds {
    /// The least that it can be, in ns. Not over `high`.
    pub low: i64,
    /// The most that it can be, in ns.
    pub high: i64,
}

impl fmt::Display for OffsetBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.low, self.high)
    }
}
