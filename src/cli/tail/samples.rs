//! What tests show.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::feed::News;
use super::state::{Effect, Event, State};
use crate::model::Timestamp;
use crate::store::HandoffSummary;

pub(super) fn handoff(number: u64) -> HandoffSummary {
    const FROM: u64 = 1_768_471_200_000_000_000;
    let at = Timestamp::from_unix_nanos(FROM + number * 1_234_000_000);
    let (from, to) = [("planner", "researcher"), ("planner", "writer"), ("writer", "reviewer")][number as usize % 3];
    let (verdict, mismatches, rung): (_, &[&str], _) = match number % 5 {
        1 => ("mismatched", &["stale_context"], "understood"),
        2 => ("unconfirmed", &[], "completed"),
        3 => ("mismatched", &["misunderstood", "timed_out"], "misunderstood"),
        _ => ("agreed", &[], "used"),
    };
    serde_json::from_value(serde_json::json!({
        "id": format!("019ca8d7-0000-7000-8000-{number:012x}"), "workflow": format!("story-{}", number / 3),
        "parent": null, "from": from, "to": to, "kind": "delegation", "verdict": verdict, "mismatches": mismatches,
        "rung": rung, "timestamp": at.to_rfc3339(), "duration_ms": 12.5 * (number + 1) as f64, "attempts": 1,
        "deliveries": 1, "size": 1_000, "age_ms": null, "quality": null,
    }))
    .expect("a handoff")
}

/// A live one that knows so many handoffs.
pub(super) fn state(size: (u16, u16), handoffs: u64) -> State {
    let mut state = State::new("http://127.0.0.1:4480", "", false, size);
    state.update(Event::News(News::Listening));
    state.update(Event::News(News::Known((1..=handoffs).rev().map(handoff).collect())));
    state
}

pub(super) fn pressed(code: KeyCode) -> Event {
    Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

/// The effect of the last key.
pub(super) fn typed(state: &mut State, text: &str) -> Option<Effect> {
    let mut effect = None;
    for letter in text.chars() {
        effect = state.update(pressed(if letter == '\n' { KeyCode::Enter } else { KeyCode::Char(letter) }));
    }
    effect
}
