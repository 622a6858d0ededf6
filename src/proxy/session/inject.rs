//! Writes the control line and the header block that a message gets.

use crate::model::{ContentHash, Timestamp};
use crate::nats::{Head, HeaderBlock, Message};
use crate::proxy::observer::Injection;
use crate::wire::{EnvelopeRef, stamp};

/// Most bytes that are added to header and payload: 90 of fixed parts, 300 of ids, times and hashes, and the names of
/// agents and workflow, escaped.
pub(super) const MOST_ADDED: usize = 1024;

/// Most bytes by which the arguments of a control line grow: a blank, a header size, digits of the total.
pub(super) const MOST_DIGITS: usize = 12;

const VERSION: &[u8] = b"NATS/1.0\r\n";
const END: &[u8] = b"\r\n";

/// Appends everything that comes before the payload. `block` is scratch.
///
/// Of the client's own line and headers every byte stays but the verb and the sizes; ours go last.
#[allow(clippy::too_many_arguments, reason = "the parts of one message")]
pub(super) fn write(
    injection: &Injection,
    hash: Option<ContentHash>,
    size: usize,
    now: Timestamp,
    head: &Head,
    message: &Message,
    frame: &[u8],
    block: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    block.clear();
    let own = &frame[head.header()];
    let own_lines = if own.is_empty() { None } else { HeaderBlock::new(own).end_of_lines() };
    block.extend_from_slice(own_lines.map_or(VERSION, |end| &own[..end]));
    if let Some(traceparent) = &injection.traceparent {
        block.extend_from_slice(b"traceparent: ");
        block.extend_from_slice(traceparent);
        block.extend_from_slice(END);
    }
    block.extend_from_slice(b"Wilco: ");
    let envelope = EnvelopeRef {
        id: Some(injection.id),
        at: Some(now),
        hash,
        size: Some(size as u64),
        from: injection.from.as_ref(),
        to: injection.to.as_ref(),
        workflow: injection.workflow.as_ref(),
        kind: injection.kind,
        parent: injection.parent,
        by: injection.by,
        ..EnvelopeRef::default()
    };
    stamp(&envelope, block);
    block.extend_from_slice(b"\r\n\r\n");

    let mut digits = itoa::Buffer::new();
    let arguments = message.subject.start()..message.header_size.unwrap_or(message.total_size).start();
    out.extend_from_slice(b"HPUB ");
    out.extend_from_slice(&frame[arguments]);
    out.extend_from_slice(digits.format(block.len()).as_bytes());
    out.push(b' ');
    out.extend_from_slice(digits.format(block.len() + size).as_bytes());
    out.extend_from_slice(END);
    out.extend_from_slice(block);
}
