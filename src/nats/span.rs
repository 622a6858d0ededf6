use std::ops::Range;

/// A place within a control line, as offsets from the first byte of its frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Control lines are far shorter than 4 GiB (`limits::MAX_SERVER_LINE`), so nothing is cut here.
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// The first byte's offset.
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// The offset after the last byte.
    pub fn end(self) -> usize {
        self.end as usize
    }

    /// Its length in bytes.
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether it has no bytes.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// As a range of offsets.
    pub fn range(self) -> Range<usize> {
        self.start()..self.end()
    }

    /// Its bytes, in a frame that begins where `frame` begins. Empty if `frame` is not the one that was parsed and is
    /// too short.
    pub fn of(self, frame: &[u8]) -> &[u8] {
        frame.get(self.range()).unwrap_or_default()
    }
}
