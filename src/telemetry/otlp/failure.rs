use std::time::Duration;

/// Why an attempt at an export failed, and whether another may do better.
#[derive(Clone, Debug)]
pub(in crate::telemetry) struct Failure {
    pub(in crate::telemetry) retry: Retry,
    /// Whether time ran out, rather than the collector having said no.
    pub(in crate::telemetry) timed_out: bool,
    pub(in crate::telemetry) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::telemetry) enum Retry {
    Never,
    Later,
    /// Not before the collector's own delay has passed.
    After(Duration),
}

impl Failure {
    pub(in crate::telemetry) fn new(retry: Retry, message: impl Into<String>) -> Self {
        Self { retry, timed_out: false, message: message.into() }
    }

    pub(in crate::telemetry) fn timed_out(after: Duration) -> Self {
        Self { retry: Retry::Later, timed_out: true, message: format!("no answer within {after:?}") }
    }
}
