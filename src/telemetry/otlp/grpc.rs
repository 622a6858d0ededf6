use ::http::uri::PathAndQuery;
use ::http::{HeaderMap, Uri};
use bytes::{Buf, BufMut, Bytes};
use std::error::Error;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::http::chain;
use super::{Failure, Retry, SignalKind};
use crate::telemetry::TelemetryError;

#[derive(Clone, Debug)]
pub(super) struct Grpc {
    channel: Channel,
    path: PathAndQuery,
    metadata: MetadataMap,
}

impl Grpc {
    pub(super) fn new(url: &Uri, headers: HeaderMap, kind: SignalKind) -> Result<Self, TelemetryError> {
        let refuse =
            |error: tonic::transport::Error| TelemetryError::Endpoint { url: url.to_string(), reason: chain(&error) };
        let mut endpoint = Endpoint::from(url.clone());
        endpoint = endpoint.user_agent(concat!("wilco/", env!("CARGO_PKG_VERSION"))).map_err(refuse)?;
        if url.scheme_str() == Some("https") {
            endpoint = endpoint.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(refuse)?;
        }
        Ok(Self {
            channel: endpoint.connect_lazy(),
            path: PathAndQuery::from_static(kind.grpc_path()),
            metadata: MetadataMap::from_headers(headers),
        })
    }

    pub(super) async fn post(&self, body: Bytes) -> Result<Bytes, Failure> {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await.map_err(|error| Failure::new(Retry::Later, chain(&error)))?;
        let request = Request::from_parts(self.metadata.clone(), tonic::Extensions::default(), body);
        let answer = client.unary(request, self.path.clone(), Raw).await;
        answer.map(tonic::Response::into_inner).map_err(|status| {
            let message = format!("the collector answered {:?}: {}", status.code(), status.message());
            Failure::new(retry(&status), message)
        })
    }
}

/// OTLP/gRPC names the codes that may be retried; `RESOURCE_EXHAUSTED` only where the collector says when.
fn retry(status: &Status) -> Retry {
    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
    match (status.code(), delay) {
        (Code::Unavailable | Code::ResourceExhausted, Some(delay)) => Retry::After(delay),
        (Code::Cancelled | Code::DeadlineExceeded | Code::Aborted | Code::OutOfRange, _) => Retry::Later,
        (Code::Unavailable | Code::DataLoss, _) => Retry::Later,
        // Not the collector's word but a broken connection.
        _ if status.source().is_some() => Retry::Later,
        _ => Retry::Never,
    }
}

/// Passes messages that are encoded already, so that a retry does not encode, or copy, a batch again.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let whole = bytes.remaining();
        Ok(Some(bytes.copy_to_bytes(whole)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_codes_that_otlp_names_are_retried() {
        for code in [Code::Unavailable, Code::Cancelled, Code::DeadlineExceeded, Code::Aborted, Code::DataLoss] {
            assert_eq!(retry(&Status::new(code, "")), Retry::Later, "{code:?}");
        }
        for code in [Code::InvalidArgument, Code::Unauthenticated, Code::Unimplemented, Code::ResourceExhausted] {
            assert_eq!(retry(&Status::new(code, "")), Retry::Never, "{code:?}");
        }
    }

    #[test]
    fn an_exhausted_collector_is_asked_again_when_it_says() {
        use std::time::Duration;
        use tonic_types::ErrorDetails;
        let delay = Duration::from_secs(3);
        let status =
            Status::with_error_details(Code::ResourceExhausted, "full", ErrorDetails::with_retry_info(Some(delay)));
        assert_eq!(retry(&status), Retry::After(delay));
    }
}
