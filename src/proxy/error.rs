use std::io;
use std::net::SocketAddr;

/// The proxy could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// An address could not be listened on.
    #[error("cannot listen on {address}: {source}; name another address, or port 0 for any free one")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
    /// A certificate or key is not what it should be.
    #[error("{what}: {why}; a certificate chain or private key in PEM is expected")]
    Tls {
        /// The file.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// A setting has a value that it cannot have.
    #[error(transparent)]
    Settings(#[from] super::SettingsError),
}
