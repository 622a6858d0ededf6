use crate::otlp::OtlpError;
use crate::telemetry::TelemetryError;

/// Why a server could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Not the URL of a server.
    #[error("{url:?} is no URL such as http://127.0.0.1:4480")]
    Url {
        /// What was given.
        url: String,
    },
    /// The server cannot be reached, or broke off.
    #[error("{url} does not answer: {reason}; is `wilco serve` running there?")]
    Unreachable {
        /// The server.
        url: String,
        /// Why.
        reason: String,
    },
    /// The server says no.
    #[error("{reason}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What the server says.
        reason: String,
        /// Where in a query, from 1.
        column: Option<usize>,
    },
    /// The answer is not what the API promises.
    #[error("{url}: this is no answer of wilco's API: {reason}")]
    Answer {
        /// The server.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing is known of this workflow.
    #[error("no workflow or trace {id:?} is known at {url}")]
    Unknown {
        /// The server.
        url: String,
        /// Its id.
        id: String,
    },
    /// The spans that the server gives cannot be read.
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    /// No TLS for this server.
    #[error(transparent)]
    Tls(#[from] TelemetryError),
}
