use ::http::Uri;
use ::http::header::{HeaderMap, HeaderValue, USER_AGENT};
use opentelemetry_otlp::WithTonicConfig;
use tonic::metadata::MetadataMap;
use tonic::service::Interceptor;
use tonic::transport::ClientTlsConfig;

use super::{Attempts, Signal, http};
use crate::telemetry::TelemetryError;

/// `builder`, which trusts the host's certificates if `url` is secure. Reading them takes milliseconds that a plain
/// endpoint need not spend.
pub(super) fn secured<B: WithTonicConfig>(builder: B, url: &Uri) -> B {
    if url.scheme_str() == Some("https") {
        builder.with_tls_config(ClientTlsConfig::new().with_native_roots())
    } else {
        builder
    }
}

/// Gives each request its metadata and the time that it may take.
///
/// It comes last, after the library has added what the environment says, and puts its own in place of all that:
/// variables count only where they were asked for, and what is said in code overrides them.
pub(super) fn stamp(
    signal: &Signal,
    attempts: &Attempts,
) -> Result<impl Interceptor + Clone + Send + Sync + 'static, TelemetryError> {
    let mut headers: HeaderMap = signal.headers()?;
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(http::AGENT));
    let (timeout, attempts) = (signal.timeout(), attempts.clone());
    let metadata = MetadataMap::from_headers(headers);
    Ok(move |mut request: tonic::Request<()>| {
        attempts.one_more();
        *request.metadata_mut() = metadata.clone();
        // The channel keeps to it too, so that a collector that ignores it is cut.
        request.set_timeout(timeout);
        Ok(request)
    })
}
