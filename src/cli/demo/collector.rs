//! Keeps the spans of the demo's agents in this process, so that they can be asked why a workflow failed.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use opentelemetry_sdk::error::OTelSdkError;

use crate::diagnose::Workflow;
use crate::model::Span;
use crate::otlp;
use crate::telemetry::{OtlpTransport, Sending};

/// Where the spans of all agents come together, as a backend would get them. Cloning gives another way in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collector {
    kept: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    /// Every span so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The spans so far, by workflow.
    pub(crate) fn workflows(&self) -> Vec<Workflow> {
        Workflow::group(self.spans())
    }
}

impl OtlpTransport for Collector {
    fn send(&self, request: Bytes, _: usize) -> Sending<'_> {
        let spans = otlp::from_protobuf(&request).map_err(|error| OTelSdkError::InternalFailure(error.to_string()));
        let taken = spans.map(|spans| self.kept.lock().unwrap_or_else(PoisonError::into_inner).extend(spans));
        Box::pin(std::future::ready(taken))
    }
}
