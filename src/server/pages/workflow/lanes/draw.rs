use maud::{Markup, html};

use super::layout::{Arrow, Band, Chart, Wait};
use super::size;
use crate::server::pages::link;
use crate::server::pages::words::Tone;

/// How wide a letter of a label is at most, in pixels.
const LETTER: f64 = 7.0;

/// Widths of charts come in steps, since a page may not say a width of its own: see `charts.css`.
const STEPS: [u32; 14] = [300, 450, 600, 750, 900, 1_050, 1_200, 1_500, 1_800, 2_100, 2_400, 2_850, 3_300, 3_750];

/// Where lanes stand, in hundredths of the width.
#[derive(Clone, Copy)]
struct Columns {
    gutter: f64,
    width: f64,
}

impl Columns {
    fn of(lanes: usize) -> Self {
        let lanes = lanes.max(1) as f64;
        let whole = size::GUTTER + lanes * size::LANE;
        let gutter = size::GUTTER / whole * 100.0;
        Self { gutter, width: (100.0 - gutter) / lanes }
    }

    fn x(self, lane: f64) -> String {
        format!("{:.3}%", self.gutter + (lane + 0.5) * self.width)
    }
}

/// The chart, in which `open` leads to the page that shows what is folded under an id.
pub(in crate::server::pages) fn draw(chart: &Chart, open: impl Fn(&str) -> String) -> Markup {
    let columns = Columns::of(chart.lanes.len());
    let needed = size::GUTTER + chart.lanes.len() as f64 * size::LANE;
    let step = STEPS.into_iter().find(|step| f64::from(*step) >= needed).unwrap_or(3_750);
    html! {
        div.lanes data-scroll tabindex="0" role="region" aria-label="Handoffs between agents, time downward" {
            div.{ "wide-" (step) } {
                svg.heads width="100%" height="36" aria-hidden="true" {
                    @for (at, name) in chart.lanes.iter().enumerate() {
                        text x=(columns.x(at as f64)) y="23" text-anchor="middle" { (fit(name, size::LANE - 10.0)) title { (name) } }
                    }
                }
                svg.body width="100%" height=(chart.height) role="group" {
                    (markers())
                    @for arrow in &chart.arrows { (band(arrow, columns)) }
                    @for at in 0..chart.lanes.len() {
                        line.lane x1=(columns.x(at as f64)) x2=(columns.x(at as f64)) y1="0" y2=(chart.height) {}
                    }
                    @for (y, text) in &chart.times { text.time x="10" y=(y + 4) { (text) } }
                    @for wait in &chart.waits { (self::wait(wait)) }
                    @for arrow in &chart.arrows { (self::arrow(arrow, columns)) }
                    @for fold in &chart.folds { (self::fold(fold, &open)) }
                }
            }
        }
    }
}

/// What the signs mean.
pub(in crate::server::pages) fn legend() -> Markup {
    html! {
        ul.legend aria-label="Signs" {
            li { svg width="34" height="12" aria-hidden="true" { line.arrow-good x1="1" x2="33" y1="6" y2="6" {} circle.rung.reached cx="22" cy="6" r="3" {} } "handed over; dot: delivered" }
            li { svg width="18" height="14" aria-hidden="true" { rect.work x="4" y="0" width="10" height="14" {} line.tick x1="1" x2="17" y1="7" y2="7" {} } "worked on; tick: understood" }
            li { svg width="12" height="14" aria-hidden="true" { rect.waiting x="3" y="1" width="6" height="12" {} } "the sender waits" }
            li { svg width="34" height="12" aria-hidden="true" { line.owed x1="1" x2="33" y1="6" y2="6" {} } "owed, and never seen" }
            li { svg width="18" height="12" aria-hidden="true" { rect.spoiled-key x="1" y="1" width="16" height="10" {} } "rests on what broke" }
        }
    }
}

fn markers() -> Markup {
    html! {
        defs {
            @for tone in ["good", "bad", "unsure", "back", "owed"] {
                marker.{ "head-" (tone) } id={ "head-" (tone) } viewBox="0 0 10 10" refX="15" refY="5" markerWidth="10" markerHeight="10" markerUnits="userSpaceOnUse" orient="auto" {
                    path d="M1 1 10 5 1 9z" {}
                }
            }
        }
    }
}

