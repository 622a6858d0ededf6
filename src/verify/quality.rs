//! Was the result good, and what became of it?

use crate::model::{Mismatch, MismatchKind};

/// Judges what became of a result that came in time.
///
/// - `quality`: the score that came with it, 0..=1. Not a number counts as absent.
/// - `threshold`: the score that was demanded, if any.
/// - `used`: whether the sender built on the result; `None` where nobody said, and then nothing is judged.
/// - `checked`: whether somebody looked at it first, with whatever outcome.
/// - `set_aside`: whether the sender said that it went on without it.
///
/// | score | used unchecked | checked, then used | not used |
/// |---|---|---|---|
/// | under the threshold | `unverified_use` | - | `low_quality` |
/// | demanded and absent | `unverified_use` | - | - |
/// | good, or none demanded | - | - | `ignored_result` if set aside unchecked |
///
/// A poor result that was checked and then used is fine: somebody decided. A result that was checked and then set
/// aside was not ignored.
///
/// ```
/// use wilco::{model::MismatchKind, verify::quality::judge};
/// let found = judge(Some(0.41), Some(0.7), Some(true), false, false).expect("a finding");
/// assert_eq!(found.kind, MismatchKind::UnverifiedUse);
/// assert_eq!(found.evidence, "quality 0.41 is under 0.7, and the result was used unchecked");
/// ```
pub fn judge(
    quality: Option<f64>,
    threshold: Option<f64>,
    used: Option<bool>,
    checked: bool,
    set_aside: bool,
) -> Option<Mismatch> {
    let used = used?;
    let quality = quality.filter(|score| !score.is_nan());
    let shortfall = match (quality, threshold) {
        (_, None) => None,
        (None, Some(threshold)) => Some(format!("a quality of {threshold} was demanded and none was given")),
        (Some(score), Some(threshold)) if score < threshold => Some(format!("quality {score} is under {threshold}")),
        (Some(_), Some(_)) => None,
    };
    match (shortfall, used) {
        (Some(shortfall), true) if !checked => {
            Some(Mismatch::new(MismatchKind::UnverifiedUse, format!("{shortfall}, and the result was used unchecked")))
        }
        (Some(shortfall), false) if quality.is_some() => {
            Some(Mismatch::new(MismatchKind::LowQuality, format!("{shortfall}, and the result was not used")))
        }
        (None, false) if set_aside && !checked => Some(Mismatch::new(
            MismatchKind::IgnoredResult,
            match quality {
                Some(score) => format!("completed in time with quality {score}, and set aside unchecked"),
                None => "completed in time, and set aside unchecked".to_owned(),
            },
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MismatchKind::{IgnoredResult, LowQuality, UnverifiedUse};

    #[test]
    fn every_combination_of_score_use_and_check_has_its_finding() {
        let (poor, good, none) = (Some(0.4), Some(0.9), None);
        let (yes, no, unknown) = (Some(true), Some(false), None);
        for (quality, threshold, used, checked, set_aside, expected) in [
            (poor, Some(0.7), yes, false, false, Some(UnverifiedUse)),
            (none, Some(0.7), yes, false, false, Some(UnverifiedUse)),
            (Some(f64::NAN), Some(0.7), yes, false, false, Some(UnverifiedUse)),
            (poor, Some(0.7), yes, true, false, None),
            (none, Some(0.7), yes, true, false, None),
            (poor, Some(0.7), no, false, true, Some(LowQuality)),
            (poor, Some(0.7), no, true, true, Some(LowQuality)),
            (poor, Some(0.7), no, false, false, Some(LowQuality)),
            (none, Some(0.7), no, false, true, None),
            (good, Some(0.7), yes, false, false, None),
            (good, Some(0.7), no, false, true, Some(IgnoredResult)),
            (good, Some(0.7), no, true, true, None),
            (good, Some(0.7), no, false, false, None),
            (none, None, no, false, true, Some(IgnoredResult)),
            (poor, None, no, false, true, Some(IgnoredResult)),
            (none, None, yes, false, false, None),
            (poor, Some(0.7), unknown, false, true, None),
            (good, Some(0.7), unknown, false, true, None),
        ] {
            let found = judge(quality, threshold, used, checked, set_aside).map(|found| found.kind);
            assert_eq!(found, expected, "{quality:?} {threshold:?} used {used:?} checked {checked} aside {set_aside}");
        }
    }

    #[test]
    fn a_score_at_the_threshold_is_good() {
        assert_eq!(judge(Some(0.7), Some(0.7), Some(true), false, false), None);
    }
}
