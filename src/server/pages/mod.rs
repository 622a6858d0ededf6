//! Pages for people: HTML and SVG that the server makes. They load nothing from anywhere else, and work without the
//! script, which only keeps them up to date and listens to keys.
//!
//! A page is made of three things: a [`Frame`](frame::Frame), which every handler asks for, a [`Page`](frame::Page), and
//! links made by [`link`]. Each has a twin for programs at the same address with `.json` behind its path.

mod agents;
mod assets;
mod causes;
mod frame;
pub(crate) mod handoff;
mod link;
mod numbers;
mod problem;
mod range;
mod sign_in;
mod stats;
mod theme;
pub(crate) mod words;
mod workflow;
mod workflows;

use axum::Router;
use axum::routing::{get, post};

use super::error::Problem;
use super::server::Shared;

pub(super) use causes::Causes;
pub(super) use numbers::Numbers;
pub(super) use problem::dress;
pub(super) use workflow::Diagnoses;
pub(super) use workflows::Sparks;

/// The parameters of an address, as far as they were understood.
type Asked<T> = Result<T, axum::extract::rejection::QueryRejection>;

fn answered<T>(asked: Asked<T>) -> Result<T, Problem> {
    asked.map_err(|error| Problem::bad(error.body_text()))
}

/// The routes of the pages.
pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(workflows::page))
        .route("/workflows", get(workflows::page))
        .route("/workflows.json", get(workflows::twin))
        .route("/agents", get(agents::page))
        .route("/agents.json", get(agents::twin))
        .route("/stats", get(stats::page))
        .route("/stats.json", get(stats::twin))
        .route("/workflows/{id}", get(workflow::page))
        .route("/handoffs/{id}", get(handoff::page))
        .route("/sign-in", get(sign_in::page).post(sign_in::enter))
        .route("/theme", post(theme::choose))
        .route("/assets/{name}", get(assets::asset))
}
