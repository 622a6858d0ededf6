//! The only place that prints. Standard output carries what was asked for, standard error everything else.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use tracing_subscriber::EnvFilter;

/// Bold.
pub(crate) const STRONG: Style = Style::new().bold();
/// What is less important.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// What agrees.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What does not.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What could not be told.
pub(crate) const UNKNOWN: Style = AnsiColor::Yellow.on_default();

/// A line is not read with ease beyond this, nor broken with sense below that.
const WIDEST: usize = 100;
const NARROWEST: usize = 60;

/// Prints to standard output: colours only on a terminal, and not under `NO_COLOR`. A reader that goes away ends the
/// printing, not the command.
#[derive(Debug)]
pub(crate) struct Printer {
    out: AutoStream<std::io::Stdout>,
}

impl Printer {
    pub(crate) fn new() -> Self {
        Self { out: AutoStream::new(std::io::stdout(), ColorChoice::Auto) }
    }

    /// Whether somebody is watching.
    pub(crate) fn is_terminal() -> bool {
        std::io::stdout().is_terminal()
    }

    /// How wide a line may be: the terminal, at most 100 columns; 100 where there is none.
    pub(crate) fn columns() -> usize {
        let terminal = Self::is_terminal().then(crossterm::terminal::size).and_then(Result::ok);
        terminal.map_or(WIDEST, |(columns, _)| usize::from(columns).clamp(NARROWEST, WIDEST))
    }

    /// One line of what was asked for.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) {
        let _ = writeln!(self.out, "{text}");
    }

    /// What was asked for, byte for byte.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self.out.write_all(bytes).and_then(|()| self.out.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    /// One line about what is going on.
    pub(crate) fn note(text: impl std::fmt::Display) {
        let _ = writeln!(anstream::stderr(), "{text}");
    }

    /// A query, with a mark under the character at this column, from 1.
    pub(crate) fn point(query: &str, column: usize) {
        let line: String = query.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
        Self::note(format_args!("  {line}\n  {}^", " ".repeat(column.saturating_sub(1))));
    }

    /// Whether diagnostics of the library are dropped, while a screen is drawn that they would fall onto.
    pub(crate) fn hold_back(is_held_back: bool) {
        HELD_BACK.store(is_held_back, Ordering::Relaxed);
    }

    /// One sentence that says what went wrong and what to do.
    pub(crate) fn error(error: &anyhow::Error) {
        let _ = writeln!(anstream::stderr(), "{BAD}error:{BAD:#} {}", sentence(error));
    }
}

/// An error with what caused it, as far as it does not say that itself.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for part in error.chain().map(ToString::to_string) {
        if !text.contains(&part) {
            text = if text.is_empty() { part } else { format!("{text}: {part}") };
        }
    }
    text
}

static HELD_BACK: AtomicBool = AtomicBool::new(false);

/// Diagnostics of the library, as `RUST_LOG` asks for; warnings of ours by default.
pub(crate) fn log_to_stderr() {
    // In a file or a journal, colours are noise.
    let has_colours = std::io::stderr().is_terminal() && wants_colours();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off,wilco=warn"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(has_colours).try_init();
}

/// As `NO_COLOR` says: <https://no-color.org>.
pub(crate) fn wants_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|text| text.is_empty())
}

fn stderr() -> Box<dyn Write> {
    if HELD_BACK.load(Ordering::Relaxed) { Box::new(std::io::sink()) } else { Box::new(std::io::stderr()) }
}

/// Breaks a text at blanks into lines of at most `columns`; a longer word keeps its length.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_broken_at_blanks() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a-very-long-word b", 5), ["a-very-long-word", "b"]);
        assert!(wrap("", 5).is_empty());
    }

    #[test]
    fn a_cause_that_an_error_tells_itself_is_not_told_again() {
        let error = |text: &'static str| anyhow::anyhow!("in use (os error 98)").context(text);
        assert_eq!(sentence(&error("cannot listen: in use (os error 98)")), "cannot listen: in use (os error 98)");
        assert_eq!(sentence(&error("cannot listen")), "cannot listen: in use (os error 98)");
    }
}
