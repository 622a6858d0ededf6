use std::time::Duration;

use maud::{Markup, html};

use crate::model::Timestamp;

/// How far back a page looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub(in crate::server) enum Range {
    /// A quarter of an hour.
    #[serde(rename = "15m")]
    Quarter,
    /// An hour.
    #[serde(rename = "1h")]
    Hour,
    /// A day.
    #[serde(rename = "24h")]
    Day,
    /// A week.
    #[serde(rename = "7d")]
    Week,
    /// All that there is.
    #[default]
    #[serde(rename = "all")]
    All,
}

impl Range {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Quarter, "15m", "15 minutes"),
        (Self::Hour, "1h", "hour"),
        (Self::Day, "24h", "24 hours"),
        (Self::Week, "7d", "7 days"),
        (Self::All, "all", "all"),
    ];

    /// How long it is. `None` for all that there is.
    pub(in crate::server) const fn length(self) -> Option<Duration> {
        let minutes = match self {
            Self::Quarter => 15,
            Self::Hour => 60,
            Self::Day => 24 * 60,
            Self::Week => 7 * 24 * 60,
            Self::All => return None,
        };
        Some(Duration::from_secs(minutes * 60))
    }

    /// When it begins.
    pub(in crate::server) fn since(self, now: Timestamp) -> Timestamp {
        self.length().map_or(Timestamp::EPOCH, |length| now - length)
    }

    /// The word in addresses; empty for the one that need not be said.
    pub(in crate::server) fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(range, ..)| *range == self && *range != Self::All).map_or("", |(_, word, _)| word)
    }

    /// `in the last hour`; nothing where all is meant.
    pub(in crate::server) fn words(self) -> String {
        let label = Self::ALL.into_iter().find(|(range, ..)| *range == self).map_or("", |(.., label)| label);
        if self == Self::All { String::new() } else { format!("in the last {label}") }
    }

    /// A sentence about this time: `None in the last hour.`; `None.` where all is meant.
    pub(in crate::server) fn sentence(self, said: &str) -> String {
        if self == Self::All { format!("{said}.") } else { format!("{said} {}.", self.words()) }
    }

    /// A link for each, to where `link` says.
    pub(in crate::server) fn links(self, link: impl Fn(Self) -> String) -> Markup {
        Self::choices(Some(self), link)
    }

    /// The same where it may be that none of them is chosen.
    pub(in crate::server) fn choices(chosen: Option<Self>, link: impl Fn(Self) -> String) -> Markup {
        html! {
            nav.ranges aria-label="Time range" {
                @for (range, word, label) in Self::ALL {
                    a href=(link(range)) title=(if range == Self::All { "All that there is".to_owned() } else { format!("The last {label}") })
                        aria-current=[(chosen == Some(range)).then_some("true")] { (word) }
                }
            }
        }
    }
}
