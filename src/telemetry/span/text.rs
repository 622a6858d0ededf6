//! The texts of attributes, in a form that each writer can take cheaply: shared, borrowed, or on the stack.

use std::sync::Arc;

use opentelemetry::StringValue;

use crate::model::{AgentName, ContentHash, HandoffId, Intent, WorkflowId};

/// The text of an attribute.
pub(super) trait Text {
    fn bytes(&self) -> &[u8];
    /// As the SDK holds it: shared where the text is shared already.
    fn value(self) -> StringValue;
}

impl Text for &'static str {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn value(self) -> StringValue {
        self.into()
    }
}

impl Text for String {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn value(self) -> StringValue {
        self.into()
    }
}

impl Text for &String {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn value(self) -> StringValue {
        self.clone().into()
    }
}

impl Text for &Arc<str> {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn value(self) -> StringValue {
        Arc::clone(self).into()
    }
}

impl Text for &AgentName {
    fn bytes(&self) -> &[u8] {
        self.as_str().as_bytes()
    }

    fn value(self) -> StringValue {
        self.shared().into()
    }
}

impl Text for &WorkflowId {
    fn bytes(&self) -> &[u8] {
        self.as_str().as_bytes()
    }

    fn value(self) -> StringValue {
        self.shared().into()
    }
}

/// An intent as canonical JSON.
impl Text for &Intent {
    fn bytes(&self) -> &[u8] {
        self.canonical_json().as_bytes()
    }

    fn value(self) -> StringValue {
        self.shared_canonical_json().into()
    }
}

/// A text of at most `N` ASCII characters, on the stack.
pub(super) struct Short<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text for Short<N> {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn value(self) -> StringValue {
        std::str::from_utf8(self.bytes()).unwrap_or_default().to_owned().into()
    }
}

const ID: usize = 36;
const DIGITS: usize = 10;
const PREFIX: &[u8; 7] = b"blake3:";
const PREFIXED: usize = PREFIX.len() + 64;

pub(super) fn id(id: &HandoffId) -> Short<ID> {
    let mut text = Short { bytes: [0; ID], len: ID };
    id.write_into(&mut text.bytes);
    text
}

/// `id.attempt`, as JetStream's `Nats-Msg-Id`.
pub(super) fn message_id(id: &HandoffId, attempt: u32) -> Short<{ ID + 1 + DIGITS }> {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(attempt).as_bytes();
    let len = ID + 1 + digits.len();
    let mut text = Short { bytes: [b'.'; ID + 1 + DIGITS], len };
    id.write_into(&mut text.bytes[..ID]);
    text.bytes[ID + 1..len].copy_from_slice(digits);
    text
}

pub(super) fn prefixed_hex(hash: &ContentHash) -> Short<PREFIXED> {
    let mut text = Short { bytes: [0; PREFIXED], len: PREFIXED };
    text.bytes[..PREFIX.len()].copy_from_slice(PREFIX);
    hash.write_hex_into(&mut text.bytes[PREFIX.len()..]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn short_texts_read_as_the_values_print() {
        let handoff = HandoffId::new(Timestamp::from_unix_nanos(1_772_359_202_358_506_115));
        assert_eq!(id(&handoff).value().as_str(), handoff.to_string());
        assert_eq!(message_id(&handoff, 12).value().as_str(), format!("{handoff}.12"));
        assert_eq!(message_id(&handoff, u32::MAX).value().as_str(), format!("{handoff}.{}", u32::MAX));
        let hash = ContentHash::of(b"payload");
        assert_eq!(prefixed_hex(&hash).value().as_str(), format!("blake3:{hash}"));
    }
}
