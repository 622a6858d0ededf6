//! A report for people: at most 100 columns, unless a name is longer.

use std::collections::BTreeMap;

use super::report::Report;
use crate::cli::printer::{BAD, FAINT, GOOD, Printer, STRONG, UNKNOWN};
use crate::model::AgentName;

const COLUMNS: usize = 100;
/// Where text begins, after the label.
const INDENT: usize = 16;
/// Columns of a boundary's two names.
const BOUNDARY: usize = 68;

pub(crate) fn render(report: &Report, printer: &mut Printer) {
    let thoughts = match report.thoughts {
        0 => String::new(),
        thoughts => format!(", {} not delivered", counted(thoughts, "thought")),
    };
    let (format, messages) = (report.format.as_str(), counted(report.in_log, "message"));
    printer.line(format!("\n{STRONG}{}{STRONG:#}  {format}, {messages}{thoughts}", clean(&report.file)));
    passage(report, printer);
    facts(report, printer);
    boundaries(report, printer);
    findings(report, printer);
    say(printer, "not in log", &format!("{}: unknown, and not invented", report.not_in_log.join(", ")), Tone::Faint);
}

fn passage(report: &Report, printer: &mut Printer) {
    let hashes = if report.hashes_equal { "payload hashes equal" } else { "payload hashes DIFFER" };
    let order = if report.order_kept { "order kept" } else { "order NOT kept" };
    let text = format!("{} of {}, {hashes}, {order}", report.delivered, report.in_log);
    say(printer, "delivered", &text, if report.is_faithful() { Tone::Good } else { Tone::Bad });
    for lost in &report.lost {
        say(printer, "lost", &format!("message {}: {}", lost.message, lost.why), Tone::Bad);
    }
    for found in &report.mismatches {
        let text = format!("{} at message {}: {}", found.kind, found.message, found.evidence);
        say(printer, "mismatch", &text, Tone::Bad);
    }
    let verdicts: Vec<String> = report.verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    let why = if report.verdicts.contains_key("unconfirmed") {
        ": no intent is in the log, so no readback was due"
    } else {
        ""
    };
    say(printer, "verdicts", &format!("{}{why}", verdicts.join(", ")), Tone::Unknown);
}

fn facts(report: &Report, printer: &mut Printer) {
    let sizes = &report.sizes;
    let text = format!(
        "{} bytes, median {}, largest {} (message {})",
        grouped(sizes.total),
        grouped(sizes.median),
        grouped(sizes.largest),
        sizes.largest_message
    );
    say(printer, "payloads", &text, Tone::Plain);
    let receivers = match (report.receivers.named, report.receivers.by_rule) {
        (named, 0) => format!("named by the log for all {named}"),
        (0, _) => "not in the log: whoever spoke next, see --help".to_owned(),
        (named, by_rule) => format!("named by the log for {named}, by the format's rules for {by_rule}"),
    };
    say(printer, "receivers", &receivers, Tone::Plain);
    for line in &report.agents {
        match &line.speaker {
            Some(speaker) if *speaker != line.agent.as_str() => {
                say(printer, "renamed", &format!("{speaker:?} is agent {}", line.agent), Tone::Plain);
            }
            _ => {}
        }
    }
    say(printer, "workflow", &format!("{} on channel {}", report.workflow, report.channel), Tone::Faint);
}

fn boundaries(report: &Report, printer: &mut Printer) {
    printer.line(format!("\n  {STRONG}{:<BOUNDARY$}  {:>10}  {:>12}{STRONG:#}", "boundary", "handoffs", "bytes"));
    for line in &report.boundaries {
        let name = shortened(&format!("{}<-{}", line.to, line.from), BOUNDARY);
        printer.line(format!("  {name:<BOUNDARY$}  {:>10}  {:>12}", grouped(line.handoffs), grouped(line.bytes)));
    }
    printer.line("");
}

