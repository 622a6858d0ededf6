use std::time::Duration;

use bytes::Bytes;

use super::grpc::Grpc;
use super::http::Http;
use super::{Failure, Protocol, Signal, SignalKind};
use crate::telemetry::TelemetryError;

/// Carries one encoded request of one signal to a collector and its encoded response back.
#[derive(Clone, Debug)]
pub(in crate::telemetry) struct Transport {
    carrier: Carrier,
    timeout: Duration,
}

#[derive(Clone, Debug)]
enum Carrier {
    Http(Http),
    Grpc(Grpc),
}

impl Transport {
    /// Must be called within a tokio runtime; does not connect yet.
    pub(in crate::telemetry) fn new(signal: &Signal, kind: SignalKind) -> Result<Self, TelemetryError> {
        let (url, headers) = (signal.url(kind)?, signal.headers()?);
        let carrier = match signal.protocol() {
            Protocol::Http => Carrier::Http(Http::new(url, headers)?),
            Protocol::Grpc => Carrier::Grpc(Grpc::new(&url, headers, kind)?),
        };
        Ok(Self { carrier, timeout: signal.timeout() })
    }

    /// One attempt, bounded by the signal's timeout, connecting included.
    pub(in crate::telemetry) async fn post(&self, body: Bytes) -> Result<Bytes, Failure> {
        let attempt = async {
            match &self.carrier {
                Carrier::Http(http) => http.post(body).await,
                Carrier::Grpc(grpc) => grpc.post(body).await,
            }
        };
        match tokio::time::timeout(self.timeout, attempt).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::timed_out(self.timeout)),
        }
    }
}
