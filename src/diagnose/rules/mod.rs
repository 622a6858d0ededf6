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
use super::view::View;

type Rule = fn(&View<'_, '_>, &mut Vec<Finding>);

/// Every rule, in the order in which a handoff can break.
const RULES: [Rule; 17] = [
    undelivered::find,
    misrouted::find,
    corrupted::find,
    duplicated::find,
    reordered::find,
    missing_context::find,
    stale_context::find,
    superseded_context::find,
    misunderstood::find,
    drifted::find,
    abandoned::find,
    timed_out::find,
    failed::find,
    looped::find,
    low_quality::find,
    ignored_result::find,
    incomplete_join::find,
];

/// What every rule finds.
pub(super) fn find(view: &View<'_, '_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in RULES {
        rule(view, &mut found);
    }
    found
}