fn findings(report: &Report, printer: &mut Printer) {
    for exchange in &report.exchanges {
        let (first, last) = (exchange.first_message, exchange.last_message);
        let text = format!("{}: {} rounds, messages {first} to {last}", ring(&exchange.ring), exchange.rounds);
        say(printer, "exchange", &text, Tone::Plain);
    }
    for found in &report.loops {
        let text = format!(
            "the same content was at {} in {} rounds: {}; who spoke: {}",
            found.agent,
            found.rounds,
            at(&found.messages),
            ring(&found.ring)
        );
        say(printer, "loop", &text, Tone::Bad);
    }
    for repeat in &report.repeats {
        let how = match repeat.same {
            super::rules::Sameness::Identical => "identical by hash",
            super::rules::Sameness::Text => "the same text but for case and spacing",
        };
        let text = format!("{} sent {} times: {}; {how}", repeat.from, repeat.messages.len(), at(&repeat.messages));
        say(printer, "repeat", &text, Tone::Bad);
    }
    for found in &report.unanswered {
        let then = match found.went_on_at {
            Some(message) => format!("{} went on with message {message}", found.from),
            None => "the log ends".to_owned(),
        };
        say(
            printer,
            "unanswered",
            &format!("message {}: no word of {} before {then}", found.message, found.to),
            Tone::Bad,
        );
    }
    unused(report, printer);
    for found in &report.errors {
        let text = format!("message {} of {} mentions an error: {}", found.message, found.from, clean(&found.excerpt));
        say(printer, "error", &text, Tone::Bad);
    }
    if report.findings == 0 {
        say(printer, "found", "nothing", Tone::Good);
    }
    if let Some(suspect) = &report.suspect {
        let text = format!(
            "if it went wrong, look at message {} of {} first: {} (a guess from its form, not from what it says)",
            suspect.message, suspect.from, suspect.why
        );
        say(printer, "suspect", &text, Tone::Faint);
    }
}

/// One line per boundary: there can be many.
fn unused(report: &Report, printer: &mut Printer) {
    let mut by_boundary: BTreeMap<(&AgentName, &AgentName), Vec<usize>> = BTreeMap::new();
    for reply in &report.unused_replies {
        by_boundary.entry((&reply.to, &reply.from)).or_default().push(reply.message);
    }
    for ((to, from), messages) in by_boundary {
        let text =
            format!("{}, {to}<-{from}: nothing new in it is said again by anybody else (inferred)", at(&messages));
        say(printer, "reply unused", &text, Tone::Bad);
    }
    if !report.unjudged_replies.is_empty() {
        let text = format!("of {}: too short, or too little was said after it", at(&report.unjudged_replies));
        say(printer, "use unknown", &text, Tone::Faint);
    }
}

#[derive(Clone, Copy)]
enum Tone {
    Plain,
    Faint,
    Good,
    Bad,
    Unknown,
}

/// A label and a text, wrapped. Only the label has a colour, so that nothing of the text's own length is lost.
fn say(printer: &mut Printer, label: &str, text: &str, tone: Tone) {
    let style = match tone {
        Tone::Plain => anstyle::Style::new(),
        Tone::Faint => FAINT,
        Tone::Good => GOOD,
        Tone::Bad => BAD,
        Tone::Unknown => UNKNOWN,
    };
    let width = INDENT - 2;
    for (number, line) in wrapped(text, COLUMNS - INDENT).iter().enumerate() {
        let label = if number == 0 { label } else { "" };
        printer.line(format!("  {style}{label:<width$}{style:#}{line}"));
    }
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `message 3`, `messages 3, 5 and 9`.
fn at(messages: &[usize]) -> String {
    let numbers: Vec<String> = messages.iter().map(usize::to_string).collect();
    match numbers.split_last() {
        Some((last, [])) => format!("message {last}"),
        Some((last, others)) => format!("messages {} and {last}", others.join(", ")),
        None => "no message".to_owned(),
    }
}

fn ring(agents: &[AgentName]) -> String {
    agents.iter().map(AgentName::as_str).collect::<Vec<_>>().join(", ")
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count))
}

/// `12345` as `12,345`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width { text.to_owned() } else { text.chars().take(width - 1).chain(['…']).collect() }
}

/// What a file holds may not steer the terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lists_read_well() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([&[3][..], &[3, 5], &[3, 5, 9]].map(at), ["message 3", "messages 3 and 5", "messages 3, 5 and 9"]);
        assert_eq!(counted(1, "thought"), "1 thought");
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(shortened("abcd", 4), "abcd");
    }

    #[test]
    fn long_texts_are_wrapped_between_words() {
        assert_eq!(wrapped("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrapped("incomprehensibilities and", 9), ["incomprehensibilities", "and"]);
    }

    #[test]
    fn control_characters_of_a_log_do_not_reach_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\u{7}"), "a\u{fffd}[31mb\u{fffd}");
    }
}
