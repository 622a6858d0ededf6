use maud::{Markup, html};

use super::sides;
use crate::diagnose::Handoff;
use crate::model::{Context, names};
use crate::server::pages::words;
use crate::wire::Envelope;

/// How old the worst item was when it was used.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Age {
    pub(crate) age_ms: f64,
    /// It may have been so much less or more, in milliseconds.
    pub(crate) uncertainty_ms: f64,
    /// The longest useful age, in milliseconds, where there is one.
    pub(crate) most_ms: Option<f64>,
}

/// One thing that the task rested on.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Item {
    pub(crate) name: String,
    /// Its version, where it has one: as sent, as used, and the newest that was known.
    pub(crate) sent: Option<String>,
    pub(crate) used: Option<String>,
    pub(crate) newest: Option<String>,
    pub(crate) observed_at: Option<String>,
    /// How old it was when it was used, by the clocks of two hosts as they are, in milliseconds.
    pub(crate) age_ms: Option<f64>,
    /// Its longest useful age, in milliseconds.
    pub(crate) most_ms: Option<f64>,
}

/// What the task rested on, and how old that was when it was used.
pub(super) fn section(handoff: &Handoff<'_>) -> Markup {
    let (items, worst) = (items(handoff), worst(handoff));
    html! {
        section aria-labelledby="context-title" {
            h2 #context-title { "Context" }
            @if items.is_empty() && worst.is_none() { p.faint { "The task names no context." } }
            @if let Some(Age { age_ms, uncertainty_ms, most_ms }) = worst {
                p {
                    "The worst item was " strong { (words::duration(age_ms)) } @if uncertainty_ms > 0.0 { " ± " (words::duration(uncertainty_ms)) } " old when it was used"
                    @if let Some(most) = most_ms { ", of at most " (words::duration(most)) }
                    "."
                }
                @if let Some(most) = most_ms { (bar((age_ms - uncertainty_ms).max(0.0), age_ms + uncertainty_ms, most)) }
            }
            @if !items.is_empty() {
                table.rows.plain {
                    thead { tr { th scope="col" { "Item" } th scope="col" { "Version sent" } th scope="col" { "Version used" } th scope="col" { "Newest known" } th scope="col" { "Observed" } th scope="col" { "Age when used" } } }
                    tbody { @for item in &items { (row(item)) } }
                }
                p.faint { "Ages of single items are by the clocks of two hosts as they are; the one above takes their difference into account." }
            }
        }
    }
}

/// What either side says of the worst item.
pub(super) fn worst(handoff: &Handoff<'_>) -> Option<Age> {
    let number = |name| sides::spans(handoff).find_map(|span| span.attributes.number(name));
    Some(Age {
        age_ms: number(names::CONTEXT_AGE)?,
        uncertainty_ms: number(names::CONTEXT_AGE_UNCERTAINTY).unwrap_or(0.0),
        most_ms: number(names::CONTEXT_MAX_AGE),
    })
}

pub(super) fn items(handoff: &Handoff<'_>) -> Vec<Item> {
    let Some(sent) = handoff.attempts.last() else { return Vec::new() };
    let written: Vec<&str> = sent.span.attributes.texts(names::CONTEXT).collect();
    // The items are written as in the header.
    let contexts = Envelope::decode(&format!("1;ctx={}", written.join(",")), None).envelope.contexts;
    let used_at = handoff.worked().map(|delivery| delivery.span.start);
    let item = |context: Context| Item {
        used: version(handoff, names::CONTEXT_READ, &context.name).map(str::to_owned),
        newest: version(handoff, names::CONTEXT_LATEST, &context.name).map(str::to_owned),
        observed_at: context.observed_at.map(|at| at.to_rfc3339()),
        age_ms: context.observed_at.zip(used_at).map(|(observed, used)| used.nanos_since(observed) as f64 / 1e6),
        most_ms: context.max_age.map(|most| most.as_secs_f64() * 1e3),
        sent: context.version,
        name: context.name,
    };
    contexts.into_iter().map(item).collect()
}

impl Item {
    /// Whether a newer version was known than the one that was used.
    pub(crate) fn is_behind(&self) -> bool {
        self.newest.is_some() && self.newest.as_ref() != self.used.as_ref().or(self.sent.as_ref())
    }
}

fn row(item: &Item) -> Markup {
    let told = |version: &Option<String>| version.clone().unwrap_or_else(|| "–".to_owned());
    html! {
        tr {
            td { strong { (item.name) } }
            td { (told(&item.sent)) }
            td { (told(&item.used)) @if item.used.is_some() && item.used != item.sent { span.unsure { " ≠ sent" } } }
            td { (told(&item.newest)) @if item.is_behind() { span.bad { " ✕ newer" } } }
            td { @match &item.observed_at { Some(at) => (words::moment(words::parsed(at))), None => span.faint { "not told" } } }
            td {
                @match item.age_ms { Some(age) => (words::duration(age)), None => span.faint { "not known" } }
                @if let Some(most) = item.most_ms { span.faint { " of at most " (words::duration(most)) } }
                @if let Some((age, most)) = item.age_ms.zip(item.most_ms) { (bar(age, age, most)) }
            }
        }
    }
}

/// The version of an item that `name@version` texts tell.
fn version<'a>(handoff: &Handoff<'a>, key: &str, item: &str) -> Option<&'a str> {
    let mut labels = sides::spans(handoff).flat_map(|span| span.attributes.texts(key).collect::<Vec<_>>());
    labels.find_map(|label| label.rsplit_once('@').filter(|(name, _)| *name == item).map(|(_, version)| version))
}

/// An age as a bar from its least to its greatest, with the limit as a line.
fn bar(least: f64, greatest: f64, most: f64) -> Markup {
    let whole = (greatest.max(most) * 1.15).max(1e-9);
    let share = |ms: f64| (ms.max(0.0) / whole * 100.0).min(100.0);
    let is_over = least > most;
    let percent = |share: f64| format!("{share:.2}%");
    html! {
        svg.age width="100%" height="18" role="img" aria-label={ @if is_over { "over the limit" } @else { "within the limit" } } {
            rect.ground x="0" y="6" width="100%" height="6" rx="3" {}
            rect.sure.{ @if is_over { "over" } @else { "within" } } x="0" y="6" width=(percent(share(least))) height="6" rx="3" {}
            @if greatest > least { rect.maybe x=(percent(share(least))) y="6" width=(percent(share(greatest) - share(least))) height="6" {} }
            line.limit x1=(percent(share(most))) x2=(percent(share(most))) y1="1" y2="17" {}
        }
    }
}
