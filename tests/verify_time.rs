//! Clock offsets and freshness through the public door: simulated exchanges, tables and properties.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]

use std::time::Duration;

use proptest::prelude::*;
use wilco::model::{Context, MismatchKind, Timestamp};
use wilco::verify::freshness::{AgeInterval, FreshBy, Freshness, KnownVersion, Standing, freshness};
use wilco::verify::offset::{ClockOffset, LONGEST_AGE_NS, OffsetEstimator};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_772_359_200 * SECOND;

fn at(ns: u64) -> Timestamp {
    Timestamp::from_unix_nanos(ns)
}

/// Where the receiver's clock stands when the sender's shows `sender` ns after the start.
#[derive(Clone, Copy, Debug)]
struct Drifting {
    offset_ns: i64,
    ppm: i64,
}

impl Drifting {
    fn offset_at(self, sender: u64) -> i64 {
        self.offset_ns + (i128::from(sender) * i128::from(self.ppm) / 1_000_000) as i64
    }

    fn receiver(self, sender: u64) -> Timestamp {
        at((START + sender).saturating_add_signed(self.offset_at(sender)))
    }
}

fn exchange(peer: &mut OffsetEstimator, clock: Drifting, sent: u64, there: u64, work: u64, back: u64) -> (bool, u64) {
    let (seen, left, arrived) = (sent + there, sent + there + work, sent + there + work + back);
    let possible = peer.observe(at(START + sent), clock.receiver(seen), clock.receiver(left), at(START + arrived));
    (possible, arrived)
}

proptest! {
    #[test]
    fn the_true_offset_is_always_within_the_estimate(
        offset_ns in -3_600_000_000_000i64..3_600_000_000_000,
        ppm in -500i64..=500,
        exchanges in prop::collection::vec((0u64..20_000_000_000, 1_000u64..50_000_000, 0u64..2_000_000_000, 1_000u64..50_000_000), 1..80),
        later in 0u64..LONGEST_AGE_NS,
    ) {
        let clock = Drifting { offset_ns, ppm };
        let mut peer = OffsetEstimator::new();
        let mut now = 0;
        for (pause, there, work, back) in exchanges {
            let (_, arrived) = exchange(&mut peer, clock, now + pause, there, work, back);
            now = arrived;
            if let Some(estimate) = peer.estimate(at(START + now)) {
                let truth = clock.offset_at(now);
                prop_assert!(estimate.low_ns() <= estimate.high_ns());
                // One nanosecond for the rounding of the simulation itself.
                prop_assert!(estimate.low_ns() - 1 <= truth && truth <= estimate.high_ns() + 1, "{estimate:?} {truth}");
            }
        }
        if let Some(estimate) = peer.estimate(at(START + now + later)) {
            let truth = clock.offset_at(now + later);
            prop_assert!(estimate.low_ns() - 1 <= truth && truth <= estimate.high_ns() + 1, "{estimate:?} {truth} later");
        }
    }

    #[test]
    fn no_stamps_are_too_odd(stamps in prop::collection::vec(prop::array::uniform5(prop_oneof![any::<u64>(), START..START + 100 * SECOND, Just(0), Just(u64::MAX)]), 0..30)) {
        let mut peer = OffsetEstimator::new();
        for [t1, t2, t3, t4, now] in stamps {
            peer.observe(at(t1), at(t2), at(t3), at(t4));
            if let Some(estimate) = peer.estimate(at(now)) {
                prop_assert!(estimate.low_ns() <= estimate.high_ns());
                let item = Context::observed("x", at(t1)).max_age(Duration::from_nanos(t2));
                let _ = freshness(&item, at(t4), Some(estimate), None);
                let _ = estimate.reversed().union(estimate).widened(t3);
            }
        }
    }

    #[test]
    fn a_longer_limit_never_makes_an_item_staler(
        observed in 0u64..100_000, used in 0u64..100_000,
        low in -5_000i64..5_000, width in 0i64..5_000,
        limit in 0u64..100_000, more in 0u64..100_000,
    ) {
        let rank = |limit_ms: u64| {
            let item = Context::observed("x", at(START + observed * 1_000_000)).max_age(Duration::from_millis(limit_ms));
            let offset = ClockOffset::new(low * 1_000_000, (low + width) * 1_000_000);
            match freshness(&item, at(START + used * 1_000_000), offset, None) {
                Freshness::Stale { .. } => 0,
                Freshness::Unknown { .. } => 1,
                Freshness::Fresh { .. } => 2,
                other => panic!("{other:?}"),
            }
        };
        prop_assert!(rank(limit) <= rank(limit + more));
    }

    #[test]
    fn a_verdict_by_age_holds_for_every_offset_within_the_bounds(
        age_ms in -20_000i64..40_000, low in -5_000i64..5_000, width in 0i64..5_000, pick in 0i64..5_000, limit in 0u64..20_000,
    ) {
        let (used, truth) = (START + 1000 * SECOND, low + pick.min(width));
        // Observed so that the true age is `age_ms` if the true offset is `truth`.
        let observed = used.saturating_add_signed(-(age_ms + truth) * 1_000_000);
        let item = Context::observed("x", at(observed)).max_age(Duration::from_millis(limit));
        let offset = ClockOffset::new(low * 1_000_000, (low + width) * 1_000_000);
        match freshness(&item, at(used), offset, None) {
            Freshness::Fresh { .. } => prop_assert!(age_ms <= limit as i64),
            Freshness::Stale { .. } => prop_assert!(age_ms > limit as i64),
            _ => {}
        }
    }
}

