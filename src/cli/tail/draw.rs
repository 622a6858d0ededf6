//! The screen: a picture of the state, and nothing else.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::detail;
use super::state::{Link, Opened, State};
use super::style::{FAINT, MARKED, PLAIN, STRONG, Styles, clean, sign};
use crate::cli::tail::handoffs::MOST;
use crate::server::pages::words::{self, Tone};
use crate::store::HandoffSummary;

/// The smallest screen that something can be said on.
const LEAST: (u16, u16) = (24, 6);

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, styles: Styles) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        put(frame.buffer_mut(), area, 0, &format!("wilco tail needs {}x{}", LEAST.0, LEAST.1), PLAIN);
        return;
    }
    let screen = Screen { area, state, styles };
    if state.help {
        return screen.help(frame.buffer_mut());
    }
    screen.title(frame.buffer_mut());
    if let Some(opened) = &state.opened {
        return screen.handoff(frame.buffer_mut(), opened);
    }
    let cursor = screen.filter(frame.buffer_mut());
    screen.list(frame.buffer_mut());
    if let Some(at) = cursor {
        frame.set_cursor_position(at);
    }
}

struct Screen<'a> {
    area: Rect,
    state: &'a State,
    styles: Styles,
}

/// What a column of the list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Sign,
    Time,
    Clock,
    Boundary,
    Verdict,
    Rung,
    Took,
    Workflow,
    Found,
}

