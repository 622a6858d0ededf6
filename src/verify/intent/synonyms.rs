use std::collections::HashMap;

use super::text::normalise;

/// Groups of words that mean the same, everywhere or in one slot. Spelling by case, blanks and Unicode form does not
/// matter, and neither does the order of a group.
///
/// Constraint names and units are looked up here too. A word belongs to one group in each place: naming it again in
/// another group joins the two.
///
/// ```
/// use wilco::model::Intent;
/// use wilco::verify::intent::{Comparer, Synonyms, compare};
/// let comparer = Comparer::new().synonyms(
///     Synonyms::new().group(["limit", "max", "at most"]).in_slot("goal", ["find_sources", "research"]),
/// );
/// let sent = Intent::new("find_sources").constraint("max", 5);
/// let read_back = Intent::new("Research").constraint("limit", 5);
/// assert!(compare(&sent, &read_back, &comparer).agrees());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Synonyms {
    everywhere: Groups,
    by_slot: HashMap<String, Groups>,
}

/// Each word's group is named by its first word.
#[derive(Clone, Debug, Default)]
struct Groups(HashMap<String, String>);

impl Synonyms {
    /// No synonyms.
    pub fn new() -> Self {
        Self::default()
    }

    /// Words that mean the same in every slot.
    #[must_use]
    pub fn group<W: AsRef<str>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.everywhere.join(words);
        self
    }

    /// Words that mean the same in one slot, named as it prints: `goal`, `constraints.region`.
    #[must_use]
    pub fn in_slot<W: AsRef<str>>(mut self, slot: &str, words: impl IntoIterator<Item = W>) -> Self {
        self.by_slot.entry(slot.to_owned()).or_default().join(words);
        self
    }

    /// Adds all groups of `other`.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.everywhere.join_all(other.everywhere);
        for (slot, groups) in other.by_slot {
            self.by_slot.entry(slot).or_default().join_all(groups);
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.everywhere.0.is_empty() && self.by_slot.is_empty()
    }

    /// The word that stands for a normalised one: of its group in the slot, else of its group everywhere.
    pub(super) fn resolve<'a>(&'a self, slot: &str, word: &'a str) -> &'a str {
        let of_slot = if self.by_slot.is_empty() { None } else { self.by_slot.get(slot).and_then(|g| g.0.get(word)) };
        // A slot's own group may hold a word of a general group; going on from there joins them.
        let word = of_slot.map_or(word, String::as_str);
        self.everywhere.0.get(word).map_or(word, String::as_str)
    }
}

impl Groups {
    fn join<W: AsRef<str>>(&mut self, words: impl IntoIterator<Item = W>) {
        let words: Vec<String> = words.into_iter().map(|word| normalise(word.as_ref()).into_owned()).collect();
        let Some(first) = words.first() else { return };
        let name = self.0.get(first).unwrap_or(first).clone();
        for word in words {
            if let Some(old) = self.0.insert(word, name.clone())
                && old != name
            {
                self.0.values_mut().filter(|group| **group == old).for_each(|group| group.clone_from(&name));
            }
        }
    }

    fn join_all(&mut self, other: Self) {
        for (word, name) in other.0 {
            self.join([name, word]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_resolves_to_its_group_wherever_the_group_applies() {
        let synonyms = Synonyms::new().group(["max", "limit"]).in_slot("goal", ["find_sources", "Research"]);
        assert_eq!(synonyms.resolve("object", "limit"), synonyms.resolve("goal", "max"));
        assert_eq!(synonyms.resolve("goal", "research"), "find sources");
        assert_eq!(synonyms.resolve("object", "research"), "research");
    }

    #[test]
    fn groups_that_share_a_word_become_one() {
        let synonyms = Synonyms::new().group(["a", "b"]).group(["c", "d"]).group(["d", "b"]);
        for word in ["a", "b", "c", "d"] {
            assert_eq!(synonyms.resolve("goal", word), synonyms.resolve("goal", "a"), "{word}");
        }
        let both = Synonyms::new().group(["x", "y"]).and(Synonyms::new().group(["y", "z"]));
        assert_eq!(both.resolve("goal", "x"), both.resolve("goal", "z"));
    }
}
