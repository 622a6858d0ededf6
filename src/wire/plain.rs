//! Plain single headers, for agents without the library: `Wilco-Workflow`, `Wilco-From`, `Wilco-Intent` on a task,
//! `Wilco-Readback`, `Wilco-Quality` on a reply.

use std::borrow::Cow;

use super::limits::MAX_HEADER_BYTES;
use super::problem::Problems;
use super::{Problem, escape, names};
use crate::model::{AgentName, Intent, Quality, WorkflowId};

/// What the plain headers of a message say.
///
/// ```
/// use wilco::wire::{Plain, names};
/// let headers = [(names::WILCO_FROM, "planner"), (names::WILCO_INTENT, r#"{"goal":"find_sources"}"#)];
/// let (plain, problems) = Plain::read(|name| headers.iter().find(|(n, _)| *n == name).map(|(_, value)| *value));
/// assert_eq!(plain.intent.map(|intent| intent.goal().to_owned()).as_deref(), Some("find_sources"));
/// assert!(problems.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plain {
    /// `Wilco-Workflow`: the workflow. Blanks at its ends do not survive a header.
    pub workflow: Option<WorkflowId>,
    /// `Wilco-From`: the sending agent.
    pub from: Option<AgentName>,
    /// `Wilco-Intent`: what the sender wants, in clear.
    pub intent: Option<Intent>,
    /// `Wilco-Readback`, on a reply: what the receiver understood.
    pub readback: Option<Intent>,
    /// `Wilco-Quality`, on a reply: `0.83; by=schema`, with `by` escaped as in the packed header.
    pub quality: Option<Quality>,
}

impl Plain {
    /// Reads what there is. `get` answers with the value of the header of exactly that name. A header that is malformed
    /// or over [`MAX_HEADER_BYTES`] is a problem, and the others are read.
    pub fn read<'a>(get: impl Fn(&'static str) -> Option<&'a str>) -> (Self, Vec<Problem>) {
        let mut problems = Problems::default();
        let mut value = |name| bounded(name, get(name)?.trim(), &mut problems);
        let (workflow, from) = (value(names::WILCO_WORKFLOW), value(names::WILCO_FROM));
        let (intent, readback) = (value(names::WILCO_INTENT), value(names::WILCO_READBACK));
        let quality = value(names::WILCO_QUALITY);
        let p = &mut problems;
        let plain = Self {
            workflow: kept(names::WILCO_WORKFLOW, workflow, |v| WorkflowId::new(v).map_err(because), p),
            from: kept(names::WILCO_FROM, from, |v| AgentName::new(v).map_err(because), p),
            intent: kept(names::WILCO_INTENT, intent, read_intent, p),
            readback: kept(names::WILCO_READBACK, readback, read_intent, p),
            quality: kept(names::WILCO_QUALITY, quality, read_quality, p),
        };
        (plain, problems.into_vec())
    }

    /// Hands each header that there is to `set`. No value holds a line break.
    pub fn write(&self, mut set: impl FnMut(&'static str, String)) {
        if let Some(workflow) = &self.workflow {
            set(names::WILCO_WORKFLOW, workflow.as_str().to_owned());
        }
        if let Some(from) = &self.from {
            set(names::WILCO_FROM, from.as_str().to_owned());
        }
        if let Some(intent) = &self.intent {
            set(names::WILCO_INTENT, intent.canonical_json().to_owned());
        }
        if let Some(readback) = &self.readback {
            set(names::WILCO_READBACK, readback.canonical_json().to_owned());
        }
        if let Some(quality) = &self.quality {
            set(names::WILCO_QUALITY, write_quality(quality));
        }
    }
}

fn bounded<'a>(name: &str, value: &'a str, problems: &mut Problems) -> Option<&'a str> {
    if value.len() <= MAX_HEADER_BYTES {
        return Some(value);
    }
    problems.add(name, format!("of {} bytes is over the limit of {MAX_HEADER_BYTES}", value.len()), "");
    None
}

fn kept<T>(
    name: &str,
    value: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, Cow<'static, str>>,
    problems: &mut Problems,
) -> Option<T> {
    let value = value?;
    parse(value).map_err(|reason| problems.add(name, reason, value)).ok()
}

