use crate::client::ClientError;
use crate::store::StoreError;

/// Why workflows could not be asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkflowsError {
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
    /// The server says no, or says nothing.
    #[error(transparent)]
    Client(ClientError),
}

impl WorkflowsError {
    /// Whether nothing is known of the workflow, which may be because its spans are yet to come.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }
}

impl From<ClientError> for WorkflowsError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Unknown { id, .. } => Self::Unknown { id },
            other => Self::Client(other),
        }
    }
}
