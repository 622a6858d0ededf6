use std::sync::Arc;

use http::Uri;
use rustls::{ClientConfig, RootCertStore};

use super::TelemetryError;

/// TLS for `url` by rustls with `ring` alone, so that no second crypto provider is linked and the process-wide default
/// is left to the program. Trusts the host's certificates; `SSL_CERT_FILE` and `SSL_CERT_DIR` choose others.
pub(crate) fn client_config(url: &Uri) -> Result<ClientConfig, TelemetryError> {
    let refuse = |reason: String| TelemetryError::Tls { url: url.to_string(), reason };
    let mut roots = RootCertStore::empty();
    // Reading the host's store takes milliseconds that a plain endpoint need not spend.
    if url.scheme_str() == Some("https") {
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let why = found.errors.first().map_or_else(String::new, |error| format!(": {error}"));
            return Err(refuse(format!("no trusted certificate on this host{why}; set SSL_CERT_FILE")));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
