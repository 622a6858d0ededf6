//! Spans as OTLP/protobuf, straight from the record: one buffer for a batch, with nothing built in between.
//!
//! Numbers are those of `opentelemetry/proto/trace/v1/trace.proto`. A message that is written within another stands
//! behind its length, which is known when it is done; see [`Buffer::close`].

use opentelemetry::trace::{SpanContext, SpanId, SpanKind};

use super::shared::Remembered;
use super::text::Text;
use super::writer::{Boundary, Shape, Writer};
use crate::model::{Climb, Timestamp, WorkflowId};
use crate::telemetry::record::SpanPlace;

/// A field's number and wire type in one byte, which holds for numbers under 16.
pub(super) const fn field(number: u8, wire_type: u8) -> u8 {
    number << 3 | wire_type
}

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
pub(super) const BYTES: u8 = 2;
const FIXED32: u8 = 5;

// Where attributes stand in a span, in an event, and in a link.
const SPAN_ATTRIBUTE: u8 = field(9, BYTES);
const EVENT_ATTRIBUTE: u8 = field(3, BYTES);
const LINK_ATTRIBUTE: u8 = field(4, BYTES);

// `AnyValue`.
pub(super) const STRING: u8 = field(1, BYTES);
const BOOL: u8 = field(2, VARINT);
const INT: u8 = field(3, VARINT);
const DOUBLE: u8 = field(4, FIXED64);
const ARRAY: u8 = field(5, BYTES);

/// Bits of `Span.flags` above those of W3C: whether it is known that the parent is remote, and whether it is.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Writes spans as they stand in a `ScopeSpans`.
#[derive(Debug, Default)]
pub(super) struct ProtoWriter {
    out: Buffer,
    /// Where the length of the span under way stands.
    begun: usize,
    /// Which attributes are being written: the span's, an event's, a link's.
    attribute: u8,
    failed: bool,
    remembered: Remembered,
}

impl ProtoWriter {
    /// Appends to `spans` what `write` writes.
    pub(super) fn write_into(&mut self, spans: &mut Vec<u8>, write: impl FnOnce(&mut Self)) {
        std::mem::swap(&mut self.out.0, spans);
        write(self);
        std::mem::swap(&mut self.out.0, spans);
    }

    /// An attribute up to its value, an `AnyValue` of `len` bytes.
    #[inline(always)] // its key is known there, and is then copied without a call
    fn attribute(&mut self, key: &'static str, len: usize) {
        let pair = 1 + varint_len(key.len()) + key.len() + 1 + varint_len(len) + len;
        if pair < 0x80 {
            // So are nearly all, and then each length is a byte.
            self.out.0.reserve(2 + pair);
            let head = [self.attribute, pair as u8, field(1, BYTES), key.len() as u8];
            self.out.0.extend_from_slice(&head);
            self.out.0.extend_from_slice(key.as_bytes());
            self.out.0.extend_from_slice(&[field(2, BYTES), len as u8]);
            return;
        }
        self.out.0.push(self.attribute);
        self.out.varint(pair as u64);
        self.out.bytes(field(1, BYTES), key.as_bytes());
        self.out.0.push(field(2, BYTES));
        self.out.varint(len as u64);
    }

    /// The span that a link points to.
    fn context(&mut self, context: &SpanContext) {
        self.out.bytes(field(1, BYTES), &context.trace_id().to_bytes());
        self.out.bytes(field(2, BYTES), &context.span_id().to_bytes());
        let state = context.trace_state().header();
        if !state.is_empty() {
            self.out.bytes(field(3, BYTES), state.as_bytes());
        }
        let remote = if context.is_remote() { IS_REMOTE } else { 0 };
        let flags = u32::from(context.trace_flags().to_u8()) | HAS_IS_REMOTE | remote;
        self.out.0.push(field(6, FIXED32));
        self.out.0.extend_from_slice(&flags.to_le_bytes());
    }
}

