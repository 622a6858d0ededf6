use bytes::Bytes;

use super::{OtlpTransport, Sending};

/// Gives each batch to two transports; what becomes of it is what the second says.
#[derive(Debug)]
pub(in crate::telemetry) struct Both {
    also_to: Box<dyn OtlpTransport>,
    transport: Box<dyn OtlpTransport>,
}

impl Both {
    /// `transport` alone, where there is no other.
    pub(in crate::telemetry) fn of(
        also_to: Option<Box<dyn OtlpTransport>>,
        transport: Box<dyn OtlpTransport>,
    ) -> Box<dyn OtlpTransport> {
        match also_to {
            Some(also_to) => Box::new(Self { also_to, transport }),
            None => transport,
        }
    }
}

impl OtlpTransport for Both {
    fn send(&self, request: Bytes, spans: usize) -> Sending<'_> {
        Box::pin(async move {
            if let Err(error) = self.also_to.send(request.clone(), spans).await {
                tracing::warn!(%error, "a transport that gets spans as well did not take them");
            }
            self.transport.send(request, spans).await
        })
    }
}