#[test]
fn quick_exchanges_tighten_the_estimate_and_time_widens_it() {
    let clock = Drifting { offset_ns: 7_000_000, ppm: 0 };
    let mut peer = OffsetEstimator::new();
    let (_, now) = exchange(&mut peer, clock, 0, 30_000_000, 0, 40_000_000);
    let loose = peer.estimate(at(START + now)).unwrap().width_ns();
    let (_, now) = exchange(&mut peer, clock, now + SECOND, 100_000, 0, 100_000);
    let tight = peer.estimate(at(START + now)).unwrap().width_ns();
    assert!(tight < loose / 100, "{tight} {loose}");
    let aged = peer.estimate(at(START + now + 10 * SECOND)).unwrap().width_ns();
    assert_eq!(aged - tight, 2 * 5_000_000, "500 ppm of 10 s on each side");
    assert_eq!(peer.estimate(at(START + now + LONGEST_AGE_NS + SECOND)), None);
}

#[test]
fn old_tightness_is_forgotten_after_the_window() {
    let clock = Drifting { offset_ns: 0, ppm: 0 };
    let mut peer = OffsetEstimator::new();
    exchange(&mut peer, clock, 0, 1_000, 0, 1_000);
    for second in 1..=120 {
        exchange(&mut peer, clock, second * SECOND, 90_000_000, 0, 90_000_000);
    }
    // The tight bounds alone would by now be worth 2 x 60 ms.
    let width = peer.estimate(at(START + 120 * SECOND + 180_000_000)).unwrap().width_ns();
    assert!(width > 150_000_000, "{width}");
}

#[test]
fn a_stepped_clock_starts_the_estimate_anew() {
    let mut peer = OffsetEstimator::new();
    exchange(&mut peer, Drifting { offset_ns: 0, ppm: 0 }, 0, 100_000, 0, 100_000);
    let stepped = Drifting { offset_ns: 3_600 * SECOND as i64, ppm: 0 };
    let (_, now) = exchange(&mut peer, stepped, SECOND, 100_000, 0, 100_000);
    let estimate = peer.estimate(at(START + now)).unwrap();
    assert!(estimate.low_ns() <= stepped.offset_ns && stepped.offset_ns <= estimate.high_ns(), "{estimate:?}");
    assert!(estimate.width_ns() < 1_000_000);
}

#[test]
fn a_sender_whose_own_clock_is_set_back_starts_anew_too() {
    let mut peer = OffsetEstimator::new();
    let hour = 3_600 * SECOND;
    for second in [0, 40] {
        exchange(&mut peer, Drifting { offset_ns: 0, ppm: 0 }, hour + second * SECOND, 100_000, 0, 100_000);
    }
    let back = Drifting { offset_ns: hour as i64, ppm: 0 };
    let (_, now) = exchange(&mut peer, back, 41 * SECOND, 100_000, 0, 100_000);
    let estimate = peer.estimate(at(START + now)).expect("an estimate");
    assert!(estimate.low_ns() <= back.offset_ns && back.offset_ns <= estimate.high_ns(), "{estimate:?}");
    assert!(estimate.width_ns() < 1_000_000, "{estimate:?}");
}

#[test]
fn impossible_exchanges_change_nothing() {
    let mut peer = OffsetEstimator::new();
    let (a, b) = (at(START), at(START + SECOND));
    assert!(!peer.observe(b, a, a, a), "arrived before it was sent");
    assert!(!peer.observe(a, b, a, b), "left before it was seen");
    assert!(!peer.observe(a, a, b, a), "took longer there than here");
    assert_eq!(peer.estimate(b), None);
    assert!(peer.observe(a, a, a, a));
    assert_eq!(peer.estimate(a), Some(ClockOffset::ZERO));
}