impl Writer for ProtoWriter {
    fn begin(&mut self, place: &SpanPlace, shape: Shape<'_>) {
        self.begun = self.out.open(field(2, BYTES));
        self.attribute = SPAN_ATTRIBUTE;
        self.failed = false;
        let out = &mut self.out;
        out.bytes(field(1, BYTES), &place.trace_id.to_bytes());
        out.bytes(field(2, BYTES), &place.span_id.to_bytes());
        let state = place.trace_state.header();
        if !state.is_empty() {
            out.bytes(field(3, BYTES), state.as_bytes());
        }
        let has_parent = place.parent_span_id != SpanId::INVALID;
        if has_parent {
            out.bytes(field(4, BYTES), &place.parent_span_id.to_bytes());
        }
        out.0.push(field(5, BYTES));
        out.varint((shape.verb.len() + shape.noun.len()) as u64);
        out.0.extend_from_slice(shape.verb.as_bytes());
        out.0.extend_from_slice(shape.noun.as_bytes());
        out.0.extend_from_slice(&[field(6, VARINT), kind(&shape.kind)]);
        out.fixed64(field(7, FIXED64), shape.started.unix_nanos());
        // A clock that was set back in between must not make a span of negative length.
        out.fixed64(field(8, FIXED64), shape.ended.max(shape.started).unix_nanos());
        let remote = if place.parent_is_remote && has_parent { IS_REMOTE } else { 0 };
        let flags = u32::from(place.flags().to_u8()) | HAS_IS_REMOTE | remote;
        // Field 16, fixed32: the first that needs two bytes.
        out.0.extend_from_slice(&[0x85, 0x01]);
        out.0.extend_from_slice(&flags.to_le_bytes());
    }

    #[inline(always)]
    fn text(&mut self, key: &'static str, value: impl Text) {
        let text = value.bytes();
        self.attribute(key, 1 + varint_len(text.len()) + text.len());
        self.out.bytes(STRING, text);
    }

    fn texts<T: Text>(&mut self, key: &'static str, values: impl ExactSizeIterator<Item = T>) {
        let pair = self.out.open(self.attribute);
        self.out.bytes(field(1, BYTES), key.as_bytes());
        let value = self.out.open(field(2, BYTES));
        let array = self.out.open(ARRAY);
        for text in values {
            let item = text.bytes();
            self.out.0.push(field(1, BYTES));
            self.out.varint((1 + varint_len(item.len()) + item.len()) as u64);
            self.out.bytes(STRING, item);
        }
        self.out.close(array);
        self.out.close(value);
        self.out.close(pair);
    }

    fn int(&mut self, key: &'static str, value: i64) {
        // What is negative is its two's complement.
        let value = value.cast_unsigned();
        self.attribute(key, 1 + varint64_len(value));
        self.out.0.push(INT);
        self.out.varint(value);
    }

    fn number(&mut self, key: &'static str, value: f64) {
        self.attribute(key, 9);
        self.out.fixed64(DOUBLE, value.to_bits());
    }

    fn flag(&mut self, key: &'static str, value: bool) {
        self.attribute(key, 2);
        self.out.0.extend_from_slice(&[BOOL, value.into()]);
    }

    fn event(&mut self, name: &'static str, at: Timestamp, about: impl FnOnce(&mut Self)) {
        let begun = self.out.open(field(11, BYTES));
        self.out.fixed64(field(1, FIXED64), at.unix_nanos());
        self.out.bytes(field(2, BYTES), name.as_bytes());
        self.attribute = EVENT_ATTRIBUTE;
        about(self);
        self.attribute = SPAN_ATTRIBUTE;
        self.out.close(begun);
    }

    fn link(&mut self, to: &SpanContext, about: impl FnOnce(&mut Self)) {
        let begun = self.out.open(field(13, BYTES));
        self.context(to);
        self.attribute = LINK_ATTRIBUTE;
        about(self);
        self.attribute = SPAN_ATTRIBUTE;
        self.out.close(begun);
    }

    fn fail(&mut self, why: &str) {
        self.failed = true;
        let begun = self.out.open(field(15, BYTES));
        self.out.bytes(field(2, BYTES), why.as_bytes());
        self.out.0.extend_from_slice(&[field(3, VARINT), 2]);
        self.out.close(begun);
    }

    fn end(&mut self) {
        if !self.failed {
            // A status that says nothing.
            self.out.0.extend_from_slice(&[field(15, BYTES), 0]);
        }
        self.out.close(self.begun);
    }

    fn boundary(&mut self, of: &Boundary<'_>, write: impl FnOnce(&mut Self)) {
        match self.remembered.boundary(of) {
            Some(known) => self.out.0.extend_from_slice(known),
            None => {
                let from = self.out.0.len();
                write(self);
                self.remembered.add_boundary(of, &self.out.0[from..]);
            }
        }
    }

