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
        Self(*blake3::hash(bytes).as_bytes())
    }

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

const HEX: &[u8; 16] = b"0123456789abcdef";

fn push_hex(bytes: &[u8], out: &mut String) {
    out.reserve(bytes.len() * 2);
    for b in bytes {
        out.push(char::from(HEX[usize::from(b >> 4)]));
        out.push(char::from(HEX[usize::from(b & 15)]));
    }
}

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], ParseHashError> {
    let error = ParseHashError { expected: N * 2 };
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return Err(error);
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let (Some(high), Some(low)) = (nibble(pair[0]), nibble(pair[1])) else { return Err(error) };
        *byte = high << 4 | low;
    }
    Ok(out)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

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
