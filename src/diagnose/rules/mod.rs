//! One rule a file. Each says what its evidence is, what innocently looks the same, and what it leads to further on.
//!
//! A rule gives [`Finding`]s: evidence about one handoff, weighed as if nothing above it explained it. Whether something
//! above does is for the ranking to say. Weights are the share of such findings that are the root, where nothing else is
//! found; they are round numbers, and measured together, not each.

mod abandoned;
mod corrupted;
mod drifted;
mod duplicated;
mod failed;
mod ignored_result;
mod incomplete_join;
mod looped;
mod low_quality;
mod misrouted;
mod missing_context;
mod misunderstood;
mod reordered;
mod stale_context;
mod superseded_context;
mod timed_out;
mod undelivered;

use super::finding::Finding;
use super::handoff::Handoff;
use super::view::View;

/// Looks at one handoff.
type LocalRule = fn(&View<'_, '_>, usize, &Handoff<'_>, &mut Vec<Finding>);
/// Looks at how handoffs hang together.
type Rule = fn(&View<'_, '_>, &mut Vec<Finding>);

/// Rules for one handoff, in the order in which it can break.
const LOCAL: [LocalRule; 12] = [
    undelivered::find,
    misrouted::find,
    corrupted::find,
    duplicated::find,
    missing_context::find,
    stale_context::find,
    misunderstood::find,
    abandoned::find,
    timed_out::find,
    failed::find,
    low_quality::find,
    ignored_result::find,
];

/// Rules for the whole workflow.
const WHOLE: [Rule; 5] =
    [reordered::find, superseded_context::find, drifted::find, looped::find, incomplete_join::find];

/// What every rule finds.
pub(super) fn find(view: &View<'_, '_>) -> Vec<Finding> {
    let mut found = Vec::new();
    // One handoff after the other, so that what is read of it is read while it is near.
    for (at, handoff) in view.handoffs() {
        for rule in LOCAL {
            rule(view, at, handoff, &mut found);
        }
    }
    for rule in WHOLE {
        rule(view, &mut found);
    }
    found
}
