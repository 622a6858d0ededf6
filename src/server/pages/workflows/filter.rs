use maud::{Markup, html};

use super::listing::Listing;
use crate::model::MismatchKind;
use crate::server::pages::range::Range;

/// Filters to begin with.
const EXAMPLES: [&str; 5] = [
    "verdict = \"mismatched\"",
    "mismatch = \"stale_context\"",
    "duration_ms > 5000",
    "type = \"decision\" AND decision.type = \"approve\"",
    "last 1h | by to, mismatch | count, p95(duration_ms)",
];

/// Names that a filter may ask for.
const NAMES: [&str; 18] = [
    "workflow",
    "from",
    "to",
    "verdict",
    "mismatch",
    "rung",
    "kind",
    "duration_ms",
    "age_ms",
    "quality",
    "size",
    "attempts",
    "deliveries",
    "timestamp",
    "type",
    "name",
    "decision.type",
    "error",
];

/// Words that join.
const WORDS: [&str; 12] =
    ["AND", "OR", "NOT", "last 15m", "last 1h", "| by", "| count", "| sort", "workflow{", "handoff{", "span{", "in ("];

/// Words that some names are compared with.
const VALUES: [(&str, &[&str]); 4] = [
    ("verdict", &["agreed", "mismatched", "unconfirmed", "pending"]),
    ("kind", &["delegation", "transfer"]),
    ("rung", &["sent", "delivered", "received", "understood", "completed", "used"]),
    ("type", &["handoff", "process", "workflow", "decision", "tool", "agent", "join", "other"]),
];

/// The filter, what completes it, and where it was not understood.
pub(super) fn form(text: &str, range: Range, listing: &Listing) -> Markup {
    let error = listing.error.as_ref();
    html! {
        form.filter method="get" action="/" role="search" {
            label.hide for="q" { "Filter in the query language" }
            div.field {
                input #q type="search" name="q" value=(text) placeholder="Filter: from = \"planner\" AND mismatch = \"stale_context\"" spellcheck="false"
                    autocomplete="off" autocapitalize="off" enterkeyhint="search" list="examples" maxlength="16384"
                    aria-invalid=[error.is_some().then_some("true")] aria-describedby=[error.is_some().then_some("q-error")];
                kbd aria-hidden="true" { "/" }
            }
            @if !range.word().is_empty() { input type="hidden" name="range" value=(range.word()); }
            button.button { "Filter" }
            @if !text.is_empty() { a.quiet href=(super::link::with("/", &[("range", range.word())])) { "Clear" } }
        }
        @if let Some(error) = error {
            div #q-error .problem role="alert" {
                pre { (text) "\n" (" ".repeat(error.column().saturating_sub(1))) "^" }
                p { "Column " (error.column()) ": " (error.problem()) "." }
            }
            p { "Filters that work:" }
            ul.examples { @for example in EXAMPLES { li { a href=(super::link::with("/", &[("q", example), ("range", range.word())])) { (example) } } } }
        }
        datalist #examples { @for example in EXAMPLES { option value=(example) {} } }
        (words(listing))
    }
}

/// What the script completes a filter from.
fn words(listing: &Listing) -> Markup {
    let kinds: Vec<&str> = MismatchKind::ALL.iter().map(|kind| kind.as_str()).collect();
    html! {
        datalist #words {
            @for name in NAMES { option data-is="name" value=(name) {} }
            @for word in WORDS { option data-is="word" value=(word) {} }
            @for (name, values) in VALUES { @for value in values { option data-is=(name) value=(value) {} } }
            @for kind in kinds { option data-is="mismatch" value=(kind) {} }
            @for agent in &listing.agents { option data-is="agent" value=(agent) {} }
        }
    }
}
