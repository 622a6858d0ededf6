use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::Problem;
use super::options::Token;

/// Lets a request pass that shows the token, or all where there is none. Health is told to everybody.
pub(super) async fn check(State(token): State<Option<Arc<Token>>>, request: Request, next: Next) -> Response {
    let Some(token) = token else { return next.run(request).await };
    if request.uri().path() == "/healthz" || shows(request.headers(), &token) {
        return next.run(request).await;
    }
    Problem::new(StatusCode::UNAUTHORIZED, "a token is needed: Authorization: Bearer ...").into_response()
}

fn shows(headers: &HeaderMap, token: &Token) -> bool {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .is_some_and(|(scheme, shown)| scheme.eq_ignore_ascii_case("bearer") && token.is(shown.trim()))
}
