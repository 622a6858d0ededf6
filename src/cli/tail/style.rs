use ratatui::style::{Color, Modifier, Style};

use crate::server::pages::words::Tone;

/// How text looks. Without colours, weight alone; what it means is in the words, either way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Styles {
    has_colours: bool,
}

pub(super) const PLAIN: Style = Style::new();
pub(super) const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
pub(super) const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
pub(super) const MARKED: Style = Style::new().add_modifier(Modifier::REVERSED);

impl Styles {
    pub(super) const fn new(has_colours: bool) -> Self {
        Self { has_colours }
    }

    pub(super) fn of(self, tone: Tone) -> Style {
        let (colour, weight) = match tone {
            Tone::Good => (Color::Green, PLAIN),
            Tone::Bad => (Color::Red, STRONG),
            Tone::Unsure => (Color::Yellow, PLAIN),
        };
        if self.has_colours { weight.fg(colour) } else { weight }
    }
}

/// The sign before a word, so that colour never stands alone: as on the pages.
pub(super) const fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✓",
        Tone::Bad => "✕",
        Tone::Unsure => "?",
    }
}

/// A text of strangers for the screen: what could steer a terminal, or turn the order of letters, is a question mark.
pub(super) fn clean(text: &str) -> String {
    let turns = |letter| matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|letter| if letter.is_control() || turns(letter) { '?' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\r\n\u{202e}c grüße"), "a?[2Jb???c grüße");
    }

    #[test]
    fn without_colours_the_weight_and_the_sign_are_left() {
        let styles = Styles::new(false);
        for tone in [Tone::Good, Tone::Bad, Tone::Unsure] {
            assert_eq!(styles.of(tone).fg, None);
        }
        assert_eq!(styles.of(Tone::Bad), STRONG);
        assert!(sign(Tone::Good) != sign(Tone::Bad) && sign(Tone::Bad) != sign(Tone::Unsure));
    }
}
