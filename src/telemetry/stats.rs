use std::fmt;

/// What became of the records so far.
///
/// At every moment `recorded == exported + dropped.total() + sampled_out + queued`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Records that were given to [`Telemetry::record`](crate::telemetry::Telemetry::record).
    pub recorded: u64,
    /// Spans in batches that a collector accepted, or that the user's own exporter took. A collector may reject some
    /// spans of a batch that it accepts: that is logged, and they count here.
    pub exported: u64,
    /// Records that were lost, by reason.
    pub dropped: Dropped,
    /// Records left out on purpose: unsampled, and without a mismatch.
    pub sampled_out: u64,
    /// Records that wait, or are being exported now.
    pub queued: u64,
}

/// Records that were lost, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// The queue was full.
    pub queue_full: u64,
    /// The collector refused them or could not be reached.
    pub export_failed: u64,
    /// The collector did not answer in time.
    pub timeout: u64,
    /// They came after the shutdown, or it ran out of time.
    pub shutdown: u64,
}

impl Dropped {
    /// The sum over all reasons.
    pub fn total(&self) -> u64 {
        DropReason::ALL.into_iter().map(|reason| self.of(reason)).sum()
    }

    /// How many were lost for `reason`.
    pub fn of(&self, reason: DropReason) -> u64 {
        match reason {
            DropReason::QueueFull => self.queue_full,
            DropReason::ExportFailed => self.export_failed,
            DropReason::Timeout => self.timeout,
            DropReason::Shutdown => self.shutdown,
        }
    }

    pub(super) fn add(&mut self, reason: DropReason, n: u64) {
        match reason {
            DropReason::QueueFull => self.queue_full += n,
            DropReason::ExportFailed => self.export_failed += n,
            DropReason::Timeout => self.timeout += n,
            DropReason::Shutdown => self.shutdown += n,
        }
    }
}

/// Why a record was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The queue was full.
    QueueFull,
    /// The collector refused it or could not be reached.
    ExportFailed,
    /// The collector did not answer in time.
    Timeout,
    /// It came after the shutdown, or the shutdown ran out of time.
    Shutdown,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::QueueFull, Self::ExportFailed, Self::Timeout, Self::Shutdown];

    /// The word on metrics: `queue_full`, `export_failed`, `timeout`, `shutdown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::ExportFailed => "export_failed",
            Self::Timeout => "timeout",
            Self::Shutdown => "shutdown",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a flush or a shutdown ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Flushed {
    /// Whether everything that was recorded before was dealt with in time: exported, or dropped and counted.
    pub complete: bool,
    /// The counters at the end.
    pub stats: Stats,
}
