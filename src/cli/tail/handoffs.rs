use std::collections::VecDeque;

use crate::store::HandoffSummary;

/// The most handoffs that are kept; the one that began first goes first.
pub(super) const MOST: usize = 2_000;

/// Handoffs by when they began, each once, as they were last told.
#[derive(Clone, Debug, Default)]
pub(super) struct Handoffs {
    /// The one that began last last, which is where nearly all changes are.
    rows: VecDeque<HandoffSummary>,
    mismatched: usize,
    forgotten: u64,
}

impl Handoffs {
    pub(super) fn put(&mut self, handoff: HandoffSummary) {
        if let Some(at) = self.rows.iter().rposition(|known| known.id == handoff.id)
            && let Some(known) = self.rows.remove(at)
        {
            self.mismatched -= usize::from(is_mismatched(&known));
        }
        let before = self.rows.iter().rposition(|known| known.timestamp <= handoff.timestamp);
        self.mismatched += usize::from(is_mismatched(&handoff));
        self.rows.insert(before.map_or(0, |at| at + 1), handoff);
        while self.rows.len() > MOST {
            let gone = self.rows.pop_front();
            self.mismatched -= usize::from(gone.as_ref().is_some_and(is_mismatched));
            self.forgotten += 1;
        }
    }

    /// The one that began last first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &HandoffSummary> {
        self.rows.iter().rev()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn mismatched(&self) -> usize {
        self.mismatched
    }

    /// How many had to go.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

pub(super) fn is_mismatched(handoff: &HandoffSummary) -> bool {
    handoff.verdict == "mismatched"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tail::samples::handoff;

    #[test]
    fn each_is_there_once_as_it_was_last_told_and_by_when_it_began() {
        let mut handoffs = Handoffs::default();
        for number in [4, 9, 5] {
            handoffs.put(handoff(number));
        }
        handoffs.put(HandoffSummary { verdict: "mismatched".to_owned(), ..handoff(5) });
        let ids: Vec<&str> = handoffs.newest_first().map(|each| each.id.as_str()).collect();
        assert_eq!(ids, [handoff(9).id, handoff(5).id, handoff(4).id]);
        assert_eq!((handoffs.len(), handoffs.mismatched()), (3, 1));
        handoffs.put(handoff(5));
        assert_eq!((handoffs.len(), handoffs.mismatched()), (3, 0));
    }

    #[test]
    fn a_stated_number_is_kept_and_the_oldest_go() {
        let mut handoffs = Handoffs::default();
        for number in 0..MOST as u64 + 7 {
            handoffs.put(HandoffSummary { verdict: "mismatched".to_owned(), ..handoff(number) });
        }
        assert_eq!((handoffs.len(), handoffs.mismatched(), handoffs.forgotten()), (MOST, MOST, 7));
        assert_eq!(handoffs.newest_first().last().unwrap().id, handoff(7).id);
    }
}
