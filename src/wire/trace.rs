//! W3C trace context and baggage on messages, by OpenTelemetry's propagators.

use opentelemetry::baggage::{Baggage, BaggageExt, KeyValueMetadata};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

use super::names::{TRACEPARENT, TRACESTATE};
use crate::model::WorkflowId;

/// Writes `traceparent`, and `tracestate` where there is some. An invalid span context writes nothing.
///
/// The common case, no trace state, is written directly; it is the same text as the propagator's.
pub fn inject(span: &SpanContext, into: &mut dyn Injector) {
    if *span.trace_state() != TraceState::NONE {
        return inject_by_propagator(span, into);
    }
    if span.is_valid() {
        into.set(TRACEPARENT, traceparent(span));
    }
}

/// The span context that a message carries, if it carries a valid one.
///
/// The common case, version 00 and no trace state, is read directly; everything else by the propagator.
pub fn extract(from: &dyn Extractor) -> Option<SpanContext> {
    let value = from.get(TRACEPARENT)?;
    if from.get(TRACESTATE).is_none()
        && let Some(span) = parse_canonical(value)
    {
        return span.is_valid().then_some(span);
    }
    extract_by_propagator(from)
}

/// Writes `baggage`, if there is some.
pub fn inject_baggage(baggage: &Baggage, into: &mut dyn Injector) {
    if !baggage.is_empty() {
        let context = opentelemetry::Context::new().with_baggage(entries(baggage));
        BaggagePropagator::new().inject_context(&context, &mut Clean(into));
    }
}

/// The baggage that a message carries; empty where there is none. W3C's limits hold: 8,192 bytes, 64 entries.
pub fn extract_baggage(from: &dyn Extractor) -> Baggage {
    let context = BaggagePropagator::new().extract_with_context(&opentelemetry::Context::new(), from);
    entries(context.baggage()).collect()
}

/// The trace of a workflow that no trace context came with, and the id of its root span: the first 16 and the next 8
/// bytes of BLAKE3 of the workflow id. So late spans, restarts and several proxies agree.
pub fn workflow_trace(workflow: &WorkflowId) -> (TraceId, SpanId) {
    let hash = blake3::hash(workflow.as_str().as_bytes());
    let (mut trace, mut span) = ([0; 16], [0; 8]);
    trace.copy_from_slice(&hash.as_bytes()[..16]);
    span.copy_from_slice(&hash.as_bytes()[16..24]);
    (TraceId::from_bytes(trace), SpanId::from_bytes(span))
}

/// A random span id, never the invalid one.
#[inline]
pub fn new_span_id() -> SpanId {
    SpanId::from(fastrand::u64(1..))
}

fn traceparent(span: &SpanContext) -> String {
    std::str::from_utf8(&traceparent_bytes(span)).unwrap_or_default().to_owned()
}

/// The value of `traceparent`, for whoever writes headers as bytes.
#[inline]
pub(crate) fn traceparent_bytes(span: &SpanContext) -> [u8; 55] {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    hex(&span.trace_id().to_bytes(), &mut text[3..35]);
    hex(&span.span_id().to_bytes(), &mut text[36..52]);
    text[54] = b'0' + u8::from(span.is_sampled());
    text
}

fn hex(bytes: &[u8], out: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// `00-{32 hex}-{16 hex}-{2 hex}`, lower case, and nothing else.
fn parse_canonical(value: &str) -> Option<SpanContext> {
    let text: &[u8; 55] = value.as_bytes().try_into().ok()?;
    if &text[..3] != b"00-" || text[35] != b'-' || text[52] != b'-' {
        return None;
    }
    let (mut trace, mut span, mut flags) = ([0; 16], [0; 8], [0; 1]);
    unhex(&text[3..35], &mut trace)?;
    unhex(&text[36..52], &mut span)?;
    unhex(&text[53..], &mut flags)?;
    let flags = TraceFlags::new(flags[0]) & TraceFlags::SAMPLED;
    Some(SpanContext::new(TraceId::from_bytes(trace), SpanId::from_bytes(span), flags, true, TraceState::NONE))
}

fn unhex(digits: &[u8], out: &mut [u8]) -> Option<()> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

fn inject_by_propagator(span: &SpanContext, into: &mut dyn Injector) {
    let context = opentelemetry::Context::new().with_remote_span_context(span.clone());
    TraceContextPropagator::new().inject_context(&context, &mut Clean(into));
}

fn extract_by_propagator(from: &dyn Extractor) -> Option<SpanContext> {
    let context = TraceContextPropagator::new().extract_with_context(&opentelemetry::Context::new(), from);
    let span = context.span().span_context().clone();
    span.is_valid().then_some(span)
}

fn entries(baggage: &Baggage) -> impl Iterator<Item = KeyValueMetadata> + '_ {
    baggage.iter().map(|(key, (value, metadata))| KeyValueMetadata::new(key.clone(), value.clone(), metadata.clone()))
}