/// The shade behind what broke, and behind what rests on it.
fn band(arrow: &Arrow, columns: Columns) -> Markup {
    let y = arrow.sent.saturating_sub(16);
    let end = [arrow.done, arrow.back].into_iter().flatten().fold(arrow.taken, u32::max);
    let (low, high) = (arrow.from.min(arrow.to) as f64, arrow.from.max(arrow.to) as f64);
    let x = format!("{:.3}%", columns.gutter + low * columns.width);
    let width = format!("{:.3}%", (high - low + 1.0) * columns.width);
    html! {
        @if arrow.is_root {
            // Its beginning all across, to be found; the rest between its lanes, as others go on beside it.
            rect.root-band x="0" y=(y) width="100%" height=(arrow.taken.max(arrow.sent) - y + 10) {}
            rect.root-band x=(x) y=(y) width=(width) height=(end - y + 10) {}
        } @else if arrow.is_spoiled {
            rect.spoiled-band x=(x) y=(y) width=(width) height=(end - y + 8) rx="6" {}
        }
    }
}

fn wait(wait: &Wait) -> Markup {
    html! {
        line.gap x1="116" x2="116" y1=(wait.from) y2=(wait.to) {}
        text.gap x="109" y=((wait.from + wait.to) / 2 + 4) text-anchor="end" { (wait.text) }
    }
}

fn arrow(arrow: &Arrow, columns: Columns) -> Markup {
    let tone = match arrow.tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Unsure => "unsure",
    };
    let (from, to) = (columns.x(arrow.from as f64), columns.x(arrow.to as f64));
    let shift = 8 * arrow.level.min(4);
    let marks = [("root", arrow.is_root), ("spoiled", arrow.is_spoiled)];
    let marks: String = marks.into_iter().filter(|(_, is)| *is).map(|(mark, _)| format!(" {mark}")).collect();
    let owes_result = arrow.owed.contains(&"a result");
    let end = arrow.done.or(arrow.back).unwrap_or(arrow.taken);
    html! {
        a.{ "handoff " (tone) (marks) } id=[arrow.is_root.then_some("root")] href=(link::handoff(&arrow.id)) aria-label=(arrow.title) {
            title { (arrow.title) }
            // The sender waits.
            @if let Some(back) = arrow.back {
                rect.waiting x=(from) y=(arrow.sent) width="6" height=(back.saturating_sub(arrow.sent).max(2)) transform="translate(-3 0)" {}
            }
            // Whoever took it works.
            @if let (true, Some(done)) = (arrow.is_taken, arrow.done) {
                rect.work x=(to) y=(arrow.taken) width="10" height=(done.saturating_sub(arrow.taken).max(4)) rx="2" transform={ "translate(" (shift as i64 - 5) " 0)" } {}
            }
            (path(arrow, tone, columns))
            circle.end cx=(from) cy=(arrow.sent) r="3.5" {}
            @if let Some(y) = arrow.understood {
                @let is_bad = arrow.rungs.understood == Some(false);
                rect.tick.bad[is_bad] x=(to) y=(y - 1) width="18" height="2.5" transform={ "translate(" (shift as i64 - 9) " 0)" } {}
            }
            @if arrow.rungs.completed == Some(false) { (cross(&to, end, shift)) }
            @if let (Some(back), false) = (arrow.back, owes_result) {
                line.back x1=(to) y1=(end) x2=(from) y2=(back.max(end)) marker-end="url(#head-back)" {}
            }
            @if owes_result {
                line.owed x1=(to) y1=(end + 4) x2=(from) y2=(arrow.back.unwrap_or(end + 16).max(end + 10)) marker-end="url(#head-owed)" {}
            }
            (words(arrow, columns))
        }
    }
}

