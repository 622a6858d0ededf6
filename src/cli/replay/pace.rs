//! How fast a conversation is replayed.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Fastest and slowest, in messages a second.
const BOUNDS: std::ops::RangeInclusive<f64> = 0.001..=1_000_000.0;

/// Lets messages go at a steady rate, or at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    gap: Duration,
    next: Option<Instant>,
}

/// Messages a second; 0 is as fast as they are acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speed(f64);

impl Pace {
    pub(crate) fn new(speed: Speed) -> Self {
        let gap = if speed.0 == 0.0 { Duration::ZERO } else { Duration::from_secs_f64(1.0 / speed.0) };
        Self { gap, next: None }
    }

    /// Waits until the next message is due. One that is late is not made up for: the rate is a limit.
    pub(crate) async fn wait(&mut self) {
        if let Some(next) = self.next.filter(|_| !self.gap.is_zero()) {
            sleep_until(next).await;
        }
        self.next = Some(Instant::now() + self.gap);
    }
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(speed) if speed == 0.0 || BOUNDS.contains(&speed) => Ok(Self(speed)),
            _ => Err(format!("a speed is a number of messages a second, {BOUNDS:?}, or 0 for no limit")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_within_bounds_or_zero() {
        for good in ["0", "0.0", "2.5", "0.001", "1000000"] {
            assert!(good.parse::<Speed>().is_ok(), "{good}");
        }
        for bad in ["", "-1", "NaN", "inf", "1e-300", "1e7", "fast"] {
            let error = bad.parse::<Speed>().unwrap_err();
            assert!(error.contains("messages a second") && error.contains("0 for no limit"), "{bad}: {error}");
        }
    }

    #[tokio::test]
    async fn messages_keep_their_distance() {
        let mut pace = Pace::new("100".parse().unwrap());
        let began = Instant::now();
        for _ in 0..4 {
            pace.wait().await;
        }
        assert!(began.elapsed() >= Duration::from_millis(30), "{:?}", began.elapsed());
    }
}
