use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;

use super::intake::Load;
use super::otlp::OtlpTransport;
use super::sink::SpanSink;
use super::span::{Frame, SpanBuilder};

/// Where the spans of a load go, and how they are made ready for that.
#[derive(Debug)]
pub(super) enum Outlet {
    /// Encoded already: to a transport.
    Transport { frame: Frame, transport: Box<dyn OtlpTransport> },
    /// As the SDK has them: to an exporter of the user's own.
    Sink { builder: Box<SpanBuilder>, sink: Box<dyn SpanSink> },
}

impl Outlet {
    pub(super) fn transport(transport: Box<dyn OtlpTransport>, resource: &Resource) -> Self {
        Self::Transport { frame: Frame::new(resource), transport }
    }

    pub(super) fn sink(mut sink: Box<dyn SpanSink>, resource: &Resource, session: bool) -> Self {
        sink.set_resource_boxed(resource);
        Self::Sink { builder: Box::new(SpanBuilder::new(session)), sink }
    }

    /// Sends the spans of a load. Gives its buffer back, if it can be used again.
    pub(super) async fn send(&mut self, load: Load) -> (OTelSdkResult, Option<Vec<u8>>) {
        match self {
            Self::Transport { frame, transport } => {
                let (whole, request) = frame.around(load.encoded);
                let result = transport.send(request, load.spans).await;
                // Unless the transport keeps the bytes.
                let room = whole.try_into_mut().ok().map(|mut room| {
                    room.clear();
                    room.into()
                });
                (result, room)
            }
            Self::Sink { builder, sink } => {
                let spans = load.kept.iter().filter_map(|record| builder.span(&record.lent())).collect();
                (sink.export_boxed(spans).await, None)
            }
        }
    }

    pub(super) fn shut_down(&self, timeout: Duration) -> OTelSdkResult {
        match self {
            Self::Transport { .. } => Ok(()),
            Self::Sink { sink, .. } => sink.shutdown_boxed(timeout),
        }
    }
}
