use opentelemetry::trace::TraceId;

use super::TelemetryError;

/// Which traces carry the sampled flag. Agreed handoffs without it are left out; a mismatch is always exported.
///
/// The default is [`Sampling::always_on`] with [`Sampling::parent_based`], as OpenTelemetry has it: everything, except
/// where a caller upstream decided otherwise.
///
/// ```
/// use opentelemetry::trace::TraceId;
/// use wilco::telemetry::Sampling;
/// let tenth = Sampling::ratio(0.1)?.parent_based();
/// assert!(tenth.decide(TraceId::from_bytes([255; 16]), Some(true)));
/// assert!(!tenth.decide(TraceId::from_bytes([255; 16]), None));
/// # Ok::<(), wilco::telemetry::TelemetryError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    // A trace is in where the low 63 bits of its id are under this; 2^63 takes them all.
    under: u64,
    parent_based: bool,
}

const ALL: u64 = 1 << 63;

impl Sampling {
    /// Every trace.
    pub const fn always_on() -> Self {
        Self { under: ALL, parent_based: false }
    }

    /// No trace. Mismatches are exported still.
    pub const fn always_off() -> Self {
        Self { under: 0, parent_based: false }
    }

    /// A share of the traces, 0..=1, chosen by trace id: every process that uses the same ratio chooses the same ones.
    ///
    /// # Errors
    /// [`TelemetryError::Setting`] if it is not a number from 0 to 1.
    pub fn ratio(ratio: f64) -> Result<Self, TelemetryError> {
        Self::checked_ratio(ratio, "sampling ratio")
    }

    /// Follows the decision of the caller upstream where there is one.
    #[must_use]
    pub const fn parent_based(mut self) -> Self {
        self.parent_based = true;
        self
    }

    /// Whether a span of this trace is sampled; `parent` is its parent's flag, `None` for a root.
    pub fn decide(&self, trace_id: TraceId, parent: Option<bool>) -> bool {
        if self.parent_based
            && let Some(sampled) = parent
        {
            return sampled;
        }
        let id = u128::from_be_bytes(trace_id.to_bytes());
        // The low half of the id, of which W3C Trace Context asks that it be random.
        ((id as u64) >> 1) < self.under
    }

    pub(super) fn checked_ratio(ratio: f64, setting: &'static str) -> Result<Self, TelemetryError> {
        if !(0.0..=1.0).contains(&ratio) {
            let expected = "a number from 0 to 1";
            return Err(TelemetryError::Setting { setting, value: ratio.to_string(), expected });
        }
        Ok(Self { under: (ratio * ALL as f64) as u64, parent_based: false })
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Self::always_on().parent_based()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(low: u64) -> TraceId {
        TraceId::from_bytes(u128::from(low).to_be_bytes())
    }

    #[test]
    fn the_default_takes_every_root_and_follows_a_parent() {
        let sampling = Sampling::default();
        assert!(sampling.decide(id(u64::MAX), None));
        assert!(sampling.decide(id(1), Some(true)));
        assert!(!sampling.decide(id(1), Some(false)));
    }

    #[test]
    fn without_parent_based_the_parent_is_not_asked() {
        assert!(Sampling::always_on().decide(id(1), Some(false)));
        assert!(!Sampling::always_off().decide(id(1), Some(true)));
    }

    #[test]
    fn a_ratio_takes_its_share_by_trace_id() {
        let quarter = Sampling::ratio(0.25).unwrap();
        let step = u64::MAX / 1000;
        let taken = (0..1000).filter(|n| quarter.decide(id(n * step), None)).count();
        assert!((249..=251).contains(&taken), "{taken}");
        assert!(Sampling::ratio(1.0).unwrap().decide(id(u64::MAX), None));
        assert!(!Sampling::ratio(0.0).unwrap().decide(id(0), None));
    }

    #[test]
    fn a_ratio_outside_zero_to_one_is_refused() {
        for bad in [-0.1, 1.1, f64::NAN] {
            let error = Sampling::ratio(bad).unwrap_err().to_string();
            assert!(error.ends_with("must be a number from 0 to 1"), "{error}");
        }
    }
}