/// Leaves out what must not become a header: empty values (the propagator writes an empty `tracestate`), and values
/// with control characters, which trace state and baggage metadata may hold and which would end the line.
struct Clean<'a>(&'a mut dyn Injector);

impl Injector for Clean<'_> {
    fn set(&mut self, key: &str, value: String) {
        if !value.is_empty() && !value.contains(char::is_control) {
            self.0.set(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    type Headers = HashMap<String, String>;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn injected(span: &SpanContext) -> Headers {
        let mut into = Headers::new();
        inject(span, &mut into);
        into
    }

    #[test]
    fn the_example_of_the_standard_is_read_and_written() {
        let value = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let span = extract(&headers(&[("traceparent", value)])).unwrap();
        assert!(span.is_sampled() && span.is_remote());
        assert_eq!(injected(&span), headers(&[("traceparent", value)]));
    }

    #[test]
    fn trace_state_travels_and_an_empty_one_is_not_written() {
        let carried = headers(&[
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"),
            ("tracestate", "acme=1,zeta=2"),
        ]);
        let span = extract(&carried).unwrap();
        assert_eq!(injected(&span), carried);
        let mut empty = carried;
        empty.insert("tracestate".into(), String::new());
        let span = extract(&empty).unwrap();
        assert_eq!(injected(&span).len(), 1);
    }

    #[test]
    fn trace_state_that_would_break_the_line_is_left_out() {
        let state = TraceState::from_key_value([("a", "1\r\nEvil: 1")]).unwrap();
        let span = SpanContext::new(TraceId::from(1_u128), SpanId::from(1_u64), TraceFlags::default(), false, state);
        assert_eq!(injected(&span).len(), 1);
    }

    #[test]
    fn what_is_no_trace_context_is_none() {
        for value in [
            "",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        ] {
            assert!(extract(&headers(&[("traceparent", value)])).is_none(), "{value}");
        }
        assert!(extract(&Headers::new()).is_none());
        assert!(injected(&SpanContext::empty_context()).is_empty());
    }

    #[test]
    fn a_later_version_is_left_to_the_propagator() {
        let value = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
        assert!(extract(&headers(&[("traceparent", value)])).is_some());
    }

    #[test]
    fn baggage_travels() {
        let baggage: Baggage = [KeyValueMetadata::new("tenant", "acme & co", "")].into_iter().collect();
        let mut into = Headers::new();
        inject_baggage(&baggage, &mut into);
        assert_eq!(into, headers(&[("baggage", "tenant=acme%20&%20co")]));
        assert_eq!(extract_baggage(&into).get("tenant").map(ToString::to_string).as_deref(), Some("acme & co"));
        let mut none = Headers::new();
        inject_baggage(&Baggage::new(), &mut none);
        assert!(none.is_empty() && extract_baggage(&none).is_empty());
    }

    #[test]
    fn new_span_ids_are_valid_and_differ() {
        let ids: std::collections::HashSet<_> = (0..1_000).map(|_| new_span_id()).collect();
        assert!(ids.len() == 1_000 && !ids.contains(&SpanId::INVALID));
    }

    proptest! {
        #[test]
        fn the_direct_way_writes_what_the_propagator_writes(trace in any::<u128>(), span in any::<u64>(), flags in any::<u8>()) {
            let span = SpanContext::new(trace.into(), span.into(), TraceFlags::new(flags), false, TraceState::NONE);
            let mut by_propagator = Headers::new();
            inject_by_propagator(&span, &mut by_propagator);
            prop_assert_eq!(injected(&span), by_propagator);
        }

        #[test]
        fn the_direct_way_reads_what_the_propagator_reads(
            value in "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|00-[0-9a-fA-F+]{32}-[0-9a-f+-]{16}-[0-9a-f+]{2}|00-0{32}-[01]{16}-01|[0-9a-f-]{55}",
        ) {
            let carried = headers(&[("traceparent", &value)]);
            prop_assert_eq!(extract(&carried), extract_by_propagator(&carried));
        }

        #[test]
        fn any_headers_are_read_without_a_panic(parent in ".*", state in ".*", baggage in ".*") {
            let carried = headers(&[("traceparent", &parent), ("tracestate", &state), ("baggage", &baggage)]);
            prop_assert_eq!(extract(&carried), extract_by_propagator(&carried));
            let _ = extract_baggage(&carried);
        }
    }
}
