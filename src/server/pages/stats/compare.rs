use std::time::Duration;

use maud::{Markup, html};

/// Which earlier time is put beside the one that is looked at. It is as long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub(super) enum Against {
    /// None.
    #[default]
    #[serde(rename = "")]
    Nothing,
    /// The one just before.
    #[serde(rename = "before")]
    Before,
    /// The same of the day before.
    #[serde(rename = "day")]
    Day,
    /// The same of the week before.
    #[serde(rename = "week")]
    Week,
}

const DAY: Duration = Duration::from_secs(24 * 3_600);

impl Against {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Nothing, "", "nothing"),
        (Self::Before, "before", "the time before"),
        (Self::Day, "day", "a day earlier"),
        (Self::Week, "week", "a week earlier"),
    ];

    /// The word in addresses.
    pub(super) fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(against, ..)| *against == self).map_or("", |(_, word, _)| word)
    }

    /// How much earlier the other time ended, for one of this length. A day before a week would be much the same week.
    pub(super) fn shift(self, length: Duration) -> Option<Duration> {
        match self {
            Self::Nothing => None,
            Self::Before => Some(length),
            Self::Day => Some(length.max(DAY)),
            Self::Week => Some(length.max(7 * DAY)),
        }
    }

    /// A link for each.
    pub(super) fn links(self, link: impl Fn(Self) -> String) -> Markup {
        html! {
            nav.against aria-label="Compare with" {
                span.faint { "Compare with" }
                @for (against, _, label) in Self::ALL {
                    a href=(link(against)) aria-current=[(against == self).then_some("true")] { (label) }
                }
            }
        }
    }
}

/// Whether more of a number is better.
#[derive(Clone, Copy, Debug)]
pub(super) enum Better {
    /// More is.
    More,
    /// Less is.
    Less,
    /// Neither.
    Neither,
}

/// A number, and beside it what became of it: an arrow and how much, so that colour never stands alone.
pub(super) fn cell(
    now: Option<f64>,
    before: Option<Option<f64>>,
    better: Better,
    show: impl Fn(f64) -> String,
) -> Markup {
    html! {
        (now.map_or_else(|| "–".to_owned(), &show))
        @if let (Some(now), Some(Some(before))) = (now, before) {
            @let change = change(now, before);
            " " span.change.(tone(now, before, better)) title={ "was " (show(before)) } { (change) }
        }
    }
}

/// How a number changed: `▲ 12 %`, `▼ 3 %`, `=`; `▲ new` from nothing.
fn change(now: f64, before: f64) -> String {
    if before == 0.0 {
        return if now == 0.0 { "=".to_owned() } else { "▲ new".to_owned() };
    }
    let percent = ((now - before) / before.abs() * 100.0).round();
    match percent {
        percent if percent > 999.0 => "▲ over 10-fold".to_owned(),
        percent if percent > 0.0 => format!("▲ {percent} %"),
        percent if percent < 0.0 => format!("▼ {} %", -percent),
        _ => "=".to_owned(),
    }
}

fn tone(now: f64, before: f64, better: Better) -> &'static str {
    // Within a twentieth nothing is said.
    if (now - before).abs() <= before.abs() * 0.05 {
        return "faint";
    }
    match (better, now > before) {
        (Better::Neither, _) => "faint",
        (Better::More, true) | (Better::Less, false) => "good",
        _ => "bad",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_by_an_arrow_and_how_much() {
        assert_eq!(change(112.0, 100.0), "▲ 12 %");
        assert_eq!(change(97.0, 100.0), "▼ 3 %");
        assert_eq!((change(0.0, 0.0), change(2.0, 0.0)), ("=".to_owned(), "▲ new".to_owned()));
        assert_eq!(change(100_000.0, 1.0), "▲ over 10-fold");
        assert_eq!((tone(2.0, 1.0, Better::Less), tone(2.0, 1.0, Better::More)), ("bad", "good"));
        assert_eq!(tone(1.01, 1.0, Better::Less), "faint");
    }

    #[test]
    fn the_other_time_never_overlaps() {
        let week = 7 * DAY;
        assert_eq!(Against::Day.shift(week), Some(week));
        assert_eq!(Against::Week.shift(DAY), Some(week));
        assert_eq!(Against::Nothing.shift(DAY), None);
    }
}
