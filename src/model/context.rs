use std::time::Duration;

use super::{ContentHash, ShortHash, Timestamp};

/// A named snapshot that a task rests on: when it was *observed*, its version, and how old it may be when used.
///
/// `observed_at` is the time at which the knowledge was taken from its source, in the observer's clock. Passing it on
/// later does not make it younger; stamping old knowledge anew ("freshness laundering") hides the very fault this
/// exists to show.
///
/// ```
/// use std::time::Duration;
/// use wilco::model::{Context, Timestamp};
/// let notes = Context::observed("crm", Timestamp::now()).version("41").max_age(Duration::from_secs(10));
/// assert_eq!(notes.label(), "crm@41");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// What the snapshot is called. Any text; kept short, since it travels in a header.
    pub name: String,
    /// Which version of it this is, where its source counts versions.
    pub version: Option<String>,
    /// When it was taken from its source, in the observer's clock.
    pub observed_at: Option<Timestamp>,
    /// The longest useful age. Sent in whole milliseconds. `None`: it does not grow stale by age.
    pub max_age: Option<Duration>,
    /// First 128 bits of the BLAKE3 of its content, where the receiver should be able to compare.
    pub hash: Option<ShortHash>,
}

impl Context {
    /// A snapshot that was taken at `observed_at`.
    pub fn observed(name: impl Into<String>, observed_at: impl Into<Timestamp>) -> Self {
        Self { observed_at: Some(observed_at.into()), ..Self::named(name) }
    }

    /// A snapshot whose time of observation is not known.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), version: None, observed_at: None, max_age: None, hash: None }
    }

    /// The version this snapshot has at its source.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The longest age at which this snapshot is still of use, to the millisecond.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Adds the hash of the snapshot's content, so that the receiver can tell whether it holds the same.
    #[must_use]
    pub fn content(mut self, bytes: &[u8]) -> Self {
        self.hash = Some(ContentHash::of(bytes).short());
        self
    }

    /// `name@version`, or the name alone.
    pub fn label(&self) -> String {
        match &self.version {
            Some(version) => format!("{}@{version}", self.name),
            None => self.name.clone(),
        }
    }
}
