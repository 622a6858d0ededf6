use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, TransactionBehavior, params};

use super::{StoreOptions, arrivals, pack, span_key};

/// The most workflows that one step forgets, so that requests do not wait long for it.
const WORKFLOWS_A_STEP: i64 = 50;

/// The most spans of no workflow that one step forgets.
const SPANS_A_STEP: i64 = 2_000;

/// The most pages that one step gives back to the file system.
const PAGES_A_STEP: i64 = 1_000;

/// What one step did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    pub(super) workflows: u64,
    pub(super) more: bool,
}

/// Forgets the workflows that are too old, or the oldest if there is too much; then shrinks the file. Age counts from
/// the last time that something of the workflow came.
///
/// `swept` is the row of arrivals to go on from.
pub(super) fn step(
    connection: &mut Connection,
    options: &StoreOptions,
    now_ns: i64,
    swept: &mut i64,
) -> rusqlite::Result<Step> {
    let limit = limit(options);
    let too_much = is_over(connection, options)?;
    let age = options.keep_for.map(|age| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX));
    let before_ns = match (too_much, age) {
        (true, _) => i64::MAX,
        (false, Some(age)) => now_ns.saturating_sub(age),
        (false, None) => i64::MIN,
    };
    let mut step = Step::default();
    if before_ns > i64::MIN {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        step = forget(&transaction, before_ns, limit.filter(|_| too_much))?;
        let next = arrivals::forget(&transaction, *swept)?;
        transaction.commit()?;
        *swept = next;
    }
    let free = number(connection, "PRAGMA freelist_count")?;
    if free > 0 {
        connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES_A_STEP})"))?;
        step.more |= free > PAGES_A_STEP;
    }
    Ok(step)
}

/// Whether there is more than what is to be kept.
pub(super) fn is_over(connection: &Connection, options: &StoreOptions) -> rusqlite::Result<bool> {
    Ok(match limit(options) {
        Some(limit) => used(connection)? > limit,
        None => false,
    })
}

fn limit(options: &StoreOptions) -> Option<i64> {
    options.keep_bytes.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX))
}

fn number(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.query_row(sql, [], |row| row.get(0))
}

/// Bytes of the pages that hold something.
fn used(connection: &Connection) -> rusqlite::Result<i64> {
    let pages = number(connection, "PRAGMA page_count")? - number(connection, "PRAGMA freelist_count")?;
    Ok(pages * number(connection, "PRAGMA page_size")?)
}

/// `limit`: until no more bytes than these are used.
fn forget(connection: &Connection, before_ns: i64, limit: Option<i64>) -> rusqlite::Result<Step> {
    let keys: Vec<i64> = connection
        .prepare_cached("SELECT key FROM workflows WHERE arrived_ns < ?1 ORDER BY arrived_ns LIMIT ?2")?
        .query_map(params![before_ns, WORKFLOWS_A_STEP], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    // The traces out of which something goes, with packs of spans of no workflow.
    let mut traces: BTreeMap<i64, HashSet<i64>> = BTreeMap::new();
    let mut workflows = 0;
    for key in &keys {
        // Of a few large workflows, one less may be enough.
        if let Some(limit) = limit
            && used(connection)? <= limit
        {
            break;
        }
        workflows += 1;
        for sql in [
            "DELETE FROM findings WHERE handoff IN (SELECT key FROM handoffs WHERE workflow = ?1)",
            "DELETE FROM handoffs WHERE workflow = ?1",
        ] {
            connection.prepare_cached(sql)?.execute([key])?;
        }
        let of_workflow: Vec<i64> = connection
            .prepare_cached("DELETE FROM workflow_traces WHERE workflow = ?1 RETURNING trace")?
            .query_map([key], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for trace in &of_workflow {
            let (first, last) = span_key::range(*trace);
            let packs = connection
                .prepare_cached("DELETE FROM spans WHERE key BETWEEN ?2 AND ?3 AND workflow = ?1 RETURNING pack")?
                .query_map(params![key, first, last], |row| row.get(0))?
                .collect::<Result<HashSet<i64>, _>>()?;
            pack::drop_unused(connection, *trace, &packs)?;
            traces.entry(*trace).or_default();
        }
        connection.prepare_cached("DELETE FROM workflows WHERE key = ?1")?.execute([key])?;
    }
    // While there is too much, spans of no workflow go as long as they are older than what is kept.
    let oldest_kept: Option<i64> =
        connection.query_row("SELECT min(arrived_ns) FROM workflows", [], |row| row.get(0))?;
    let before_ns = before_ns.min(oldest_kept.unwrap_or(i64::MAX));
    let spans: Vec<(i64, i64)> = connection
        .prepare_cached(
            "DELETE FROM spans WHERE key IN \
             (SELECT key FROM spans WHERE workflow IS NULL AND arrived_ns < ?1 ORDER BY arrived_ns LIMIT ?2) \
             RETURNING key, pack",
        )?
        .query_map(params![before_ns, SPANS_A_STEP], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (key, pack) in &spans {
        traces.entry(span_key::trace(*key)).or_default().insert(*pack);
    }
    for (trace, packs) in traces {
        pack::drop_unused(connection, trace, &packs)?;
        let (first, last) = span_key::range(trace);
        connection
            .prepare_cached(
                "DELETE FROM traces WHERE key = ?1 AND NOT EXISTS (SELECT 1 FROM spans WHERE key BETWEEN ?2 AND ?3) \
                 AND NOT EXISTS (SELECT 1 FROM workflow_traces WHERE trace = ?1)",
            )?
            .execute([trace, first, last])?;
    }
    // Handoffs that no span of a workflow told of.
    for sql in [
        "DELETE FROM findings WHERE handoff IN (SELECT key FROM handoffs WHERE workflow IS NULL \
         AND NOT EXISTS (SELECT 1 FROM spans WHERE key = s_span OR key = r_span))",
        "DELETE FROM handoffs WHERE workflow IS NULL \
         AND NOT EXISTS (SELECT 1 FROM spans WHERE key = s_span OR key = r_span)",
    ] {
        connection.prepare_cached(sql)?.execute([])?;
    }
    Ok(Step { workflows, more: workflows == WORKFLOWS_A_STEP as u64 || spans.len() as i64 == SPANS_A_STEP })
}
