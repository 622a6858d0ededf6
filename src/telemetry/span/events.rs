use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Event, Status};

use crate::model::{Climb, Mismatch, Timestamp};
use crate::telemetry::names;
use crate::telemetry::record::ResultFacts;

/// A rung that was climbed, and the name of the agent that says so.
pub(super) fn rung(climb: &Climb, by: Option<Arc<str>>) -> Event {
    let mut about = Vec::with_capacity(2 + usize::from(by.is_some()));
    about.push(KeyValue::new("rung", climb.rung.as_str()));
    about.push(KeyValue::new("evidence", climb.evidence.as_str()));
    if let Some(by) = by {
        about.push(KeyValue::new("by", by));
    }
    Event::new(names::RUNG, climb.at.into(), about, 0)
}

/// The score of a result, where it has one.
pub(super) fn quality(result: &ResultFacts, at: Timestamp) -> Option<Event> {
    let quality = result.quality.as_ref()?;
    let mut about = Vec::with_capacity(4);
    about.push(KeyValue::new(names::EVALUATION_NAME, "quality"));
    about.push(KeyValue::new(names::EVALUATION_SCORE, quality.score()));
    if let Some(threshold) = result.threshold {
        let label = if quality.score() < threshold { "fail" } else { "pass" };
        about.push(KeyValue::new(names::EVALUATION_LABEL, label));
    }
    about.push(KeyValue::new(names::EVALUATION_EXPLANATION, format!("scored by {}", quality.by())));
    Some(Event::new(names::EVALUATION_EVENT, at.into(), about, 0))
}

/// A check that failed.
pub(super) fn mismatch(mismatch: &Mismatch, at: Timestamp) -> Event {
    let mut about = Vec::with_capacity(4);
    about.push(KeyValue::new(names::EVALUATION_NAME, mismatch.kind.as_str()));
    about.push(KeyValue::new(names::EVALUATION_SCORE, 0.0));
    about.push(KeyValue::new(names::EVALUATION_LABEL, "fail"));
    if !mismatch.evidence.is_empty() {
        about.push(KeyValue::new(names::EVALUATION_EXPLANATION, mismatch.evidence.clone()));
    }
    Event::new(names::EVALUATION_EVENT, at.into(), about, 0)
}

/// The status of a span whose side found these.
pub(super) fn status(mismatches: &[Mismatch]) -> Status {
    mismatches.first().map_or(Status::Unset, |first| Status::error(first.to_string()))
}
