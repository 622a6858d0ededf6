use std::collections::{HashMap, HashSet};

use super::fold::{Item, Shown};
use super::size;
use crate::diagnose::{Diagnosis, Graph, Handoff, Outline};
use crate::model::{Rung, names};
use crate::server::pages::words::{self, Tone};
use crate::server::pages::workflow::moments::Moments;

/// The most lanes; agents beyond them share the last one.
const MOST_LANES: usize = 24;

/// Where everything stands: lanes by number, heights in pixels from the top.
#[derive(Debug, PartialEq)]
pub(in crate::server::pages) struct Chart {
    /// Names of agents, from left to right.
    pub(super) lanes: Vec<String>,
    pub(super) arrows: Vec<Arrow>,
    pub(super) folds: Vec<Band>,
    pub(super) waits: Vec<Wait>,
    /// The times of sending, at the left: height and text.
    pub(super) times: Vec<(u32, String)>,
    pub(super) height: u32,
}

/// One handoff.
#[derive(Debug, PartialEq)]
pub(super) struct Arrow {
    pub(super) id: String,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) sent: u32,
    /// Where its head is; a little below the sending where nobody took it.
    pub(super) taken: u32,
    pub(super) is_taken: bool,
    pub(super) understood: Option<u32>,
    pub(super) done: Option<u32>,
    pub(super) back: Option<u32>,
    /// How many others are worked on by the same agent already.
    pub(super) level: usize,
    pub(super) tone: Tone,
    /// In short, above the arrow.
    pub(super) label: String,
    /// In full, for those who point at it and those who hear it read.
    pub(super) title: String,
    pub(super) rungs: Rungs,
    pub(super) is_root: bool,
    pub(super) is_spoiled: bool,
    /// What was owed and never seen.
    pub(super) owed: Vec<&'static str>,
    /// How far clocks are apart.
    pub(super) skew: Option<String>,
}

/// Rungs that are drawn; where one has an opposite, whether it is that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rungs {
    /// Somebody has it, whoever tells so: also where the receiver keeps no record.
    pub(super) arrived: bool,
    pub(super) delivered: bool,
    pub(super) understood: Option<bool>,
    pub(super) completed: Option<bool>,
}

/// A fold, across all lanes.
#[derive(Debug, PartialEq)]
pub(super) struct Band {
    pub(super) y: u32,
    /// The id that opens it.
    pub(super) opens: String,
    pub(super) text: String,
}

/// A time in which nothing happened.
#[derive(Debug, PartialEq)]
pub(super) struct Wait {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Fold,
    Sent,
    Taken,
    Understood,
    Done,
    Back,
}

impl Kind {
    const fn room(self) -> u32 {
        match self {
            Self::Sent => size::SENT,
            Self::Fold => size::FOLD,
            _ => size::EVENT,
        }
    }
}

