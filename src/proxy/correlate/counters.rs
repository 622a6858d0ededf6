use std::sync::atomic::{AtomicU64, Ordering};

/// What became of the handoffs that sessions saw. Written by workers and the correlator, read by whoever serves metrics.
#[derive(Debug, Default)]
pub(crate) struct CorrelatorCounters {
    counts: [AtomicU64; Counted::ALL.len()],
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Spans were made of it.
    Recorded,
    /// Records were lost, as the correlator did not keep up.
    QueueFull,
    /// The queue to the exporter is full.
    TelemetryFull,
    /// It was settled early, as too many were open.
    Evicted,
}

impl Counted {
    pub(crate) const ALL: [Self; 4] = [Self::Recorded, Self::QueueFull, Self::TelemetryFull, Self::Evicted];

    /// The word on metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::QueueFull => "correlator_full",
            Self::TelemetryFull => "telemetry_full",
            Self::Evicted => "evicted",
        }
    }
}

impl CorrelatorCounters {
    pub(crate) fn add(&self, what: Counted, n: u64) {
        self.counts[what as usize].fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self, what: Counted) -> u64 {
        self.counts[what as usize].load(Ordering::Relaxed)
    }
}
