//! How sure it is that the first one is the root.

use super::owed::Records;
use super::ranking::Ranked;

/// What each fact adds to the logarithm of the odds that the first one is the root: fitted to generated workflows (see the
/// page on [diagnosis](crate::docs::diagnosis)), on two levels of lost records, and held against others.
const ANYWAY: f64 = 1.0;
/// For each unit of the logarithm of the odds that its score alone would give.
const OF_SCORE: f64 = 0.95;
/// If the second one is as strong as the first; less by as much as it is weaker.
const RIVAL: f64 = -1.0;
/// If no side of any handoff is on record; less by as much as there is.
const UNSEEN: f64 = -4.2;
/// If nobody recorded whether the workflow went well.
const NO_OUTCOME: f64 = -0.13;

/// Scores are kept off zero and one, which no evidence reaches.
const SUREST: f64 = 0.999;

/// Below this nobody is accused, where it is recorded that the workflow failed, and where nobody recorded how it went.
const ACCUSED: f64 = 0.34;
const ACCUSED_WITHOUT_OUTCOME: f64 = 0.38;

/// Whether a confidence suffices to accuse.
pub(super) fn suffices(confidence: f64, ok: Option<bool>) -> bool {
    match ok {
        Some(true) => false,
        Some(false) => confidence >= ACCUSED,
        None => confidence >= ACCUSED_WITHOUT_OUTCOME,
    }
}

/// Confidence in each of the ranked, in their order.
///
/// That of the others is the first one's, less by as much as their score is less; so equals stay equals.
pub(super) fn judge(ok: Option<bool>, records: Records, ranked: &[Ranked]) -> Vec<f64> {
    let Some(first) = ranked.first() else { return Vec::new() };
    let score = first.score.clamp(1.0 - SUREST, SUREST);
    let rival = ranked.get(1).map_or(0.0, |second| second.score / first.score.max(f64::MIN_POSITIVE));
    let outcome = if ok.is_none() { NO_OUTCOME } else { 0.0 };
    let odds = ANYWAY + OF_SCORE * (score / (1.0 - score)).ln() + RIVAL * rival + UNSEEN * records.missing() + outcome;
    let confidence = 1.0 / (1.0 + (-odds).exp());
    ranked.iter().map(|each| (confidence * each.score / first.score.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0)).collect()
}
