//! The bodies of spans that belong to one trace and one workflow and came together, as one block of bytes. What spans of
//! one boundary have in common is most of what they say, so that a pack takes a fraction of what its bodies would take
//! one by one: less to copy, to check and to write.
//!
//! A pack is an LZ4 block after its length (four bytes, the lowest first). In it each body stands after its own length,
//! likewise; a span says at which byte.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, params};

use super::{StoreError, span_key};

/// A pack is closed when it has so many bytes, so that one body is not looked for among too many.
const FULL: usize = 32 << 10;

/// The most packs that are kept open while spans are read.
const MOST_OPEN: usize = 128;

/// Bytes of a length.
const LENGTH: usize = 4;

/// More than this an LZ4 block never grows: what claims to do so is damaged.
const MOST_GROWTH: usize = 255;

/// Bodies on their way into a pack.
#[derive(Debug, Default)]
pub(super) struct Packer {
    raw: Vec<u8>,
}

impl Packer {
    /// Adds a body; gives where it is.
    pub(super) fn add(&mut self, body: &[u8]) -> u32 {
        let at = self.raw.len() as u32;
        self.raw.extend_from_slice(&(body.len() as u32).to_le_bytes());
        self.raw.extend_from_slice(body);
        at
    }

    /// Whether the next body should begin another pack.
    pub(super) fn is_full(&self) -> bool {
        self.raw.len() >= FULL
    }

    /// The pack as it is stored.
    pub(super) fn finish(self) -> Vec<u8> {
        lz4_flex::block::compress_prepend_size(&self.raw)
    }
}

/// All bodies of a pack, open. `None` where it is damaged.
pub(super) fn open(pack: &[u8]) -> Option<Vec<u8>> {
    let (length, block) = pack.split_first_chunk::<LENGTH>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > block.len().saturating_mul(MOST_GROWTH) {
        return None;
    }
    lz4_flex::block::decompress(block, length).ok().filter(|raw| raw.len() == length)
}

/// The body at a place of an open pack.
pub(super) fn body(raw: &[u8], at: i64) -> Option<&[u8]> {
    let (length, rest) = raw.get(usize::try_from(at).ok()?..)?.split_first_chunk::<LENGTH>()?;
    rest.get(..u32::from_le_bytes(*length) as usize)
}

/// Writes a pack.
pub(super) fn write(connection: &Connection, key: i64, pack: &[u8]) -> rusqlite::Result<()> {
    connection.prepare_cached("INSERT INTO packs (key, bytes) VALUES (?1, ?2)")?.execute(params![key, pack])?;
    Ok(())
}

/// Removes those of these packs that no span of this trace is in any more.
pub(super) fn drop_unused(connection: &Connection, trace: i64, packs: &HashSet<i64>) -> rusqlite::Result<()> {
    if packs.is_empty() {
        return Ok(());
    }
    let (first, last) = span_key::range(trace);
    let used: HashSet<i64> = connection
        .prepare_cached("SELECT DISTINCT pack FROM spans WHERE key BETWEEN ?1 AND ?2")?
        .query_map([first, last], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut delete = connection.prepare_cached("DELETE FROM packs WHERE key = ?1")?;
    for pack in packs.difference(&used) {
        delete.execute([pack])?;
    }
    Ok(())
}

/// Reads bodies out of the packs of a file. Those that were opened last stay open.
pub(super) struct Unpacker<'c> {
    connection: &'c Connection,
    open: HashMap<i64, Vec<u8>>,
}

impl<'c> Unpacker<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, open: HashMap::new() }
    }

    pub(super) fn body(&mut self, pack: i64, at: i64) -> Result<&[u8], StoreError> {
        if !self.open.contains_key(&pack) {
            let mut select = self.connection.prepare_cached("SELECT bytes FROM packs WHERE key = ?1")?;
            let raw = select.query_row([pack], |row| Ok(open(row.get_ref(0)?.as_blob()?)))?;
            if self.open.len() >= MOST_OPEN {
                self.open.clear();
            }
            self.open.insert(pack, raw.ok_or_else(|| damaged(pack))?);
        }
        self.open.get(&pack).and_then(|raw| body(raw, at)).ok_or_else(|| damaged(pack))
    }
}

fn damaged(pack: i64) -> StoreError {
    StoreError::Corrupt { reason: format!("the spans in pack {pack} cannot be read") }
}

/// What the database asks for one body after the other, most often of the same pack.
#[derive(Debug, Default)]
pub(super) struct LastOpened(Mutex<(Vec<u8>, Vec<u8>)>);

impl LastOpened {
    /// The body at a place of a pack; `None` where it is damaged.
    pub(super) fn body(&self, pack: &[u8], at: i64) -> Option<Vec<u8>> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != pack {
            let raw = open(pack)?;
            // With a huge body in it; not to be kept for as long as the connection.
            if raw.len() > 2 * FULL {
                return body(&raw, at).map(<[u8]>::to_vec);
            }
            *last = (pack.to_vec(), raw);
        }
        body(&last.1, at).map(<[u8]>::to_vec)
    }
}

/// SQL for the body of a span under an alias.
pub(super) fn body_of(span: &str) -> String {
    format!("body((SELECT bytes FROM packs WHERE key = {span}.pack), {span}.at)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_come_out_of_a_pack_as_they_went_in() {
        let bodies: [&[u8]; 3] = [b"one", b"", &[7; 70_000]];
        let mut packer = Packer::default();
        let places = bodies.map(|body| i64::from(packer.add(body)));
        let pack = packer.finish();
        assert!(pack.len() < 1_000, "what is alike takes little room: {}", pack.len());
        let raw = open(&pack).unwrap();
        assert_eq!(places.map(|at| body(&raw, at).unwrap()), bodies);
    }

    #[test]
    fn a_damaged_pack_has_no_bodies_and_takes_no_memory() {
        let mut packer = Packer::default();
        packer.add(&[1; 500]);
        let pack = packer.finish();
        for end in 0..pack.len() {
            assert_eq!(open(&pack[..end]), None);
        }
        let mut long = pack.clone();
        long[..LENGTH].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(open(&long), None);
        let raw = open(&pack).unwrap();
        assert_eq!((body(&raw, -1), body(&raw, 490), body(&raw, i64::MAX)), (None, None, None));
    }
}
