use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::detail;
use super::feed::News;
use super::handoffs::{Handoffs, is_mismatched};
use super::line::TextLine;
use crate::server::pages::handoff::HandoffView;
use crate::store::HandoffSummary;
use crate::store::query::{NO_HANDOFFS, Query};

/// All that there is to draw. Nothing happens in here: [`State::update`] says what is to be done.
#[derive(Debug)]
pub(super) struct State {
    pub(super) server: String,
    pub(super) link: Link,
    handoffs: Handoffs,
    /// What is shown while it is paused, and how much changed since.
    paused: Option<(Handoffs, u64)>,
    /// What the server was asked for.
    pub(super) filter: String,
    /// What somebody types.
    pub(super) editing: Option<TextLine>,
    pub(super) fault: Option<Fault>,
    pub(super) only_mismatched: bool,
    /// The id of the marked one; `None`: whichever came last.
    selected: Option<String>,
    /// Lines above the first one on the screen.
    pub(super) top: usize,
    pub(super) opened: Option<Opened>,
    pub(super) help: bool,
    pub(super) passed_over: u64,
    /// Columns and lines of the screen.
    pub(super) size: (u16, u16),
}

/// How the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Connecting,
    Live,
    /// It is not there, and why; it is looked for.
    Lost(String),
    /// It says no.
    Refused(String),
}

/// What is wrong with a filter, and where, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) column: Option<usize>,
    pub(super) text: String,
}

/// The handoff that somebody looks into.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) id: String,
    pub(super) view: Result<Box<HandoffView>, String>,
    /// Lines above the first one on the screen.
    pub(super) top: usize,
    /// It is asked for, and was not answered yet.
    is_asked: bool,
    /// More came of it meanwhile.
    is_stale: bool,
}

/// What happens to it.
#[derive(Debug)]
pub(super) enum Event {
    Key(KeyEvent),
    Paste(String),
    Size(u16, u16),
    News(News),
    View(String, Result<Box<HandoffView>, String>),
}

/// What is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Quit,
    /// Listen to what this query finds, and no longer to what was asked for before.
    Listen(String),
    /// Ask for this handoff.
    Open(String),
}

/// Lines that are no handoffs: title, filter, head, keys.
const AROUND: u16 = 4;

impl State {
    pub(super) fn new(server: &str, filter: &str, only_mismatched: bool, size: (u16, u16)) -> Self {
        Self {
            server: server.to_owned(),
            link: Link::Connecting,
            handoffs: Handoffs::default(),
            paused: None,
            filter: filter.to_owned(),
            editing: None,
            fault: None,
            only_mismatched,
            selected: None,
            top: 0,
            opened: None,
            help: false,
            passed_over: 0,
            size,
        }
    }

    pub(super) fn update(&mut self, event: Event) -> Option<Effect> {
        let effect = match event {
            Event::Key(key) if key.kind == KeyEventKind::Release => None,
            Event::Key(key) => self.key(key),
            Event::Paste(text) => {
                if let Some(line) = &mut self.editing {
                    line.insert(&text);
                    self.judge();
                }
                None
            }
            Event::Size(columns, lines) => {
                self.size = (columns, lines);
                None
            }
            Event::News(news) => self.heard(news),
            Event::View(id, view) => self.viewed(&id, view),
        };
        self.settle();
        effect
    }

    /// What the list has, in its order.
    pub(super) fn shown(&self) -> Vec<&HandoffSummary> {
        let from = self.paused.as_ref().map_or(&self.handoffs, |(frozen, _)| frozen);
        from.newest_first().filter(|handoff| !self.only_mismatched || is_mismatched(handoff)).collect()
    }

    /// The place of the marked one in the list.
    pub(super) fn marked(&self, shown: &[&HandoffSummary]) -> usize {
        let selected = self.selected.as_deref();
        shown.iter().position(|handoff| Some(handoff.id.as_str()) == selected).unwrap_or(0)
    }