impl Screen<'_> {
    fn title(&self, buffer: &mut Buffer) {
        let (handoffs, mismatched) = self.state.counts();
        let (tone, link) = match &self.state.link {
            Link::Connecting => (Tone::Unsure, "connecting".to_owned()),
            Link::Live => match self.state.held_back() {
                Some(changes) => (Tone::Unsure, format!("paused, {}", words::count(whole(changes), "change"))),
                None => (Tone::Good, "live".to_owned()),
            },
            Link::Lost(_) => (Tone::Bad, "lost, trying again".to_owned()),
            Link::Refused(_) => (Tone::Bad, "refused".to_owned()),
        };
        let link = format!("{} {link}", sign(tone));
        let width = Span::raw(link.as_str()).width() as u16;
        let counts = format!("{}, {mismatched} mismatched", words::count(handoffs, "handoff"));
        let host = self.state.server.split_once("://").map_or(self.state.server.as_str(), |(_, host)| host);
        let room = self.area.width.saturating_sub(width + 1);
        let left = [format!("wilco tail  {host}  {counts}"), format!("{host}  {counts}"), counts, String::new()];
        let left =
            left.iter().find(|text| Span::raw(text.as_str()).width() <= usize::from(room)).map_or("", |text| text);
        put(buffer, Rect { width: room, ..self.area }, 0, &clean(left), STRONG);
        let right = Rect { x: self.area.right().saturating_sub(width), width, ..self.area };
        put(buffer, right, 0, &link, self.styles.of(tone));
    }

    /// The line of the filter, and what is wrong with it. Where the cursor is, if somebody types.
    fn filter(&self, buffer: &mut Buffer) -> Option<Position> {
        const LABEL: &str = "filter: ";
        let label = LABEL.len() as u16;
        let room = self.area.width.saturating_sub(label + 1);
        put(buffer, self.area, 1, LABEL, FAINT);
        let inner = Rect { x: self.area.x + label, width: room, ..self.area };
        let Some(line) = &self.state.editing else {
            let only = if self.state.only_mismatched { "only mismatched" } else { "" };
            let text = match (self.state.filter.as_str(), only) {
                ("", "") => "none, / sets one".to_owned(),
                ("", only) => only.to_owned(),
                (filter, "") => filter.to_owned(),
                (filter, only) => format!("{only}; {filter}"),
            };
            put(buffer, inner, 1, &clean(&text), if self.state.filter.is_empty() { FAINT } else { PLAIN });
            return None;
        };
        let (text, at, left) = line.window(usize::from(room));
        put(buffer, inner, 1, &clean(&text), PLAIN);
        if let Some(fault) = &self.state.fault {
            let bad = self.styles.of(Tone::Bad);
            // Under the letter, where that is on the screen; the words beside it, on the side that has room.
            let under = fault.column.and_then(|column| (column - 1).checked_sub(left)).map(|at| at as u16);
            match under.filter(|at| *at < room) {
                Some(at) => {
                    let words = Span::raw(fault.text.as_str()).width() as u16;
                    put(buffer, Rect { x: inner.x + at, width: room - at, ..inner }, 2, "^", bad);
                    if inner.x + at + 2 + words <= self.area.right() || words + 1 > inner.x + at {
                        let x = inner.x + at + 2;
                        let rest = Rect { x, width: self.area.right().saturating_sub(x), ..inner };
                        put(buffer, rest, 2, &clean(&fault.text), bad);
                    } else {
                        let x = inner.x + at - words - 1;
                        put(buffer, Rect { x, width: words, ..inner }, 2, &clean(&fault.text), bad);
                    }
                }
                None => {
                    let place = fault.column.map(|column| format!("column {column}: ")).unwrap_or_default();
                    put(buffer, self.area, 2, &clean(&format!("{place}{}", fault.text)), bad);
                }
            }
        }
        Some(Position { x: inner.x + at as u16, y: self.area.y + 1 })
    }

    fn list(&self, buffer: &mut Buffer) {
        let mut y = 2 + u16::from(self.state.fault.is_some());
        let columns = columns(self.area.width);
        for (column, x, width) in &columns {
            let place = Rect { x: self.area.x + x, width: *width, ..self.area };
            put(buffer, place, y, column.title(), FAINT.patch(STRONG));
        }
        let shown = self.state.shown();
        let marked = self.state.marked(&shown);
        let rows = shown.iter().enumerate().skip(self.state.top).take(self.state.room());
        for (at, handoff) in rows {
            y += 1;
            for (column, x, width) in &columns {
                let place = Rect { x: self.area.x + x, width: *width, ..self.area };
                let tone = words::tone(&handoff.verdict);
                let style = match column {
                    Column::Sign | Column::Verdict => self.styles.of(tone),
                    Column::Found => self.styles.of(Tone::Bad),
                    Column::Time | Column::Clock => FAINT,
                    _ => PLAIN,
                };
                let cell = clean(&column.cell(handoff));
                // Ids of workflows differ at their end.
                let cell = if *column == Column::Workflow { end_of(&cell, place.width) } else { cell };
                put(buffer, place, y, &cell, style);
            }
            if at == marked {
                let line = Rect { y: self.area.y + y, height: 1, ..self.area };
                buffer.set_style(line, MARKED);
            }
        }
        if shown.is_empty() {
            self.nothing(buffer, y + 1);
        }
        self.foot(
            buffer,
            "j k Enter open  / filter  p pause  m mismatched  ? help  q quit",
            "Enter / p m ? help q quit",
        );
    }

    /// Why there is nothing to see.
    fn nothing(&self, buffer: &mut Buffer, y: u16) {
        let is_narrowed = !self.state.filter.is_empty() || self.state.only_mismatched;
        let text = match &self.state.link {
            Link::Live if is_narrowed => "nothing is found yet; it is shown here when it comes",
            Link::Live => "no handoff yet; each is shown here when it comes",
            _ => return,
        };
        put(buffer, self.area, y, text, FAINT);
    }

    fn handoff(&self, buffer: &mut Buffer, opened: &Opened) {
        let lines = detail::lines(opened, self.area.width, self.styles, &self.state.server);
        let room = usize::from(self.area.height - 2);
        for (at, line) in lines.iter().skip(opened.top).take(room).enumerate() {
            buffer.set_line(self.area.x, self.area.y + 1 + at as u16, line, self.area.width);
        }
        let more = lines.len().saturating_sub(opened.top + room);
        let more = if more > 0 { format!("{more} more lines") } else { String::new() };
        self.foot(
            buffer,
            &format!("Esc back  j k scroll  p pause  ? help  q quit  {more}"),
            &format!("Esc j k q  {more}"),
        );
    }

    /// What happened that one should know of, else the keys.
    fn foot(&self, buffer: &mut Buffer, keys: &str, short: &str) {
        let y = self.area.height - 1;
        let told = match &self.state.link {
            Link::Lost(reason) | Link::Refused(reason) => Some((reason.clone(), self.styles.of(Tone::Bad))),
            _ if self.state.passed_over > 0 => {
                let count = words::count(whole(self.state.passed_over), "commit");
                Some((format!("{count} came too fast and were passed over"), self.styles.of(Tone::Unsure)))
            }
            _ => None,
        };
        let keys = if keys.len() <= usize::from(self.area.width) { keys } else { short };
        match told {
            Some((text, style)) => put(buffer, self.area, y, &clean(&text), style),
            None => put(buffer, self.area, y, keys, FAINT),
        }
    }

    fn help(&self, buffer: &mut Buffer) {
        const KEYS: [(&str, &str); 13] = [
            ("j k, arrows", "the next one, the one before"),
            ("PgDn PgUp", "a screen further, back"),
            ("g, Home", "the newest, and stay with it"),
            ("G, End", "the oldest"),
            ("Enter", "look into a handoff"),
            ("Esc, h", "back to the list"),
            ("/", "filter, as in from = planner AND mismatch = stale_context"),
            ("m", "only mismatched ones, or all"),
            ("p, space", "hold the picture, go on"),
            ("?", "this help"),
            ("q, Ctrl-C", "quit"),
            ("✓ ✕ ?", "agreed, mismatched, anything else"),
            ("<-", "a boundary: receiver<-sender"),
        ];
        put(buffer, self.area, 0, "wilco tail: keys", STRONG);
        let mut y = 2;
        // Where there is little room, the keys go first, and the way back is left to be found.
        let is_tight = self.area.height < KEYS.len() as u16 + 5;
        if is_tight {
            y = 1;
        }
        for (key, what) in KEYS {
            let place = Rect { x: self.area.x + 12, width: self.area.width.saturating_sub(12), ..self.area };
            put(buffer, self.area, y, key, STRONG);
            put(buffer, place, y, what, PLAIN);
            y += 1;
        }
        let forgotten = match self.state.forgotten() {
            0 => String::new(),
            count => format!("; {} had to go", words::grouped(whole(count))),
        };
        let kept = format!("The last {} handoffs are kept{forgotten}.", words::grouped(MOST));
        if y + 1 < self.area.height {
            put(buffer, self.area, y, &kept, FAINT);
        }
        if !is_tight {
            put(buffer, self.area, self.area.height - 1, "Any key leads back.", FAINT);
        }
    }
}

