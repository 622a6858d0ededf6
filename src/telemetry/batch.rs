use std::time::Duration;

use bytes::Bytes;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::SpanData;

use super::otlp::OtlpTransport;
use super::record::Record;
use super::sink::SpanSink;
use super::span::{SpanBuilder, SpanEncoder};

/// The spans of one export, as they are made of records, and where they go.
#[derive(Debug)]
pub(super) enum Batch {
    /// As OTLP's bytes, to a transport.
    Encoded { encoder: Box<SpanEncoder>, transport: Box<dyn OtlpTransport>, spans: usize, room: Vec<u8> },
    /// As the SDK has them, to an exporter of the user's own.
    Built { builder: Box<SpanBuilder>, sink: Box<dyn SpanSink>, spans: Vec<SpanData> },
}

impl Batch {
    pub(super) fn encoded(transport: Box<dyn OtlpTransport>, resource: &Resource, session: bool) -> Self {
        Self::Encoded { encoder: Box::new(SpanEncoder::new(resource, session)), transport, spans: 0, room: Vec::new() }
    }

    pub(super) fn built(mut sink: Box<dyn SpanSink>, resource: &Resource, session: bool) -> Self {
        sink.set_resource_boxed(resource);
        Self::Built { builder: Box::new(SpanBuilder::new(session)), sink, spans: Vec::new() }
    }

    pub(super) fn add(&mut self, record: &Record) {
        match self {
            Self::Encoded { encoder, spans, .. } => {
                encoder.add(record);
                *spans += 1;
            }
            Self::Built { builder, spans, .. } => spans.extend(builder.span(record)),
        }
    }

    /// Sends what was added since the last time.
    pub(super) async fn send(&mut self) -> OTelSdkResult {
        match self {
            Self::Encoded { encoder, transport, spans, room } => {
                let request = Bytes::from(encoder.request(std::mem::take(room)));
                let result = transport.send(request.clone(), std::mem::take(spans)).await;
                // The room is used again, unless the transport keeps the bytes.
                if request.is_unique() {
                    *room = request.into();
                }
                result
            }
            Self::Built { sink, spans, .. } => sink.export_boxed(std::mem::take(spans)).await,
        }
    }

    pub(super) fn shut_down(&self, timeout: Duration) -> OTelSdkResult {
        match self {
            Self::Encoded { .. } => Ok(()),
            Self::Built { sink, .. } => sink.shutdown_boxed(timeout),
        }
    }
}
