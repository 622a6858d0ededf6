use crate::otlp::OtlpError;
use crate::store::StoreError;
use crate::telemetry::TelemetryError;

/// Why workflows could not be asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkflowsError {
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
    /// No database of this name.
    #[error("{path}: there is no such database")]
    NoFile {
        /// The file.
        path: String,
    },
    /// Nothing is known of this workflow.
    #[error("no workflow or trace {id:?} is known")]
    Unknown {
        /// Its id.
        id: String,
    },
    /// The database says no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spans that the server gives cannot be read.
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    /// No TLS for this server.
    #[error(transparent)]
    Tls(#[from] TelemetryError),
}
