use super::printer::{FAINT, Printer};

/// The widest that a column gets, in characters; the last one may be wider.
const WIDEST: usize = 48;

/// Lines in columns, each as wide as what is in it.
#[derive(Debug)]
pub(crate) struct Table {
    titles: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(titles: &[impl ToString]) -> Self {
        Self { titles: titles.iter().map(ToString::to_string).collect(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // What an agent is called must not move the cursor.
        let plain = |cell: String| cell.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        self.rows.push(cells.into_iter().map(plain).collect());
    }

    pub(crate) fn print(&self, printer: &mut Printer) {
        let widths: Vec<usize> = (0..self.titles.len())
            .map(|at| {
                let cells = self.rows.iter().filter_map(|row| row.get(at)).chain(self.titles.get(at));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0).min(WIDEST)
            })
            .collect();
        printer.line(format_args!("{FAINT}{}{FAINT:#}", line(&self.titles, &widths)));
        for row in &self.rows {
            printer.line(line(row, &widths));
        }
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (at, cell) in cells.iter().enumerate() {
        let width = if at + 1 == cells.len() { 0 } else { widths.get(at).copied().unwrap_or(0) };
        text.push_str(cell);
        let missing = width.saturating_sub(cell.chars().count());
        text.extend(std::iter::repeat_n(' ', missing + usize::from(at + 1 < cells.len()) * 2));
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let widths = [5, 2];
        assert_eq!(line(&["ab".to_owned(), "c".to_owned()], &widths), "ab     c");
    }
}