impl Chart {
    pub(in crate::server::pages) fn of(
        graph: &Graph<'_>,
        diagnosis: &Diagnosis,
        moments: &[Moments],
        shown: &Shown,
    ) -> Self {
        let handoffs: Vec<usize> =
            shown.items.iter().filter_map(|item| if let Item::Handoff(at) = item { Some(*at) } else { None }).collect();
        let lanes = Lanes::of(handoffs.iter().map(|at| &graph.handoffs[*at]));
        let (heights, waits, height) = heights(shown, moments);
        let root = diagnosis.failure.as_ref().map(|failure| failure.cause.handoff.as_str());
        let spoiled: HashSet<&str> =
            diagnosis.failure.iter().flat_map(|failure| &failure.spoiled).map(String::as_str).collect();
        let mut owed: HashMap<&str, Vec<&'static str>> = HashMap::new();
        for each in &diagnosis.owed {
            owed.entry(&each.handoff).or_default().push(each.what);
        }
        let begin = moments.iter().map(|moments| moments.sent).min().unwrap_or(0);
        let mut arrows: Vec<Arrow> = Vec::with_capacity(handoffs.len());
        let mut times = Vec::with_capacity(handoffs.len());
        for at in handoffs {
            let handoff = &graph.handoffs[at];
            let y = |kind| heights.get(&(at, kind)).copied();
            let sent = y(Kind::Sent).unwrap_or(size::TOP);
            times.push((sent, format!("+{}", words::duration((moments[at].sent - begin) as f64 / 1e6))));
            let facts = Outline::of(handoff);
            let arrow = Arrow {
                id: handoff.id.to_owned(),
                from: lanes.at(handoff.from),
                to: lanes.at(handoff.to),
                sent,
                taken: y(Kind::Taken).unwrap_or(sent + size::STUB),
                is_taken: y(Kind::Taken).is_some(),
                understood: y(Kind::Understood),
                done: y(Kind::Done),
                back: y(Kind::Back),
                level: 0,
                tone: tone(handoff, &facts),
                label: label(handoff, &facts),
                title: title(handoff, &facts),
                rungs: rungs(&facts),
                is_root: root == Some(handoff.id),
                is_spoiled: spoiled.contains(handoff.id),
                owed: owed.remove(handoff.id).unwrap_or_default(),
                skew: moments[at].skew.map(|nanos| words::duration(nanos as f64 / 1e6)),
            };
            arrows.push(arrow);
        }
        set_levels(&mut arrows);
        let folds = shown.items.iter().filter_map(|item| {
            let Item::Fold(fold) = item else { return None };
            let first = *fold.members.first()?;
            let mismatched = match fold.mismatched {
                0 => String::new(),
                count => format!(", {count} mismatched"),
            };
            Some(Band {
                y: heights.get(&(first, Kind::Fold)).copied().unwrap_or(size::TOP),
                opens: graph.handoffs[first].id.to_owned(),
                text: format!("{} more like these ({}){mismatched}", fold.members.len(), fold.boundaries.join(", ")),
            })
        });
        Self { folds: folds.collect(), lanes: lanes.names, arrows, waits, times, height }
    }
}

/// Which agent has which lane, in the order in which they are met.
struct Lanes<'a> {
    names: Vec<String>,
    places: HashMap<&'a str, usize>,
}

impl<'a> Lanes<'a> {
    fn of<'g>(handoffs: impl Iterator<Item = &'g Handoff<'a>>) -> Self
    where
        'a: 'g,
    {
        let mut this = Self { names: Vec::new(), places: HashMap::new() };
        let mut more = 0_usize;
        for agent in handoffs.flat_map(|handoff| [handoff.from, handoff.to]) {
            let agent = agent.unwrap_or("?");
            if this.places.contains_key(agent) {
                continue;
            }
            if this.names.len() < MOST_LANES {
                this.places.insert(agent, this.names.len());
                this.names.push(agent.to_owned());
            } else {
                this.places.insert(agent, MOST_LANES - 1);
                more += 1;
            }
        }
        if more > 0
            && let Some(last) = this.names.last_mut()
        {
            *last = format!("{last} and {more} others");
        }
        this
    }

    fn at(&self, agent: Option<&str>) -> usize {
        self.places.get(agent.unwrap_or("?")).copied().unwrap_or(0)
    }
}

type Heights = HashMap<(usize, Kind), u32>;

