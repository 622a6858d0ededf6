use maud::{Markup, html};

use super::sides;
use crate::diagnose::Handoff;
use crate::model::{Context, Timestamp, names};
use crate::server::pages::words;
use crate::wire::Envelope;

/// What the task rested on, and how old that was when it was used.
pub(super) fn section(handoff: &Handoff<'_>) -> Markup {
    let items = items(handoff);
    let used_at = handoff.worked().map(|delivery| delivery.span.start);
    let number = |name| sides::spans(handoff).find_map(|span| span.attributes.number(name));
    let (age, most) = (number(names::CONTEXT_AGE), number(names::CONTEXT_MAX_AGE));
    let uncertainty = number(names::CONTEXT_AGE_UNCERTAINTY).unwrap_or(0.0);
    html! {
        section aria-labelledby="context-title" {
            h2 #context-title { "Context" }
            @if items.is_empty() && age.is_none() { p.faint { "The task names no context." } }
            @if let Some(age) = age {
                p {
                    "The worst item was " strong { (words::duration(age)) } @if uncertainty > 0.0 { " ± " (words::duration(uncertainty)) } " old when it was used"
                    @if let Some(most) = most { ", of at most " (words::duration(most)) }
                    "."
                }
                @if let Some(most) = most { (bar((age - uncertainty).max(0.0), age + uncertainty, most)) }
            }
            @if !items.is_empty() {
                table.rows.plain {
                    thead { tr { th scope="col" { "Item" } th scope="col" { "Version sent" } th scope="col" { "Version used" } th scope="col" { "Newest known" } th scope="col" { "Observed" } th scope="col" { "Age when used" } } }
                    tbody { @for item in &items { (row(item, handoff, used_at)) } }
                }
                p.faint { "Ages of single items are by the clocks of two hosts as they are; the one above takes their difference into account." }
            }
        }
    }
}

fn items(handoff: &Handoff<'_>) -> Vec<Context> {
    let Some(sent) = handoff.attempts.last() else { return Vec::new() };
    let items: Vec<&str> = sent.span.attributes.texts(names::CONTEXT).collect();
    // The items are written as in the header.
    Envelope::decode(&format!("1;ctx={}", items.join(",")), None).envelope.contexts
}

fn row(item: &Context, handoff: &Handoff<'_>, used_at: Option<Timestamp>) -> Markup {
    let sent = item.version.as_deref();
    let read = version(handoff, names::CONTEXT_READ, &item.name);
    let latest = version(handoff, names::CONTEXT_LATEST, &item.name);
    let age = item.observed_at.zip(used_at).map(|(observed, used)| used.nanos_since(observed) as f64 / 1e6);
    let most = item.max_age.map(|most| most.as_secs_f64() * 1e3);
    let is_behind = latest.is_some() && latest != read.or(sent);
    html! {
        tr {
            td { strong { (item.name) } }
            td { (sent.unwrap_or("–")) }
            td { (read.unwrap_or("–")) @if read.is_some() && read != sent { span.unsure { " ≠ sent" } } }
            td { (latest.unwrap_or("–")) @if is_behind { span.bad { " ✕ newer" } } }
            td { @match item.observed_at { Some(at) => (words::moment(at)), None => span.faint { "not told" } } }
            td {
                @match age { Some(age) => (words::duration(age)), None => span.faint { "not known" } }
                @if let Some(most) = most { span.faint { " of at most " (words::duration(most)) } }
                @if let Some((age, most)) = age.zip(most) { (bar(age, age, most)) }
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
