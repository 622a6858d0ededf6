//! Messages that mention an error. Whether it is one, only their agents know.

use serde::Serialize;

use crate::cli::replay::conversation::Step;
use crate::model::AgentName;

/// How much of the line that shows it is kept, in characters.
const EXCERPT: usize = 80;

/// A message that mentions an error.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct ErrorMention {
    pub(crate) message: usize,
    pub(crate) from: AgentName,
    /// What is mentioned: `traceback`, `exit code`, `error line`, `http status`.
    pub(crate) mentions: Vec<&'static str>,
    /// The beginning of the line that mentions the first of them.
    pub(crate) excerpt: String,
}

pub(super) fn find(steps: &[Step]) -> Vec<ErrorMention> {
    let mentions = steps.iter().filter_map(|step| {
        let mut mentions = Vec::new();
        let mut excerpt = None;
        for line in step.text().lines().map(str::trim) {
            if let Some(mention) = mention(line)
                && !mentions.contains(&mention)
            {
                mentions.push(mention);
                excerpt.get_or_insert_with(|| line.chars().take(EXCERPT).collect());
            }
        }
        Some(ErrorMention { message: step.message, from: step.from.clone(), mentions, excerpt: excerpt? })
    });
    mentions.collect()
}

fn mention(line: &str) -> Option<&'static str> {
    if line.starts_with("Traceback (most recent call last)") {
        Some("traceback")
    } else if exit_code(line).is_some_and(|code| code != 0) {
        Some("exit code")
    } else if is_error_line(line) {
        Some("error line")
    } else if http_status(line).is_some_and(|status| (400..600).contains(&status)) {
        Some("http status")
    } else {
        None
    }
}

/// `exitcode: 1 (execution failed)`, `exit code 2`.
fn exit_code(line: &str) -> Option<i64> {
    let line = line.to_ascii_lowercase();
    let rest = line.strip_prefix("exitcode").or_else(|| line.strip_prefix("exit code"))?;
    number(rest.trim_start_matches([':', ' ']))
}

/// A line that begins with `error:`, or with the type of an error as languages print it: `ValueError: ...`,
/// `requests.exceptions.HTTPError: ...`.
fn is_error_line(line: &str) -> bool {
    let Some((first, _)) = line.split_once(':') else { return false };
    if first.eq_ignore_ascii_case("error") || first.eq_ignore_ascii_case("fatal") {
        return true;
    }
    let is_path = first.starts_with(|c: char| c.is_ascii_alphabetic())
        && first.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    is_path && (first.ends_with("Error") || first.ends_with("Exception"))
}

/// `HTTP 404`, `HTTP/1.1 503`, `status code: 403`, `Error 500`.
fn http_status(line: &str) -> Option<i64> {
    let line = line.to_ascii_lowercase();
    let after = |marker: &str| {
        let at = line.find(marker)?;
        let rest = line[at + marker.len()..].trim_start_matches([':', ' ']);
        let (digits, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
        let stands_alone = !line[..at].ends_with(char::is_alphanumeric) && !rest.starts_with(char::is_alphanumeric);
        if stands_alone && digits.len() == 3 { digits.parse().ok() } else { None }
    };
    ["status code", "http ", "http/1.1 ", "http/2 ", "error "].into_iter().find_map(after)
}

fn number(text: &str) -> Option<i64> {
    let end = text.char_indices().find(|(at, c)| !(c.is_ascii_digit() || (*at == 0 && *c == '-'))).map(|(at, _)| at);
    text[..end.unwrap_or(text.len())].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::steps;
    use super::*;

    #[test]
    fn what_tools_print_when_they_fail_is_a_mention() {
        for (line, expected) in [
            ("Traceback (most recent call last):", "traceback"),
            ("exitcode: 1 (execution failed)", "exit code"),
            ("Exit code -9", "exit code"),
            ("ValueError: invalid literal", "error line"),
            ("requests.exceptions.HTTPError: no", "error line"),
            ("Error: file not found", "error line"),
            ("The request gave status code: 403.", "http status"),
            ("Error 404 on that page", "http status"),
            ("HTTP/1.1 503 Service Unavailable", "http status"),
        ] {
            assert_eq!(mention(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn talk_of_errors_is_none() {
        for line in [
            "exitcode: 0 (execution succeeded)",
            "exitcode:",
            "Handle the error: retry",
            "except ValueError: pass",
            "The status code was 200",
            "terror 404x",
            "Error handling is in place",
            "http 20456",
            "",
        ] {
            assert_eq!(mention(line), None, "{line}");
        }
    }

    #[test]
    fn each_kind_is_named_once_with_the_line_that_shows_the_first() {
        let found = find(&steps(&[("t", "a", "exitcode: 1\nKeyError: 'x'\nKeyError: 'y'"), ("a", "t", "all is well")]));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].message, &found[0].mentions[..]), (0, &["exit code", "error line"][..]));
        assert_eq!(found[0].excerpt, "exitcode: 1");
    }
}
