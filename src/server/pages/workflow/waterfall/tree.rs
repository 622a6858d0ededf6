use std::collections::HashMap;

use opentelemetry::trace::{SpanId, TraceId};

use crate::model::Span;
use crate::server::pages::workflow::clocks::Clocks;

/// The most bars of one page.
const MOST: usize = 200;

/// What of the spans is wanted, in the address of the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::server::pages) struct View {
    /// Only this span, and what is below it: its id in hexadecimal.
    pub(in crate::server::pages) span: String,
    /// Without so many of the first children of that span.
    pub(in crate::server::pages) after: usize,
    /// Only this part of the time, in microseconds since the first span began: from, to.
    pub(in crate::server::pages) time: Option<(i64, i64)>,
}

/// The bars to show, as a tree.
#[derive(Debug)]
pub(in crate::server::pages) struct Waterfall<'a> {
    pub(super) bars: Vec<Bar<'a>>,
    /// The spans above what is shown, the highest first.
    pub(super) above: Vec<&'a Span>,
    /// What is shown alone, if one is.
    pub(super) focus: Option<&'a Span>,
    /// The time that the width stands for, in nanoseconds.
    pub(super) from: i64,
    pub(super) to: i64,
    /// When the first span of all began.
    pub(super) begin: i64,
    /// How many children of the focus come before and after those that are shown.
    pub(super) before: usize,
    pub(super) more: usize,
    /// How many spans there are in all.
    pub(super) count: usize,
}

#[derive(Debug)]
pub(super) struct Bar<'a> {
    pub(super) span: &'a Span,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) depth: usize,
    /// Whether the workflow would have been over sooner, had this been quicker.
    pub(super) is_critical: bool,
    /// By how much its clock was set right, in nanoseconds.
    pub(super) shift: i64,
    pub(super) children: Vec<Bar<'a>>,
    /// How many children are not shown.
    pub(super) hidden: usize,
}

struct Tree<'a> {
    spans: &'a [Span],
    times: Vec<(i64, i64)>,
    shifts: Vec<i64>,
    children: Vec<Vec<usize>>,
    parents: Vec<Option<usize>>,
    roots: Vec<usize>,
    /// The earliest begin and the latest end of each span and what is below it.
    extents: Vec<(i64, i64)>,
    is_critical: Vec<bool>,
}

impl<'a> Waterfall<'a> {
    pub(in crate::server::pages) fn of(spans: &'a [Span], clocks: &Clocks<'_>, view: &View) -> Self {
        let tree = Tree::of(spans, clocks);
        let wanted = SpanId::from_hex(&view.span).ok();
        let focus = wanted.and_then(|id| spans.iter().position(|span| span.span_id == id));
        let extent = |places: &[usize]| {
            let extents = places.iter().map(|at| tree.extents[*at]);
            extents.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1))).unwrap_or((0, 1))
        };
        let begin = extent(&tree.roots).0;
        let top = focus.map_or_else(|| tree.roots.clone(), |focus| vec![focus]);
        let (mut from, mut to) = extent(&top);
        if let Some((first, last)) = view.time {
            from = begin.saturating_add(first.saturating_mul(1_000));
            to = begin.saturating_add(last.saturating_mul(1_000));
        }
        to = to.max(from + 1);
        let mut above = Vec::new();
        let mut next = focus.and_then(|focus| tree.parents[focus]);
        while let Some(at) = next {
            above.push(&spans[at]);
            // Broken records make circles.
            next = tree.parents[at].filter(|_| above.len() < 64);
        }
        above.reverse();
        let (bars, before, more) = tree.bars(&top, focus.is_some(), view.after, (from, to));
        Self { bars, above, focus: focus.map(|at| &spans[at]), from, to, begin, before, more, count: spans.len() }
    }
}

impl<'a> Tree<'a> {
    fn of(spans: &'a [Span], clocks: &Clocks<'_>) -> Self {
        let places: HashMap<(TraceId, SpanId), usize> =
            spans.iter().enumerate().map(|(at, span)| ((span.trace_id, span.span_id), at)).collect();
        let times: Vec<(i64, i64)> = spans
            .iter()
            .map(|span| {
                let start = clocks.at(span, span.start);
                (start, clocks.at(span, span.end).max(start))
            })
            .collect();
        let mut parents: Vec<Option<usize>> = spans
            .iter()
            .enumerate()
            .map(|(at, span)| {
                let parent = places.get(&(span.trace_id, span.parent_span_id?)).copied();
                parent.filter(|parent| *parent != at)
            })
            .collect();
        break_circles(&mut parents);
        let mut children = vec![Vec::new(); spans.len()];
        let mut roots = Vec::new();
        for (at, parent) in parents.iter().enumerate() {
            match parent {
                Some(parent) => children[*parent].push(at),
                None => roots.push(at),
            }
        }
        roots.sort_by_key(|at| times[*at]);
        for list in &mut children {
            list.sort_by_key(|at| times[*at]);
        }
        let shifts = spans.iter().map(|span| clocks.shift(span)).collect();
        let mut tree =
            Self { spans, extents: times.clone(), times, shifts, children, parents, roots, is_critical: Vec::new() };
        for at in tree.parents_first().into_iter().rev() {
            if let Some(parent) = tree.parents[at] {
                let (own, above) = (tree.extents[at], tree.extents[parent]);
                tree.extents[parent] = (above.0.min(own.0), above.1.max(own.1));
            }
        }
        tree.is_critical = tree.critical();
        tree
    }

