//! In which order spans came, for exports: a place is a number that only grows, and each commit notes the keys of its
//! spans from one place on.

use rusqlite::{Connection, OptionalExtension, params};

/// Rows that are looked at in one step of forgetting.
const ROWS_A_STEP: i64 = 100;

/// The place after the last one that was given.
pub(super) fn next_place(connection: &Connection) -> rusqlite::Result<i64> {
    let last = connection
        .prepare_cached("SELECT first + length(keys) / 8 FROM arrivals ORDER BY first DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(last.unwrap_or(1))
}

/// Notes the keys of spans from a place on.
pub(super) fn write(connection: &Connection, first: i64, keys: &[i64]) -> rusqlite::Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let bytes: Vec<u8> = keys.iter().flat_map(|key| key.to_le_bytes()).collect();
    connection.prepare_cached("INSERT INTO arrivals (first, keys) VALUES (?1, ?2)")?.execute(params![first, bytes])?;
    Ok(())
}

/// The keys of one commit that has places after this one: the place of the first of them, and the keys from there.
pub(super) fn after(connection: &Connection, place: i64) -> rusqlite::Result<Option<(i64, Vec<i64>)>> {
    let row: Option<(i64, Vec<u8>)> = connection
        .prepare_cached(
            "SELECT first, keys FROM arrivals WHERE first + length(keys) / 8 - 1 > ?1 \
             AND first >= ifnull((SELECT max(first) FROM arrivals WHERE first <= ?1 + 1), 0) ORDER BY first LIMIT 1",
        )?
        .query_row([place], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(row.map(|(first, bytes)| {
        let skipped = usize::try_from(place + 1 - first).unwrap_or(0);
        let keys = bytes.as_chunks().0.iter().skip(skipped).map(|key| i64::from_le_bytes(*key)).collect();
        (first.max(place + 1), keys)
    }))
}

/// Removes notes of spans that are all gone, a few rows from this one on; gives the row to go on from. The last row
/// stays, so that places go on growing.
pub(super) fn forget(connection: &Connection, from: i64) -> rusqlite::Result<i64> {
    let rows: Vec<(i64, Vec<u8>)> = connection
        .prepare_cached(
            "SELECT first, keys FROM arrivals WHERE first >= ?1 AND first < (SELECT max(first) FROM arrivals) \
             ORDER BY first LIMIT ?2",
        )?
        .query_map([from, ROWS_A_STEP], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut there = connection.prepare_cached("SELECT 1 FROM spans WHERE key = ?1")?;
    for (first, keys) in &rows {
        let mut alive = false;
        for key in keys.as_chunks().0 {
            if there.exists([i64::from_le_bytes(*key)])? {
                alive = true;
                break;
            }
        }
        if !alive {
            connection.prepare_cached("DELETE FROM arrivals WHERE first = ?1")?.execute([first])?;
        }
    }
    Ok(match rows.last() {
        Some((last, _)) if rows.len() as i64 == ROWS_A_STEP => last + 1,
        _ => 0,
    })
}
