//! Names of speakers become names of agents.

use std::collections::BTreeSet;

use anyhow::Context;

use crate::model::AgentName;

/// An agent's name has at most this many bytes.
const LONGEST: usize = 128;

/// One agent name per speaker, in their order; no two are the same.
///
/// A name that is an agent's name already stays. In any other, each character that an agent's name cannot hold (blank,
/// control character, `.`, `*`, `>`) becomes `_`, and what is over 128 bytes is cut off; a name that is taken by then
/// gets `-2`, `-3` and so on at its end.
pub(crate) fn agent_names(speakers: &[&str]) -> anyhow::Result<Vec<AgentName>> {
    let mut taken: BTreeSet<String> = speakers
        .iter()
        .filter(|speaker| AgentName::new(**speaker).is_ok())
        .map(|speaker| (*speaker).to_owned())
        .collect();
    let named = speakers.iter().map(|speaker| match AgentName::new(*speaker) {
        Ok(name) => Ok(name),
        Err(_) => {
            let name = free(&legal(speaker), &taken);
            taken.insert(name.clone());
            AgentName::new(name).with_context(|| format!("{speaker:?} cannot be made the name of an agent"))
        }
    });
    named.collect()
}

/// `name`, or the first of `name-2`, `name-3`, ... that is not taken.
pub(crate) fn free(name: &str, taken: &BTreeSet<String>) -> String {
    let numbered = (2u64..).map(|number| {
        let suffix = format!("-{number}");
        format!("{}{suffix}", cut(name, LONGEST - suffix.len()))
    });
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or_default()
}

fn legal(speaker: &str) -> String {
    let is_legal = |c: char| !(c.is_whitespace() || c.is_control() || matches!(c, '.' | '*' | '>'));
    let name: String = speaker.chars().map(|c| if is_legal(c) { c } else { '_' }).collect();
    cut(&name, LONGEST).to_owned()
}

fn cut(text: &str, longest: usize) -> &str {
    let end = (0..=longest.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn names(speakers: &[&str]) -> Vec<String> {
        agent_names(speakers).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_legal_name_stays_and_others_lose_what_is_illegal() {
        let speakers = ["Blu-Ray_Expert", "Dr. Who", "a*b>c\td", "übersetzer"];
        assert_eq!(names(&speakers), ["Blu-Ray_Expert", "Dr__Who", "a_b_c_d", "übersetzer"]);
    }

    #[test]
    fn speakers_that_map_to_one_name_stay_apart() {
        assert_eq!(names(&["a b", "a.b", "a_b", "a*b"]), ["a_b-2", "a_b-3", "a_b", "a_b-4"]);
    }

    #[test]
    fn names_over_the_limit_are_cut_between_characters_and_stay_apart() {
        let (first, second) = ("é".repeat(64) + "x", "é".repeat(64) + "y");
        let found = names(&[&first, &second]);
        assert_eq!(found[0], "é".repeat(64));
        assert_eq!(found[1], "é".repeat(63) + "-2");
    }
}