    fn rung(&mut self, climb: &Climb, write: impl FnOnce(&mut Self)) {
        let from = self.out.0.len();
        match self.remembered.rung(climb) {
            Some(known) => {
                // The time follows the event's tag and length, and its own tag.
                let at = from + 2 + known[1..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
                self.out.0.extend_from_slice(known);
                self.out.0[at..at + 8].copy_from_slice(&climb.at.unix_nanos().to_le_bytes());
            }
            None => {
                write(self);
                self.remembered.add_rung(climb, &self.out.0[from..]);
            }
        }
    }

    fn workflow(&mut self, id: &WorkflowId, kind: &'static str, write: impl FnOnce(&mut Self)) {
        match self.remembered.workflow(id, kind) {
            Some(known) => self.out.0.extend_from_slice(known),
            None => {
                let from = self.out.0.len();
                write(self);
                self.remembered.set_workflow(id, kind, &self.out.0[from..]);
            }
        }
    }
}

fn kind(kind: &SpanKind) -> u8 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

#[derive(Debug, Default)]
pub(super) struct Buffer(pub(super) Vec<u8>);

/// Bytes that a length is given before it is known: enough for 16,383, which few messages within a span exceed.
const ROOM: usize = 2;

impl Buffer {
    /// Begins a message within this one; gives where it begins, for `close`.
    #[inline]
    pub(super) fn open(&mut self, tag: u8) -> usize {
        self.0.extend_from_slice(&[tag, 0, 0]);
        self.0.len()
    }

    /// Ends the message that began at `begun`: its length goes before it, and it moves if that takes more or less room.
    #[inline]
    pub(super) fn close(&mut self, begun: usize) {
        let len = self.0.len() - begun;
        let digits = varint_len(len);
        let at = begun - ROOM;
        if digits == ROOM {
            self.0[at] = len as u8 | 0x80;
            self.0[at + 1] = (len >> 7) as u8;
        } else if digits < ROOM {
            self.0[at] = len as u8;
            self.0.copy_within(begun.., at + 1);
            self.0.truncate(at + 1 + len);
        } else {
            let more = digits - ROOM;
            self.0.resize(begun + len + more, 0);
            self.0.copy_within(begun..begun + len, begun + more);
            let mut rest = len;
            for byte in &mut self.0[at..at + digits] {
                *byte = rest as u8 | 0x80;
                rest >>= 7;
            }
            self.0[at + digits - 1] &= 0x7f;
        }
    }

    #[inline]
    pub(super) fn bytes(&mut self, tag: u8, bytes: &[u8]) {
        if bytes.len() < 0x80 {
            self.0.extend_from_slice(&[tag, bytes.len() as u8]);
        } else {
            self.0.push(tag);
            self.varint(bytes.len() as u64);
        }
        self.0.extend_from_slice(bytes);
    }

    #[inline]
    fn fixed64(&mut self, tag: u8, value: u64) {
        let mut field = [tag; 9];
        field[1..].copy_from_slice(&value.to_le_bytes());
        self.0.extend_from_slice(&field);
    }

    #[inline]
    pub(super) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[inline]
pub(super) const fn varint_len(value: usize) -> usize {
    varint64_len(value as u64)
}

#[inline]
const fn varint64_len(value: u64) -> usize {
    // Seven bits a byte, and one byte at least.
    (70 - (value | 1).leading_zeros() as usize) / 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_within_another_has_its_length_before_it_however_long_it_is() {
        for len in [0, 1, 127, 128, 129, 16_383, 16_384, 16_385, 2_097_151, 2_097_152] {
            let mut out = Buffer(b"before".to_vec());
            let begun = out.open(field(2, BYTES));
            out.0.resize(begun + len, b'x');
            out.close(begun);
            out.0.extend_from_slice(b"after");
            let mut expected = Buffer(b"before".to_vec());
            expected.bytes(field(2, BYTES), &vec![b'x'; len]);
            expected.0.extend_from_slice(b"after");
            assert!(out.0 == expected.0, "{len}");
        }
    }

    #[test]
    fn lengths_of_varints_are_known_before_they_are_written() {
        for bits in 0..64 {
            for value in [(1_u64 << bits) - 1, 1 << bits, u64::MAX >> bits] {
                let mut out = Buffer::default();
                out.varint(value);
                assert_eq!(out.0.len(), varint64_len(value), "{value}");
            }
        }
    }
}
