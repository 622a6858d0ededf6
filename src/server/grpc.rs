use axum::http::StatusCode;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::TraceService;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tonic::{Request, Response, Status};

use super::auth::Guard;
use crate::otlp;
use crate::store::{Store, StoreError};

/// OTLP over gRPC.
#[derive(Debug)]
pub(super) struct Traces {
    pub(super) store: Store,
    pub(super) guard: std::sync::Arc<Guard>,
}

#[tonic::async_trait]
impl TraceService for Traces {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let shown = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        self.guard.admits_bearer(shown, request.remote_addr()).map_err(|problem| match problem.status {
            StatusCode::TOO_MANY_REQUESTS => Status::resource_exhausted(problem.text),
            _ => Status::unauthenticated(problem.text),
        })?;
        let spans =
            otlp::from_request(request.into_inner()).map_err(|error| Status::invalid_argument(error.to_string()))?;
        match self.store.insert(spans).await {
            Ok(_) => Ok(Response::new(ExportTraceServiceResponse::default())),
            // The codes that the protocol says are to be tried again.
            Err(error) if error.is_retryable() => Err(Status::unavailable(error.to_string())),
            Err(error @ (StoreError::Otlp(_) | StoreError::Unreadable { .. })) => {
                Err(Status::invalid_argument(error.to_string()))
            }
            Err(error @ StoreError::TooSlow { .. }) => Err(Status::deadline_exceeded(error.to_string())),
            Err(error) => Err(Status::internal(error.to_string())),
        }
    }
}
