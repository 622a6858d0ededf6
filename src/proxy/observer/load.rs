use std::sync::atomic::{AtomicU8, Ordering};

use crate::model::HandoffId;

/// How many handoffs are recorded: all, or one in 2, 4, 8, ... where there are more than can be.
///
/// Chosen by the last bits of the handoff's id, so that all who see a handoff choose alike, and one that is recorded is
/// recorded whole. Where a part of a handoff does not show the id, the bits follow from what it does show: of a request,
/// from its reply subject; of a message without headers, from its content. The choice comes before all work that only a
/// record needs. Messages get their headers all the same, and the trace of one that is not recorded is not sampled.
#[derive(Debug, Default)]
pub(crate) struct Load(AtomicU8);

/// One in 65,536.
const HIGHEST: u8 = 16;

impl Load {
    /// Whether a handoff is recorded.
    #[inline]
    pub(crate) fn takes(&self, id: &HandoffId) -> bool {
        self.takes_tail(id.tail())
    }

    /// As [`takes`](Self::takes), by the last bits of the id.
    #[inline]
    pub(crate) fn takes_tail(&self, tail: u16) -> bool {
        tail.trailing_zeros() >= u32::from(self.level())
    }

    /// As [`takes`](Self::takes), by the text of the id, of which only the end is read. What is no id is recorded, so that
    /// it is looked at more closely.
    #[inline]
    pub(crate) fn takes_text(&self, id: &[u8]) -> bool {
        if self.level() == 0 {
            return true;
        }
        let end = id.last_chunk::<4>().and_then(|end| std::str::from_utf8(end).ok());
        let random = end.and_then(|end| u16::from_str_radix(end, 16).ok());
        random.is_none_or(|random| self.takes_tail(random))
    }

    /// Records half as many from now on.
    pub(crate) fn halve(&self) {
        self.0.store((self.0.load(Ordering::Relaxed) + 1).min(HIGHEST), Ordering::Relaxed);
    }

    /// Records twice as many from now on.
    pub(crate) fn double(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn level(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn each_level_takes_half_of_what_the_one_below_takes() {
        let ids: Vec<HandoffId> = (0..4096).map(|_| HandoffId::new(Timestamp::EPOCH)).collect();
        let load = Load::default();
        assert!(ids.iter().all(|id| load.takes(id)));
        load.halve();
        load.halve();
        assert!(ids.iter().all(|id| load.takes(id) == load.takes_text(id.to_string().as_bytes())));
        let quarter: Vec<_> = ids.iter().filter(|id| load.takes(id)).collect();
        assert!((900..1150).contains(&quarter.len()), "{}", quarter.len());
        load.double();
        assert!(quarter.iter().all(|id| load.takes(id)), "what a level takes, a lower one takes too");
        load.double();
        load.double();
        assert_eq!(load.level(), 0);
    }
}
