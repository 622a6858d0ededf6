use std::time::Duration;

use ::http::Uri;
use ::http::uri::PathAndQuery;
use bytes::{Buf, BufMut, Bytes};
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::service::Interceptor;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::transport::{Failure, Sending, Taking, again_and_again, partial_success};
use super::{Attempts, OtlpTransport, Signal, compression, grpc, http};
use crate::telemetry::TelemetryError;

const EXPORT: PathAndQuery = PathAndQuery::from_static("/opentelemetry.proto.collector.trace.v1.TraceService/Export");

/// Spans over OTLP/gRPC: one unary call a batch, made again as OTLP says may be.
pub(super) struct GrpcSpans<I> {
    client: Grpc<Channel>,
    stamp: I,
    budget: Duration,
    taking: Taking,
}

/// Must be called within the tokio runtime that is to drive it; does not connect yet.
pub(super) fn grpc_spans(
    url: &Uri,
    signal: &Signal,
    budget: Duration,
    attempts: &Attempts,
) -> Result<impl OtlpTransport + 'static, TelemetryError> {
    let refuse =
        |error: tonic::transport::Error| TelemetryError::Endpoint { url: url.to_string(), reason: http::chain(&error) };
    let mut endpoint = Endpoint::from(url.clone()).timeout(budget);
    if url.scheme_str() == Some("https") {
        // Reading the host's certificates takes milliseconds that a plain endpoint need not spend.
        endpoint = endpoint.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(refuse)?;
    }
    let mut client = Grpc::new(endpoint.connect_lazy());
    if compression::wants_gzip()? {
        client = client.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip);
    }
    Ok(GrpcSpans { client, stamp: grpc::stamp(signal, attempts)?, budget, taking: Taking::at(url) })
}

impl<I: Interceptor + Clone> GrpcSpans<I> {
    async fn attempt(&self, body: Bytes) -> Result<Bytes, Failure> {
        self.call(body).await.map_err(|status| judged(&status))
    }

    async fn call(&self, body: Bytes) -> Result<Bytes, Status> {
        let (mut client, mut stamp) = (self.client.clone(), self.stamp.clone());
        client.ready().await.map_err(|error| Status::unavailable(http::chain(&error)))?;
        let (metadata, extensions, ()) = stamp.call(Request::new(()))?.into_parts();
        let request = Request::from_parts(metadata, extensions, body);
        Ok(client.unary(request, EXPORT, Raw).await?.into_inner())
    }
}

impl<I: Interceptor + Clone + Send + Sync + 'static> OtlpTransport for GrpcSpans<I> {
    fn send(&self, request: Bytes, _spans: usize) -> Sending<'_> {
        Box::pin(async move {
            let answer = again_and_again(self.budget, &self.taking, || self.attempt(request.clone())).await?;
            partial_success(&answer);
            Ok(())
        })
    }
}

impl<I> std::fmt::Debug for GrpcSpans<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrpcSpans").field("budget", &self.budget).finish_non_exhaustive()
    }
}

/// As the [specification](https://opentelemetry.io/docs/specs/otlp/#failures) has it.
fn judged(status: &Status) -> Failure {
    let text = format!("the collector answered {:?}: {}", status.code(), http::chain(status));
    let asked = status.get_details_retry_info().and_then(|info| info.retry_delay);
    match status.code() {
        // Only a collector that says when it may be asked again will recover.
        Code::ResourceExhausted if asked.is_none() => Failure::Final(text),
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Failure::Passing(text, asked),
        _ => Failure::Final(text),
    }
}

/// Messages as the bytes that they are.
#[derive(Clone, Copy, Debug)]
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

    fn encode(&mut self, message: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
