//! The terminal: what is typed goes into the state, and what that becomes onto the screen.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use crossterm::event::{self, DisableBracketedPaste, EnableBracketedPaste, EventStream};
use futures_util::StreamExt;
use ratatui::DefaultTerminal;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Arguments;
use super::draw::draw;
use super::feed::Feed;
use super::handoffs::MOST;
use super::state::{Effect, Event, State};
use super::style::Styles;
use crate::cli::Outcome;
use crate::cli::printer::{Printer, wants_colours};
use crate::cli::signals::Signals;
use crate::client::Client;

/// Handoffs that are shown at once when it begins.
const KNOWN: usize = 200;

/// The least time between two pictures, where nobody typed.
const PICTURE_EVERY: Duration = Duration::from_millis(50);

/// Runs until somebody leaves.
pub(super) async fn run(arguments: &Arguments, client: Client) -> anyhow::Result<Outcome> {
    let mut signals = Signals::new()?;
    let client = Arc::new(client);
    let mut terminal = Guard::enter()?;
    let size = terminal.0.size().context("the size of the terminal cannot be read")?;
    let mut state = State::new(&arguments.server, &arguments.filter, arguments.mismatched, (size.width, size.height));
    let styles = Styles::new(wants_colours());
    let mut feed = Feed::start(Arc::clone(&client), arguments.filter.clone(), KNOWN.min(MOST));
    let (answers, mut answered) = mpsc::channel(4);
    let mut keys = EventStream::new();
    let mut next_picture = Some(Instant::now());
    let mut has_ended = false;
    loop {
        let event = tokio::select! {
            // What somebody types comes first, however much else comes.
            biased;
            () = signals.wait() => return Ok(Outcome::Clean),
            key = keys.next() => match key {
                Some(key) => {
                    next_picture = Some(Instant::now());
                    typed(key.context("the terminal cannot be read")?)
                }
                None => return Ok(Outcome::Clean),
            },
            () = sleep_until(next_picture.unwrap_or_else(Instant::now)), if next_picture.is_some() => {
                terminal.0.draw(|frame| draw(frame, &state, styles)).context("the terminal cannot be written to")?;
                next_picture = None;
                continue;
            }
            Some(event) = answered.recv() => Some(event),
            news = feed.next(), if !has_ended => {
                has_ended = news.is_none();
                news.map(Event::News)
            }
        };
        let Some(event) = event else { continue };
        next_picture = next_picture.or_else(|| Some(Instant::now() + PICTURE_EVERY));
        match state.update(event) {
            None => {}
            Some(Effect::Quit) => return Ok(Outcome::Clean),
            Some(Effect::Listen(filter)) => {
                feed = Feed::start(Arc::clone(&client), filter, KNOWN.min(MOST));
                has_ended = false;
            }
            Some(Effect::Open(id)) => {
                let (client, answers) = (Arc::clone(&client), answers.clone());
                tokio::spawn(async move {
                    let path = format!("{id}.json");
                    let view = client.must_get(&["handoffs", &path], &[]).await;
                    // Nobody waits for it where the program has ended.
                    let _ = answers.send(Event::View(id, view.map_err(|error| error.to_string()))).await;
                });
            }
        }
    }
}

fn typed(event: event::Event) -> Option<Event> {
    match event {
        event::Event::Key(key) => Some(Event::Key(key)),
        event::Event::Paste(text) => Some(Event::Paste(text)),
        event::Event::Resize(columns, lines) => Some(Event::Size(columns, lines)),
        _ => None,
    }
}

/// Has the terminal for itself, and gives it back as it was: also after an error, and where something panics.
struct Guard(DefaultTerminal);

impl Guard {
    fn enter() -> anyhow::Result<Self> {
        let terminal = ratatui::try_init().context("the terminal cannot be used; --plain prints lines")?;
        Printer::hold_back(true);
        // Else a text that is pasted would be keys. Where a terminal does not know it, nothing is lost.
        let _ = crossterm::execute!(std::io::stdout(), EnableBracketedPaste);
        Ok(Self(terminal))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = crossterm::execute!(std::io::stdout(), DisableBracketedPaste);
        ratatui::restore();
        Printer::hold_back(false);
    }
}
