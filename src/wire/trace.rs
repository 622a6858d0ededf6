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
    const SAMPLED: [&str; 2] = ["-00", "-01"];
    let mut text = [b'-'; 52];
    text[0] = b'0';
    text[1] = b'0';
    hex(&span.trace_id().to_bytes(), &mut text[3..35]);
    hex(&span.span_id().to_bytes(), &mut text[36..52]);
    let mut out = String::with_capacity(55);
    out.push_str(std::str::from_utf8(&text).unwrap_or_default());
    out.push_str(SAMPLED[usize::from(span.is_sampled())]);
    out
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