    fn parents_first(&self) -> Vec<usize> {
        let mut order = self.roots.clone();
        let mut next = 0;
        while next < order.len() {
            order.extend_from_slice(&self.children[order[next]]);
            next += 1;
        }
        order
    }

    /// Backwards from the end: what ended last before the time up to which everything is explained, explains what is
    /// before it.
    fn critical(&self) -> Vec<bool> {
        let mut is_critical = vec![false; self.spans.len()];
        let mut open = vec![(None, i64::MAX)];
        while let Some((at, until)) = open.pop() {
            let below = match at {
                None => &self.roots,
                Some(at) => &self.children[at],
            };
            let mut by_end = below.clone();
            by_end.sort_by_key(|at| std::cmp::Reverse(self.extents[*at].1));
            let mut until: i64 = until;
            for child in by_end {
                if self.extents[child].1 <= until && self.times[child].0 < until {
                    is_critical[child] = true;
                    open.push((Some(child), self.extents[child].1));
                    until = self.times[child].0;
                }
            }
        }
        is_critical
    }

    /// As many as fit, whole levels first; then how many children of what stands at the top were left out before and
    /// after.
    fn bars(&self, top: &[usize], is_focus: bool, after: usize, window: (i64, i64)) -> (Vec<Bar<'a>>, usize, usize) {
        let mut shown: HashMap<usize, usize> = HashMap::new();
        let is_in = |at: &usize| self.extents[*at].0 <= window.1 && self.extents[*at].1 >= window.0;
        let visible = |at: usize| -> Vec<usize> { self.children[at].iter().copied().filter(is_in).collect() };
        let mut room = MOST;
        let top: Vec<usize> = top.iter().copied().filter(is_in).collect();
        let (before, top, more) = if is_focus { (0, top, 0) } else { part(top, after, &mut room) };
        let mut cut = (before, more);
        let mut level: Vec<usize> = top.clone();
        let mut open = HashMap::new();
        while !level.is_empty() {
            let mut next = Vec::new();
            for at in level {
                let children = visible(at);
                let children = if is_focus && Some(&at) == top.first() && shown.is_empty() {
                    let (before, children, more) = part(children, after, &mut room);
                    cut = (before, more);
                    children
                } else if children.len() <= room {
                    room -= children.len();
                    children
                } else {
                    Vec::new()
                };
                shown.insert(at, children.len());
                next.extend_from_slice(&children);
                open.insert(at, children);
            }
            level = next;
        }
        (top.iter().map(|at| self.bar(*at, 0, &open)).collect(), cut.0, cut.1)
    }

    fn bar(&self, at: usize, depth: usize, open: &HashMap<usize, Vec<usize>>) -> Bar<'a> {
        let children = open.get(&at).map_or(&[][..], Vec::as_slice);
        Bar {
            span: &self.spans[at],
            start: self.times[at].0,
            end: self.times[at].1,
            depth,
            is_critical: self.is_critical[at],
            shift: self.shifts[at],
            hidden: self.children[at].len() - children.len(),
            children: children.iter().map(|child| self.bar(*child, depth + 1, open)).collect(),
        }
    }
}

/// The part of a list that there is room for, and how many are before and after it.
fn part(list: Vec<usize>, after: usize, room: &mut usize) -> (usize, Vec<usize>, usize) {
    let (count, before) = (list.len(), after.min(list.len().saturating_sub(1)));
    // Something has to remain for what is below them.
    let part: Vec<usize> = list.into_iter().skip(before).take(*room * 3 / 4).collect();
    *room -= part.len();
    let more = count - before - part.len();
    (before, part, more)
}

/// Makes a root of one span of each circle of parents, which only broken records have.
fn break_circles(parents: &mut [Option<usize>]) {
    let mut walked = vec![0_usize; parents.len()];
    for first in 0..parents.len() {
        let mut at = first;
        while walked[at] == 0 {
            walked[at] = first + 1;
            match parents[at] {
                Some(parent) if walked[parent] == first + 1 => parents[at] = None,
                Some(parent) => at = parent,
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_of_parents_are_broken_once() {
        let mut parents = vec![Some(1), Some(2), Some(0), Some(0), None, Some(4)];
        break_circles(&mut parents);
        assert_eq!(parents.iter().filter(|parent| parent.is_none()).count(), 2, "{parents:?}");
        let mut itself = vec![Some(0)];
        break_circles(&mut itself);
        assert_eq!(itself, [None]);
    }

    #[test]
    fn what_there_is_room_for_is_shown_and_the_rest_counted() {
        let (before, shown, more) = part((0..1_000).collect(), 100, &mut 200);
        assert_eq!((before, shown.len(), shown[0], more), (100, 150, 100, 750));
    }
}