/// The arrow over, with what is known of the way.
fn path(arrow: &Arrow, tone: &str, columns: Columns) -> Markup {
    let (from, to) = (arrow.from as f64, arrow.to as f64);
    let along = |share: f64| {
        let y = f64::from(arrow.sent) + share * (f64::from(arrow.taken) - f64::from(arrow.sent));
        (columns.x(from + share * (to - from)), format!("{y:.1}"))
    };
    let ((x1, y1), (x2, y2)) = (along(0.0), along(1.0));
    let head = format!("url(#head-{tone})");
    html! {
        @if arrow.from == arrow.to {
            // To itself: out to the side and back.
            svg.loop x=(x1) y=(arrow.sent) overflow="visible" {
                path d={ "M4 0h34v" (arrow.taken - arrow.sent) "h-34" } marker-end=(head) {}
            }
        } @else if arrow.is_taken || arrow.rungs.arrived {
            line.hit x1=(x1) y1=(y1) x2=(x2) y2=(y2) {}
            line.over x1=(x1) y1=(y1) x2=(x2) y2=(y2) marker-end=(head) {}
            @let (x, y) = along(0.7);
            @if arrow.rungs.delivered { circle.rung.reached cx=(x) cy=(y) r="3" { title { "delivered: the bus saw it" } } }
        } @else {
            // As far as it is known to have come, and what was to be.
            @let (xm, ym) = along(0.45);
            line.hit x1=(x1) y1=(y1) x2=(x2) y2=(y2) {}
            line.over x1=(x1) y1=(y1) x2=(xm) y2=(ym) {}
            line.owed x1=(xm) y1=(ym) x2=(x2) y2=(y2) marker-end="url(#head-owed)" {}
            (cross(&xm, ym.parse::<f64>().unwrap_or(0.0) as u32, 0))
        }
    }
}

fn cross(x: &str, y: u32, shift: usize) -> Markup {
    html! {
        svg.cross x=(x) y=(y) overflow="visible" { path d={ "M" (shift as i64 - 5) " -5l10 10m0 -10l-10 10" } {} }
    }
}

fn words(arrow: &Arrow, columns: Columns) -> Markup {
    let lanes = arrow.from.abs_diff(arrow.to).max(1) as f64;
    let middle = if arrow.from == arrow.to { arrow.from as f64 + 0.45 } else { (arrow.from + arrow.to) as f64 / 2.0 };
    // Above the line where it is, also where that is steep.
    let fall = f64::from(arrow.taken - arrow.sent);
    let y = (f64::from(arrow.sent) + fall / 2.0 - 8.0 - fall * 0.3 / lanes).max(f64::from(arrow.sent) - 6.0) as u32;
    let owed = arrow.owed.iter().find(|what| **what != "a result");
    let (sign, text) = match arrow.tone {
        Tone::Bad => ("✕ ", &arrow.label),
        _ => ("", &arrow.label),
    };
    let room = lanes * size::LANE - 24.0 - sign.chars().count() as f64 * LETTER;
    html! {
        text.label x=(columns.x(middle)) y=(y) text-anchor="middle" {
            (sign) (fit(text, room))
            @if let Some(skew) = &arrow.skew { " ≈" title { "The clocks of the two hosts are " (skew) " apart: drawn in the order of cause and effect" } }
        }
        @if arrow.is_root { text.mark x="10" y=(arrow.sent + 18) { "root cause" } }
        @else if arrow.is_spoiled { text.mark x="10" y=(arrow.sent + 18) { "spoiled" } }
        @if let Some(what) = owed { text.mark.owes x=(columns.x(arrow.from as f64)) y=(arrow.sent + 16) text-anchor="middle" { "owed: " (fit(what, size::LANE - 60.0)) title { "owed: " (what) } } }
    }
}

fn fold(fold: &Band, open: &impl Fn(&str) -> String) -> Markup {
    html! {
        a.fold href=(open(&fold.opens)) {
            rect x="0" y=(fold.y - 13) width="100%" height="26" {}
            text x="50%" y=(fold.y + 4) text-anchor="middle" { "⋯ " (fold.text) " – show them" }
        }
    }
}

/// A text that has room in so many pixels, cut where it has not.
fn fit(text: &str, room: f64) -> String {
    let most = ((room / LETTER) as usize).max(3);
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
