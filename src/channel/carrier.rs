//! The same facts as other floors and libraries hold them: NATS headers for OpenTelemetry's propagators, offsets, ages.

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector};

use crate::telemetry::record::ContextAge;
use crate::verify::freshness::WorstAge;
use crate::verify::offset::ClockOffset;
use crate::wire::{OffsetBounds, names};

/// Writes headers; one that is there already is never overwritten.
pub(crate) struct Into<'a>(pub(crate) &'a mut HeaderMap);

impl Injector for Into<'_> {
    fn set(&mut self, key: &str, value: String) {
        if self.0.get(key).is_none()
            && let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), value.parse::<HeaderValue>())
        {
            self.0.insert(name, value);
        }
    }
}

/// Reads headers. Names are matched as they are, then without regard to case, as W3C asks for.
pub(crate) struct From<'a>(pub(crate) Option<&'a HeaderMap>);

impl From<'_> {
    pub(crate) fn get_str(&self, key: &str) -> Option<&str> {
        let headers = self.0?;
        if let Some(value) = headers.get(key) {
            return Some(value.as_str());
        }
        let (_, values) = headers.iter().find(|(name, _)| AsRef::<str>::as_ref(*name).eq_ignore_ascii_case(key))?;
        Some(values.first()?.as_str())
    }
}

impl Extractor for From<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.get_str(key)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.map_or_else(Vec::new, |headers| headers.iter().map(|(name, _)| name.as_ref()).collect())
    }
}

/// Sets the packed header.
pub(crate) fn set_wilco(headers: &mut HeaderMap, value: String) {
    // The encoder writes no line breaks, which is all that a header value must not hold.
    headers.insert(HeaderName::from_static(names::WILCO), value);
}

// One fact, as each floor holds it: bounds on the wire are what the checks call an offset, and an age is a fact of a
// record.

pub(crate) fn offset(bounds: OffsetBounds) -> Option<ClockOffset> {
    ClockOffset::new(bounds.low, bounds.high)
}

pub(crate) fn bounds(offset: ClockOffset) -> OffsetBounds {
    OffsetBounds { low: offset.low_ns(), high: offset.high_ns() }
}

pub(crate) fn context_age(worst: WorstAge) -> ContextAge {
    ContextAge { age_ms: worst.age_ms, max_age_ms: worst.max_age_ms, uncertainty_ms: worst.uncertainty_ms }
}
