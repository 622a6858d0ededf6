use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::attempts::Attempts;
use super::error::Problem;
use super::options::Token;
use super::session::Sessions;

/// Who is let in.
#[derive(Debug)]
pub(super) struct Guard {
    token: Option<Token>,
    /// `None` where there is no token.
    pub(super) sessions: Option<Sessions>,
    attempts: Attempts,
    /// Whether only this host's own names are answered to.
    own_names_only: bool,
}

impl Guard {
    pub(super) fn new(token: Option<Token>, port: u16, own_names_only: bool) -> Self {
        let sessions = token.as_ref().map(|token| Sessions::new(token, port));
        Self { token, sessions, attempts: Attempts::default(), own_names_only }
    }

    /// Whether this is the token, for a caller at this address.
    pub(super) fn admits(&self, shown: &str, caller: SocketAddr) -> Result<(), Problem> {
        if !self.attempts.may_try(caller.ip()) {
            return Err(Problem {
                retry_after: Some(10),
                ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens: wait, and show the right one")
            });
        }
        match &self.token {
            Some(token) if !token.is(shown) => {
                self.attempts.failed(caller.ip());
                Err(Problem::new(StatusCode::UNAUTHORIZED, "this is not the token that the server was started with"))
            }
            _ => Ok(()),
        }
    }

    fn check(&self, request: &Request, caller: SocketAddr) -> Result<(), Problem> {
        if self.own_names_only && !is_own_name(request.headers()) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "this server answers to localhost and to addresses only: set a token, or start it with --insecure",
            ));
        }
        let is_signed_in = self.sessions.as_ref().is_some_and(|sessions| sessions.is_open(request.headers()));
        if is_public(request.uri().path()) || is_signed_in {
            return Ok(());
        }
        let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        self.admits_bearer(shown, Some(caller))
    }

    /// Whether this `Authorization` holds the token, if one is asked for.
    pub(super) fn admits_bearer(&self, shown: Option<&str>, caller: Option<SocketAddr>) -> Result<(), Problem> {
        if self.token.is_none() {
            return Ok(());
        }
        let bearer = shown.and_then(|shown| shown.split_once(' '));
        match bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).zip(caller) {
            Some(((_, shown), caller)) => self.admits(shown.trim(), caller),
            None => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "a token is needed: Authorization: Bearer ...; commands of wilco take it from WILCO_TOKEN",
            )),
        }
    }
}

/// Lets a request pass that shows the token or comes from a browser that is signed in, or all where there is no token.
pub(super) async fn check(
    State(guard): State<Arc<Guard>>,
    ConnectInfo(caller): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    match guard.check(&request, caller) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Health is told to everybody, and whoever is to sign in must see where.
fn is_public(path: &str) -> bool {
    path == "/healthz" || path == "/sign-in" || path.starts_with("/assets/")
}

/// Whether a request was made to an address, to localhost, or to a name without a dot. Any other name may be one that
/// somebody else's page has pointed at this host, to read what it could not otherwise.
fn is_own_name(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return true };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.parse::<std::net::IpAddr>().is_ok() || !name.contains('.') || name.ends_with(".localhost")
}
