//! The same facts as other floors and libraries hold them: NATS headers for OpenTelemetry's propagators, offsets, ages.

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::StringDeserializer;

use crate::telemetry::record::ContextAge;
use crate::verify::freshness::WorstAge;
use crate::verify::offset::ClockOffset;
use crate::wire::{OffsetBounds, names};

/// Writes headers; one that is there already is never overwritten.
pub(crate) struct Into<'a>(pub(crate) &'a mut HeaderMap);

impl Injector for Into<'_> {
    fn set(&mut self, key: &str, value: String) {
        // Those that W3C knows are no copies.
        let name = match key {
            names::TRACEPARENT => TRACEPARENT,
            names::TRACESTATE => TRACESTATE,
            names::BAGGAGE => BAGGAGE,
            _ => match key.parse() {
                Ok(name) => name,
                Err(_) => return,
            },
        };
        if (self.0.is_empty() || self.0.get(name.clone()).is_none())
            && let Some(value) = header_value(value)
        {
            self.0.insert(name, value);
        }
    }
}

const TRACEPARENT: HeaderName = HeaderName::from_static(names::TRACEPARENT);
const TRACESTATE: HeaderName = HeaderName::from_static(names::TRACESTATE);
pub(crate) const BAGGAGE: HeaderName = HeaderName::from_static(names::BAGGAGE);
const WILCO: HeaderName = HeaderName::from_static(names::WILCO);

/// The text as a header's value; `None` if it holds a line break.
///
/// The client's own conversions look at one character after the other, which at some hundred characters costs more than
/// writing them did. Its serde form takes the text as it is, after a quicker look.
fn header_value(text: String) -> Option<HeaderValue> {
    if memchr::memchr2(b'\r', b'\n', text.as_bytes()).is_some() {
        return None;
    }
    let text: StringDeserializer<serde::de::value::Error> = text.into_deserializer();
    HeaderValue::deserialize(text).ok()
}

/// Reads headers. Names are matched as they are, then without regard to case, as W3C asks for.
pub(crate) struct From<'a>(pub(crate) Option<&'a HeaderMap>);

impl From<'_> {
    pub(crate) fn get_str(&self, key: &str) -> Option<&str> {
        // A look at each of the few there are; a lookup would copy the name first.
        let mut other_case = None;
        for (name, values) in self.0?.iter() {
            let name: &str = name.as_ref();
            if name == key {
                return values.first().map(HeaderValue::as_str);
            }
            if other_case.is_none() && name.eq_ignore_ascii_case(key) {
                other_case = values.first();
            }
        }
        other_case.map(HeaderValue::as_str)
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
    if let Some(value) = header_value(value) {
        headers.insert(WILCO, value);
    }
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
