//! One handoff, as lines of text: the words of its page.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use serde_json::Value;

use super::state::Opened;
use super::style::{FAINT, PLAIN, STRONG, Styles, clean, sign};
use crate::cli::printer::wrap;
use crate::server::pages::handoff::{Age, Climb, Finding, HandoffView, Item, Outcome, Row, Why};
use crate::server::pages::words::{self, Tone};

/// From so many columns on, what was sent stands beside what was read back.
const WIDE: usize = 72;

/// How many lines it has on a screen of so many columns.
pub(super) fn height(opened: &Opened, columns: u16, server: &str) -> usize {
    lines(opened, columns, Styles::new(false), server).len()
}

/// All that is known of it; `server` is where commands and pages find it.
pub(super) fn lines(opened: &Opened, columns: u16, styles: Styles, server: &str) -> Vec<Line<'static>> {
    let mut text = Text { columns: usize::from(columns).max(8), styles, lines: Vec::new() };
    match &opened.view {
        Ok(view) => text.view(view, server),
        Err(_) if opened.is_asked() => text.line("asking the server", FAINT),
        Err(reason) => text.wrapped(0, &format!("this handoff cannot be shown: {reason}"), styles.of(Tone::Bad)),
    }
    text.lines
}

struct Text {
    columns: usize,
    styles: Styles,
    lines: Vec<Line<'static>>,
}

impl Text {
    fn view(&mut self, view: &HandoffView, server: &str) {
        let handoff = &view.handoff;
        let tone = words::tone(&handoff.verdict);
        self.wrapped(0, &handoff.boundary(), STRONG);
        self.wrapped(0, &format!("{} {}", sign(tone), handoff.verdict), self.styles.of(tone));
        let mut facts = vec![
            handoff.kind.clone().unwrap_or_else(|| "kind unknown".to_owned()),
            format!("highest rung {}", words::kind(&handoff.rung)),
            format!("took {}", words::duration(handoff.duration_ms)),
            format!("attempts {}", handoff.attempts),
            format!("deliveries {}", handoff.deliveries),
        ];
        facts.extend(handoff.quality.map(|quality| format!("quality {quality}")));
        self.wrapped(0, &facts.join(", "), PLAIN);
        self.wrapped(0, &handoff.id, FAINT);
        if let Some(why) = &view.why {
            self.why(why, &handoff.id);
        }
        if !view.findings.is_empty() {
            self.heading("What was found");
            view.findings.iter().for_each(|finding| self.finding(finding));
        }
        self.heading("Ladder");
        self.ladder(&view.ladder);
        self.heading("Intent and readback");
        self.intent(&view.intent);
        self.heading("Context");
        self.context(view.worst_context.as_ref(), &view.context);
        self.heading("More");
        self.wrapped(2, &format!("page {server}/handoffs/{}", handoff.id), PLAIN);
        if let Some(workflow) = &handoff.workflow {
            self.wrapped(2, &format!("wilco why {workflow} --server {server}"), PLAIN);
        }
    }

