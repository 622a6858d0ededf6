use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many wrong tokens a caller may show at once.
const AT_ONCE: f64 = 10.0;

/// How long it takes until one more may be shown.
const ONE_MORE: Duration = Duration::from_secs(6);

/// The most callers that are remembered; those that were let off first are forgotten first.
const MOST_CALLERS: usize = 4_096;

/// Who showed wrong tokens of late.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    wrong: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

impl Attempts {
    pub(super) fn may_try(&self, caller: IpAddr) -> bool {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.get(&caller).is_none_or(|(count, since)| left(*count, *since) < AT_ONCE)
    }

    pub(super) fn failed(&self, caller: IpAddr) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.len() >= MOST_CALLERS {
            wrong.retain(|_, (count, since)| left(*count, *since) > 0.0);
        }
        if wrong.len() >= MOST_CALLERS
            && let Some(oldest) = wrong.iter().min_by_key(|(_, (_, since))| *since).map(|(caller, _)| *caller)
        {
            wrong.remove(&oldest);
        }
        let (count, since) = wrong.entry(caller).or_insert((0.0, Instant::now()));
        *count = left(*count, *since) + 1.0;
        *since = Instant::now();
    }
}

fn left(count: f64, since: Instant) -> f64 {
    (count - since.elapsed().as_secs_f64() / ONE_MORE.as_secs_f64()).max(0.0)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn who_shows_wrong_tokens_has_to_wait_and_others_have_not() {
        let attempts = Attempts::default();
        let (guesser, other) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv4Addr::BROADCAST));
        for _ in 0..20 {
            attempts.failed(guesser);
        }
        assert!(!attempts.may_try(guesser));
        assert!(attempts.may_try(other));
    }

    #[test]
    fn so_many_guessers_are_remembered_and_no_more() {
        let attempts = Attempts::default();
        for number in 0..10_000_u32 {
            attempts.failed(IpAddr::from(Ipv4Addr::from(number)));
        }
        assert!(attempts.wrong.lock().unwrap().len() <= MOST_CALLERS);
    }
}
