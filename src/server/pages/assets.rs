use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use crate::server::error::Problem;

/// A file that pages load. Its name has a hash of what is in it, so that browsers may keep it.
struct Asset {
    stem: &'static str,
    extension: &'static str,
    kind: &'static str,
    content: &'static str,
}

const ASSETS: [Asset; 3] = [
    Asset {
        stem: "app",
        extension: "css",
        kind: "text/css; charset=utf-8",
        content: concat!(
            include_str!("assets/app.css"),
            include_str!("assets/lists.css"),
            include_str!("assets/charts.css"),
            include_str!("assets/agents.css")
        ),
    },
    Asset {
        stem: "app",
        extension: "js",
        kind: "text/javascript; charset=utf-8",
        content: include_str!("assets/app.js"),
    },
    Asset { stem: "icon", extension: "svg", kind: "image/svg+xml", content: include_str!("assets/icon.svg") },
];

static PATHS: LazyLock<[String; 3]> = LazyLock::new(|| {
    ASSETS.map(|asset| {
        let hash = blake3::hash(asset.content.as_bytes()).to_hex();
        format!("/assets/{}.{}.{}", asset.stem, &hash[..12], asset.extension)
    })
});

pub(super) fn style() -> &'static str {
    &PATHS[0]
}

pub(super) fn script() -> &'static str {
    &PATHS[1]
}

pub(super) fn icon() -> &'static str {
    &PATHS[2]
}

/// The mark beside the name: one arrow over, one back.
pub(super) fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" {
            path d="M3 8h15M14 4l4 4-4 4" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round" {}
            path d="M21 16H8M11 13l-3 3 3 3" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round" opacity=".55" {}
        }
    }
}

/// `GET /assets/{name}`: to be kept for ever, since another content has another name.
pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let found = PATHS.iter().position(|path| path.strip_prefix("/assets/") == Some(name.as_str()));
    let found = found.ok_or_else(|| Problem::not_found("no such file: load the page anew"))?;
    let asset = &ASSETS[found];
    let headers = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((StatusCode::OK, headers, asset.content).into_response())
}
