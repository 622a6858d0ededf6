use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::config::TlsFiles;
use super::error::ProxyError;
use super::stream::Stream;

/// TLS that ends at the proxy, on either side. One provider: ring.
#[derive(Clone)]
pub(crate) struct Tls {
    /// Towards clients.
    acceptor: Option<TlsAcceptor>,
    /// Clients begin with TLS.
    pub(crate) first: bool,
    /// Towards servers.
    connector: TlsConnector,
    /// We begin with TLS.
    pub(crate) upstream_first: bool,
}

impl Tls {
    /// # Errors
    /// [`ProxyError::Tls`] if a file cannot be read, or is not what it should be.
    pub(crate) fn load(files: &TlsFiles, to_servers: bool) -> Result<Self, ProxyError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let acceptor = match (&files.certificate, &files.key) {
            (Some(certificate), Some(key)) => {
                let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
                    .with_safe_default_protocol_versions()
                    .map_err(|error| failed(certificate, error))?;
                let builder = match &files.client_ca {
                    Some(ca) => {
                        let roots = Arc::new(roots_from(ca)?);
                        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
                            .build()
                            .map_err(|error| failed(ca, error))?;
                        builder.with_client_cert_verifier(verifier)
                    }
                    None => builder.with_no_client_auth(),
                };
                let config = builder
                    .with_single_cert(chain(certificate)?, private_key(key)?)
                    .map_err(|error| failed(certificate, error))?;
                Some(TlsAcceptor::from(Arc::new(config)))
            }
            _ => None,
        };
        let roots = match &files.upstream_ca {
            Some(ca) => roots_from(ca)?,
            // The system's certificates are some hundreds, and kept in memory: read only where they are needed.
            None if to_servers => system_roots(),
            None => RootCertStore::empty(),
        };
        Ok(Self {
            acceptor,
            first: files.first,
            connector: connector(files, roots, provider)?,
            upstream_first: files.upstream_first,
        })
    }

    /// Whether the clients' TLS ends here.
    pub(crate) fn terminates(&self) -> bool {
        self.acceptor.is_some()
    }

    /// Ends a client's TLS.
    pub(crate) async fn accept(&self, client: TcpStream) -> std::io::Result<Stream> {
        match &self.acceptor {
            Some(acceptor) => Ok(Stream::Tls(Box::new(acceptor.accept(client).await?.into()))),
            None => Ok(Stream::Plain(client)),
        }
    }

    /// Begins TLS towards a server.
    pub(crate) async fn connect(&self, host: &str, server: TcpStream) -> std::io::Result<Stream> {
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        Ok(Stream::Tls(Box::new(self.connector.connect(name, server).await?.into())))
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("terminates", &self.terminates()).finish_non_exhaustive()
    }
}

fn connector(
    files: &TlsFiles,
    roots: RootCertStore,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<TlsConnector, ProxyError> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ProxyError::Tls { what: "the protocol versions".to_owned(), why: error.to_string() })?;
    let builder = if roots.is_empty() {
        // Nobody to trust: every server's certificate is refused.
        builder.with_root_certificates(roots)
    } else {
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|error| {
                ProxyError::Tls { what: "the servers' certificates".to_owned(), why: error.to_string() }
            })?;
        builder.with_webpki_verifier(verifier)
    };
    let config = match (&files.upstream_certificate, &files.upstream_key) {
        (Some(certificate), Some(key)) => builder
            .with_client_auth_cert(chain(certificate)?, private_key(key)?)
            .map_err(|error| failed(certificate, error))?,
        _ => builder.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One that cannot be used is no reason to do without the others.
        let _ = roots.add(certificate);
    }
    roots
}

fn roots_from(path: &Path) -> Result<RootCertStore, ProxyError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(path)? {
        roots.add(certificate).map_err(|error| failed(path, error))?;
    }
    Ok(roots)
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, ProxyError> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match certificates {
        Ok(none) if none.is_empty() => Err(failed(path, "holds no certificate in PEM")),
        Ok(some) => Ok(some),
        Err(error) => Err(failed(path, error)),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, ProxyError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| failed(path, error))
}

fn failed(path: &Path, why: impl std::fmt::Display) -> ProxyError {
    ProxyError::Tls { what: path.display().to_string(), why: why.to_string() }
}
