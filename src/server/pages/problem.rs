use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use maud::html;

use super::frame::{Frame, Live, Page};
use super::sign_in;
use crate::server::error::Problem;
use crate::server::server::Shared;

/// Shows a problem as a page to whoever asked for one; programs get it as JSON.
pub(in crate::server) async fn dress(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if !wants_page(&request) {
        return next.run(request).await;
    }
    let frame = Frame::of(request.headers(), request.uri());
    let came_by_link = request.headers().get("sec-fetch-site").is_some_and(|from| from == "cross-site");
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let mut page = if problem.status == StatusCode::UNAUTHORIZED && shared.guard.sessions.is_some() {
        sign_in::ask(&frame, StatusCode::UNAUTHORIZED, None, came_by_link)
    } else {
        show(&frame, &problem)
    };
    if let Some(seconds) = problem.retry_after {
        page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    page
}

fn wants_page(request: &Request) -> bool {
    let path = request.uri().path();
    let accepts = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let is_for_programs = path.starts_with("/api/") || path.starts_with("/v1/") || path.ends_with(".json");
    !is_for_programs && accepts.is_some_and(|accept| accept.contains("text/html"))
}

fn show(frame: &Frame, problem: &Problem) -> Response {
    let what = match problem.status {
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::BAD_REQUEST => "This was not understood",
        StatusCode::FORBIDDEN => "Not from here",
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "Too much at once",
        StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => "This took too long",
        _ => "This did not work",
    };
    let body = html! {
        div.message {
            p.number { (problem.status.as_u16()) }
            h1 { (what) }
            p { (problem.text) }
            p { a.button href="/" { "All workflows" } }
        }
    };
    frame.show_as(problem.status, Page { title: what, tab: None, live: Live::Still, body })
}