impl Column {
    const fn title(self) -> &'static str {
        match self {
            Self::Sign => "",
            Self::Time | Self::Clock => "time",
            Self::Boundary => "boundary",
            Self::Verdict => "verdict",
            Self::Rung => "rung",
            Self::Took => "    took",
            Self::Workflow => "workflow",
            Self::Found => "found",
        }
    }

    fn cell(self, handoff: &HandoffSummary) -> String {
        match self {
            Self::Sign => sign(words::tone(&handoff.verdict)).to_owned(),
            Self::Time => handoff.timestamp.get(11..23).unwrap_or_default().to_owned(),
            Self::Clock => handoff.timestamp.get(11..19).unwrap_or_default().to_owned(),
            Self::Boundary => handoff.boundary(),
            Self::Verdict => format!("{} {}", sign(words::tone(&handoff.verdict)), handoff.verdict),
            Self::Rung => words::kind(&handoff.rung),
            Self::Took => format!("{:>8}", words::duration(handoff.duration_ms)),
            Self::Workflow => handoff.workflow.clone().unwrap_or_else(|| "-".to_owned()),
            Self::Found => handoff.mismatches.iter().map(|kind| words::kind(kind)).collect::<Vec<_>>().join(", "),
        }
    }
}

/// The columns that a screen of this width has room for: each with its place and its width.
fn columns(width: u16) -> Vec<(Column, u16, u16)> {
    use Column::{Boundary, Clock, Found, Rung, Sign, Time, Took, Verdict, Workflow};
    // Fixed widths, then the parts of what is left.
    let wanted: &[(Column, u16, u16)] = match width {
        100.. => &[
            (Time, 12, 0),
            (Boundary, 0, 6),
            (Verdict, 13, 0),
            (Rung, 13, 0),
            (Took, 8, 0),
            (Workflow, 0, 3),
            (Found, 0, 5),
        ],
        72..100 => &[(Clock, 8, 0), (Boundary, 0, 1), (Verdict, 13, 0), (Took, 8, 0), (Found, 0, 1)],
        48..72 => &[(Sign, 1, 0), (Clock, 8, 0), (Boundary, 0, 1), (Found, 0, 1)],
        _ => &[(Sign, 1, 0), (Boundary, 0, 4), (Found, 0, 3)],
    };
    let gaps = wanted.len() as u16 - 1;
    let fixed: u16 = wanted.iter().map(|(_, fixed, _)| fixed).sum();
    let parts: u16 = wanted.iter().map(|(.., parts)| parts).sum();
    let shared = width.saturating_sub(fixed + gaps);
    let mut x = 0;
    let columns = wanted.iter().enumerate().map(|(at, (column, fixed, part))| {
        let is_last = at + 1 == wanted.len();
        let columns = if is_last { width.saturating_sub(x) } else { fixed + shared * part / parts };
        let place = (*column, x, columns);
        x += columns + 1;
        place
    });
    columns.collect()
}

/// A text, or as much of its end as fits behind an ellipsis.
fn end_of(text: &str, width: u16) -> String {
    let mut end = text;
    while Span::raw(end).width() + usize::from(end.len() < text.len()) > usize::from(width) {
        let mut letters = end.chars();
        letters.next();
        end = letters.as_str();
    }
    if end.len() < text.len() { format!("…{end}") } else { end.to_owned() }
}

/// A text on the line `y` of an area; what does not fit ends in an ellipsis.
fn put(buffer: &mut Buffer, area: Rect, y: u16, text: &str, style: Style) {
    if y >= area.height || area.width == 0 {
        return;
    }
    let line = Line::styled(text, style);
    buffer.set_line(area.x, area.y + y, &line, area.width);
    if line.width() > usize::from(area.width) {
        buffer.set_string(area.right() - 1, area.y + y, "…", style);
    }
}

fn whole(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
