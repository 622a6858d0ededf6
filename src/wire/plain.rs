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