    fn why(&mut self, why: &Why, id: &str) {
        self.heading(&format!("Workflow {}", why.workflow));
        let is_root = why.cause.as_deref() == Some(id);
        let tone = if why.cause.is_some() { self.styles.of(Tone::Bad) } else { PLAIN };
        self.wrapped(2, &why.sentence, tone);
        if is_root {
            self.wrapped(2, "this handoff is the root cause of its failure", STRONG);
        }
        if why.spoiled {
            self.wrapped(2, "this handoff rests on what broke", PLAIN);
        }
        for what in &why.owed {
            self.wrapped(2, &format!("owed, and never seen: {what}"), PLAIN);
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let bad = self.styles.of(Tone::Bad);
        self.wrapped(2, &format!("{} {}", sign(Tone::Bad), words::kind(&finding.kind)), bad);
        for text in &finding.evidence {
            self.wrapped(4, text, PLAIN);
        }
        let mut told = Vec::new();
        if !finding.by.is_empty() {
            told.push(format!("found by {}", finding.by.join(" and ")));
        }
        told.extend(
            finding.confidence.map(|confidence| format!("as the cause: confidence {:.0} %", confidence * 100.0)),
        );
        self.wrapped(4, &told.join(", "), FAINT);
    }

    fn ladder(&mut self, ladder: &[Climb]) {
        if ladder.is_empty() {
            self.wrapped(2, "no rung is on record", FAINT);
        }
        for climb in ladder {
            let tone = crate::server::pages::handoff::tone(climb.rung);
            let rung = format!("  {} {:<13} ", sign(tone), words::kind(climb.rung.as_str()));
            let after = format!("{:>9} ", format!("+{}", words::duration(climb.after_ms)));
            let by = climb.by.as_ref().map(|by| format!("says {by}, ")).unwrap_or_default();
            let rest = clean(&format!("{}, {by}told by {}", climb.evidence, climb.teller));
            let is_short = self.columns < WIDE;
            let mut spans = vec![Span::styled(rung, self.styles.of(tone)), Span::raw(after)];
            spans.push(Span::styled(if is_short { clean(&climb.evidence) } else { rest }, FAINT));
            self.lines.push(Line::from(spans));
        }
    }

    fn intent(&mut self, rows: &[Row]) {
        if rows.is_empty() {
            return self.wrapped(2, "neither an intent nor a readback is on record", FAINT);
        }
        if rows.iter().all(|row| row.outcome == Outcome::OneSided) {
            self.wrapped(2, "no readback is on record beside the intent, or the other way round", FAINT);
        }
        for row in rows {
            let (mark, style) = match row.outcome {
                Outcome::Same => (sign(Tone::Good), PLAIN),
                Outcome::Different => (sign(Tone::Bad), self.styles.of(Tone::Bad)),
                Outcome::Unknown => (sign(Tone::Unsure), self.styles.of(Tone::Unsure)),
                Outcome::OneSided => (" ", PLAIN),
            };
            let (sent, read_back) = (value(row.sent.as_ref()), value(row.read_back.as_ref()));
            let slot = format!("{mark} {}", row.slot);
            if self.columns >= WIDE {
                self.side_by_side(&[&slot, &sent, &read_back], style);
            } else {
                self.wrapped(2, &slot, style);
                self.wrapped(6, &format!("sent: {sent}"), style);
                self.wrapped(6, &format!("read back: {read_back}"), style);
            }
            if let Some(why) = &row.why {
                self.wrapped(6, why, FAINT);
            }
            if row.outcome == Outcome::Unknown {
                self.wrapped(6, "whether they are the same cannot be told", FAINT);
            }
        }
    }

    fn context(&mut self, worst: Option<&Age>, items: &[Item]) {
        if items.is_empty() && worst.is_none() {
            self.wrapped(2, "the task names no context", FAINT);
        }
        if let Some(Age { age_ms, uncertainty_ms, most_ms }) = worst {
            let unsure =
                if *uncertainty_ms > 0.0 { format!(" ± {}", words::duration(*uncertainty_ms)) } else { String::new() };
            let most = most_ms.map(|most| format!(", of at most {}", words::duration(most))).unwrap_or_default();
            let is_over = most_ms.is_some_and(|most| age_ms - uncertainty_ms > most);
            let tone = if is_over { Tone::Bad } else { Tone::Good };
            let text = format!(
                "{} the worst item was {}{unsure} old when it was used{most}",
                sign(tone),
                words::duration(*age_ms)
            );
            self.wrapped(2, &text, if is_over { self.styles.of(tone) } else { PLAIN });
        }
        for item in items {
            let told = |version: &Option<String>| version.clone().unwrap_or_else(|| "–".to_owned());
            let mut parts =
                vec![format!("{}: version sent {}, used {}", item.name, told(&item.sent), told(&item.used))];
            parts.extend(item.newest.as_ref().map(|newest| {
                format!("newest known {newest}{}", if item.is_behind() { " ✕ newer than what was used" } else { "" })
            }));
            parts.push(match (item.age_ms, item.most_ms) {
                (Some(age), Some(most)) => {
                    format!("age when used {} of at most {}", words::duration(age), words::duration(most))
                }
                (Some(age), None) => format!("age when used {}", words::duration(age)),
                (None, _) => "age not known".to_owned(),
            });
            self.wrapped(2, &parts.join(", "), PLAIN);
        }
    }

    fn heading(&mut self, text: &str) {
        self.lines.push(Line::default());
        self.wrapped(0, text, STRONG);
    }

    fn line(&mut self, text: &str, style: Style) {
        self.lines.push(Line::styled(text.to_owned(), style));
    }

    /// A text behind so many blanks, in as many lines as it takes.
    fn wrapped(&mut self, indent: usize, text: &str, style: Style) {
        for part in broken(&clean(text), self.columns.saturating_sub(indent).max(4)) {
            self.line(&format!("{}{part}", " ".repeat(indent)), style);
        }
    }

    /// Texts in columns of the same width.
    fn side_by_side(&mut self, texts: &[&str], style: Style) {
        let width = (self.columns - 2) / texts.len();
        let columns: Vec<Vec<String>> = texts.iter().map(|text| broken(&clean(text), width - 2)).collect();
        let height = columns.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..height {
            let cells = columns.iter().map(|column| {
                let cell = column.get(at).map_or("", String::as_str);
                format!("{cell}{}", " ".repeat(width.saturating_sub(Span::raw(cell).width())))
            });
            let line = format!("  {}", cells.collect::<String>());
            self.line(line.trim_end(), style);
        }
    }
}

/// A text in lines of at most `columns`; a word that is longer is cut where it has to be.
fn broken(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in wrap(text, columns) {
        let mut part = String::new();
        for letter in line.chars() {
            part.push(letter);
            if Span::raw(part.as_str()).width() > columns {
                part.pop();
                lines.push(std::mem::replace(&mut part, letter.to_string()));
            }
        }
        lines.push(part);
    }
    lines
}

fn value(value: Option<&Value>) -> String {
    match value {
        None => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let items = items.iter().map(|item| self::value(Some(item)));
            items.collect::<Vec<_>>().join(", ")
        }
        Some(other) => other.to_string(),
    }
}
