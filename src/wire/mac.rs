use std::fmt;

/// A shared key under which headers carry a `mac`: tamper evidence between agents that hold it.
///
/// 32 bytes. Never printed, not by `Debug` either.
///
/// ```
/// use wilco::wire::MacKey;
/// let key = MacKey::from_passphrase("correct horse battery staple");
/// assert_eq!(format!("{key:?}"), "MacKey(..)");
/// ```
#[derive(Clone)]
pub struct MacKey([u8; 32]);

/// What a header's `mac` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MacCheck {
    /// There is none.
    #[default]
    Absent,
    /// There is one, but no key is held to check it with (or the header is too long to check).
    Unchecked,
    /// It is the one that the holder of the key would have written.
    Right,
    /// It is malformed, not last, or not the one that the holder of the key would have written.
    Wrong,
}

impl MacKey {
    /// The context string under which [`MacKey::from_passphrase`] derives (BLAKE3 key derivation mode).
    pub const DERIVATION: &str = "wilco 2026-03-01 wire version 1 mac key";

    /// From 32 secret bytes of good randomness.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Derived from a passphrase by BLAKE3's key derivation with [`MacKey::DERIVATION`].
    ///
    /// The derivation is fast, so it does not slow down guessing: use a passphrase of at least 128 random bits.
    pub fn from_passphrase(passphrase: &str) -> Self {
        Self(blake3::derive_key(Self::DERIVATION, passphrase.as_bytes()))
    }

    /// First 16 bytes of the keyed BLAKE3 of `bytes`.
    pub(super) fn mac(&self, bytes: &[u8]) -> [u8; 16] {
        let mut half = [0; 16];
        half.copy_from_slice(&blake3::keyed_hash(&self.0, bytes).as_bytes()[..16]);
        half
    }

    /// Whether `mac` is the one of `bytes`, in time that does not depend on where they differ.
    pub(super) fn check(&self, bytes: &[u8], mac: [u8; 16]) -> MacCheck {
        let widen = |half: [u8; 16]| {
            let mut whole = [0; 32];
            whole[..16].copy_from_slice(&half);
            blake3::Hash::from_bytes(whole)
        };
        // `blake3::Hash` compares in constant time.
        if widen(self.mac(bytes)) == widen(mac) { MacCheck::Right } else { MacCheck::Wrong }
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_right_only_for_its_bytes_and_its_key() {
        let (key, other) = (MacKey::from_bytes([7; 32]), MacKey::from_passphrase("x"));
        let mac = key.mac(b"1;id=a");
        assert_eq!(key.check(b"1;id=a", mac), MacCheck::Right);
        assert_eq!(key.check(b"1;id=b", mac), MacCheck::Wrong);
        assert_eq!(other.check(b"1;id=a", mac), MacCheck::Wrong);
        for i in 0..16 {
            let mut near = mac;
            near[i] ^= 1;
            assert_eq!(key.check(b"1;id=a", near), MacCheck::Wrong, "byte {i}");
        }
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(format!("{:?}", MacKey::from_bytes([0x41; 32])), "MacKey(..)");
    }
}
