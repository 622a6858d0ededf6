use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::diagnose::Graph;
use crate::model::{Span, Timestamp};

/// The clocks of the hosts that spans come from, brought together so that no task is received before it was sent and no
/// result seen before it was made. Clocks that contradict nothing are left as they are.
#[derive(Debug, Default)]
pub(super) struct Clocks<'a> {
    /// What has to be added to each clock, in nanoseconds; nothing where it is not listed.
    shifts: HashMap<&'a str, i64>,
}

/// By how much the second clock has to be ahead of the first: at least, at most.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    least: i64,
    most: i64,
}

impl Bounds {
    /// Nothing is to be done where nothing is contradicted.
    fn shift(self) -> i64 {
        if self.least <= 0 && self.most >= 0 {
            0
        } else if self.least <= self.most && self.most < i64::MAX && self.least > i64::MIN {
            self.least / 2 + self.most / 2
        } else if self.least > 0 {
            self.least
        } else {
            self.most
        }
    }
}

impl<'a> Clocks<'a> {
    pub(super) fn of(graph: &Graph<'a>) -> Self {
        let mut bounds: BTreeMap<(&str, &str), Bounds> = BTreeMap::new();
        for handoff in &graph.handoffs {
            for delivery in &handoff.deliveries {
                let of_it = |attempt: &&crate::diagnose::Attempt<'a>| attempt.number == delivery.attempt;
                let Some(sent) = handoff.attempts.iter().find(of_it) else { continue };
                let (here, there) = (clock(sent.span), clock(delivery.span));
                if here == there {
                    continue;
                }
                let late = sent.span.start.nanos_since(delivery.span.start);
                narrow(&mut bounds, here, there, late, i64::MAX);
                if sent.has_result() {
                    narrow(&mut bounds, here, there, i64::MIN, sent.span.end.nanos_since(delivery.span.end));
                }
            }
        }
        Self { shifts: spread(&bounds) }
    }

    /// When that was, by clocks that agree, in nanoseconds.
    pub(super) fn at(&self, span: &Span, time: Timestamp) -> i64 {
        let nanos = i64::try_from(time.unix_nanos()).unwrap_or(i64::MAX);
        nanos.saturating_add(self.shift(span))
    }

    /// What is added to the clock that a span was told by, in nanoseconds.
    pub(super) fn shift(&self, span: &Span) -> i64 {
        self.shifts.get(clock(span)).copied().unwrap_or(0)
    }
}

/// Whose clock a span was told by: a host's, where it is known.
fn clock(span: &Span) -> &str {
    let known = ["host.name", "host.id", "service.instance.id", "service.name"];
    known.iter().find_map(|name| span.resource.attributes.text(name)).unwrap_or_default()
}

fn narrow<'a>(bounds: &mut BTreeMap<(&'a str, &'a str), Bounds>, here: &'a str, there: &'a str, least: i64, most: i64) {
    // One pair in one order; the other way round is the same with its sign turned.
    let (key, least, most) =
        if here < there { ((here, there), least, most) } else { ((there, here), turned(most), turned(least)) };
    let found = bounds.entry(key).or_insert(Bounds { least: i64::MIN, most: i64::MAX });
    found.least = found.least.max(least);
    found.most = found.most.min(most);
}

/// With the other sign; what has no bound has none.
const fn turned(bound: i64) -> i64 {
    match bound {
        i64::MIN => i64::MAX,
        i64::MAX => i64::MIN,
        bound => -bound,
    }
}

/// Goes from clock to clock, beginning with the first by name, and adds up what lies between.
fn spread<'a>(bounds: &BTreeMap<(&'a str, &'a str), Bounds>) -> HashMap<&'a str, i64> {
    let mut near: BTreeMap<&str, Vec<(&str, i64)>> = BTreeMap::new();
    for ((here, there), bounds) in bounds {
        near.entry(here).or_default().push((there, bounds.shift()));
        near.entry(there).or_default().push((here, -bounds.shift()));
    }
    let mut shifts = HashMap::new();
    for first in near.keys() {
        if shifts.contains_key(first) {
            continue;
        }
        shifts.insert(*first, 0);
        let mut open = VecDeque::from([*first]);
        while let Some(here) = open.pop_front() {
            let own = shifts[here];
            for (there, between) in &near[here] {
                if !shifts.contains_key(there) {
                    shifts.insert(there, own + between);
                    open.push_back(there);
                }
            }
        }
    }
    shifts.retain(|_, shift| *shift != 0);
    shifts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shift(least: i64, most: i64) -> i64 {
        Bounds { least, most }.shift()
    }

    #[test]
    fn clocks_that_contradict_nothing_are_left_alone() {
        assert_eq!([shift(-5, 5), shift(i64::MIN, i64::MAX), shift(-3, 0)], [0, 0, 0]);
    }

    #[test]
    fn a_clock_that_is_behind_is_set_between_what_is_possible() {
        assert_eq!(shift(10, 20), 15);
        assert_eq!(shift(-20, -10), -15);
        assert_eq!((shift(10, i64::MAX), shift(i64::MIN, -10)), (10, -10));
    }

    #[test]
    fn what_lies_between_adds_up_from_clock_to_clock() {
        let mut bounds = BTreeMap::new();
        narrow(&mut bounds, "a", "b", 100, 200);
        narrow(&mut bounds, "c", "b", -60, -40);
        let shifts = spread(&bounds);
        assert_eq!((shifts.get("a"), shifts["b"], shifts["c"]), (None, 150, 200));
    }
}
