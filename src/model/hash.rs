use std::fmt;
use std::str::FromStr;

/// The BLAKE3 digest of a payload; prints as 64 lower-case hex digits, as `b3sum` does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash([u8; 32]);

/// The first 16 bytes of a BLAKE3 digest: 32 hex digits, where a full one would cost too many bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShortHash([u8; 16]);

/// A text was not the hex digits that a hash has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash has {expected} lower-case hex digits")]
pub struct ParseHashError {
    expected: usize,
}

impl ContentHash {
    /// The digest of `bytes`.
    #[inline]
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.is_empty() { Self::EMPTY } else { Self(*blake3::hash(bytes).as_bytes()) }
    }

    /// The digest of no bytes, which is what a task leaves that has nothing to show for itself.
    const EMPTY: Self = Self([
        0xaf, 0x13, 0x49, 0xb9, 0xf5, 0xf9, 0xa1, 0xa6, 0xa0, 0x40, 0x4d, 0xea, 0x36, 0xdc, 0xc9, 0x49, 0x9b, 0xcb,
        0x25, 0xc9, 0xad, 0xc1, 0x12, 0xb7, 0xcc, 0x9a, 0x93, 0xca, 0xe4, 0x1f, 0x32, 0x62,
    ]);

    /// From the digest's bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first half, as used for lineage, contexts and intents.
    pub fn short(&self) -> ShortHash {
        let mut half = [0; 16];
        half.copy_from_slice(&self.0[..16]);
        ShortHash(half)
    }

    /// Appends the 64 hex digits.
    #[inline]
    pub fn write_hex(&self, out: &mut String) {
        push_hex(&self.0, out);
    }

    /// Fills 64 bytes with the hex digits; fewer, if the place is shorter.
    #[cfg(feature = "telemetry")]
    #[inline]
    pub(crate) fn write_hex_into(&self, place: &mut [u8]) {
        for (byte, pair) in self.0.iter().zip(place.chunks_exact_mut(2)) {
            pair.copy_from_slice(&PAIRS[usize::from(*byte)]);
        }
    }
}

impl ShortHash {
    /// From the first 16 bytes of a digest.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Appends the 32 hex digits.
    #[inline]
    pub fn write_hex(&self, out: &mut String) {
        push_hex(&self.0, out);
    }
}

pub(super) fn push_hex<const N: usize>(bytes: &[u8; N], out: &mut String) {
    // Filled first and appended once: a push for each digit checks the capacity for each digit.
    let mut digits = [0; 64];
    for (byte, pair) in bytes.iter().zip(digits.chunks_exact_mut(2)) {
        pair.copy_from_slice(&PAIRS[usize::from(*byte)]);
    }
    out.push_str(std::str::from_utf8(&digits[..2 * N]).unwrap_or_default());
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The two digits of each byte.
static PAIRS: [[u8; 2]; 256] = {
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    table
};

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], ParseHashError> {
    let error = ParseHashError { expected: N * 2 };
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return Err(error);
    }
    let mut out = [0; N];
    let mut seen = 0;
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (NIBBLE[usize::from(pair[0])], NIBBLE[usize::from(pair[1])]);
        seen |= high | low;
        *byte = high << 4 | (low & 15);
    }
    if seen == NO_DIGIT { Err(error) } else { Ok(out) }
}

/// Any digit's value or'ed with this is this.
const NO_DIGIT: u8 = 0xff;

static NIBBLE: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        table[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    table
};

macro_rules! hex_text {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = String::new();
                self.write_hex(&mut text);
                f.write_str(&text)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self)
            }
        }
        impl FromStr for $type {
            type Err = ParseHashError;
            fn from_str(text: &str) -> Result<Self, ParseHashError> {
                parse_hex(text).map(Self)
            }
        }
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'de, str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
hex_text!(ContentHash);
hex_text!(ShortHash);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_b3sum_prints() {
        // The empty input's digest, as published with BLAKE3's test vectors.
        let empty = ContentHash::of(b"");
        assert_eq!(empty.to_string(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
        assert_eq!(empty.short().to_string(), "af1349b9f5f9a1a6a0404dea36dcc949");
        assert_eq!(empty.to_string().parse(), Ok(empty));
    }

    #[test]
    fn upper_case_and_wrong_lengths_are_refused() {
        assert!("AF1349b9f5f9a1a6a0404dea36dcc949".parse::<ShortHash>().is_err());
        assert!("af13".parse::<ShortHash>().is_err());
        assert_eq!("zz".parse::<ContentHash>().unwrap_err().to_string(), "a hash has 64 lower-case hex digits");
    }
}
