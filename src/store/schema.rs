use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use super::{StoreError, migrate};

/// Says whose database a file is ("wilc"), in its header.
const APPLICATION_ID: i64 = 0x7769_6c63;

/// Each step makes of the schema before it the next one; the first begins with an empty file. A step that was released
/// is never changed.
const STEPS: [&[Step]; 4] = [
    &[Step::Sql(include_str!("schema/v1.sql"))],
    &[Step::Sql(include_str!("schema/v2.sql"))],
    &[
        Step::Sql(include_str!("schema/v3.sql")),
        Step::Code(migrate::spans_by_trace),
        Step::Sql(include_str!("schema/v3_end.sql")),
    ],
    &[
        Step::Sql(include_str!("schema/v4.sql")),
        Step::Code(migrate::bodies_into_packs),
        Step::Sql(include_str!("schema/v4_end.sql")),
    ],
];

/// What a step does.
enum Step {
    Sql(&'static str),
    Code(fn(&Connection) -> rusqlite::Result<()>),
}

/// Bytes of a page of a new file: the bodies of a workflow are some kilobytes, and larger pages hold more of them for each write.
const PAGE_BYTES: u32 = 8_192;

/// The schema that this program writes.
pub(super) const NEWEST: i64 = STEPS.len() as i64;

/// Brings the schema of an open file up to date, in one transaction, or says why the file is not for us.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found = look(connection, path)?;
    if found == NEWEST {
        return Ok(());
    }
    let damaged = |error: rusqlite::Error| damage(path, error);
    if found == 0 {
        // Has to be said before the first table is made.
        let sql = format!("PRAGMA page_size = {PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL");
        connection.execute_batch(&sql).map_err(damaged)?;
    }
    connection.execute_batch("PRAGMA journal_mode = WAL").map_err(damaged)?;
    let change = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(damaged)?;
    // Another process may have been faster.
    let found: i64 = change.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(damaged)?;
    if found > 0 {
        tracing::info!(target: "wilco", "{}: is brought from schema {found} to {NEWEST}", path.display());
    }
    for step in STEPS.into_iter().skip(usize::try_from(found).unwrap_or(0)).flatten() {
        match step {
            Step::Sql(sql) => change.execute_batch(sql)?,
            Step::Code(run) => run(&change)?,
        }
    }
    change.pragma_update(None, "application_id", APPLICATION_ID)?;
    change.pragma_update(None, "user_version", NEWEST)?;
    change.commit()?;
    Ok(())
}

/// The schema of a file; 0 if it is empty.
pub(super) fn look(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let number =
        |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|error| damage(path, error));
    let (version, owner) = (number("PRAGMA user_version")?, number("PRAGMA application_id")?);
    if owner != APPLICATION_ID {
        let tables = number("SELECT count(*) FROM sqlite_schema")?;
        return if tables == 0 && owner == 0 { Ok(0) } else { Err(StoreError::Foreign { path: path.to_owned() }) };
    }
    if version > NEWEST {
        return Err(StoreError::Newer { path: path.to_owned(), found: version, known: NEWEST });
    }
    Ok(version)
}

/// What goes wrong with a file while it is opened.
pub(super) fn damage(path: &Path, error: rusqlite::Error) -> StoreError {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::Damaged { path, reason },
        Some(ErrorCode::DiskFull) => StoreError::Full,
        _ => StoreError::Open { path, reason },
    }
}
