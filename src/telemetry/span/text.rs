//! Texts of exactly the length that they are given room for: one that is longer or shorter is allocated twice.

use std::borrow::Cow;
use std::fmt::Write;

use crate::model::{ContentHash, HandoffId, ShortHash, Timestamp};

const ID: usize = 36;

pub(super) fn copied(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.to_owned())
}

pub(super) fn id(id: &HandoffId) -> String {
    let mut text = String::with_capacity(ID);
    id.write(&mut text);
    text
}

/// `id.attempt`, as JetStream's `Nats-Msg-Id`.
pub(super) fn message_id(id: &HandoffId, attempt: u32) -> String {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(attempt);
    let mut text = String::with_capacity(ID + 1 + digits.len());
    id.write(&mut text);
    text.push('.');
    text.push_str(digits);
    text
}

pub(super) fn prefixed_hex(hash: &ContentHash) -> String {
    let mut text = String::with_capacity(71);
    text.push_str("blake3:");
    hash.write_hex(&mut text);
    text
}

pub(super) fn short_hex(hash: &ShortHash) -> String {
    let mut text = String::with_capacity(32);
    hash.write_hex(&mut text);
    text
}

/// RFC 3339 in UTC, to the nanosecond.
pub(super) fn rfc3339(at: Timestamp) -> String {
    let mut text = String::with_capacity(30);
    // Writing to a `String` cannot fail.
    let _ = write!(text, "{at}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_exactly_the_room_they_take() {
        let at = Timestamp::from_unix_nanos(1_772_359_202_358_506_115);
        let handoff = HandoffId::new(at);
        let texts = [
            id(&handoff),
            message_id(&handoff, 1),
            message_id(&handoff, u32::MAX),
            prefixed_hex(&ContentHash::of(b"")),
            short_hex(&ContentHash::of(b"").short()),
            rfc3339(at),
        ];
        for text in texts {
            assert_eq!(text.len(), text.capacity(), "{text}");
        }
        assert_eq!(message_id(&handoff, 12), format!("{handoff}.12"));
        assert_eq!(rfc3339(at), at.to_rfc3339());
    }
}
