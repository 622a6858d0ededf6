use super::limits::MAX_KEY_BYTES;

/// The key that comes after all others.
pub(super) const MAC: &str = "mac";

/// Whether a text can be a key: 1 to 32 ASCII letters, digits, `_`, `-`, `.`.
pub(super) fn is_key(text: &str) -> bool {
    (1..=MAX_KEY_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// The most bytes that fit a word beside their number.
const LONGEST: usize = 7;

/// A short text as a number, its length on top, since comparing one number with 23 is quicker than comparing texts.
const fn word(text: &[u8]) -> u64 {
    let mut word = 0;
    let mut i = 0;
    while i < text.len() {
        word = word << 8 | text[i] as u64;
        i += 1;
    }
    (text.len() as u64) << 56 | word
}

macro_rules! keys {
    ($($key:ident $text:literal)*) => {
        /// The keys of the packed header that have a field of their own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Key {
            $($key,)*
        }

        impl Key {
            #[cfg(test)]
            pub(super) const ALL: &[(Self, &str)] = &[$((Self::$key, $text),)*];

            /// Its spelling.
            pub(super) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$key => $text,)*
                }
            }

            /// The key of that spelling.
            pub(super) fn of(text: &str) -> Option<Self> {
                if text.len() > LONGEST { None } else { Self::of_word(word(text.as_bytes())) }
            }

            #[inline]
            #[allow(non_upper_case_globals)]
            fn of_word(text: u64) -> Option<Self> {
                $(const $key: u64 = word($text.as_bytes());)*
                match text {
                    $($key => Some(Self::$key),)*
                    _ => None,
                }
            }
        }
    };
}

impl Key {
    /// The key that a part begins with, and the value after its `=`.
    #[inline]
    pub(super) fn leading(part: &str) -> Option<(Self, &str)> {
        let mut word = 0;
        for (i, &b) in part.as_bytes().iter().take(LONGEST + 1).enumerate() {
            if b == b'=' {
                return Self::of_word((i as u64) << 56 | word).map(|key| (key, &part[i + 1..]));
            }
            word = word << 8 | u64::from(b);
        }
        None
    }
}

keys! {
    Id "id"
    At "at"
    Hash "hash"
    Size "size"
    From "from"
    To "to"
    Workflow "wf"
    Attempt "n"
    Inst "inst"
    Seq "seq"
    Hold "hold"
    Offset "off"
    Kind "kind"
    Intent "intent"
    Contexts "ctx"
    Inputs "in"
    Need "need"
    Parent "parent"
    By "by"
    Receipts "rcpt"
    Rung "rung"
    Score "q"
    ScoredBy "qby"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_by_its_spelling_alone() {
        for (key, text) in Key::ALL {
            assert_eq!(Key::of(text), Some(*key));
            assert_eq!(Key::leading(&format!("{text}=a=b")), Some((*key, "a=b")));
            assert_eq!(Key::leading(text), None);
            assert!(is_key(text) && text.len() <= LONGEST, "{text}");
            for near in [format!("\0{text}"), format!("{text}\0"), format!(" {text}"), text.to_uppercase()] {
                assert_eq!(Key::of(&near), None, "{near:?}");
                assert_eq!(Key::leading(&format!("{near}=")), None, "{near:?}");
            }
        }
        assert_eq!(Key::of(""), None);
        assert_eq!(Key::of(MAC), None);
        assert_eq!(Key::of("a-key-that-nobody-knows"), None);
    }

    #[test]
    fn a_key_is_short_and_plain() {
        assert!(is_key("x") && is_key("acme.Tenant_2-b") && is_key(&"k".repeat(MAX_KEY_BYTES)));
        for bad in ["", "a b", "a=b", "ü", &"k".repeat(MAX_KEY_BYTES + 1)] {
            assert!(!is_key(bad), "{bad}");
        }
    }
}
