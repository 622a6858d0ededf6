use std::cmp::Ordering;
use std::sync::Arc;

use super::compare_versions;
use crate::verify::bounded::BoundedMap;

/// How many context names a [`KnownVersions`] remembers by default; the least recently used makes room.
pub const CONTEXT_NAMES: usize = 4096;

/// Names and versions longer than this, in bytes, are not remembered: they come from peers.
pub const LONGEST_TEXT: usize = 256;

/// How a version came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Standing {
    /// It passed on a message: there is such a version, and perhaps a newer one.
    Passing,
    /// The agent declares that it is the current one.
    Current,
}

/// The newest version of a context that an agent could have known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownVersion {
    /// The version.
    pub version: Arc<str>,
    /// How it came to be known.
    pub standing: Standing,
}

/// The newest version known of each context, by name, in bounded memory.
///
/// ```
/// use wilco::verify::freshness::{KnownVersions, Standing};
/// let mut known = KnownVersions::default();
/// known.declare_current("crm", "41");
/// known.saw("crm", "40");
/// assert_eq!(known.get("crm").map(|k| (&*k.version, k.standing)), Some(("41", Standing::Current)));
/// known.saw("crm", "42");
/// assert_eq!(known.get("crm").map(|k| (&*k.version, k.standing)), Some(("42", Standing::Passing)));
/// ```
#[derive(Clone, Debug)]
pub struct KnownVersions {
    by_name: BoundedMap<Arc<str>, KnownVersion>,
}

impl Default for KnownVersions {
    fn default() -> Self {
        Self::new(CONTEXT_NAMES)
    }
}

impl KnownVersions {
    /// Remembers at most `names` context names (at least one).
    pub fn new(names: usize) -> Self {
        Self { by_name: BoundedMap::new(names) }
    }

    /// Notes a version that passed. Older ones, and ones that have no order with what is known, change nothing.
    pub fn saw(&mut self, name: &str, version: &str) {
        if name.len() > LONGEST_TEXT || version.len() > LONGEST_TEXT {
            return;
        }
        match self.by_name.touch(name) {
            Some(known) if compare_versions(version, &known.version) != Some(Ordering::Greater) => {}
            Some(known) => *known = KnownVersion { version: version.into(), standing: Standing::Passing },
            None => {
                self.by_name.insert(name.into(), KnownVersion { version: version.into(), standing: Standing::Passing });
            }
        }
    }

    /// Notes what the agent itself says is the current version: its word stands until a newer version passes.
    pub fn declare_current(&mut self, name: &str, version: &str) {
        if name.len() <= LONGEST_TEXT && version.len() <= LONGEST_TEXT {
            let known = KnownVersion { version: version.into(), standing: Standing::Current };
            self.by_name.insert(name.into(), known);
        }
    }

    /// The newest version known of a context.
    pub fn get(&self, name: &str) -> Option<&KnownVersion> {
        self.by_name.peek(name)
    }

    /// How many context names are remembered.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(table: &KnownVersions, name: &str) -> Option<(String, Standing)> {
        table.get(name).map(|known| (known.version.to_string(), known.standing))
    }

    #[test]
    fn the_newest_version_that_passed_is_kept() {
        let mut table = KnownVersions::default();
        for version in ["41", "9", "42", "40", "not-a-number"] {
            table.saw("crm", version);
        }
        assert_eq!(known(&table, "crm"), Some(("42".into(), Standing::Passing)));
        table.declare_current("crm", "42");
        table.saw("crm", "42");
        assert_eq!(known(&table, "crm"), Some(("42".into(), Standing::Current)));
        table.declare_current("crm", "41");
        assert_eq!(known(&table, "crm"), Some(("41".into(), Standing::Current)), "its own word stands");
    }

    #[test]
    fn memory_is_bounded_in_names_and_in_their_length() {
        let mut table = KnownVersions::new(10);
        for n in 0..100 {
            table.saw(&format!("context-{n}"), "1");
        }
        assert_eq!(table.len(), 10);
        table.saw(&"x".repeat(LONGEST_TEXT + 1), "1");
        table.declare_current("x", &"1".repeat(LONGEST_TEXT + 1));
        assert_eq!(table.get("x"), None);
        assert_eq!(table.len(), 10);
    }
}
