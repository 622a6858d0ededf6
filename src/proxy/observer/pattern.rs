use std::sync::Arc;

use crate::nats::{Pattern, subject};

/// A subject pattern with a place for the agent's name, as in `agents.{agent}.in`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AgentPattern {
    pattern: Pattern,
    /// Which token is the name.
    place: usize,
    template: Arc<str>,
}

impl AgentPattern {
    /// Reads one: tokens are literal, `*`, `{name}` for anything, `>` at the end; one of them is `{agent}`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let mut place = None;
        let mut tokens = Vec::new();
        for (index, token) in text.split('.').enumerate() {
            let is_named = token.len() > 2 && token.starts_with('{') && token.ends_with('}');
            if token == "{agent}" && place.replace(index).is_some() {
                return Err(format!("agent pattern {text:?} has `{{agent}}` twice; name one token so"));
            }
            tokens.push(if is_named { "*" } else { token });
        }
        let place =
            place.ok_or_else(|| format!("agent pattern {text:?} has no `{{agent}}`, as in agents.{{agent}}.in"))?;
        let pattern = Pattern::new(tokens.join(".")).map_err(|error| error.to_string())?;
        Ok(Self { pattern, place, template: text.into() })
    }

    /// The token of a subject that names its agent. A wildcard names nobody.
    pub(crate) fn name<'a>(&self, subject: &'a [u8]) -> Option<&'a [u8]> {
        let covered = self.pattern.matches(subject);
        let token = covered.then(|| subject::tokens(subject).nth(self.place)).flatten()?;
        (!matches!(token, b"*" | b">")).then_some(token)
    }

    /// The pattern as it was given.
    pub(crate) fn template(&self) -> &Arc<str> {
        &self.template
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_in_the_named_place_is_the_name() {
        let pattern = AgentPattern::new("agents.{agent}.in").unwrap();
        assert_eq!(pattern.name(b"agents.writer.in"), Some(&b"writer"[..]));
        for other in [&b"agents.writer.out"[..], b"agents.*.in", b"agents.in", b"agents.a.b.in"] {
            assert_eq!(pattern.name(other), None, "{other:?}");
        }
        let pattern = AgentPattern::new("{tenant}.{agent}.>").unwrap();
        assert_eq!(pattern.name(b"acme.writer.tasks.7"), Some(&b"writer"[..]));
    }

    #[test]
    fn a_pattern_without_exactly_one_place_is_refused() {
        assert!(AgentPattern::new("agents.in").unwrap_err().contains("has no `{agent}`"));
        assert!(AgentPattern::new("{agent}.{agent}").unwrap_err().contains("twice"));
        assert!(AgentPattern::new("{agent}..x").unwrap_err().contains("empty token"));
    }
}
