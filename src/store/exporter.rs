use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use super::Store;
use crate::otlp;

/// Puts the spans of this process into a store in the same process, where others would send them over OTLP:
/// `Telemetry::builder().exporter(store.exporter())`.
///
/// An export ends when its spans are on the disk. While the store is overloaded or its disk full, it is tried again,
/// for as long as the caller waits.
#[derive(Debug)]
pub struct StoreExporter {
    store: Store,
    resource: ResourceAttributesWithSchema,
}

/// How long to wait before spans that were refused are offered again.
const PAUSE: Duration = Duration::from_millis(50);

impl StoreExporter {
    pub(super) fn new(store: Store) -> Self {
        Self { store, resource: ResourceAttributesWithSchema::default() }
    }
}

impl SpanExporter for StoreExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let failed = |error: &dyn std::fmt::Display| OTelSdkError::InternalFailure(error.to_string());
        // By way of the protocol's own types, so that a span is the same in the store whichever way it came.
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let spans = otlp::from_request(ExportTraceServiceRequest { resource_spans }).map_err(|error| failed(&error))?;
        loop {
            match self.store.insert(spans.clone()).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_busy() => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(failed(&error)),
            }
        }
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
    use opentelemetry::{InstrumentationScope, KeyValue};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;
    use crate::model::SpanStatus;
    use crate::store::StoreOptions;

    fn span(id: u64) -> SpanData {
        let flags = TraceFlags::SAMPLED;
        SpanData {
            span_context: SpanContext::new(TraceId::from(7), SpanId::from(id), flags, false, TraceState::default()),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Producer,
            name: "handoff writer".into(),
            start_time: SystemTime::UNIX_EPOCH + Duration::from_secs(5),
            end_time: SystemTime::UNIX_EPOCH + Duration::from_secs(6),
            attributes: vec![KeyValue::new("wilco.workflow.id", "story"), KeyValue::new("n", 3_i64)],
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::error("late"),
            instrumentation_scope: InstrumentationScope::builder("wilco").build(),
        }
    }

    #[tokio::test]
    async fn what_is_exported_is_in_the_store_with_its_resource_and_only_once() {
        let store = Store::in_memory(StoreOptions::default()).unwrap();
        let mut exporter = store.exporter();
        exporter.set_resource(&Resource::builder_empty().with_service_name("newsroom").build());
        exporter.export(vec![span(1), span(2)]).await.unwrap();
        exporter.export(vec![span(2)]).await.unwrap();
        let spans = store.spans("story").unwrap();
        assert_eq!(spans.len(), 2);
        assert_eq!(spans[0].name, "handoff writer");
        assert_eq!(spans[0].status, SpanStatus::Error("late".to_owned()));
        assert_eq!((spans[0].attributes.int("n"), spans[0].parent_span_id), (Some(3), None));
        assert_eq!(spans[0].resource.attributes.text("service.name"), Some("newsroom"));
        assert_eq!(spans[0].scope.name, "wilco");
    }
}
