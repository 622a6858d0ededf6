use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A name broke a rule; the text says which.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} {rule}")]
pub struct InvalidName {
    what: &'static str,
    text: String,
    rule: &'static str,
}

macro_rules! text_newtype {
    ($type:ident, $what:literal, $rule:path, $(#[$doc:meta])*) => {
        $(#[$doc])*
        #[derive(Clone, Eq, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                // Mostly one is a clone of the other.
                Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
            }
        }

        impl std::hash::Hash for $type {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }

        impl $type {
            /// Checks and takes the text. Cloning it later is cheap.
            ///
            /// # Errors
            /// [`InvalidName`] says which rule of the type the text breaks.
            pub fn new(text: impl Into<Arc<str>>) -> Result<Self, InvalidName> {
                let text = text.into();
                match $rule(&text) {
                    Ok(()) => Ok(Self(text)),
                    Err(rule) => {
                        // A hostile name may be megabytes; the error shows its beginning.
                        let text = text.chars().take(80).collect();
                        Err(InvalidName { what: $what, text, rule })
                    }
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text, shared.
            pub fn shared(&self) -> Arc<str> {
                self.0.clone()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({:?})"), &*self.0)
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $type {
            type Error = InvalidName;
            fn try_from(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl TryFrom<&$type> for $type {
            type Error = InvalidName;
            fn try_from(name: &$type) -> Result<Self, InvalidName> {
                Ok(name.clone())
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $type {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(d)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_newtype!(AgentName, "agent name", subject_token,
    /// The name of an agent: 1 to 128 bytes of UTF-8 that can be one token of a NATS subject, so no blank, no control
    /// character, and none of `.`, `*` and `>`.
);
text_newtype!(ChannelName, "channel name", subject_token,
    /// The name of a channel; the same rule as for an agent's name, since it is a token of the channel's subjects.
);
text_newtype!(WorkflowId, "workflow id", workflow_id,
    /// The id of a workflow, one end-to-end job: 1 to 128 bytes of UTF-8 without control characters.
);

impl WorkflowId {
    /// A new random workflow id (a UUIDv7).
    pub fn random() -> Self {
        Self(uuid::Uuid::now_v7().to_string().into())
    }
}

const LONGEST: usize = 128;

fn subject_token(text: &str) -> Result<(), &'static str> {
    workflow_id(text)?;
    let in_the_way = |b: u8| matches!(b, b' ' | b'.' | b'*' | b'>');
    if text.bytes().any(in_the_way) || (!text.is_ascii() && text.contains(char::is_whitespace)) {
        return Err("must be one token of a NATS subject: no blank and none of `.`, `*`, `>`");
    }
    Ok(())
}

fn workflow_id(text: &str) -> Result<(), &'static str> {
    match text.len() {
        0 => Err("must not be empty"),
        1..=LONGEST if has_control(text) => Err("must not hold control characters"),
        1..=LONGEST => Ok(()),
        _ => Err("is over the limit of 128 bytes"),
    }
}

fn has_control(text: &str) -> bool {
    // Every name of every message comes by here, and nearly all are ASCII.
    text.bytes().any(|b| b.is_ascii_control()) || (!text.is_ascii() && text.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_name_is_one_subject_token() {
        for good in ["researcher", "Blu-Ray_Expert", "übersetzer", "a", "$x"] {
            assert!(AgentName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a.b", "a b", "a*", ">", "a\tb", "a\u{7}b", "a\u{a0}b"] {
            assert!(AgentName::new(bad).is_err(), "{bad}");
        }
        assert!(AgentName::new("x".repeat(128)).is_ok());
        assert_eq!(
            AgentName::new("a.b").unwrap_err().to_string(),
            "agent name \"a.b\" must be one token of a NATS subject: no blank and none of `.`, `*`, `>`"
        );
    }

    #[test]
    fn a_workflow_id_may_hold_blanks_but_is_at_most_128_bytes() {
        assert!(WorkflowId::new("order 17 / retry").is_ok());
        assert!(WorkflowId::new("x".repeat(128)).is_ok());
        let error = WorkflowId::new("x".repeat(129)).unwrap_err().to_string();
        assert!(error.ends_with("is over the limit of 128 bytes"), "{error}");
    }
}
