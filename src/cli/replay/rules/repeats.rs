//! One speaker sends the same content again.

use std::collections::HashMap;

use serde::Serialize;

use super::text::normalised;
use crate::cli::replay::conversation::Step;
use crate::model::AgentName;

/// A speaker handed over the same content more than once.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Repeat {
    pub(crate) from: AgentName,
    pub(crate) same: Sameness,
    pub(crate) messages: Vec<usize>,
}

/// How alike the contents are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sameness {
    /// Byte for byte, by their hashes.
    Identical,
    /// But for case, spacing and Unicode form.
    Text,
}

/// In the order of the first message of each.
pub(super) fn find(steps: &[Step]) -> Vec<Repeat> {
    let mut places: HashMap<(&AgentName, String), usize> = HashMap::new();
    let mut groups: Vec<Vec<&Step>> = Vec::new();
    for step in steps {
        let place = *places.entry((&step.from, normalised(step.text()))).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(step);
    }
    let repeated = groups.into_iter().filter(|group| group.len() > 1);
    repeated
        .map(|group| {
            let identical = group.iter().all(|step| step.hash == group[0].hash);
            Repeat {
                from: group[0].from.clone(),
                same: if identical { Sameness::Identical } else { Sameness::Text },
                messages: group.iter().map(|step| step.message).collect(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::steps;
    use super::*;

    #[test]
    fn the_same_content_of_one_speaker_is_a_repeat_whoever_gets_it() {
        let found = find(&steps(&[("a", "b", "go"), ("b", "a", "no"), ("a", "c", "go"), ("a", "b", " GO\n")]));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].same, &found[0].messages[..]), (Sameness::Text, &[0, 2, 3][..]));
        let found = find(&steps(&[("a", "b", "go"), ("a", "b", "go")]));
        assert_eq!((found[0].same, &found[0].messages[..]), (Sameness::Identical, &[0, 1][..]));
    }

    #[test]
    fn the_same_content_of_two_speakers_or_a_changed_number_is_none() {
        assert_eq!(
            find(&steps(&[("a", "b", "done"), ("b", "a", "done"), ("a", "b", "page 1"), ("a", "b", "page 2")])),
            []
        );
    }
}