fn because(error: impl std::fmt::Display) -> Cow<'static, str> {
    Cow::Owned(format!("is not usable ({error})"))
}

fn read_intent(value: &str) -> Result<Intent, Cow<'static, str>> {
    Intent::from_json(value.as_bytes()).map_err(because)
}

/// `0.83; by=schema`; parameters other than `by` are ignored.
fn read_quality(value: &str) -> Result<Quality, Cow<'static, str>> {
    let mut parts = value.split(';').map(str::trim_ascii);
    let score = parts.next().unwrap_or_default().parse().map_err(|_| "does not begin with a number")?;
    let by = parts.find_map(|part| part.strip_prefix("by="));
    let by = by.map(escape::decode).transpose()?.unwrap_or_default();
    Quality::new(score, by).map_err(because)
}

fn write_quality(quality: &Quality) -> String {
    let mut out = quality.score().to_string();
    if !quality.by().is_empty() {
        out.push_str("; by=");
        escape::push(quality.by(), escape::Place::Value, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn read(headers: &[(&str, &str)]) -> (Plain, Vec<String>) {
        let (plain, problems) = Plain::read(|name| headers.iter().find(|(n, _)| *n == name).map(|(_, value)| *value));
        (plain, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn all_five_are_read() {
        let (plain, problems) = read(&[
            ("Wilco-Workflow", " abc-123 "),
            ("Wilco-From", "planner"),
            ("Wilco-Intent", r#"{"goal":"find_sources"}"#),
            ("Wilco-Readback", r#"{"goal":"find_sauces"}"#),
            ("Wilco-Quality", "0.83; by=schema; more=x"),
        ]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(plain.workflow.unwrap(), "abc-123");
        assert_eq!(plain.from.unwrap(), "planner");
        assert_eq!(plain.intent.unwrap().goal(), "find_sources");
        assert_eq!(plain.readback.unwrap().goal(), "find_sauces");
        assert_eq!(plain.quality, Some(Quality::new(0.83, "schema").unwrap()));
    }

    #[test]
    fn a_malformed_header_is_a_problem_and_the_others_are_read() {
        let (plain, problems) = read(&[
            ("Wilco-Workflow", ""),
            ("Wilco-From", "a b"),
            ("Wilco-Intent", "{"),
            ("Wilco-Readback", r#"{"goal":"g"}"#),
            ("Wilco-Quality", "very good"),
        ]);
        assert!(plain.readback.is_some() && plain.intent.is_none());
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert_eq!(problems[3], "`Wilco-Quality` does not begin with a number: \"very good\"");
        assert!(problems[1].starts_with("`Wilco-From` is not usable (agent name"), "{problems:?}");
        let long = format!("{{\"goal\":\"{}\"}}", "g".repeat(MAX_HEADER_BYTES));
        assert_eq!(
            read(&[("Wilco-Intent", &long)]).1,
            [format!("`Wilco-Intent` of {} bytes is over the limit of 8192", long.len())]
        );
    }

    #[test]
    fn a_score_needs_no_source_and_must_be_in_range() {
        assert_eq!(read(&[("Wilco-Quality", "1")]).0.quality, Some(Quality::new(1.0, "").unwrap()));
        for bad in ["1.1", "-1", "inf", "", "0.5; by=%"] {
            assert_eq!(read(&[("Wilco-Quality", bad)]).1.len(), 1, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            workflow in "[a-z0-9-]{1,20}", goal in "\\PC*[a-z]", score in 0.0..=1.0, by in any::<String>(),
        ) {
            let plain = Plain {
                workflow: WorkflowId::new(workflow).ok(),
                from: AgentName::new("planner").ok(),
                intent: Some(Intent::new(goal.clone())),
                readback: Some(Intent::new(goal).object("x")),
                quality: Quality::new(score, by).ok(),
            };
            let mut headers = HashMap::new();
            plain.write(|name, value| { headers.insert(name, value); });
            prop_assert!(headers.values().all(|value| !value.contains(['\r', '\n'])));
            let (again, problems) = Plain::read(|name| headers.get(name).map(String::as_str));
            prop_assert_eq!((again, problems), (plain, vec![]));
        }
    }
}
