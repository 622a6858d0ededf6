//! Was a context item young enough when it was used?
//!
//! Version first, since it needs no clock: an item behind the version that its receiver could have known is stale,
//! exactly. Otherwise by age, as an interval: use and observation are read on two clocks, so the age is only known as
//! well as their offset is. `stale` if even the least age is over the limit, `fresh` if even the greatest is within,
//! `unknown` between.

mod known;
mod version;
mod worst;

use std::time::Duration;

pub use known::{CONTEXT_NAMES, KnownVersion, KnownVersions, LONGEST_TEXT, Standing};
pub use version::compare_versions;
pub use worst::{WorstAge, worst_age};

use super::offset::ClockOffset;
use crate::model::{Context, Mismatch, MismatchKind, Timestamp};
use std::cmp::Ordering;

/// How old an item was when it was used, as bounds in nanoseconds. Negative where the clocks or stamps disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeInterval {
    low_ns: i64,
    high_ns: i64,
}

impl AgeInterval {
    /// The age at `used_at` (user's clock) of what was observed at `observed_at` (observer's clock), where `offset` is
    /// the user's clock less the observer's.
    pub fn between(observed_at: Timestamp, used_at: Timestamp, offset: ClockOffset) -> Self {
        let raw = i128::from(used_at.unix_nanos()) - i128::from(observed_at.unix_nanos());
        let less = |ns: i64| {
            let age = raw - i128::from(ns);
            i64::try_from(age).unwrap_or(if age < 0 { i64::MIN } else { i64::MAX })
        };
        Self { low_ns: less(offset.high_ns()), high_ns: less(offset.low_ns()) }
    }

    /// The least that the age can be, in nanoseconds.
    pub const fn low_ns(self) -> i64 {
        self.low_ns
    }

    /// The most that the age can be, in nanoseconds.
    pub const fn high_ns(self) -> i64 {
        self.high_ns
    }

    /// The middle, in milliseconds.
    pub fn age_ms(self) -> f64 {
        (self.low_ns as f64 + self.high_ns as f64) / 2e6
    }

    /// Half the width, in milliseconds: the age is [`AgeInterval::age_ms`] give or take this much.
    pub fn uncertainty_ms(self) -> f64 {
        self.high_ns.abs_diff(self.low_ns) as f64 / 2e6
    }
}

/// Whether a context item was young enough when it was used.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Freshness {
    /// It was.
    Fresh {
        /// How that is known.
        by: FreshBy,
        /// Its age, where it could be told.
        age: Option<AgeInterval>,
    },
    /// It was not.
    Stale {
        /// The finding, of kind `stale_context`.
        mismatch: Mismatch,
        /// Its age, where it could be told. A version can be behind at any age.
        age: Option<AgeInterval>,
    },
    /// It has a longest age, and whether it was past it cannot be told.
    Unknown {
        /// Why not.
        why: String,
        /// Time of use less time observed with no regard to the two clocks, in nanoseconds; `None` where the time
        /// observed is not known.
        raw_age_ns: Option<i64>,
    },
    /// It has no longest age, and no version that says otherwise: it does not grow stale.
    NotDue,
}

/// How an item is known to be fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FreshBy {
    /// Its version is the one that the receiver declares current.
    Version,
    /// Its greatest possible age is within its limit.
    Age,
}

impl Freshness {
    /// The finding, if there is one.
    pub fn mismatch(&self) -> Option<&Mismatch> {
        if let Self::Stale { mismatch, .. } = self { Some(mismatch) } else { None }
    }
}

