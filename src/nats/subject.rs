//! Subjects: tokens with dots between them, and the patterns (`a.*`, `a.>`) by which they are subscribed to.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The tokens of a subject. Never none: the empty subject has one empty token.
pub fn tokens(subject: &[u8]) -> impl Iterator<Item = &[u8]> {
    subject.split(|byte| *byte == b'.')
}

/// Whether a subject can be delivered anywhere: no empty token, no blank, tab, CR or LF. A wildcard is a token like any
/// other here, as it is to nats-server unless the client is pedantic.
pub fn is_deliverable(subject: &[u8]) -> bool {
    tokens(subject).all(|token| !token.is_empty()) && !subject.iter().any(|byte| b" \t\r\n".contains(byte))
}

/// Whether a subject is deliverable and has no wildcard token.
pub fn is_literal(subject: &[u8]) -> bool {
    is_deliverable(subject) && !tokens(subject).any(|token| matches!(token, b"*" | b">"))
}

/// Whether one may subscribe to it: deliverable, and `>` only as the last token. `a*` and `>b` are no wildcards.
pub fn is_pattern(subject: &[u8]) -> bool {
    let mut rest = tokens(subject).skip_while(|token| *token != b">").skip(1);
    is_deliverable(subject) && rest.next().is_none()
}

/// Whether a pattern covers a subject. `*` stands for one token, `>` for one or more at the end. Both should be
/// well-formed: of an ill-formed one it compares the tokens.
pub fn matches(pattern: &[u8], subject: &[u8]) -> bool {
    let mut tokens_left = tokens(subject);
    for wanted in tokens(pattern) {
        match (wanted, tokens_left.next()) {
            (_, None) => return false,
            (b">", Some(_)) => return true,
            (b"*", Some(_)) => {}
            (_, Some(token)) if token == wanted => {}
            _ => return false,
        }
    }
    tokens_left.next().is_none()
}

/// A well-formed pattern. Cloning it is cheap.
///
/// ```
/// use wilco::nats::Pattern;
///
/// let pattern: Pattern = "agents.*.in".parse()?;
/// assert!(pattern.matches(b"agents.writer.in"));
/// assert!("agents.>.in".parse::<Pattern>().is_err());
/// # Ok::<(), wilco::nats::InvalidPattern>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(Arc<str>);

impl Pattern {
    /// Checks and takes the text.
    ///
    /// # Errors
    /// [`InvalidPattern`] if one could not subscribe to it.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, InvalidPattern> {
        let text = text.into();
        if is_pattern(text.as_bytes()) { Ok(Self(text)) } else { Err(InvalidPattern(text.chars().take(80).collect())) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it covers a subject.
    pub fn matches(&self, subject: &[u8]) -> bool {
        matches(self.0.as_bytes(), subject)
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", &*self.0)
    }
}

/// A text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("subject pattern {0:?} has an empty token, a blank, or a `>` that is not its last token")]
pub struct InvalidPattern(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_whole_tokens_only() {
        for (pattern, subject, expected) in [
            ("a", "a", true),
            ("a", "A", false),
            ("a", "a.b", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("*.b", "a.b", true),
            ("a.>", "a", false),
            ("a.>", "a.b", true),
            ("a.>", "a.b.c.d", true),
            (">", "a", true),
            ("*.*.>", "a.b", false),
            ("*.*.>", "a.b.c", true),
            ("a*", "ab", false),
            ("a*", "a*", true),
            (">a.b", ">a.b", true),
            (">a.b", "x.b", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), subject.as_bytes()), expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn patterns_literals_and_deliverable_subjects_are_told_apart() {
        for (text, deliverable, literal, pattern) in [
            ("a.b", true, true, true),
            ("a.*", true, false, true),
            ("a.>", true, false, true),
            ("a.>.b", true, false, false),
            (">.>", true, false, false),
            ("a.>b", true, true, true),
            ("", false, false, false),
            (".", false, false, false),
            ("a..b", false, false, false),
            ("a.", false, false, false),
            (".a", false, false, false),
            ("a b", false, false, false),
            ("ü.\u{1}", true, true, true),
        ] {
            let bytes = text.as_bytes();
            assert_eq!(is_deliverable(bytes), deliverable, "{text:?}");
            assert_eq!(is_literal(bytes), literal, "{text:?}");
            assert_eq!(is_pattern(bytes), pattern, "{text:?}");
        }
    }
}
