use maud::{Markup, html};

use crate::diagnose::Handoff;
use crate::model::{Rung, Span, Timestamp, names};
use crate::server::pages::words::{self, Tone};

/// One step, as somebody told it.
#[derive(Debug, PartialEq)]
struct Climb<'a> {
    rung: Rung,
    evidence: &'a str,
    by: Option<&'a str>,
    at: Timestamp,
    teller: &'static str,
}

/// The rungs that were climbed, with when and how that is known.
pub(super) fn section(handoff: &Handoff<'_>) -> Markup {
    let climbs = climbs(handoff);
    let begin = climbs.first().map(|climb| climb.at);
    html! {
        section aria-labelledby="ladder-title" {
            h2 #ladder-title { "Ladder" }
            @if climbs.is_empty() {
                p.faint { "No rung is on record." }
            } @else {
                ol.ladder {
                    @for climb in &climbs {
                        @let tone = tone(climb.rung);
                        li.(tone.class()) {
                            strong { (words::kind(climb.rung.as_str())) }
                            span.after title=(climb.at) { @if let Some(begin) = begin { "+" (words::duration(climb.at.nanos_since(begin) as f64 / 1e6)) } }
                            span.evidence title=(meaning(climb.evidence)) { (climb.evidence) }
                            span.faint { @if let Some(by) = climb.by { "says " (by) ", " } "told by " (climb.teller) }
                        }
                    }
                }
                p.faint { "Times are by the clock of whoever says so. Evidence: wire, the bus saw it; declared, an agent said so; inferred, it was deduced." }
            }
        }
    }
}

/// Every climb once, lowest rung first.
fn climbs<'a>(handoff: &Handoff<'a>) -> Vec<Climb<'a>> {
    let senders = handoff.attempts.iter().map(|attempt| (attempt.span, "the sender's side"));
    let receivers = handoff.deliveries.iter().map(|delivery| (delivery.span, "the receiver's side"));
    let mut climbs: Vec<Climb<'a>> = senders.chain(receivers).flat_map(|(span, teller)| of(span, teller)).collect();
    climbs.sort_by_key(|climb| (climb.rung, climb.at));
    // Both sides tell of most.
    climbs.dedup_by(|later, first| {
        (later.rung, later.evidence, later.by) == (first.rung, first.evidence, first.by)
            && later.at.nanos_since(first.at).abs() < 1_000_000
    });
    climbs
}

fn of<'a>(span: &'a Span, teller: &'static str) -> Vec<Climb<'a>> {
    let events = span.events.iter().filter(|event| event.name == names::RUNG);
    let climbs = events.filter_map(|event| {
        let text = |name| event.attributes.text(name);
        Some(Climb {
            rung: text("rung")?.parse().ok()?,
            evidence: text("evidence").unwrap_or("inferred"),
            by: text("by"),
            at: event.at,
            teller,
        })
    });
    climbs.collect()
}

fn tone(rung: Rung) -> Tone {
    match rung {
        Rung::Refused | Rung::Misunderstood | Rung::Failed => Tone::Bad,
        _ => Tone::Good,
    }
}

fn meaning(evidence: &str) -> &'static str {
    match evidence {
        "wire" => "the bus saw it",
        "declared" => "an agent said so",
        _ => "it was deduced",
    }
}