/// Judges one context item.
///
/// - `used_at`: when it was used, in the user's clock.
/// - `offset`: the user's clock less the observer's; [`ClockOffset::ZERO`] on one host; `None` without an estimate.
/// - `known`: the newest version of it that the user could have known.
///
/// A version that is behind a known one is stale, whoever said so. The same version as one that the user *declares*
/// current is fresh whatever its age; the same as one merely *seen passing* says nothing, since a newer one may have
/// passed elsewhere.
///
/// ```
/// use std::time::Duration;
/// use wilco::model::{Context, Timestamp};
/// use wilco::verify::{freshness::{Freshness, freshness}, offset::ClockOffset};
/// let taken = Timestamp::from_unix_nanos(1_772_359_200_000_000_000);
/// let notes = Context::observed("crm", taken).max_age(Duration::from_secs(10));
/// let verdict = freshness(&notes, taken + Duration::from_secs(12), Some(ClockOffset::ZERO), None);
/// let found = verdict.mismatch().expect("a finding");
/// assert_eq!(found.evidence, "crm was 12000 ms old when used, over its longest age of 10000 ms");
/// ```
pub fn freshness(
    item: &Context,
    used_at: Timestamp,
    offset: Option<ClockOffset>,
    known: Option<&KnownVersion>,
) -> Freshness {
    let age = match (item.observed_at, offset) {
        (Some(observed_at), Some(offset)) => Some(AgeInterval::between(observed_at, used_at, offset)),
        _ => None,
    };
    by_version(item, known, age).unwrap_or_else(|| by_age(item, used_at, age))
}

/// `None` where versions say nothing.
fn by_version(item: &Context, known: Option<&KnownVersion>, age: Option<AgeInterval>) -> Option<Freshness> {
    let (version, known) = (item.version.as_deref()?, known?);
    match (compare_versions(version, &known.version)?, known.standing) {
        (Ordering::Less, standing) => {
            let how = match standing {
                Standing::Current => "is current",
                Standing::Passing => "was known",
            };
            let evidence = format!("{} was used while version {} {how}", item.label(), known.version);
            Some(Freshness::Stale { mismatch: Mismatch::new(MismatchKind::StaleContext, evidence), age })
        }
        (Ordering::Equal, Standing::Current) => Some(Freshness::Fresh { by: FreshBy::Version, age }),
        _ => None,
    }
}

fn by_age(item: &Context, used_at: Timestamp, age: Option<AgeInterval>) -> Freshness {
    let Some(max_age) = item.max_age else { return Freshness::NotDue };
    let Some(observed_at) = item.observed_at else {
        let why = format!("it is not known when {} was observed", item.label());
        return Freshness::Unknown { why, raw_age_ns: None };
    };
    let raw_age_ns = Some(used_at.nanos_since(observed_at));
    let Some(age) = age else {
        let why = format!("{} was observed by another clock, and their offset is not known yet", item.label());
        return Freshness::Unknown { why, raw_age_ns };
    };
    let limit = i128::try_from(max_age.as_nanos()).unwrap_or(i128::MAX);
    if i128::from(age.low_ns) > limit {
        let evidence =
            format!("{} was {} old when used, over its longest age of {}", item.label(), show(age), show_ms(max_age));
        Freshness::Stale { mismatch: Mismatch::new(MismatchKind::StaleContext, evidence), age: Some(age) }
    } else if i128::from(age.high_ns) <= limit {
        Freshness::Fresh { by: FreshBy::Age, age: Some(age) }
    } else {
        let why = format!(
            "{} was {} old when used, and its longest age of {} lies within that",
            item.label(),
            show(age),
            show_ms(max_age)
        );
        Freshness::Unknown { why, raw_age_ns }
    }
}

/// `12034 ms`, or `12034.2 +- 3.1 ms`: to the microsecond where it is that certain, else to the tenth of a millisecond.
pub(crate) fn age_text(age_ms: f64, uncertainty_ms: f64) -> String {
    let steps = if uncertainty_ms < 0.1 { 1e3 } else { 10.0 };
    let round = |ms: f64| (ms * steps).round() / steps;
    match round(uncertainty_ms) {
        0.0 => format!("{} ms", round(age_ms)),
        uncertainty => format!("{} +- {uncertainty} ms", round(age_ms)),
    }
}

fn show(age: AgeInterval) -> String {
    age_text(age.age_ms(), age.uncertainty_ms())
}

fn show_ms(limit: Duration) -> String {
    format!("{} ms", limit.as_secs_f64() * 1e3)
}
