use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;

use super::otlp::Signal;
use super::{Sampling, TelemetryError};

/// What was said in code or in the environment; `None` where nothing was.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) disabled: bool,
    pub(super) service_name: Option<String>,
    pub(super) service_version: Option<String>,
    pub(super) resource: Vec<(String, String)>,
    pub(super) traces: Signal,
    pub(super) metrics: Signal,
    pub(super) queue_capacity: Option<usize>,
    pub(super) batch_size: Option<usize>,
    pub(super) schedule_delay: Option<Duration>,
    pub(super) export_timeout: Option<Duration>,
    pub(super) metrics_interval: Option<Duration>,
    pub(super) temporality: Option<Temporality>,
    pub(super) sampling: Option<Sampling>,
}

impl Settings {
    /// These settings, and `other` wherever they say nothing.
    pub(super) fn or(mut self, other: Self) -> Self {
        // Attributes that were named first lose, so what is said in code comes last.
        let mut resource = other.resource;
        resource.append(&mut self.resource);
        Self {
            disabled: self.disabled || other.disabled,
            service_name: self.service_name.or(other.service_name),
            service_version: self.service_version.or(other.service_version),
            resource,
            traces: self.traces.or(other.traces),
            metrics: self.metrics.or(other.metrics),
            queue_capacity: self.queue_capacity.or(other.queue_capacity),
            batch_size: self.batch_size.or(other.batch_size),
            schedule_delay: self.schedule_delay.or(other.schedule_delay),
            export_timeout: self.export_timeout.or(other.export_timeout),
            metrics_interval: self.metrics_interval.or(other.metrics_interval),
            temporality: self.temporality.or(other.temporality),
            sampling: self.sampling.or(other.sampling),
        }
    }

    pub(super) fn limits(&self) -> Result<Limits, TelemetryError> {
        let capacity = at_least_one("queue_capacity", self.queue_capacity.unwrap_or(65_536))?;
        Ok(Limits {
            capacity,
            batch: at_least_one("batch_size", self.batch_size.unwrap_or(512))?.min(capacity),
            delay: self.schedule_delay.unwrap_or(Duration::from_secs(1)),
            export_timeout: self.export_timeout.unwrap_or(Duration::from_secs(30)),
            metrics_interval: self.metrics_interval.unwrap_or(Duration::from_secs(60)).max(Duration::from_millis(10)),
        })
    }
}

/// The bounds of the queue and of the exporter thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) capacity: usize,
    pub(super) batch: usize,
    pub(super) delay: Duration,
    pub(super) export_timeout: Duration,
    pub(super) metrics_interval: Duration,
}

fn at_least_one(setting: &'static str, n: usize) -> Result<usize, TelemetryError> {
    if n == 0 {
        return Err(TelemetryError::Setting { setting, value: n.to_string(), expected: "at least 1" });
    }
    Ok(n)
}
