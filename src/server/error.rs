use std::net::SocketAddr;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::store::StoreError;

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Somebody else listens there.
    #[error("{what}: {address} is taken by another program; stop that one, or name another address with {option}")]
    Taken {
        /// What would have been there.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// The option that chooses another one.
        option: &'static str,
    },
    /// The address cannot be listened on.
    #[error("{what}: cannot listen on {address}: {reason}; name another address with {option}")]
    Listen {
        /// What would have been there.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        reason: std::io::Error,
        /// The option that chooses another one.
        option: &'static str,
    },
    /// Others than this host could reach it, and nobody would be asked who they are.
    #[error(
        "{address} can be reached from other hosts, and no token is set: set one (--token or WILCO_TOKEN), listen on \
         127.0.0.1, or say --insecure"
    )]
    Open {
        /// The address.
        address: SocketAddr,
    },
}

impl ServerError {
    /// An address that cannot be listened on, for what the system says, and the option that names another.
    pub(crate) fn listening(
        what: &'static str,
        address: SocketAddr,
        option: &'static str,
        reason: std::io::Error,
    ) -> Self {
        match reason.kind() {
            std::io::ErrorKind::AddrInUse => Self::Taken { what, address, option },
            _ => Self::Listen { what, address, reason, option },
        }
    }
}

/// Why a request was not answered.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) text: String,
    pub(super) column: Option<usize>,
    pub(super) retry_after: Option<u32>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), column: None, retry_after: None }
    }

    pub(super) fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, what)
    }

    pub(super) fn bad(what: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, what)
    }

    pub(super) fn overloaded(text: impl Into<String>) -> Self {
        Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, text) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::Query(error) => {
                Self { column: Some(error.column()), ..Self::new(StatusCode::BAD_REQUEST, text) }
            }
            StoreError::Otlp(_) | StoreError::Unreadable { .. } => Self::bad(text),
            StoreError::TooSlow { .. } => Self::new(StatusCode::GATEWAY_TIMEOUT, text),
            StoreError::Full => Self { retry_after: Some(5), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, text) },
            error if error.is_retryable() => Self::overloaded(text),
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, text),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = serde_json::json!({ "error": &self.text });
        if let Some(column) = self.column {
            body["column"] = column.into();
        }
        let mut response = json(self.status, body.to_string());
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let name: HeaderName = header::WWW_AUTHENTICATE;
            response.headers_mut().insert(name, HeaderValue::from_static("Bearer"));
        }
        // For whoever shows it in another form.
        response.extensions_mut().insert(self);
        response
    }
}

/// An answer in JSON.
pub(super) fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
