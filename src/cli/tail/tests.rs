//! Pictures of screens.

use crossterm::event::KeyCode;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};

use super::draw::draw;
use super::feed::News;
use super::handoffs::MOST;
use super::samples::{handoff, pressed, state, typed};
use super::state::{Event, State};
use super::style::Styles;
use crate::store::HandoffSummary;

/// The screen as text, without colours.
fn picture(state: &State) -> TestBackend {
    let (columns, lines) = state.size;
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
    terminal.draw(|frame| draw(frame, state, Styles::new(true))).unwrap();
    terminal.backend().clone()
}

/// Holds it against the one that is kept in `tests/snapshots`.
#[track_caller]
fn check(name: &str, state: &State) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("tail__{name}"), picture(state)));
}

/// What the server knows of a handoff that broke.
fn broken() -> Event {
    let handoff = HandoffSummary { quality: Some(0.41), ..handoff(3) };
    let view = serde_json::json!({
        "handoff": handoff,
        "findings": [
            { "kind": "misunderstood", "evidence": ["constraints.pages: 5 -> 50"], "by": ["the sender"], "confidence": 0.94 },
            { "kind": "timed_out", "evidence": [], "by": ["the diagnosis"], "confidence": null },
        ],
        "why": {
            "workflow": "story-1", "cause": handoff.id, "spoiled": false, "owed": ["a result"],
            "sentence": "misunderstood at boundary researcher<-planner: its reader understood another task than was sent",
        },
        "ladder": [
            { "rung": "sent", "evidence": "declared", "by": "planner", "at": "", "after_ms": 0.0, "teller": "the sender's side" },
            { "rung": "received", "evidence": "declared", "by": "researcher", "at": "", "after_ms": 1.9, "teller": "the sender's side" },
            { "rung": "misunderstood", "evidence": "inferred", "by": null, "at": "", "after_ms": 50.2, "teller": "the sender's side" },
        ],
        "intent": [
            { "slot": "goal", "sent": "find_sources", "read_back": "find_sources", "outcome": "same", "why": null },
            { "slot": "constraints.pages", "sent": 5, "read_back": 50, "outcome": "different", "why": null },
            { "slot": "prohibitions", "sent": ["no paywalls", "nothing that is older than a year"], "read_back": ["no paywalls"],
              "outcome": "unknown", "why": null },
        ],
        "context": [{ "name": "crm", "sent": "41", "used": "41", "newest": "42", "observed_at": null, "age_ms": 12051.0, "most_ms": 10000.0 }],
        "worst_context": { "age_ms": 12050.6, "uncertainty_ms": 1.8, "most_ms": 10000.0 },
        "children": [], "spans": null,
    });
    Event::View(handoff.id, Ok(serde_json::from_value(view).unwrap()))
}

fn opened(size: (u16, u16)) -> State {
    let mut state = state(size, 3);
    state.update(pressed(KeyCode::Enter));
    state.update(broken());
    state
}

#[test]
fn a_list_on_a_wide_screen_a_usual_one_and_a_narrow_one() {
    check("list_100", &state((100, 12), 30));
    check("list_80", &state((80, 9), 30));
    check("list_60", &state((60, 8), 30));
    check("list_40", &state((40, 8), 30));
}

#[test]
fn nothing_yet_and_a_screen_that_is_too_small() {
    check("nothing", &state((60, 8), 0));
    check("too_small", &state((20, 3), 3));
}

#[test]
fn a_pause_says_how_much_came_since() {
    let mut state = state((80, 8), 3);
    typed(&mut state, "jp");
    for number in 4..7 {
        state.update(Event::News(News::Handoff(Box::new(handoff(number)))));
    }
    check("paused", &state);
}

#[test]
fn a_filter_has_its_mark_under_the_letter_that_is_wrong() {
    let mut state = state((60, 9), 3);
    typed(&mut state, "/from = planner AND rung > ");
    check("filter_wrong", &state);
    typed(&mut state, "x AND a much longer text than there is room for on this screen = ");
    check("filter_long", &state);
}

#[test]
fn a_server_that_is_gone_is_told_and_what_was_passed_over() {
    let mut state = state((80, 8), 3);
    state.update(Event::News(News::PassedOver(12)));
    check("passed_over", &state);
    state.update(Event::News(News::Lost("the server broke off".to_owned())));
    check("lost", &state);
}

#[test]
fn a_handoff_on_a_wide_screen_and_on_a_narrow_one() {
    check("handoff_100", &opened((100, 40)));
    check("handoff_40", &opened((40, 60)));
    let mut small = opened((40, 10));
    small.update(pressed(KeyCode::PageDown));
    check("handoff_scrolled", &small);
    small.update(pressed(KeyCode::End));
    let all = picture(&small).to_string();
    assert!(all.contains("--server") && !all.contains("more lines"), "{all}");
}

#[test]
fn help_fits_a_usual_screen_and_a_small_one() {
    let mut wide = state((80, 24), 3);
    typed(&mut wide, "?");
    check("help", &wide);
    let mut small = state((40, 15), 3);
    typed(&mut small, "?");
    check("help_40", &small);
}

#[test]
fn every_size_can_be_drawn_in_every_state() {
    for columns in [1, 2, 9, 23, 24, 25, 31, 39, 40, 47, 48, 59, 60, 71, 72, 80, 99, 100, 250] {
        for lines in [1, 5, 6, 7, 10, 50] {
            for keys in ["", "j", "?", "\n", "/from = ", "pm"] {
                let mut state = opened((columns, lines));
                state.update(pressed(KeyCode::Esc));
                typed(&mut state, keys);
                state.update(broken());
                picture(&state);
            }
        }
    }
}

#[test]
fn names_that_would_steer_a_terminal_are_shown_and_do_not() {
    let mut state = state((100, 8), 0);
    let name = Some("\u{1b}[31mplan\nner\u{202e}".to_owned());
    let evil = HandoffSummary { from: name.clone(), to: name.clone(), workflow: name, ..handoff(1) };
    state.update(Event::News(News::Handoff(Box::new(evil))));
    let shown = picture(&state).to_string();
    assert!(shown.contains("?[31mplan?ner?") && !shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown}");
}

#[test]
fn a_flood_costs_bounded_memory() {
    let mut state = state((100, 30), 0);
    for number in 0..MOST as u64 * 3 {
        state.update(Event::News(News::Handoff(Box::new(handoff(number)))));
    }
    assert_eq!((state.shown().len(), state.counts().0), (MOST, MOST));
    assert_eq!(state.forgotten(), MOST as u64 * 2);
}

#[test]
fn the_marked_line_is_reversed_and_without_colours_there_are_none() {
    let mut state = state((80, 8), 3);
    typed(&mut state, "j");
    let mut terminal = Terminal::new(TestBackend::new(80, 8)).unwrap();
    terminal.draw(|frame| draw(frame, &state, Styles::new(false))).unwrap();
    let buffer = terminal.backend().buffer();
    let is_marked = |y| buffer[(0, y)].modifier.contains(Modifier::REVERSED);
    assert_eq!([3, 4, 5].map(is_marked), [false, true, false]);
    assert!(buffer.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
}
