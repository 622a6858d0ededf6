//! How times, sizes and outcomes are shown: one way on every page.

use maud::{Markup, html};

use crate::diagnose::Status;
use crate::model::Timestamp;

/// A time span such as `840 ms`, `12.4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn duration(ms: f64) -> String {
    let (sign, ms) = if ms < 0.0 { ("-", -ms) } else { ("", ms) };
    let whole = |unit: f64| (ms / unit) as u64;
    let two = |big: u64, one: &str, small: u64, other: &str| {
        if small == 0 { format!("{big} {one}") } else { format!("{big} {one} {small} {other}") }
    };
    let text = if ms == 0.0 {
        "0 ms".to_owned()
    } else if ms < 0.995 {
        format!("{} µs", (ms * 1e3).round().max(1.0))
    } else if ms < 9.995 {
        format!("{} ms", (ms * 10.0).round() / 10.0)
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else if ms < 99_950.0 {
        format!("{} s", (ms / 100.0).round() / 10.0)
    } else if ms < 3_600e3 {
        two(whole(60e3), "min", whole(1e3) % 60, "s")
    } else if ms < 86_400e3 {
        two(whole(3_600e3), "h", whole(60e3) % 60, "min")
    } else {
        two(whole(86_400e3), "d", whole(3_600e3) % 24, "h")
    };
    format!("{sign}{text}")
}

/// How long ago, in one unit: `now`, `12 s ago`, `5 min ago`, `3 h ago`, `12 d ago`.
pub(in crate::server) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(then).as_secs();
    match seconds {
        0 => "now".to_owned(),
        1..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// A size such as `840 B` or `1.2 KiB`.
pub(in crate::server) fn size(bytes: i64) -> String {
    match bytes {
        ..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// `1 handoff`, `12 handoffs`.
pub(crate) fn count(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(count)) }
}

/// A number with thin spaces between its thousands.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A count out of the database, as [`grouped`].
pub(in crate::server) fn whole(count: i64) -> String {
    grouped(usize::try_from(count).unwrap_or(0))
}

/// A number that may be missing.
pub(crate) fn maybe(number: Option<f64>, show: impl Fn(f64) -> String) -> String {
    number.map_or_else(|| "–".to_owned(), show)
}

/// A part of all as `8 %`, `0.4 %`; `0` where there is no part.
pub(in crate::server) fn share(part: i64, all: i64) -> String {
    if part == 0 { "0".to_owned() } else { percent(part as f64 * 100.0 / all.max(1) as f64) }
}

/// `8 %`, and under 10 with one decimal: `0.4 %`.
pub(in crate::server) fn percent(percent: f64) -> String {
    if percent >= 9.95 || percent == 0.0 {
        format!("{percent:.0} %")
    } else {
        format!("{} %", (percent * 10.0).round().max(1.0) / 10.0)
    }
}

/// A time as the API gives it.
pub(in crate::server) fn parsed(rfc3339: &str) -> Timestamp {
    let time = rfc3339.parse::<jiff::Timestamp>().ok().and_then(|time| u64::try_from(time.as_nanosecond()).ok());
    Timestamp::from_unix_nanos(time.unwrap_or(0))
}

/// A time for programs, as the API gives it.
pub(in crate::server) fn rfc3339<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&at.to_rfc3339())
}

/// A time in words that age, with the whole of it behind.
pub(in crate::server) fn age(then: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(then) title=(then) { (ago(then, now)) } }
}

/// A point in time to the millisecond, with the whole of it behind.
pub(in crate::server) fn moment(at: Timestamp) -> Markup {
    let text = at.to_rfc3339();
    let short = text.get(..23).unwrap_or(&text).replace('T', " ");
    html! { time datetime=(text) title=(text) { (short) } }
}

/// A word with its sign, so that colour never stands alone.
pub(in crate::server) fn badge(tone: Tone, word: &str) -> Markup {
    html! { span.badge.(tone.class()) { (sign(tone)) (word) } }
}

/// What is known of a workflow's health.
pub(in crate::server) fn status(status: Status) -> Markup {
    match status {
        Status::Failure => badge(Tone::Bad, "failure"),
        Status::Clean => badge(Tone::Good, "clean"),
        Status::Unknown => badge(Tone::Unsure, "unknown"),
    }
}

/// The verdict on a handoff.
pub(in crate::server) fn verdict(word: &str) -> Markup {
    badge(tone(word), word)
}

/// How a handoff with this verdict went.
pub(crate) fn tone(verdict: &str) -> Tone {
    match verdict {
        "agreed" => Tone::Good,
        "mismatched" => Tone::Bad,
        _ => Tone::Unsure,
    }
}

/// A kind of mismatch as prose: `stale context`.
pub(crate) fn kind(word: &str) -> String {
    word.replace('_', " ")
}

/// A text with its first letter in upper case.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// How something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Unsure,
}

impl Tone {
    pub(in crate::server) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Unsure => "unsure",
        }
    }
}

/// A tick, a cross, a question mark.
fn sign(tone: Tone) -> Markup {
    let path = match tone {
        Tone::Good => "M3.5 8.5 6.5 11.5 12.5 4.5",
        Tone::Bad => "M4 4 12 12M12 4 4 12",
        Tone::Unsure => "M5.5 6a2.5 2.5 0 1 1 3.6 2.2C8.3 8.6 8 9 8 9.8M8 12.6v.1",
    };
    html! {
        svg.sign viewBox="0 0 16 16" width="12" height="12" aria-hidden="true" {
            path d=(path) fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_the_unit_that_suits_them() {
        for (ms, text) in [
            (0.0, "0 ms"),
            (0.25, "250 µs"),
            (4.26, "4.3 ms"),
            (840.2, "840 ms"),
            (999.9, "1 s"),
            (12_400.0, "12.4 s"),
            (200_000.0, "3 min 20 s"),
            (7_500_000.0, "2 h 5 min"),
            (273_600_000.0, "3 d 4 h"),
            (-12_000.0, "-12 s"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([1, 999, 1_000, 1_234_567].map(grouped), ["1", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]);
        assert_eq!(
            [share(0, 9), share(1, 1_000), share(8, 100), share(1, 3), share(3, 3)],
            ["0", "0.1 %", "8 %", "33 %", "100 %"]
        );
        assert_eq!((count(1, "handoff"), count(2, "handoff")), ("1 handoff".into(), "2 handoffs".into()));
    }
}
