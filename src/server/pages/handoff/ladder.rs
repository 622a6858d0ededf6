use maud::{Markup, html};

use crate::diagnose::Handoff;
use crate::model::{Rung, Span, Timestamp, names};
use crate::server::pages::words::{self, Tone};

/// One step, as somebody told it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Climb {
    pub(crate) rung: Rung,
    /// `wire`, `declared` or `inferred`.
    pub(crate) evidence: String,
    /// Whoever says so.
    pub(crate) by: Option<String>,
    /// When, by the clock of whoever says so.
    pub(crate) at: String,
    /// Since the first rung, in milliseconds.
    pub(crate) after_ms: f64,
    /// Whose record has it.
    pub(crate) teller: String,
}

/// The rungs that were climbed, with when and how that is known.
pub(super) fn section(handoff: &Handoff<'_>) -> Markup {
    let climbs = climbs(handoff);
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
                            span.after title=(climb.at) { "+" (words::duration(climb.after_ms)) }
                            span.evidence title=(meaning(&climb.evidence)) { (climb.evidence) }
                            span.faint { @if let Some(by) = &climb.by { "says " (by) ", " } "told by " (climb.teller) }
                        }
                    }
                }
                p.faint { "Times are by the clock of whoever says so. Evidence: wire, the bus saw it; declared, an agent said so; inferred, it was deduced." }
            }
        }
    }
}

/// Every climb once, lowest rung first.
pub(super) fn climbs(handoff: &Handoff<'_>) -> Vec<Climb> {
    let senders = handoff.attempts.iter().map(|attempt| (attempt.span, "the sender's side"));
    let receivers = handoff.deliveries.iter().map(|delivery| (delivery.span, "the receiver's side"));
    let mut climbs: Vec<(Timestamp, Climb)> =
        senders.chain(receivers).flat_map(|(span, teller)| of(span, teller)).collect();
    climbs.sort_by_key(|(at, climb)| (climb.rung, *at));
    // Both sides tell of most.
    climbs.dedup_by(|(later_at, later), (first_at, first)| {
        (later.rung, &later.evidence, &later.by) == (first.rung, &first.evidence, &first.by)
            && later_at.nanos_since(*first_at).abs() < 1_000_000
    });
    let begin = climbs.first().map(|(at, _)| *at);
    let after_ms = |at: Timestamp| begin.map_or(0.0, |begin| at.nanos_since(begin) as f64 / 1e6);
    climbs.into_iter().map(|(at, climb)| Climb { after_ms: after_ms(at), ..climb }).collect()
}

fn of(span: &Span, teller: &'static str) -> impl Iterator<Item = (Timestamp, Climb)> {
    let events = span.events.iter().filter(|event| event.name == names::RUNG);
    events.filter_map(move |event| {
        let text = |name| event.attributes.text(name);
        let climb = Climb {
            rung: text("rung")?.parse().ok()?,
            evidence: text("evidence").unwrap_or("inferred").to_owned(),
            by: text("by").map(str::to_owned),
            at: event.at.to_rfc3339(),
            after_ms: 0.0,
            teller: teller.to_owned(),
        };
        Some((event.at, climb))
    })
}

pub(crate) fn tone(rung: Rung) -> Tone {
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
