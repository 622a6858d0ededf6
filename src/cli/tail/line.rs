/// One line of text that somebody types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TextLine {
    letters: Vec<char>,
    /// Letters before the cursor.
    at: usize,
}

/// The longest there is, in letters: what a query may have.
const LONGEST: usize = 4_096;

impl TextLine {
    pub(super) fn new(text: &str) -> Self {
        let mut line = Self::default();
        line.insert(text);
        line
    }

    /// Puts a text where the cursor is. Line ends and the like become blanks.
    pub(super) fn insert(&mut self, text: &str) {
        for letter in text.chars().take(LONGEST.saturating_sub(self.letters.len())) {
            self.letters.insert(self.at, if letter.is_control() { ' ' } else { letter });
            self.at += 1;
        }
    }

    pub(super) fn delete_before(&mut self) {
        if self.at > 0 {
            self.at -= 1;
            self.letters.remove(self.at);
        }
    }

    pub(super) fn delete_after(&mut self) {
        if self.at < self.letters.len() {
            self.letters.remove(self.at);
        }
    }

    /// The word before the cursor, and the blanks behind it.
    pub(super) fn delete_word(&mut self) {
        while self.at > 0 && self.letters[self.at - 1] == ' ' {
            self.delete_before();
        }
        while self.at > 0 && self.letters[self.at - 1] != ' ' {
            self.delete_before();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn left(&mut self) {
        self.at = self.at.saturating_sub(1);
    }

    pub(super) fn right(&mut self) {
        self.at = (self.at + 1).min(self.letters.len());
    }

    pub(super) fn home(&mut self) {
        self.at = 0;
    }

    pub(super) fn end(&mut self) {
        self.at = self.letters.len();
    }

    pub(super) fn text(&self) -> String {
        self.letters.iter().collect()
    }

    /// What of it is on a screen of so many columns, and at which of them the cursor is. Letters that are left out on
    /// the left are counted, too.
    pub(super) fn window(&self, columns: usize) -> (String, usize, usize) {
        let left = (self.at + 1).saturating_sub(columns.max(1));
        (self.letters.iter().skip(left).take(columns).collect(), self.at - left, left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_typed_and_deleted_where_the_cursor_is() {
        let mut line = TextLine::new("from = plänner");
        line.delete_word();
        line.insert("writer\n");
        line.home();
        line.delete_after();
        line.insert("F");
        assert_eq!(line.text(), "From = writer ");
        line.end();
        line.left();
        line.delete_before();
        line.right();
        assert_eq!((line.text().as_str(), line.window(5)), ("From = write ", ("ite ".to_owned(), 4, 9)));
    }
}