    /// Handoffs and how many of them are mismatched.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.handoffs.len(), self.handoffs.mismatched())
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.handoffs.forgotten()
    }

    /// How many changes came since it is paused.
    pub(super) fn held_back(&self) -> Option<u64> {
        self.paused.as_ref().map(|(_, changes)| *changes)
    }

    /// Lines for handoffs.
    pub(super) fn room(&self) -> usize {
        usize::from(self.size.1.saturating_sub(AROUND + u16::from(self.fault.is_some()))).max(1)
    }

    fn key(&mut self, key: KeyEvent) -> Option<Effect> {
        if key.modifiers.contains(KeyModifiers::CONTROL) && matches!(key.code, KeyCode::Char('c' | 'd')) {
            return Some(Effect::Quit);
        }
        if self.editing.is_some() {
            return self.edit(key);
        }
        if self.help {
            // Any key leads back.
            self.help = false;
            return (key.code == KeyCode::Char('q')).then_some(Effect::Quit);
        }
        match key.code {
            KeyCode::Char('q') => return Some(Effect::Quit),
            KeyCode::Char('?') => self.help = true,
            KeyCode::Char('p' | ' ') => self.pause(),
            _ if self.opened.is_some() => return self.key_in_handoff(key.code),
            KeyCode::Char('/') => self.editing = Some(TextLine::new(&self.filter)),
            KeyCode::Char('m') => self.only_mismatched = !self.only_mismatched,
            KeyCode::Enter | KeyCode::Right | KeyCode::Char('l') => return self.open(),
            // Whichever comes last, from now on.
            KeyCode::Home | KeyCode::Char('g') | KeyCode::Esc => self.selected = None,
            code => {
                let steps = steps(code, self.room())?;
                let shown = self.shown();
                let last = shown.len().saturating_sub(1);
                let at = self.marked(&shown).saturating_add_signed(steps).min(last);
                self.selected = shown.get(at).map(|handoff| handoff.id.clone());
            }
        }
        None
    }

    fn key_in_handoff(&mut self, code: KeyCode) -> Option<Effect> {
        match code {
            KeyCode::Esc | KeyCode::Backspace | KeyCode::Left | KeyCode::Char('h') => self.opened = None,
            KeyCode::Home | KeyCode::Char('g') => self.opened.as_mut()?.top = 0,
            code => {
                let steps = steps(code, self.room())?;
                let opened = self.opened.as_mut()?;
                // What is too much is taken back when all is in place.
                opened.top = opened.top.saturating_add_signed(steps);
            }
        }
        None
    }

    fn edit(&mut self, key: KeyEvent) -> Option<Effect> {
        let line = self.editing.as_mut()?;
        let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => {
                let text = line.text().trim().to_owned();
                self.judge();
                if self.fault.is_some() {
                    return None;
                }
                self.editing = None;
                return self.listen(text);
            }
            KeyCode::Esc => {
                self.editing = None;
                self.fault = None;
                return None;
            }
            KeyCode::Backspace => line.delete_before(),
            KeyCode::Delete => line.delete_after(),
            KeyCode::Left => line.left(),
            KeyCode::Right => line.right(),
            KeyCode::Home => line.home(),
            KeyCode::End => line.end(),
            KeyCode::Char('a') if with_control => line.home(),
            KeyCode::Char('e') if with_control => line.end(),
            KeyCode::Char('u') if with_control => line.clear(),
            KeyCode::Char('w') if with_control => line.delete_word(),
            KeyCode::Char(letter) if !with_control => line.insert(letter.encode_utf8(&mut [0; 4])),
            _ => {}
        }
        self.judge();
        None
    }

    /// Whether what is typed can be understood.
    fn judge(&mut self) {
        let Some(line) = &self.editing else { return };
        self.fault = Fault::of(&line.text());
    }

    fn listen(&mut self, filter: String) -> Option<Effect> {
        self.filter.clone_from(&filter);
        self.handoffs = Handoffs::default();
        self.paused = None;
        self.selected = None;
        self.passed_over = 0;
        self.link = Link::Connecting;
        Some(Effect::Listen(filter))
    }

    fn pause(&mut self) {
        self.paused = match self.paused.take() {
            Some(_) => None,
            None => Some((self.handoffs.clone(), 0)),
        };
    }

    fn open(&mut self) -> Option<Effect> {
        let shown = self.shown();
        let id = shown.get(self.marked(&shown))?.id.clone();
        let view = Err(String::new());
        self.selected = Some(id.clone());
        self.opened = Some(Opened { id: id.clone(), view, top: 0, is_asked: true, is_stale: false });
        Some(Effect::Open(id))
    }

    fn viewed(&mut self, id: &str, view: Result<Box<HandoffView>, String>) -> Option<Effect> {
        let opened = self.opened.as_mut().filter(|opened| opened.id == id)?;
        opened.view = view;
        opened.is_asked = false;
        opened.ask_again()
    }

    fn heard(&mut self, news: News) -> Option<Effect> {
        match news {
            News::Listening => self.link = Link::Live,
            News::Known(handoffs) => handoffs.into_iter().rev().for_each(|handoff| self.handoffs.put(handoff)),
            News::Handoff(handoff) => {
                if let Some((_, changes)) = &mut self.paused {
                    *changes += 1;
                }
                let opened = self.opened.as_mut().filter(|opened| opened.is_touched_by(&handoff));
                self.handoffs.put(*handoff);
                if let (Some(opened), None) = (opened, &self.paused) {
                    opened.is_stale = true;
                    return opened.ask_again();
                }
            }
            News::PassedOver(count) => self.passed_over += count,
            News::Lost(reason) => self.link = Link::Lost(reason),
            News::Refused { column: Some(column), reason } => {
                // Back to where it was typed.
                self.link = Link::Live;
                self.editing = Some(TextLine::new(&self.filter));
                self.fault = Some(Fault { column: Some(column), text: reason });
            }
            News::Refused { column: None, reason } => self.link = Link::Refused(reason),
        }
        None
    }

    /// Keeps what is marked on the screen, and the screen on what there is.
    fn settle(&mut self) {
        let room = self.room();
        let shown = self.shown();
        let (at, count) = (self.marked(&shown), shown.len());
        self.top = self.top.clamp((at + 1).saturating_sub(room), at).min(count.saturating_sub(room));
        let size = self.size;
        if let Some(opened) = &mut self.opened {
            let lines = detail::height(opened, size.0, &self.server);
            opened.top = opened.top.min(lines.saturating_sub(usize::from(size.1.saturating_sub(2))));
        }
    }
}

