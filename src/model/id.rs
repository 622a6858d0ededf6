use std::fmt;
use std::str::FromStr;

use super::Timestamp;
use super::hash::push_hex;

/// The id of a handoff: a UUIDv7 (RFC 9562), the same on every retry and redelivery.
///
/// Its first 48 bits are the millisecond in which the handoff was made, so ids of one sender sort by time; order for
/// blame is nevertheless never read from them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct HandoffId(uuid::Uuid);

impl HandoffId {
    /// A new id for a handoff made at `now`.
    #[inline]
    pub fn new(now: Timestamp) -> Self {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&fastrand::u64(..).to_ne_bytes());
        random[8..].copy_from_slice(&fastrand::u16(..).to_ne_bytes());
        Self(uuid::Builder::from_unix_timestamp_millis(now.unix_nanos() / 1_000_000, &random).into_uuid())
    }

    /// As [`new`](Self::new), with these as the last 16 of its random bits.
    #[cfg(feature = "proxy")]
    #[inline]
    pub(crate) fn with_tail(now: Timestamp, tail: u16) -> Self {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&fastrand::u64(..).to_ne_bytes());
        random[8..].copy_from_slice(&tail.to_be_bytes());
        Self(uuid::Builder::from_unix_timestamp_millis(now.unix_nanos() / 1_000_000, &random).into_uuid())
    }

    /// Its last 16 bits.
    #[cfg(feature = "proxy")]
    #[inline]
    pub(crate) const fn tail(&self) -> u16 {
        let bytes = self.0.as_bytes();
        u16::from_be_bytes([bytes[14], bytes[15]])
    }

    /// Appends the 36 characters of the id.
    #[inline]
    pub fn write(&self, out: &mut String) {
        out.push_str(self.0.as_hyphenated().encode_lower(&mut [0; uuid::fmt::Hyphenated::LENGTH]));
    }

    /// Fills 36 bytes with the id's characters. Other lengths are left as they are.
    #[cfg(feature = "telemetry")]
    #[inline]
    pub(crate) fn write_into(&self, place: &mut [u8]) {
        if let Ok(place) = <&mut [u8; uuid::fmt::Hyphenated::LENGTH]>::try_from(place) {
            self.0.as_hyphenated().encode_lower(place);
        }
    }

    /// The 16 bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for HandoffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for HandoffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandoffId({self})")
    }
}

impl FromStr for HandoffId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let uuid = uuid::Uuid::try_parse_ascii(text.as_bytes()).map_err(|_| ParseIdError::Handoff)?;
        let lower_hyphenated =
            text.len() == uuid::fmt::Hyphenated::LENGTH && !text.bytes().any(|b| b.is_ascii_uppercase());
        if uuid.get_version_num() == 7 && lower_hyphenated { Ok(Self(uuid)) } else { Err(ParseIdError::Handoff) }
    }
}

/// Which process (strictly: which open channel of it) an agent sends from: 8 lower-case hex digits, drawn at random.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(u32);

impl InstanceId {
    /// A random instance id.
    pub fn random() -> Self {
        Self(fastrand::u32(..))
    }

    /// Appends the 8 hex digits.
    #[inline]
    pub fn write(&self, out: &mut String) {
        push_hex(&self.0.to_be_bytes(), out);
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceId({self})")
    }
}

impl FromStr for InstanceId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let hex = text.len() == 8 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match u32::from_str_radix(text, 16) {
            Ok(n) if hex => Ok(Self(n)),
            _ => Err(ParseIdError::Instance),
        }
    }
}

/// A text was not an id of the kind asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseIdError {
    /// Not a handoff id.
    #[error("a handoff id is a lower-case UUIDv7 such as 019ca8d7-3636-78c7-9041-aadd07892eb8")]
    Handoff,
    /// Not an instance id.
    #[error("an instance id has 8 lower-case hex digits")]
    Instance,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_is_a_uuid_v7_of_its_millisecond() {
        let id = HandoffId::new(Timestamp::from_unix_nanos(1_772_359_202_358_506_115));
        let text = id.to_string();
        assert!(text.starts_with("019ca8d7-3636-7"), "{text}");
        assert_eq!(text.parse(), Ok(id));
    }

    #[test]
    fn other_versions_and_spellings_are_refused() {
        for text in [
            "",
            "019CA8D7-3636-78C7-9041-AADD07892EB8",
            "019ca8d7363678c79041aadd07892eb8",
            "{019ca8d7-3636-78c7-9041-aadd07892eb8}",
            "8c2b3f9e-7a35-4a5b-8b6e-0f7a5d1c2e3f",
        ] {
            assert_eq!(text.parse::<HandoffId>(), Err(ParseIdError::Handoff), "{text}");
        }
        for text in ["", "1234567", "123456789", "ABCDEF01", "+1234567", "0x123456"] {
            assert_eq!(text.parse::<InstanceId>(), Err(ParseIdError::Instance), "{text}");
        }
        assert_eq!("00c0ffee".parse::<InstanceId>().map(|i| i.to_string()).as_deref(), Ok("00c0ffee"));
    }
}
