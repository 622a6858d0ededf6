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

/// Bytes of a header block that only we write lines into, about.
const USUAL: usize = 300;

/// Appends everything that comes before the payload.
///
/// Of the client's own line and headers every byte stays but the verb and the sizes; ours go last.
#[allow(clippy::too_many_arguments, reason = "the parts of one message")]
pub(super) fn write(
    injection: &Injection<'_>,
    hash: Option<ContentHash>,
    size: usize,
    now: Timestamp,
    head: &Head,
    message: &Message,
    frame: &[u8],
    out: &mut Vec<u8>,
) {
    let arguments = &frame[message.subject.start()..message.header_size.unwrap_or(message.total_size).start()];
    let own = &frame[head.header()];
    let own_lines = if own.is_empty() { None } else { HeaderBlock::new(own).end_of_lines() };
    let own_lines = own_lines.map_or(VERSION, |end| &own[..end]);
    // The line needs the size of the block: room is left for it, as much as it will most likely take.
    let start = out.len();
    let guess = own_lines.len() + USUAL;
    let room = line_len(arguments, guess, size);
    out.resize(start + room, 0);
    block(injection, hash, size, now, own_lines, out);
    let block_len = out.len() - start - room;
    let line_len = line_len(arguments, block_len, size);
    if line_len != room {
        out.resize(out.len().max(start + line_len + block_len), 0);
        out.copy_within(start + room..start + room + block_len, start + line_len);
        out.truncate(start + line_len + block_len);
    }
    line(arguments, block_len, size, &mut out[start..start + line_len]);
}

fn block(
    injection: &Injection<'_>,
    hash: Option<ContentHash>,
    size: usize,
    now: Timestamp,
    own_lines: &[u8],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(own_lines);
    if let Some(traceparent) = &injection.traceparent {
        out.extend_from_slice(b"traceparent: ");
        out.extend_from_slice(traceparent);
        out.extend_from_slice(END);
    }
    out.extend_from_slice(b"Wilco: ");
    let envelope = EnvelopeRef {
        id: Some(injection.id),
        at: Some(now),
        hash,
        size: Some(size as u64),
        from: Some(&injection.from),
        to: injection.to,
        workflow: injection.workflow.as_ref(),
        kind: injection.kind,
        parent: injection.parent,
        by: injection.by,
        ..EnvelopeRef::default()
    };
    stamp(&envelope, out);
    out.extend_from_slice(b"\r\n\r\n");
}

const VERB: &[u8] = b"HPUB ";

fn line_len(arguments: &[u8], block_len: usize, size: usize) -> usize {
    let digits = |number: usize| number.checked_ilog10().unwrap_or(0) as usize + 1;
    VERB.len() + arguments.len() + digits(block_len) + 1 + digits(block_len + size) + END.len()
}

/// Fills `place`, which is as long as [`line_len`] says.
fn line(arguments: &[u8], block_len: usize, size: usize, place: &mut [u8]) {
    let (mut one, mut other) = (itoa::Buffer::new(), itoa::Buffer::new());
    let parts: [&[u8]; 6] =
        [VERB, arguments, one.format(block_len).as_bytes(), b" ", other.format(block_len + size).as_bytes(), END];
    let mut at = 0;
    for part in parts {
        place[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
}