#[test]
fn offsets_of_several_peers_unite_and_turn_round() {
    let (a, b) = (ClockOffset::new(-5, 3).unwrap(), ClockOffset::new(10, 12).unwrap());
    assert_eq!(ClockOffset::union_all([a, b]), ClockOffset::new(-5, 12));
    assert_eq!(ClockOffset::union_all([]), None);
    assert_eq!(a.intersect(b), None);
    assert_eq!(Some(a.reversed()), ClockOffset::new(-3, 5));
    assert_eq!(ClockOffset::new(1, 0), None);
}

fn known(version: &str, standing: Standing) -> KnownVersion {
    KnownVersion { version: version.into(), standing }
}

#[test]
fn stale_only_if_the_least_age_is_over_and_fresh_only_if_the_greatest_is_within() {
    let item = Context::observed("crm", at(START)).max_age(Duration::from_secs(10));
    let used = |ms: u64| at(START + ms * 1_000_000);
    let offset = ClockOffset::new(-2_000_000, 2_000_000);
    let judge = |ms| freshness(&item, used(ms), offset, None);
    assert!(matches!(judge(9_998), Freshness::Fresh { by: FreshBy::Age, .. }));
    assert!(matches!(judge(9_999), Freshness::Unknown { raw_age_ns: Some(9_999_000_000), .. }));
    assert!(matches!(judge(10_002), Freshness::Unknown { .. }));
    let Freshness::Stale { mismatch, age: Some(age) } = judge(10_003) else { panic!("{:?}", judge(10_003)) };
    assert_eq!(mismatch.kind, MismatchKind::StaleContext);
    assert_eq!(mismatch.evidence, "crm was 10003 +- 2 ms old when used, over its longest age of 10000 ms");
    assert_eq!((age.low_ns(), age.high_ns()), (10_001_000_000, 10_005_000_000));
}

#[test]
fn without_an_offset_or_a_time_the_age_is_unknown_and_without_a_limit_not_due() {
    let used = at(START + 60 * SECOND);
    let item = Context::observed("crm", at(START)).version("41").max_age(Duration::from_secs(10));
    let Freshness::Unknown { why, raw_age_ns } = freshness(&item, used, None, None) else { panic!() };
    assert_eq!(why, "crm@41 was observed by another clock, and their offset is not known yet");
    assert_eq!(raw_age_ns, Some(60_000_000_000));
    let timeless = Context::named("crm").max_age(Duration::from_secs(10));
    assert!(matches!(
        freshness(&timeless, used, Some(ClockOffset::ZERO), None),
        Freshness::Unknown { raw_age_ns: None, .. }
    ));
    let limitless = Context::observed("crm", at(START));
    assert_eq!(freshness(&limitless, used, Some(ClockOffset::ZERO), None), Freshness::NotDue);
}

#[test]
fn a_version_decides_before_any_clock_does() {
    let used = at(START + 60 * SECOND);
    let old = Context::observed("crm", at(START)).version("41").max_age(Duration::from_secs(10));
    let young = Context::observed("crm", used).version("41").max_age(Duration::from_secs(10));
    let judge = |item: &Context, k: KnownVersion| freshness(item, used, Some(ClockOffset::ZERO), Some(&k));
    for standing in [Standing::Passing, Standing::Current] {
        let Freshness::Stale { mismatch, .. } = judge(&young, known("42", standing)) else { panic!() };
        assert!(mismatch.evidence.starts_with("crm@41 was used while version 42 "), "{mismatch}");
    }
    assert!(matches!(judge(&old, known("41", Standing::Current)), Freshness::Fresh { by: FreshBy::Version, .. }));
    // Merely seen passing, ahead, or without order: age decides.
    for k in [known("41", Standing::Passing), known("40", Standing::Current), known("draft", Standing::Current)] {
        assert!(matches!(judge(&old, k.clone()), Freshness::Stale { age: Some(_), .. }), "{k:?}");
        assert!(matches!(judge(&young, k.clone()), Freshness::Fresh { by: FreshBy::Age, .. }), "{k:?}");
    }
    let limitless = Context::named("crm").version("41");
    assert!(matches!(freshness(&limitless, used, None, Some(&known("v42", Standing::Current))), Freshness::NotDue));
    assert!(matches!(
        freshness(&limitless, used, None, Some(&known("42", Standing::Passing))),
        Freshness::Stale { .. }
    ));
}

#[test]
fn an_age_has_a_middle_and_half_a_width() {
    let offset = ClockOffset::new(-1_000_000, 3_000_000).unwrap();
    let age = AgeInterval::between(at(START), at(START + 5 * SECOND), offset);
    assert_eq!((age.age_ms(), age.uncertainty_ms()), (4_999.0, 2.0));
    let odd = AgeInterval::between(at(u64::MAX), at(0), ClockOffset::new(i64::MIN, i64::MAX).unwrap());
    assert!(odd.low_ns() <= odd.high_ns());
}
