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

/// A short text as a number, since comparing one number with 23 is quicker than comparing texts.
const fn word(text: &[u8]) -> u64 {
    let mut word = text.len() as u64;
    let mut i = 0;
    while i < text.len() {
        word = word << 8 | text[i] as u64;
        i += 1;
    }
    word
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

            /// The key of that spelling.
            #[inline]
            #[allow(non_upper_case_globals)]
            pub(super) fn of(text: &str) -> Option<Self> {
                $(const $key: u64 = word($text.as_bytes());)*
                if text.len() > LONGEST {
                    return None;
                }
                match word(text.as_bytes()) {
                    $($key => Some(Self::$key),)*
                    _ => None,
                }
            }
        }
    };
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
            assert!(is_key(text) && text.len() <= LONGEST, "{text}");
            for near in [format!("\0{text}"), format!("{text}\0"), format!(" {text}"), text.to_uppercase()] {
                assert_eq!(Key::of(&near), None, "{near:?}");
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
