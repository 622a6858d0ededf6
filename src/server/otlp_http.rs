use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::error::{Problem, json};
use super::server::Shared;
use crate::otlp;

/// `POST /v1/traces`: spans in OTLP over HTTP. The answer comes when they are on the disk.
pub(super) async fn traces(State(shared): State<Shared>, request: Request) -> Result<Response, Problem> {
    let encoding = Encoding::of(&request)?;
    let (head, body) = request.into_parts();
    let admitted = shared.gate.read(&head.headers, body).await?;
    match encoding {
        Encoding::Protobuf => {
            let request = shared.store.read(&admitted.body)?;
            drop(admitted);
            shared.store.insert_request(request).await?;
        }
        Encoding::Json => {
            let spans = otlp::from_json(&admitted.body).map_err(|error| Problem::bad(error.to_string()))?;
            drop(admitted);
            shared.store.insert(spans).await?;
        }
    }
    Ok(encoding.done())
}

/// `POST /v1/metrics` and `/v1/logs`: taken, counted and not kept, so that exporters that send all they have do not
/// complain of a store for spans.
pub(super) async fn ignored(State(shared): State<Shared>, request: Request) -> Result<Response, Problem> {
    let encoding = Encoding::of(&request)?;
    let (head, body) = request.into_parts();
    shared.gate.read(&head.headers, body).await?;
    shared.metrics.one_ignored();
    Ok(encoding.done())
}

#[derive(Clone, Copy)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(request: &Request) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" | "application/protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            other => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("content-type {other:?} is not known: send application/x-protobuf or application/json"),
            )),
        }
    }

    /// The empty answer, in the encoding of the request: all was taken.
    fn done(self) -> Response {
        match self {
            Self::Protobuf => ([(header::CONTENT_TYPE, "application/x-protobuf")], Bytes::new()).into_response(),
            Self::Json => json(StatusCode::OK, "{}".to_owned()),
        }
    }
}