/// The height of every event, waits that are worth a mark, and the height of it all.
fn heights(shown: &Shown, moments: &[Moments]) -> (Heights, Vec<Wait>, u32) {
    let mut events: Vec<(i64, usize, Kind, usize)> = Vec::new();
    for (number, item) in shown.items.iter().enumerate() {
        match item {
            Item::Fold(fold) => {
                events.extend(fold.members.first().map(|at| (moments[*at].sent, number, Kind::Fold, *at)))
            }
            Item::Handoff(at) => {
                let moments = &moments[*at];
                events.push((moments.sent, number, Kind::Sent, *at));
                let more = [
                    (moments.taken, Kind::Taken),
                    (moments.understood, Kind::Understood),
                    (moments.done, Kind::Done),
                    (moments.back, Kind::Back),
                ];
                events.extend(more.into_iter().filter_map(|(time, kind)| Some((time?, number, kind, *at))));
            }
        }
    }
    events.sort_unstable();
    let whole = match (events.first(), events.last()) {
        (Some(first), Some(last)) => (last.0 - first.0).max(1),
        _ => 1,
    };
    let (mut heights, mut waits) = (Heights::new(), Vec::new());
    let mut y = size::TOP;
    let mut before: Option<(i64, Kind)> = None;
    for (time, _, kind, at) in events {
        if let Some((then, last)) = before {
            let waited = time - then;
            let extra = (size::WAITING * waited as f64 / whole as f64) as u32;
            let extra = extra.min(size::LONGEST_WAIT);
            if extra >= size::LABELLED {
                let text = words::duration(waited as f64 / 1e6);
                waits.push(Wait { from: y + 6, to: y + extra, text });
            }
            y += kind.room().max(if last == Kind::Fold { size::FOLD } else { 0 }) + extra;
        }
        heights.insert((at, kind), y);
        before = Some((time, kind));
    }
    (heights, waits, y + size::BOTTOM)
}

/// Bars of one lane that are open at once stand beside each other.
fn set_levels(arrows: &mut [Arrow]) {
    for at in 0..arrows.len() {
        let (head, rest) = arrows.split_at_mut(at);
        let this = &mut rest[0];
        let overlaps = |other: &&Arrow| {
            other.to == this.to
                && other.is_taken
                && other.done.is_some_and(|done| other.taken <= this.taken && this.taken < done)
        };
        let taken: HashSet<usize> = head.iter().filter(overlaps).map(|other| other.level).collect();
        this.level = (0..).find(|level| !taken.contains(level)).unwrap_or(0);
    }
}

fn tone(handoff: &Handoff<'_>, facts: &Outline) -> Tone {
    match facts.verdict.as_deref() {
        _ if !facts.mismatches.is_empty() => Tone::Bad,
        Some("mismatched") => Tone::Bad,
        Some("agreed") if !handoff.is_unseen() => Tone::Good,
        _ => Tone::Unsure,
    }
}

/// What went wrong, else what was wanted.
fn label(handoff: &Handoff<'_>, facts: &Outline) -> String {
    match facts.mismatches.as_slice() {
        [] => goal(handoff).unwrap_or_else(|| if handoff.is_unseen() { "no record".to_owned() } else { String::new() }),
        [one] => words::kind(one),
        [first, rest @ ..] => format!("{} and {} more", words::kind(first), rest.len()),
    }
}

fn goal(handoff: &Handoff<'_>) -> Option<String> {
    let intent = handoff.attempts.last()?.span.attributes.text(names::INTENT_SENT)?;
    let intent: serde_json::Value = serde_json::from_str(intent).ok()?;
    Some(intent.get("goal")?.as_str()?.to_owned())
}

fn title(handoff: &Handoff<'_>, facts: &Outline) -> String {
    let mut parts = vec![handoff.boundary()];
    parts.extend(goal(handoff));
    parts.push(facts.verdict.clone().unwrap_or_else(|| "no verdict".to_owned()));
    parts.extend(facts.mismatches.iter().map(|kind| words::kind(kind)));
    parts.extend(facts.duration_ms.map(words::duration));
    parts.extend(facts.age_ms.map(|age| format!("context age {}", words::duration(age))));
    parts.join(", ")
}

fn rungs(facts: &Outline) -> Rungs {
    let has = |rung| facts.rungs.contains(&rung);
    let either = |good, bad| if has(bad) { Some(false) } else { has(good).then_some(true) };
    Rungs {
        arrived: facts.rungs.iter().any(|rung| !matches!(rung, Rung::Sent | Rung::Stored)),
        delivered: has(Rung::Delivered),
        understood: either(Rung::Understood, Rung::Misunderstood),
        completed: either(Rung::Completed, Rung::Failed),
    }
}
