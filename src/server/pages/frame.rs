use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::theme::Theme;

/// What may be loaded: from this server, and of that only what is listed. Nothing inline, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What stands in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Tab {
    /// Workflows and what is in them.
    Workflows,
    /// Who hands to whom.
    Agents,
    /// Numbers, one time beside another.
    Stats,
}

/// The navigation: which tab, where it leads, what it is called.
const TABS: [(Tab, &str, &str); 3] =
    [(Tab::Workflows, "/", "Workflows"), (Tab::Agents, "/agents", "Agents"), (Tab::Stats, "/stats", "Statistics")];

/// The keys that the script listens to.
const KEYS: [(&str, &str); 6] = [
    ("/", "go to the filter"),
    ("j", "next line"),
    ("k", "line before"),
    ("Enter", "open the line"),
    ("p", "stop and go on with live updates"),
    ("?", "show and hide this"),
];

/// What changes a page while it is open.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) enum Live<'a> {
    /// Nothing.
    Still,
    /// Any handoff.
    All,
    /// Handoffs of this workflow.
    Workflow(&'a str),
}

/// One page, without what stands around it.
#[derive(Debug)]
pub(in crate::server) struct Page<'a> {
    /// What the window is called.
    pub(in crate::server) title: &'a str,
    /// Where in the navigation it is.
    pub(in crate::server) tab: Option<Tab>,
    /// What changes it. What may change of it stands in elements with an `id` and `data-live`.
    pub(in crate::server) live: Live<'a>,
    /// What it says.
    pub(in crate::server) body: Markup,
}

/// What stands around every page, as this reader wants it. Handlers ask for it as an argument.
#[derive(Debug)]
pub(in crate::server) struct Frame {
    theme: Theme,
    /// Path and query.
    here: String,
}

impl<S: Sync> FromRequestParts<S> for Frame {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers, &parts.uri))
    }
}

impl Frame {
    pub(super) fn of(headers: &HeaderMap, uri: &axum::http::Uri) -> Self {
        let here = uri.path_and_query().map_or("/", |here| here.as_str()).to_owned();
        Self { theme: Theme::of(headers), here }
    }

    /// The path and query that were asked for.
    pub(super) fn here(&self) -> &str {
        &self.here
    }

    /// The page as an answer.
    pub(in crate::server) fn show(&self, page: Page<'_>) -> Response {
        self.show_as(StatusCode::OK, page)
    }

    /// The page as an answer with this status.
    pub(in crate::server) fn show_as(&self, status: StatusCode, page: Page<'_>) -> Response {
        let html = self.around(status, page).into_string();
        let mut response = (status, html).into_response();
        for (name, value) in headers() {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }

    fn around(&self, status: StatusCode, page: Page<'_>) -> Markup {
        let twin = (status == StatusCode::OK && page.tab.is_some()).then(|| twin(&self.here));
        let (live, workflow) = match page.live {
            Live::Still => (false, None),
            Live::All => (true, None),
            Live::Workflow(id) => (true, Some(id)),
        };
        html! {
            (DOCTYPE)
            html lang="en" data-theme=[self.theme.chosen()] {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (page.title) " · Wilco" }
                    link rel="icon" href=(assets::icon()) type="image/svg+xml";
                    link rel="stylesheet" href=(assets::style());
                    @if let Some(twin) = &twin { link rel="alternate" type="application/json" href=(twin); }
                    script src=(assets::script()) defer {}
                }
                body data-events[live] data-workflow=[workflow] {
                    a.skip href="#main" { "Skip to content" }
                    header.bar {
                        a.brand href="/" { (assets::mark()) "wilco" }
                        nav aria-label="Pages" {
                            @for (tab, href, label) in TABS {
                                a href=(href) aria-current=[(page.tab == Some(tab)).then_some("page")] { (label) }
                            }
                        }
                        span.grow {}
                        @if live { button #live .live type="button" hidden title="Stop and go on with live updates (p)" { "live" } }
                        (self.theme.switch(&self.here))
                    }
                    main #main tabindex="-1" { (page.body) }
                    footer {
                        @if let Some(twin) = &twin { a href=(twin) { "This page as JSON" } }
                        a href="/api/openapi.json" { "API" }
                        button #keys-open type="button" hidden { "Keys " kbd { "?" } }
                    }
                    dialog #keys aria-label="Keys" {
                        h2 { "Keys" }
                        dl {
                            @for (key, what) in KEYS { div { dt { kbd { (key) } } dd { (what) } } }
                        }
                        form method="dialog" { button { "Close" } }
                    }
                }
            }
        }
    }
}

/// The address of the same for programs: `.json` behind the path.
fn twin(here: &str) -> String {
    let (path, query) = here.split_once('?').map_or((here, None), |(path, query)| (path, Some(query)));
    let path = if path == "/" { "/workflows" } else { path };
    query.map_or_else(|| format!("{path}.json"), |query| format!("{path}.json?{query}"))
}

fn headers() -> [(HeaderName, &'static str); 6] {
    [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twin_of_a_page_has_its_query() {
        assert_eq!(twin("/"), "/workflows.json");
        assert_eq!(twin("/?q=a%20%3D%20b"), "/workflows.json?q=a%20%3D%20b");
        assert_eq!(twin("/handoffs/x"), "/handoffs/x.json");
    }
}
