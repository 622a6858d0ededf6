use std::io;
use std::path::Path;

use super::key::KEYS;
use super::{Origin, Setting};

/// A setting cannot be as it was said. The text names the place and says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

impl SettingsError {
    /// `value` of `key` will not do.
    pub(crate) fn value(key: &str, setting: &Setting, why: impl std::fmt::Display) -> Self {
        Self(format!("{}: {key}: {why}", setting.origin))
    }

    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self(format!("{}: cannot be read: {error}", path.display()))
    }

    pub(super) fn syntax(origin: &Origin, why: &str) -> Self {
        Self(format!("{origin}: {why}"))
    }

    pub(super) fn unknown_key(origin: &Origin, name: &str) -> Self {
        let near = KEYS.iter().map(|key| key.name).min_by_key(|known| differing(known, name));
        match near.filter(|known| differing(known, name) <= 3) {
            Some(known) => Self(format!("{origin}: there is no setting `{name}`; did you mean `{known}`?")),
            None => Self(format!("{origin}: there is no setting `{name}`; `wilco proxy --help` lists them")),
        }
    }
}

/// How unlike two words are: letters that differ at their place, and the difference in length.
fn differing(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count() + a.len().abs_diff(b.len())
}
