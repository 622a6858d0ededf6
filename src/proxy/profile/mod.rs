//! Conventions that agents follow already, and what they tell of a handoff.
//!
//! | profile | source | what is taken from it |
//! |---|---|---|
//! | `synadia-agents` | Synadia Agent Protocol for NATS 0.3 (`core-protocol.md`, sections 2, 6, 8, 9) | subjects name the agent; replies are chunks; heartbeats |
//! | `faststream` | FastStream's NATS producer and parser | each subscription is an agent; `reply_to` header |
//! | `nats-micro` | NATS micro services (ADR-32) | the service's name |
//! | `taskiq` | taskiq-nats' broker and taskiq's JSON formatter | `task_id` of the body is the workflow |
//!
//! What every agent may say counts without any of them: trace context, `Wilco-*` headers, `correlation_id`, and the
//! `Nats-Service-Error` headers of ADR-32.

mod faststream;
mod micro;
mod synadia;
mod taskiq;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub(crate) use faststream::{REPLY_TO, is_default_name};
pub(crate) use micro::service;
pub(crate) use synadia::{Chunk, Endpoint, PROMPT_TEMPLATE, chunk, endpoint};
pub(crate) use taskiq::task_id;

/// One convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    SynadiaAgents,
    FastStream,
    NatsMicro,
    Taskiq,
}

impl Profile {
    pub(crate) const ALL: [Self; 4] = [Self::SynadiaAgents, Self::FastStream, Self::NatsMicro, Self::Taskiq];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SynadiaAgents => "synadia-agents",
            Self::FastStream => "faststream",
            Self::NatsMicro => "nats-micro",
            Self::Taskiq => "taskiq",
        }
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::as_str).join(", ");
        let found = Self::ALL.into_iter().find(|profile| profile.as_str() == text);
        found.ok_or_else(|| format!("there is no profile {text:?}; there are {}", known()))
    }
}

/// Which conventions the agents follow.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Profiles(u8);

impl Profiles {
    pub(crate) fn has(self, profile: Profile) -> bool {
        self.0 & (1 << profile as u8) != 0
    }
}

impl FromIterator<Profile> for Profiles {
    fn from_iter<I: IntoIterator<Item = Profile>>(profiles: I) -> Self {
        Self(profiles.into_iter().fold(0, |all, profile| all | 1 << profile as u8))
    }
}

impl fmt::Debug for Profiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Profile::ALL.iter().filter(|profile| self.has(**profile))).finish()
    }
}

/// The template of a subject that has one of these in a token: a long number, a UUID, or another long id.
pub(crate) fn template(subject: &[u8]) -> Option<Arc<str>> {
    let text = std::str::from_utf8(subject).ok()?;
    let is_id = |token: &str| {
        let digits = token.bytes().filter(u8::is_ascii_digit).count();
        let plain = token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        plain && (digits == token.len() && digits > 0 || token.len() >= 16 && digits >= 4)
    };
    if !text.split('.').any(is_id) {
        return None;
    }
    let tokens: Vec<&str> = text.split('.').map(|token| if is_id(token) { "{id}" } else { token }).collect();
    Some(tokens.join(".").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_known_by_their_names() {
        for profile in Profile::ALL {
            assert_eq!(profile.as_str().parse(), Ok(profile));
            assert!(Profiles::from_iter([profile]).has(profile));
            assert!(!Profiles::default().has(profile));
        }
        let error = "celery".parse::<Profile>().unwrap_err();
        assert_eq!(error, "there is no profile \"celery\"; there are synadia-agents, faststream, nats-micro, taskiq");
    }

    #[test]
    fn ids_in_subjects_are_templated() {
        for (subject, expected) in [
            ("orders.12345.created", Some("orders.{id}.created")),
            ("jobs.019ca8d7-3636-78c7-9041-aadd07892eb8", Some("jobs.{id}")),
            ("agents.writer.in", None),
            ("step1", None),
        ] {
            assert_eq!(template(subject.as_bytes()).as_deref(), expected, "{subject}");
        }
        assert_eq!(template(b"\xff.123"), None);
    }
}
