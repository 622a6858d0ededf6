use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use crate::diagnose::Handoff;
use crate::model::{Intent, names};
use crate::server::pages::handoff::sides;
use crate::verify::intent::{Comparer, Comparison};

/// One slot of the intent, as either side has it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Row {
    pub(crate) slot: String,
    pub(crate) sent: Option<Value>,
    pub(crate) read_back: Option<Value>,
    pub(crate) outcome: Outcome,
    /// Why they are taken to differ.
    pub(crate) why: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Same,
    Different,
    /// Nobody can say without understanding it.
    Unknown,
    /// Only one side is on record.
    OneSided,
}

/// The intent and its readback, slot by slot.
pub(super) fn section(handoff: &Handoff<'_>) -> Markup {
    let rows = rows(handoff);
    let found: Vec<&str> = found(handoff).collect();
    let is_told = |name| sides::spans(handoff).any(|span| span.attributes.text(name).is_some());
    let (is_sent, is_read_back) = (is_told(names::INTENT_SENT), is_told(names::INTENT_READ_BACK));
    html! {
        section aria-labelledby="intent-title" {
            h2 #intent-title { "Intent and readback" }
            @if rows.is_empty() {
                p.faint { "Neither an intent nor a readback is on record." }
            } @else {
                table.diff {
                    thead { tr { th scope="col" { "Slot" } th scope="col" { "Sent" } th scope="col" { "Read back" } th scope="col" { span.hide { "Outcome" } } } }
                    tbody {
                        @for row in &rows {
                            tr.different[row.outcome == Outcome::Different].unsure[row.outcome == Outcome::Unknown] {
                                th scope="row" { (row.slot) }
                                td data-label="sent" { (value(row.sent.as_ref(), "–")) }
                                td data-label="read back" { @if is_read_back { (value(row.read_back.as_ref(), "–")) } @else { span.faint { "no readback" } } }
                                td.sign {
                                    @match row.outcome {
                                        Outcome::Same => span.good title="the same" { "✓" span.hide { " the same" } },
                                        Outcome::Different => { span.bad { "✕" span.hide { " different" } } @if let Some(why) = &row.why { " " span.soft { (why) } } },
                                        Outcome::Unknown => span.unsure { "? cannot be told" },
                                        Outcome::OneSided => {},
                                    }
                                }
                            }
                        }
                    }
                }
                @if !is_sent { p.faint { "The intent that was sent is not on record." } }
                @if !is_read_back { p.faint { "No readback is on record: silence is neither a yes nor a no." } }
            }
            @if !found.is_empty() {
                details.raw { summary { "As it was found then" } ul.lines { @for line in found { li.mono { (line) } } } }
            }
        }
    }
}

/// Every slot that either side has.
pub(super) fn rows(handoff: &Handoff<'_>) -> Vec<Row> {
    let text = |name| sides::spans(handoff).filter_map(|span| span.attributes.text(name)).last();
    let (sent, read_back) = (text(names::INTENT_SENT), text(names::INTENT_READ_BACK));
    let read = |text: Option<&str>| text.and_then(|text| Intent::from_json(text.as_bytes()).ok());
    compare(read(sent).as_ref(), read(read_back).as_ref())
}

fn compare(sent: Option<&Intent>, read_back: Option<&Intent>) -> Vec<Row> {
    let mut slots: BTreeMap<_, (Option<Value>, Option<Value>)> = BTreeMap::new();
    for (slot, value) in sent.iter().flat_map(|intent| intent.slots()) {
        slots.entry(slot).or_default().0 = Some(value);
    }
    for (slot, value) in read_back.iter().flat_map(|intent| intent.slots()) {
        slots.entry(slot).or_default().1 = Some(value);
    }
    let comparison = sent.zip(read_back).map(|(sent, read_back)| Comparer::new().compare(sent, read_back));
    let rows = slots.into_iter().map(|(slot, (sent, read_back))| {
        let (outcome, why) = match &comparison {
            None => (Outcome::OneSided, None),
            Some(Comparison::Differs(found)) => match found.iter().find(|difference| difference.slot == slot) {
                Some(difference) => (Outcome::Different, difference.why.clone()),
                None => (Outcome::Same, None),
            },
            Some(Comparison::Unknown(unknown)) if unknown.contains(&slot) => (Outcome::Unknown, None),
            Some(_) => (Outcome::Same, None),
        };
        Row { slot: slot.to_string(), sent, read_back, outcome, why }
    });
    rows.collect()
}

fn found<'a>(handoff: &Handoff<'a>) -> impl Iterator<Item = &'a str> {
    sides::spans(handoff).flat_map(|span| span.attributes.texts(names::INTENT_DIFF))
}

fn value(value: Option<&Value>, none: &str) -> Markup {
    html! {
        @match value {
            None => span.faint { (none) },
            Some(Value::String(text)) => (text),
            Some(Value::Array(items)) => ul.values { @for item in items { li { @match item { Value::String(text) => (text), other => (other) } } } },
            Some(other) => (other),
        }
    }
}
