use serde_json::{Value, json};

use crate::cli::Outcome;
use crate::cli::printer::{BAD, FAINT, GOOD, Printer, UNKNOWN, wrap};

/// What was found of one thing, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Good,
    /// Was not asked for.
    Skipped,
    /// Good to know.
    Note,
    /// Works, and will not always.
    Warning,
    /// Could not be told.
    Unknown,
    /// Does not work, and has to be changed.
    Bad,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Skipped => "skipped",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Bad => "bad",
        }
    }
}

#[derive(Debug)]
struct Check {
    /// `nats.headers`: what was asked, then which side of it.
    name: &'static str,
    level: Level,
    says: String,
    /// What to change.
    advice: Option<String>,
}

/// All that was found, in the order in which it was looked at.
#[derive(Debug, Default)]
pub(super) struct Report {
    checks: Vec<Check>,
}

impl Report {
    pub(super) fn good(&mut self, name: &'static str, says: impl Into<String>) {
        self.add(name, Level::Good, says, None);
    }

    pub(super) fn skipped(&mut self, name: &'static str, how: &str) {
        self.add(name, Level::Skipped, format!("not looked at; {how}"), None);
    }

    pub(super) fn note(&mut self, name: &'static str, says: impl Into<String>, advice: impl Into<String>) {
        self.add(name, Level::Note, says, Some(advice.into()));
    }

    pub(super) fn warning(&mut self, name: &'static str, says: impl Into<String>, advice: impl Into<String>) {
        self.add(name, Level::Warning, says, Some(advice.into()));
    }

    pub(super) fn unknown(&mut self, name: &'static str, says: impl Into<String>, advice: impl Into<String>) {
        self.add(name, Level::Unknown, says, Some(advice.into()));
    }

    pub(super) fn bad(&mut self, name: &'static str, says: impl Into<String>, advice: impl Into<String>) {
        self.add(name, Level::Bad, says, Some(advice.into()));
    }

    fn add(&mut self, name: &'static str, level: Level, says: impl Into<String>, advice: Option<String>) {
        self.checks.push(Check { name, level, says: says.into(), advice });
    }

    fn count(&self, level: Level) -> usize {
        self.checks.iter().filter(|check| check.level == level).count()
    }

    /// How many checks ask for something.
    pub(super) fn trouble(&self) -> usize {
        self.checks.iter().filter(|check| check.level >= Level::Warning).count()
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self.checks.iter().map(|check| check.level).max() {
            Some(Level::Bad) => Outcome::FailureFound,
            Some(Level::Unknown) => Outcome::Unknown,
            _ => Outcome::Clean,
        }
    }

    pub(super) fn json(&self) -> Value {
        let checks: Vec<Value> = self
            .checks
            .iter()
            .map(|check| json!({"name": check.name, "level": check.level.as_str(), "says": check.says, "advice": check.advice}))
            .collect();
        let outcome = match self.outcome() {
            Outcome::Clean => "well",
            Outcome::FailureFound => "to_change",
            Outcome::Unknown => "unknown",
        };
        json!({"outcome": outcome, "checks": checks})
    }

    pub(super) fn print(&self, printer: &mut Printer) {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
        let indent = " ".repeat(width + 11);
        for Check { name, level, says, advice } in &self.checks {
            let style = match level {
                Level::Good => GOOD,
                Level::Skipped | Level::Note => FAINT,
                Level::Warning | Level::Unknown => UNKNOWN,
                Level::Bad => BAD,
            };
            let lines = wrap(says, 100_usize.saturating_sub(width + 11));
            for (at, line) in lines.iter().enumerate() {
                if at == 0 {
                    printer.line(format_args!("{style}{:<9}{style:#}{name:<width$}  {line}", level.as_str()));
                } else {
                    printer.line(format_args!("{indent}{line}"));
                }
            }
            for line in advice.iter().flat_map(|advice| wrap(advice, 98_usize.saturating_sub(width + 11))) {
                printer.line(format_args!("{indent}{FAINT}> {line}{FAINT:#}"));
            }
        }
        let counts: Vec<String> =
            [(Level::Bad, "to change"), (Level::Unknown, "unknown"), (Level::Warning, "warnings")]
                .into_iter()
                .map(|(level, words)| (self.count(level), words))
                .filter(|(count, _)| *count > 0)
                .map(|(count, words)| format!("{count} {words}"))
                .collect();
        printer.line("");
        printer.line(if counts.is_empty() { "all is well".to_owned() } else { counts.join(", ") });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_is_that_of_the_worst_check() {
        let mut report = Report::default();
        report.good("a", "fine");
        report.note("b", "so so", "nothing");
        report.warning("c", "hm", "look");
        assert_eq!(report.outcome(), Outcome::Clean);
        report.unknown("d", "?", "try");
        assert_eq!(report.outcome(), Outcome::Unknown);
        report.bad("e", "no", "change it");
        assert_eq!(report.outcome(), Outcome::FailureFound);
        assert_eq!(report.json()["outcome"], "to_change");
    }
}
