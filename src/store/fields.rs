//! The fields of a protobuf message, read in turn and without a copy, each with its place in the whole.
//!
//! Only for what is done once a span: `prost` reads everything else.

use std::ops::Range;

/// A place in the bytes of a span.
pub(super) type Part = Range<u32>;

/// Bytes, and where they are in the span.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice<'a> {
    pub(super) bytes: &'a [u8],
    at: u32,
}

impl<'a> Slice<'a> {
    pub(super) const fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) const fn part(&self) -> Part {
        self.at..self.at + self.bytes.len() as u32
    }

    pub(super) fn is_text(&self) -> Option<()> {
        // Most text is ASCII, which is known faster.
        if self.bytes.is_ascii() { Some(()) } else { std::str::from_utf8(self.bytes).ok().map(|_| ()) }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Field<'a> {
    Number(u64),
    Fixed64(u64),
    Fixed32,
    Bytes(Slice<'a>),
}

/// The fields of a message in turn.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    at: u32,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8], at: u32) -> Self {
        Self { rest: bytes, at }
    }

    pub(super) const fn of(slice: Slice<'a>) -> Self {
        Self::new(slice.bytes, slice.at)
    }

    /// The next field; `Some(None)` at the end, and `None` where there is none.
    pub(super) fn next(&mut self) -> Option<Option<(u32, Field<'a>)>> {
        if self.rest.is_empty() {
            return Some(None);
        }
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|number| *number > 0)?;
        let field = match key & 7 {
            0 => Field::Number(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.take(8)?.bytes.try_into().ok()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Field::Fixed32
            }
            _ => return None,
        };
        Some(Some((number, field)))
    }

    fn take(&mut self, length: usize) -> Option<Slice<'a>> {
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        let at = self.at;
        self.rest = rest;
        self.at += length as u32;
        Some(Slice { bytes, at })
    }

    fn varint(&mut self) -> Option<u64> {
        let (first, rest) = self.rest.split_first()?;
        if *first < 0x80 {
            self.rest = rest;
            self.at += 1;
            return Some(u64::from(*first));
        }
        let mut value = 0;
        for (place, byte) in self.rest.iter().take(10).enumerate() {
            // The tenth byte holds one bit.
            if place == 9 && *byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << (7 * place);
            if *byte < 0x80 {
                self.rest = &self.rest[place + 1..];
                self.at += place as u32 + 1;
                return Some(value);
            }
        }
        None
    }
}
