use super::AgeInterval;
use crate::model::{Context, Timestamp};
use crate::verify::offset::ClockOffset;

/// How old the worst of several context items was when they were used, as spans carry it.
#[derive(Clone, Debug, PartialEq)]
pub struct WorstAge {
    /// The item.
    pub name: String,
    /// Its age in milliseconds: the middle of the age interval, or the plain difference of the two stamps where there
    /// is no estimate of the clocks' offset.
    pub age_ms: f64,
    /// Half the width of the age interval, in milliseconds; `None` while there is no estimate.
    pub uncertainty_ms: Option<f64>,
    /// Its longest useful age, in milliseconds.
    pub max_age_ms: Option<f64>,
}

/// The item that is furthest along towards, or past, its longest age; of items that have none, the oldest. `None` if no
/// item says when it was observed.
///
/// `used_at` and `offset` are those of [`freshness`](super::freshness()).
pub fn worst_age<'a>(
    items: impl IntoIterator<Item = &'a Context>,
    used_at: Timestamp,
    offset: Option<ClockOffset>,
) -> Option<WorstAge> {
    items
        .into_iter()
        .filter_map(|item| {
            let age = AgeInterval::between(item.observed_at?, used_at, offset.unwrap_or(ClockOffset::ZERO));
            let max_age_ms = item.max_age.map(|limit| limit.as_secs_f64() * 1e3);
            // Items with a limit outrank those without; a limit of zero is passed by any age.
            let rank = match max_age_ms {
                Some(limit) if limit > 0.0 => (1, age.age_ms() / limit),
                Some(_) => (1, f64::INFINITY),
                None => (0, age.age_ms()),
            };
            Some((rank, item, age, max_age_ms))
        })
        .max_by(|(a, ..), (b, ..)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))
        .map(|(_, item, age, max_age_ms)| WorstAge {
            name: item.name.clone(),
            age_ms: age.age_ms(),
            uncertainty_ms: offset.map(|_| age.uncertainty_ms()),
            max_age_ms,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_item_furthest_past_its_limit_is_the_worst() {
        let start = Timestamp::from_unix_nanos(1_772_359_200_000_000_000);
        let now = start + Duration::from_secs(3605);
        let items = [
            Context::observed("archive", start - Duration::from_secs(86_400)),
            Context::observed("prices", start).max_age(Duration::from_secs(3600)),
            Context::observed("crm", now - Duration::from_secs(12)).max_age(Duration::from_secs(10)),
            Context::named("unknown").max_age(Duration::from_secs(1)),
        ];
        let offset = ClockOffset::new(-1_000_000, 3_000_000);
        let worst = worst_age(&items, now, offset).unwrap();
        assert_eq!(worst.name, "crm");
        assert_eq!((worst.age_ms, worst.uncertainty_ms, worst.max_age_ms), (11_999.0, Some(2.0), Some(10_000.0)));
        let worst = worst_age(&items, now, None).unwrap();
        assert_eq!((worst.age_ms, worst.uncertainty_ms), (12_000.0, None));
        assert_eq!(worst_age(&items[..1], now, offset).unwrap().name, "archive");
        assert_eq!(worst_age(&items[3..], now, offset), None);
    }
}