impl Fault {
    /// What keeps handoffs from being followed by this query.
    pub(super) fn of(text: &str) -> Option<Self> {
        match Query::parse(text) {
            Ok(query) if query.lists_handoffs() => None,
            Ok(_) => Some(Self { column: None, text: NO_HANDOFFS.to_owned() }),
            Err(error) => Some(Self { column: Some(error.column()), text: error.problem().to_owned() }),
        }
    }
}

impl Opened {
    /// Whether this may have changed what is said of it: itself, or another one of its workflow.
    fn is_touched_by(&self, handoff: &HandoffSummary) -> bool {
        let workflow = self.view.as_ref().ok().and_then(|view| view.handoff.workflow.as_ref());
        handoff.id == self.id || workflow.is_some() && workflow == handoff.workflow.as_ref()
    }

    /// One question at a time.
    fn ask_again(&mut self) -> Option<Effect> {
        if self.is_asked || !self.is_stale {
            return None;
        }
        (self.is_asked, self.is_stale) = (true, false);
        Some(Effect::Open(self.id.clone()))
    }

    pub(super) fn is_asked(&self) -> bool {
        self.is_asked
    }
}

/// How far a key goes, downward.
fn steps(code: KeyCode, room: usize) -> Option<isize> {
    let page = isize::try_from(room.saturating_sub(1)).unwrap_or(1).max(1);
    Some(match code {
        KeyCode::Char('j') | KeyCode::Down => 1,
        KeyCode::Char('k') | KeyCode::Up => -1,
        KeyCode::PageDown => page,
        KeyCode::PageUp => -page,
        KeyCode::End | KeyCode::Char('G') => isize::MAX,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tail::samples::{handoff, pressed, state, typed};

    #[test]
    fn what_is_marked_stays_marked_while_others_come() {
        let mut state = state((100, 10), 20);
        assert_eq!(state.update(pressed(KeyCode::Char('j'))), None);
        let marked = state.shown()[state.marked(&state.shown())].id.clone();
        for number in 21..40 {
            state.update(Event::News(News::Handoff(Box::new(handoff(number)))));
        }
        let shown = state.shown();
        assert_eq!(shown[state.marked(&shown)].id, marked);
        let at = state.marked(&shown);
        assert!((state.top..state.top + state.room()).contains(&at), "{at} is on the screen from {}", state.top);
        drop(shown);
        // Back to the newest, wherever it will be.
        state.update(pressed(KeyCode::Char('g')));
        state.update(Event::News(News::Handoff(Box::new(handoff(41)))));
        assert_eq!((state.marked(&state.shown()), state.top), (0, 0));
    }

    #[test]
    fn a_pause_holds_the_list_and_counts_what_comes() {
        let mut state = state((100, 10), 3);
        state.update(pressed(KeyCode::Char('p')));
        for number in 4..6 {
            state.update(Event::News(News::Handoff(Box::new(handoff(number)))));
        }
        assert_eq!((state.shown().len(), state.held_back()), (3, Some(2)));
        state.update(pressed(KeyCode::Char('p')));
        assert_eq!((state.shown().len(), state.held_back()), (5, None));
    }

    #[test]
    fn a_filter_that_is_not_understood_is_not_left() {
        let mut state = state((100, 10), 3);
        state.update(pressed(KeyCode::Char('/')));
        assert_eq!(typed(&mut state, "from = "), None);
        assert_eq!(state.fault.as_ref().unwrap().column, Some(8));
        assert_eq!(state.update(pressed(KeyCode::Enter)), None);
        assert!(state.editing.is_some());
        assert_eq!(typed(&mut state, "writer"), None);
        assert_eq!(state.fault, None);
        assert_eq!(state.update(pressed(KeyCode::Enter)), Some(Effect::Listen("from = writer".to_owned())));
        assert_eq!((state.shown().len(), state.editing.is_none()), (0, true), "what was found before is gone");
        // What only the server knows leads back to the line.
        let refused = News::Refused { column: Some(8), reason: "column 8: no such rung".to_owned() };
        state.update(Event::News(refused));
        assert!(state.editing.is_some() && state.fault.is_some());
        state.update(pressed(KeyCode::Esc));
        state.update(pressed(KeyCode::Char('/')));
        typed(&mut state, " | by to");
        assert!(state.fault.unwrap().text.contains("not spans, workflows or groups"));
    }

    #[test]
    fn an_opened_handoff_is_asked_for_again_when_more_comes_of_it_but_once_at_a_time() {
        let mut state = state((100, 10), 3);
        let id = handoff(3).id;
        let more = |number| Event::News(News::Handoff(Box::new(handoff(number))));
        assert_eq!(state.update(pressed(KeyCode::Enter)), Some(Effect::Open(id.clone())));
        assert_eq!(state.update(more(3)), None, "it is asked for already");
        let view = || Err("no".to_owned());
        assert_eq!(state.update(Event::View(id.clone(), view())), Some(Effect::Open(id.clone())), "it is stale");
        assert_eq!(state.update(Event::View(id.clone(), view())), None);
        assert_eq!(state.update(more(2)), None, "that is another one");
        assert_eq!(state.update(more(3)), Some(Effect::Open(id)));
        state.update(pressed(KeyCode::Esc));
        assert!(state.opened.is_none());
    }

    #[test]
    fn q_and_control_c_end_it_from_everywhere_and_a_filter_may_have_a_q() {
        let control_c = || Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
        for way in ["", "?", "p", "\n"] {
            let mut state = state((40, 8), 3);
            typed(&mut state, way);
            assert_eq!(state.update(control_c()), Some(Effect::Quit));
            assert_eq!(state.update(pressed(KeyCode::Char('q'))), Some(Effect::Quit), "{way:?}");
        }
        let mut state = state((40, 8), 3);
        typed(&mut state, "/q");
        assert_eq!(state.editing.as_ref().unwrap().text(), "q");
        assert_eq!(state.update(control_c()), Some(Effect::Quit));
    }
}
