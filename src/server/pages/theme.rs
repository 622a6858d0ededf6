use axum::Form;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use crate::server::session::cookies;

/// Light or dark: as the reader's system has it, unless they chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Theme {
    System,
    Light,
    Dark,
}

const COOKIE: &str = "wilco_theme";

impl Theme {
    const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub(super) fn of(headers: &HeaderMap) -> Self {
        let chosen = cookies(headers).find(|(name, _)| *name == COOKIE).map_or("", |(_, value)| value);
        Self::named(chosen)
    }

    fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.name() == name).unwrap_or(Self::System)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The word for it, unless it is the system's.
    pub(super) fn chosen(self) -> Option<&'static str> {
        (self != Self::System).then_some(self.name())
    }

    /// A button for each, which comes back to this page.
    pub(super) fn switch(self, here: &str) -> Markup {
        html! {
            form.theme method="post" action="/theme" role="group" aria-label="Colours" {
                input type="hidden" name="back" value=(here);
                @for theme in Self::ALL {
                    button name="theme" value=(theme.name()) aria-pressed=(theme == self) title={ "Colours: " (theme.name()) } {
                        svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" {
                            @match theme {
                                Self::System => { circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="1.5" {} path d="M8 2.5a5.5 5.5 0 0 1 0 11z" fill="currentColor" {} }
                                Self::Light => { circle cx="8" cy="8" r="3.2" fill="currentColor" {} path d="M8 1v2M8 13v2M1 8h2M13 8h2M3 3l1.4 1.4M11.6 11.6 13 13M13 3l-1.4 1.4M4.4 11.6 3 13" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" {} }
                                Self::Dark => { path d="M13.5 9.8A6 6 0 0 1 6.2 2.5a6 6 0 1 0 7.3 7.3z" fill="currentColor" {} }
                            }
                        }
                        span.hide { (theme.name()) }
                    }
                }
            }
        }
    }
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Choice {
    theme: String,
    #[serde(default)]
    back: String,
}

/// `POST /theme`: keeps the choice in a cookie, and goes back.
pub(super) async fn choose(Form(choice): Form<Choice>) -> Response {
    let theme = Theme::named(&choice.theme).name();
    let cookie = format!("{COOKIE}={theme}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict");
    (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie), (header::LOCATION, local(&choice.back).to_owned())])
        .into_response()
}

/// A path on this server, or the front page where it is none: nobody is led elsewhere.
pub(super) fn local(path: &str) -> &str {
    let is_local = path.starts_with('/') && !path[1..].starts_with(['/', '\\']);
    if is_local && path.bytes().all(|byte| byte.is_ascii_graphic()) { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for path in ["//evil.example", "/\\evil.example", "https://evil.example", "", "x", "/a\r\nb: c", "/ä"] {
            assert_eq!(local(path), "/", "{path}");
        }
        for path in ["/", "/workflows/x?a=%2F#b"] {
            assert_eq!(local(path), path);
        }
    }
}
