use std::net::SocketAddr;

use axum::Form;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::html;

use super::frame::{Frame, Live, Page};
use super::theme::local;
use crate::server::server::Shared;

#[derive(Debug, serde::Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    once: String,
}

/// `GET /sign-in`: signs in by the secret that was printed at the start, which is used up by that; else asks for the token.
pub(super) async fn page(
    State(shared): State<Shared>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    frame: Frame,
) -> Response {
    let Some(sessions) = &shared.guard.sessions else { return see_other("/", None) };
    if sessions.is_open(&headers) {
        return see_other("/", None);
    }
    if asked.once.is_empty() {
        return ask(&frame, StatusCode::OK, None, false);
    }
    if sessions.take_once(&asked.once) {
        return see_other("/", Some(sessions.open(is_https(&headers))));
    }
    ask(&frame, StatusCode::UNAUTHORIZED, Some("This link was used before: each works once."), false)
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Shown {
    #[serde(default)]
    token: String,
    #[serde(default)]
    back: String,
}

/// `POST /sign-in`: signs in by the token.
pub(super) async fn enter(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    frame: Frame,
    Form(shown): Form<Shown>,
) -> Response {
    let Some(sessions) = &shared.guard.sessions else { return see_other("/", None) };
    match shared.guard.admits(shown.token.trim(), caller) {
        Ok(()) => see_other(local(&shown.back), Some(sessions.open(is_https(&headers)))),
        Err(problem) => ask(&frame, problem.status, Some(&problem.text), false),
    }
}

/// The page that asks for the token, and leads back to where it was asked for.
pub(super) fn ask(frame: &Frame, status: StatusCode, why: Option<&str>, came_by_link: bool) -> Response {
    let back = if frame.here().starts_with("/sign-in") { "/" } else { frame.here() };
    let body = html! {
        div.message {
            h1 { "Sign in" }
            @if let Some(why) = why { p.problem role="alert" { (why) } }
            p { "This server was started with a token. Open the link that it printed at its start, which works once, or \
                 show the token." }
            form.stack method="post" action="/sign-in" {
                input type="hidden" name="back" value=(back);
                label for="token" { "Token" }
                input #token type="password" name="token" required autocomplete="current-password" autofocus;
                button.button { "Sign in" }
            }
            // A browser does not say that it is signed in where a link on another site leads here.
            @if came_by_link { p { "Signed in already? " a href=(back) { "Go on to the page" } "." } }
        }
    };
    frame.show_as(status, Page { title: "Sign in", tab: None, live: Live::Still, body })
}

fn see_other(to: &str, cookie: Option<String>) -> Response {
    let mut response =
        (StatusCode::SEE_OTHER, [(header::LOCATION, to.to_owned()), (header::CACHE_CONTROL, "no-store".to_owned())])
            .into_response();
    if let Some(cookie) = cookie.and_then(|cookie| cookie.parse().ok()) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Whether a proxy before us says that the browser speaks TLS to it.
fn is_https(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https")
}
