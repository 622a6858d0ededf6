use maud::{Markup, html};

use crate::model::Timestamp;
use crate::server::error::Problem;

/// Two times that somebody chose, as they stand in an address: in UTC, as `2026-01-15T10:00` or as RFC 3339 has it. What
/// is empty is not chosen.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    other_from: String,
    #[serde(default)]
    other_until: String,
}

/// From when, until when.
pub(super) type Time = (Timestamp, Timestamp);

/// The time that is looked at, and the one beside it.
pub(super) type Chosen = (Time, Option<Time>);

impl Asked {
    /// `None` where none was chosen.
    pub(super) fn read(&self) -> Result<Option<Chosen>, Problem> {
        let time = pair(("from", &self.from), ("until", &self.until))?;
        let other = pair(("other_from", &self.other_from), ("other_until", &self.other_until))?;
        match (time, other) {
            (None, Some(_)) => Err(Problem::bad(
                "other_from and other_until say what to compare with: say by from and until what is compared",
            )),
            (time, other) => Ok(time.map(|time| (time, other))),
        }
    }
}

fn pair(from: (&str, &str), until: (&str, &str)) -> Result<Option<Time>, Problem> {
    if from.1.trim().is_empty() && until.1.trim().is_empty() {
        return Ok(None);
    }
    let (begin, end) = (moment(from)?, moment(until)?);
    if begin >= end {
        return Err(Problem::bad(format!("{} is not after {}: a time ends after it begins", until.0, from.0)));
    }
    Ok(Some((begin, end)))
}

fn moment((name, text): (&str, &str)) -> Result<Timestamp, Problem> {
    let text = text.trim();
    // As a browser's field gives it, without saying of which place: all here is in UTC.
    let time = text.parse::<jiff::Timestamp>().or_else(|_| format!("{text}Z").parse::<jiff::Timestamp>());
    let nanos = time.ok().and_then(|time| u64::try_from(time.as_nanosecond()).ok());
    // Later ones are no time of the database.
    let nanos = nanos.filter(|nanos| i64::try_from(*nanos).is_ok());
    nanos.map(Timestamp::from_unix_nanos).ok_or_else(|| {
        let said = if text.is_empty() { "is missing".to_owned() } else { format!("is {text:?}, which is no time") };
        Problem::bad(format!("{name} {said}: say it in UTC, such as 2026-01-15T10:00 or 2026-01-15T10:00:30Z"))
    })
}

/// Fields to choose both by; what is shown now stands in them.
pub(super) fn form(is_open: bool, shown: Option<Time>, other: Option<Time>) -> Markup {
    html! {
        details.times open[is_open] {
            summary { "Choose two times" }
            form method="get" action="/stats" {
                (fields("Time, in UTC", ["from", "until"], shown, true))
                (fields("Compare with", ["other_from", "other_until"], other, false))
                button.button type="submit" { "Show" }
            }
        }
    }
}

fn fields(legend: &str, names: [&str; 2], shown: Option<Time>, is_required: bool) -> Markup {
    let shown = shown.map(|(from, until)| [field(from), field(until)]).unwrap_or_default();
    html! {
        fieldset {
            legend { (legend) }
            @for ((name, label), value) in names.into_iter().zip(["From", "until"]).zip(&shown) {
                span {
                    label for=(name) { (label) }
                    input id=(name) type="datetime-local" name=(name) value=(value) step="1" required[is_required];
                }
            }
        }
    }
}

/// As a field for a time takes it.
fn field(at: Timestamp) -> String {
    at.to_rfc3339().get(..19).unwrap_or_default().to_owned()
}

/// What is put beside what, in words.
pub(super) fn sentence(time: Time, other: Option<Time>) -> Markup {
    let words = |(from, until): Time| format!("{} to {}", field(from), field(until)).replace('T', " ");
    let length = |(from, until): Time| until.since(from);
    html! {
        p.faint {
            "From " (words(time)) " UTC"
            @if let Some(other) = other {
                ", beside " (words(other)) "."
                @if length(time) != length(other) { " One is longer than the other: compare shares and durations, not counts." }
            } @else { "." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(texts: [&str; 4]) -> Result<Option<(Time, Option<Time>)>, String> {
        let [from, until, other_from, other_until] = texts.map(str::to_owned);
        Asked { from, until, other_from, other_until }.read().map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn a_time_is_taken_as_a_field_gives_it_and_as_programs_write_it() {
        let (time, other) = asked(["2026-01-15T10:00", "2026-01-15T12:00:30+01:00", "", ""]).unwrap().unwrap();
        assert_eq!((field(time.0), field(time.1)), ("2026-01-15T10:00:00".into(), "2026-01-15T11:00:30".into()));
        assert_eq!(other, None);
        assert_eq!(asked(["", "", "", ""]).unwrap(), None);
    }

    #[test]
    fn what_is_no_time_is_told_with_its_name_and_what_to_say() {
        for (texts, said) in [
            (["yesterday", "2026-01-15T10:00", "", ""], "from is \\\"yesterday\\\", which is no time"),
            (["2026-01-15T10:00", "", "", ""], "until is missing"),
            (["2026-01-15T10:00", "2026-01-15T10:00", "", ""], "until is not after from"),
            (["", "", "2026-01-15T10:00", "2026-01-15T11:00"], "say by from and until what is compared"),
            (["2026-01-15T10:00", "2026-01-15T11:00", "2026-01-15T10:00", ""], "other_until is missing"),
            (["1969-01-15T10:00", "2026-01-15T11:00", "", ""], "which is no time"),
        ] {
            let problem = asked(texts).unwrap_err();
            assert!(problem.contains(said), "{problem}");
        }
    }
}
