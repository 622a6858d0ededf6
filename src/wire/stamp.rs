use std::ops::Range;

use super::EnvelopeRef;
use super::escape::{self, Place};
use crate::model::{AgentName, HandoffKind, Timestamp, WorkflowId};

/// The beginning of a packed header with an id, a time and a hash: all of fixed width, so that it is copied whole and
/// patched in place.
const HEAD: &[u8; 140] = b"1;id=00000000-0000-0000-0000-000000000000;at=0000000000000000000;hash=\
0000000000000000000000000000000000000000000000000000000000000000;size=";
const ID: Range<usize> = 5..41;
const AT: Range<usize> = 45..64;
const HASH: Range<usize> = 70..134;
/// `;hash=` and the hash, for a header without one.
const WITHOUT: Range<usize> = 64..134;

/// Appends the packed header of a message that somebody else sent: the same bytes as [`EnvelopeRef::encode`] gives for
/// the parts that a proxy can know (id, time, hash, size, agents, workflow, kind, parent, deadline), in a third of the
/// time. Other parts are left out.
///
/// A time after the year 2286 is written as the last that 19 digits hold.
#[inline]
pub(crate) fn stamp(envelope: &EnvelopeRef<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(HEAD);
    let head = &mut out[start..];
    if let Some(id) = &envelope.id {
        id.write_into(&mut head[ID]);
    }
    write_digits(envelope.at.unwrap_or_default().unix_nanos().min(super::encode::LATEST), &mut head[AT]);
    match &envelope.hash {
        Some(hash) => hash.write_hex_into(&mut head[HASH]),
        None => {
            out.copy_within(start + WITHOUT.end.., start + WITHOUT.start);
            out.truncate(out.len() - WITHOUT.len());
        }
    }
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(digits.format(envelope.size.unwrap_or_default()).as_bytes());
    text(b";from=", envelope.from.map(AgentName::as_str), out);
    text(b";to=", envelope.to.map(AgentName::as_str), out);
    text(b";wf=", envelope.workflow.map(WorkflowId::as_str), out);
    if let Some(kind) = envelope.kind.map(HandoffKind::as_str) {
        out.extend_from_slice(b";kind=");
        out.extend_from_slice(kind.as_bytes());
    }
    if let Some(parent) = &envelope.parent {
        out.extend_from_slice(b";parent=");
        let start = out.len();
        out.extend_from_slice(&HEAD[ID]);
        parent.write_into(&mut out[start..]);
    }
    if let Some(by) = envelope.by.map(Timestamp::unix_nanos) {
        out.extend_from_slice(b";by=");
        out.extend_from_slice(digits.format(by).as_bytes());
    }
}

fn text(key: &[u8], text: Option<&str>, out: &mut Vec<u8>) {
    if let Some(text) = text {
        out.extend_from_slice(key);
        escape::push_bytes(text, Place::Value, out);
    }
}

/// Fills all of `place` with a number, with leading zeros.
fn write_digits(number: u64, place: &mut [u8]) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number).as_bytes();
    let zeros = place.len() - digits.len();
    place[..zeros].fill(b'0');
    place[zeros..].copy_from_slice(digits);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ContentHash, HandoffId};

    #[test]
    fn a_stamp_is_byte_for_byte_what_an_envelope_is() {
        let now = Timestamp::from_unix_nanos(1_772_359_203_770_338_478);
        let (id, parent) = (HandoffId::new(now), HandoffId::new(now));
        let names = ["planner", "a;b%c", " x ", "näme"].map(|name| AgentName::new(name).ok());
        let workflow = WorkflowId::new("wf-1;x").unwrap();
        for (i, name) in names.iter().enumerate() {
            for hash in [Some(ContentHash::of(b"payload")), None] {
                for at in [now, Timestamp::from_unix_nanos(5)] {
                    let envelope = EnvelopeRef {
                        id: Some(id),
                        at: Some(at),
                        hash,
                        size: Some(i as u64 * 1_000_003),
                        from: name.as_ref(),
                        to: (i % 2 == 0).then_some(name.as_ref()).flatten(),
                        workflow: (i > 0).then_some(&workflow),
                        kind: (i > 1).then_some(HandoffKind::Delegation),
                        parent: (i == 2).then_some(parent),
                        by: (i == 3).then_some(now),
                        ..EnvelopeRef::default()
                    };
                    let mut out = b"Wilco: ".to_vec();
                    stamp(&envelope, &mut out);
                    let expected = format!("Wilco: {}", envelope.encode(None).unwrap());
                    assert_eq!(String::from_utf8(out).unwrap(), expected);
                }
            }
        }
    }
}
