//! Spans in, handoffs and workflows out: in any order, once or twice, from anybody.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(feature = "store")]

use std::time::Duration;

use opentelemetry::trace::TraceId;
use proptest::prelude::*;
use wilco::model::{Attributes, Span, SpanKind, Timestamp};
use wilco::store::{HandoffSummary, Store, StoreError, StoreOptions};

#[path = "support/stored.rs"]
#[allow(dead_code)]
mod stored;

use stored::{Told, noise};

fn memory() -> Store {
    Store::in_memory(StoreOptions::default()).unwrap()
}

fn handoff(store: &Store, number: u64) -> HandoffSummary {
    store.handoff(&Told::id(number)).unwrap().unwrap()
}

#[test]
fn a_span_comes_back_as_it_was_told() {
    let store = memory();
    let spans = Told::new(1, "wf", "planner", "writer").with("numbers", vec![1_i64, 2]).spans();
    let inserted = store.insert_blocking(spans.to_vec()).unwrap();
    assert_eq!((inserted.spans, inserted.duplicates), (2, 0));
    let mut back = store.spans("wf").unwrap();
    back.sort_by_key(|span| span.start);
    assert_eq!(back, spans);
}

#[test]
fn both_sides_of_a_handoff_are_one_line_whichever_comes_first() {
    let told = Told::new(1, "wf", "planner", "writer").found("misunderstood");
    let [sender, receiver] = told.spans();
    let mut lines = Vec::new();
    for order in [[sender.clone(), receiver.clone()], [receiver, sender]] {
        let store = memory();
        for span in order {
            store.insert_blocking(vec![span]).unwrap();
        }
        lines.push(handoff(&store, 1));
        let (workflow, handoffs) = store.workflow("wf").unwrap().unwrap();
        assert_eq!((workflow.spans, workflow.handoffs, workflow.mismatched), (2, 1, 1));
        assert_eq!(handoffs.len(), 1);
    }
    assert_eq!(lines[0], lines[1]);
    let line = &lines[0];
    assert_eq!((line.from.as_deref(), line.to.as_deref()), (Some("planner"), Some("writer")));
    assert_eq!((line.verdict.as_str(), line.rung.as_str()), ("mismatched", "used"));
    assert_eq!(line.mismatches, ["misunderstood"]);
    assert_eq!((line.attempts, line.deliveries, line.duration_ms), (1, 1, 10.0));
    assert_eq!(line.timestamp, "2026-01-15T10:00:00.001000000Z");
}

#[test]
fn one_side_alone_is_a_handoff_too() {
    let store = memory();
    store.insert_blocking(vec![Told::new(1, "wf", "planner", "writer").receiver()]).unwrap();
    let line = handoff(&store, 1);
    assert_eq!((line.verdict.as_str(), line.attempts, line.deliveries), ("unconfirmed", 0, 1));
}

#[test]
fn the_last_attempt_decides_the_verdict_and_what_was_found_stays() {
    let failed = Told::new(1, "wf", "planner", "writer").found("timed_out");
    let again = Told::new(1, "wf", "planner", "writer");
    for turned in [false, true] {
        let mut spans = vec![failed.sender_of_attempt(1), again.sender_of_attempt(2), again.receiver()];
        if turned {
            spans.reverse();
        }
        let store = memory();
        for span in spans {
            store.insert_blocking(vec![span]).unwrap();
        }
        let line = handoff(&store, 1);
        assert_eq!((line.verdict.as_str(), line.attempts, line.duration_ms), ("agreed", 2, 1_010.0), "{turned}");
        assert_eq!(line.mismatches, ["timed_out"]);
        assert_eq!(store.workflow("wf").unwrap().unwrap().0.mismatched, 0, "{turned}");
    }
}

#[test]
fn a_span_that_comes_again_is_counted_once_and_a_later_end_replaces_it() {
    let store = memory();
    let told = Told::new(1, "wf", "planner", "writer");
    store.insert_blocking(told.spans().to_vec()).unwrap();
    let again = store.insert_blocking(told.spans().to_vec()).unwrap();
    assert_eq!((again.spans, again.duplicates), (0, 2));
    let longer = told.clone().lasting(50).found("timed_out").sender();
    store.insert_blocking(vec![longer.clone()]).unwrap();
    assert_eq!(store.workflow("wf").unwrap().unwrap().0.spans, 2);
    assert!(store.spans("wf").unwrap().contains(&longer));
    assert_eq!((handoff(&store, 1).verdict.as_str(), handoff(&store, 1).duration_ms), ("mismatched", 50.0));
    // And the shorter one does not come back.
    store.insert_blocking(told.spans().to_vec()).unwrap();
    assert!(store.spans("wf").unwrap().contains(&longer));
}

#[test]
fn spans_of_other_makers_are_in_the_workflow_of_their_trace() {
    let store = memory();
    let told = Told::new(1, "wf", "planner", "writer");
    let foreign = stored::span(told.trace(), 99, "chat gpt", SpanKind::Client, 5, 3, Attributes::new());
    store.insert_blocking(vec![foreign.clone()]).unwrap();
    // Before anybody said which workflow it is, it is found by its trace.
    assert_eq!(store.spans(&told.trace().to_string()).unwrap(), std::slice::from_ref(&foreign));
    store.insert_blocking(told.spans().to_vec()).unwrap();
    let all = store.spans("wf").unwrap();
    assert!(all.len() == 3 && all.contains(&foreign), "{all:?}");
    let alone = stored::span(TraceId::from_bytes([3; 16]), 99, "other", SpanKind::Client, 5, 3, Attributes::new());
    store.insert_blocking(vec![alone]).unwrap();
    assert_eq!(store.spans("wf").unwrap().len(), 3);
}

/// What a model was told and said, as three makers write it, and what is none of that.
fn conversation() -> Span {
    let attributes: Attributes = [
        ("gen_ai.input.messages", "[{\"role\":\"user\",\"content\":\"my card is 4111-2222\"}]".into()),
        ("llm.input_messages.0.message.content", "my card is 4111-2222".into()),
        ("llm.input_messages.0.message.role", "user".into()),
        ("input.value", "my card is 4111-2222".into()),
        ("gen_ai.usage.input_tokens", 7_i64.into()),
        ("wilco.workflow.id", "wf".into()),
    ]
    .into_iter()
    .collect();
    let mut span = stored::span(TraceId::from_bytes([5; 16]), 9, "chat gpt", SpanKind::Client, 1, 2, attributes);
    span.events.push(wilco::model::SpanEvent {
        at: Timestamp::EPOCH,
        name: "gen_ai.content.prompt".to_owned(),
        attributes: [("gen_ai.prompt", "my card is 4111-2222".into())].into_iter().collect(),
    });
    span
}

#[test]
fn what_models_are_told_and_say_is_not_kept_unless_asked_and_the_rest_is_whole() {
    let store = memory();
    store.insert_blocking(vec![conversation()]).unwrap();
    let kept = store.spans("wf").unwrap().remove(0);
    assert!(!format!("{kept:?}").contains("4111"), "{kept:?}");
    let note = kept.attributes.text("input.value").unwrap();
    assert!(note.starts_with("[not kept: 20 bytes, blake3:"), "{note}");
    assert_eq!(store.counts().content_left_out, 4);
    // All else is as it came.
    let mut without = conversation();
    for name in ["gen_ai.input.messages", "llm.input_messages.0.message.content", "input.value"] {
        without.attributes.insert(name, kept.attributes.text(name).unwrap());
    }
    without.events[0].attributes = kept.events[0].attributes.clone();
    assert_eq!(kept, without);
}

#[test]
fn content_that_is_asked_for_is_kept_whole_but_for_what_is_redacted_and_over_the_cap() {
    let whole = Store::in_memory(StoreOptions::default().keep_content(1 << 20)).unwrap();
    whole.insert_blocking(vec![conversation()]).unwrap();
    assert_eq!(whole.spans("wf").unwrap(), [conversation()]);

    let redactor = |_: &str, text: String| text.replace("4111-2222", "[card]");
    let store = Store::in_memory(StoreOptions::default().keep_content(12).redact(redactor)).unwrap();
    store.insert_blocking(vec![conversation()]).unwrap();
    let kept = store.spans("wf").unwrap().remove(0);
    assert_eq!(kept.attributes.text("input.value"), Some("my card is [[cut: the first 12 of 17 bytes]"));
    assert_eq!((store.counts().content_left_out, store.counts().content_cut), (0, 4));
}

#[test]
fn the_root_span_names_the_workflow_and_its_outcome() {
    let store = memory();
    store.insert_blocking(vec![stored::root("wf", 0, 100, "no story", false)]).unwrap();
    let (workflow, _) = store.workflow("wf").unwrap().unwrap();
    assert_eq!(
        (workflow.name.as_deref(), workflow.outcome.as_deref(), workflow.ok),
        (Some("story"), Some("no story"), Some(false))
    );
    assert_eq!(workflow.duration_ms, 100.0);
    assert!(store.workflow("other").unwrap().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    /// The same spans give the same lines in any order, in any groups, and with any of them twice.
    #[test]
    fn order_groups_and_duplicates_change_nothing(
        order in Just((0..16_usize).chain(0..8).collect::<Vec<_>>()).prop_shuffle(),
        cut in 1..23_usize,
    ) {
        let mut spans: Vec<Span> = Vec::new();
        for number in 0..4 {
            let told = Told::new(number, if number < 3 { "one" } else { "two" }, "a", "b").lasting(10 + number);
            let found = told.clone().found(if number % 2 == 0 { "timed_out" } else { "refused" });
            spans.extend([found.sender_of_attempt(1), told.sender_of_attempt(2), told.receiver()]);
            spans.push(stored::decision("one", 1_000 + number, "approve", number, 5));
        }
        let plain = memory();
        plain.insert_blocking(spans.clone()).unwrap();
        let shuffled = memory();
        for group in order.chunks(cut) {
            shuffled.insert_blocking(group.iter().map(|at| spans[*at].clone()).collect()).unwrap();
        }
        for number in 0..4 {
            prop_assert_eq!(handoff(&plain, number), handoff(&shuffled, number));
        }
        for workflow in ["one", "two"] {
            // All but when it was heard of: that is the time of arrival itself.
            let summary = |store: &Store| {
                let (mut summary, _) = store.workflow(workflow).unwrap().unwrap();
                summary.heard.clear();
                summary
            };
            prop_assert_eq!(summary(&plain), summary(&shuffled));
            let sorted = |store: &Store| {
                let mut spans = store.spans(workflow).unwrap();
                spans.sort_by_key(|span| (span.start, span.span_id.to_bytes()));
                spans
            };
            prop_assert_eq!(sorted(&plain), sorted(&shuffled));
        }
    }
}

// --------------------------------------------------------------------------------------------------- files, room and load

#[test]
fn what_is_acknowledged_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wilco.db");
    let store = Store::open(&path, StoreOptions::default()).unwrap();
    store.insert_blocking(Told::new(1, "wf", "planner", "writer").spans().to_vec()).unwrap();
    drop(store);
    let store = Store::open(&path, StoreOptions::default()).unwrap();
    assert_eq!(store.spans("wf").unwrap().len(), 2);
}

#[test]
fn a_file_of_another_kind_is_refused_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "no database, but long enough to be mistaken for one ".repeat(50)).unwrap();
    let error = Store::open(&text, StoreOptions::default()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("notes.txt"), "{error}");

    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let error = Store::open(&foreign, StoreOptions::default()).unwrap_err();
    assert!(error.to_string().ends_with("is no database of wilco; name another file"), "{error}");
    let missing = Store::open(folder.path().join("no/such/folder.db"), StoreOptions::default()).unwrap_err();
    assert!(matches!(missing, StoreError::Open { .. }), "{missing}");
}

#[test]
fn a_file_of_a_newer_wilco_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wilco.db");
    drop(Store::open(&path, StoreOptions::default()).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = Store::open(&path, StoreOptions::default()).unwrap_err();
    assert!(error.to_string().contains("has schema 99, and this wilco knows schemas up to 4"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_damaged_file_is_told_from_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wilco.db");
    drop(Store::open(&path, StoreOptions::default()).unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    // The header stays; the first table's page is gone.
    let end = bytes.len();
    bytes[100..end.min(8_192)].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let opened = Store::open(&path, StoreOptions::default());
    let error =
        opened.and_then(|store| store.insert_blocking(Told::new(1, "wf", "a", "b").spans().to_vec())).unwrap_err();
    assert!(error.to_string().contains("malformed") || error.to_string().contains("damaged"), "{error}");
}

#[test]
fn a_full_disk_is_said_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wilco.db");
    let store = Store::open(&path, StoreOptions::default().most_bytes(512 << 10)).unwrap();
    let mut kept = 0;
    let error = loop {
        let told = Told::new(kept, &format!("wf-{kept}"), "a", "b").with("text", noise(kept, 4_000));
        match store.insert_blocking(told.spans().to_vec()) {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 1_000, "it is never full");
    };
    assert!(matches!(error, StoreError::Full) && error.is_retryable(), "{error:?}");
    assert!(error.to_string().starts_with("disk full"), "{error}");
    drop(store);
    // With more room the same request goes through, and all that was acknowledged is there.
    let store = Store::open(&path, StoreOptions::default()).unwrap();
    store.insert_blocking(Told::new(kept, &format!("wf-{kept}"), "a", "b").spans().to_vec()).unwrap();
    for number in 0..=kept {
        assert_eq!(store.spans(&format!("wf-{number}")).unwrap().len(), 2, "{number}");
    }
}

#[test]
fn overload_is_refused_whole_and_nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wilco.db");
    let store = Store::open(&path, StoreOptions::default().waiting_bytes(200_000)).unwrap();
    // Somebody holds the file, so that nothing is written meanwhile.
    let holder = rusqlite::Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // More than ten times what may wait.
    let sent: Vec<_> = (0..600_u64)
        .map(|number| {
            let store = store.clone();
            let spans = Told::new(number, &format!("wf-{number}"), "a", "b").with("text", "x".repeat(2_000)).spans();
            runtime.spawn(async move { store.insert(spans.to_vec()).await })
        })
        .collect();
    let (mut kept, mut refused) = (Vec::new(), 0);
    std::thread::sleep(Duration::from_millis(300));
    assert!(store.counts().waiting_bytes <= 200_000);
    holder.execute_batch("COMMIT").unwrap();
    for (number, answer) in sent.into_iter().enumerate() {
        match runtime.block_on(answer).unwrap() {
            Ok(inserted) => {
                assert_eq!(inserted.spans, 2);
                kept.push(number);
            }
            Err(error) => {
                assert!(
                    matches!(error, StoreError::Overloaded { limit: 200_000, .. }) && error.is_retryable(),
                    "{error}"
                );
                refused += 1;
            }
        }
    }
    assert!(!kept.is_empty() && refused > 0, "{} kept, {refused} refused", kept.len());
    for number in kept {
        assert_eq!(store.spans(&format!("wf-{number}")).unwrap().len(), 2);
    }
    assert_eq!(store.counts().refused, refused);
}

#[test]
fn the_oldest_workflows_are_forgotten_when_there_is_too_much_and_the_file_shrinks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wilco.db");
    let options = StoreOptions::default().keep_bytes(600_000).tidy_every(Duration::from_millis(20));
    let store = Store::open(&path, options).unwrap();
    for number in 0..300_u64 {
        let told =
            Told::new(number, &format!("wf-{number}"), "a", "b").found("refused").with("text", noise(number, 4_000));
        store.insert_blocking(told.spans().to_vec()).unwrap();
    }
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while store.workflows(1_000, 0, false).unwrap().len() > 80 {
        assert!(std::time::Instant::now() < deadline, "nothing was forgotten");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(store.counts().forgotten >= 220);
    drop(store);
    // Without a limit, so that it stays as it is while it is looked at.
    let store = Store::open(&path, StoreOptions::default()).unwrap();
    let left = store.workflows(1_000, 0, false).unwrap();
    assert_eq!(left[0].id, "wf-299");
    assert!(store.spans("wf-0").unwrap().is_empty() && store.handoff(&Told::id(0)).unwrap().is_none());
    drop(store);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM spans"), left.len() as i64 * 2);
    assert_eq!(count("SELECT count(*) FROM findings"), left.len() as i64);
    assert_eq!(count("SELECT count(*) FROM traces"), left.len() as i64);
}

#[test]
fn no_more_is_forgotten_than_has_to_be() {
    let options = StoreOptions::default().keep_bytes(2_000_000).tidy_every(Duration::from_millis(10));
    let store = Store::in_memory(options).unwrap();
    // Some 80 kB each, so that there is room for twenty at least.
    for number in 0..40_u64 {
        let told = Told::new(number, &format!("wf-{number}"), "a", "b").with("text", noise(number, 40_000));
        store.insert_blocking(told.spans().to_vec()).unwrap();
    }
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while store.counts().forgotten < 10 {
        assert!(std::time::Instant::now() < deadline, "nothing was forgotten");
        std::thread::sleep(Duration::from_millis(10));
    }
    // Whatever it does next, it has done it by then.
    std::thread::sleep(Duration::from_millis(200));
    let left = store.workflows(1_000, 0, false).unwrap();
    assert!(left.len() >= 18, "{} are left", left.len());
    assert_eq!((left[0].id.as_str(), store.counts().forgotten), ("wf-39", 40 - left.len() as u64));
}

#[test]
fn what_came_lately_is_kept_whatever_the_clocks_in_the_spans_say() {
    let options = StoreOptions::default().keep_for(Duration::from_secs(60)).tidy_every(Duration::from_millis(10));
    let store = Store::in_memory(options).unwrap();
    // These spans are of January 2026, or of 1970: their age is that of their arrival.
    let mut ancient = Told::new(2, "ancient", "a", "b").sender();
    ancient.start = Timestamp::EPOCH;
    store.insert_blocking(vec![Told::new(1, "wf", "a", "b").sender(), ancient]).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(store.workflows(10, 0, false).unwrap().len(), 2);

    let options = StoreOptions::default().keep_for(Duration::ZERO).tidy_every(Duration::from_millis(10));
    let store = Store::in_memory(options).unwrap();
    store.insert_blocking(vec![Told::new(1, "wf", "a", "b").sender()]).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !store.workflows(10, 0, false).unwrap().is_empty() {
        assert!(std::time::Instant::now() < deadline, "nothing was forgotten");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A copy of a file as an older wilco left it.
fn old(folder: &std::path::Path, schema: u32) -> std::path::PathBuf {
    let path = folder.join(format!("schema-{schema}.db"));
    let frozen = format!("{}/tests/fixtures/store/schema-{schema}.db", env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(frozen, &path).unwrap();
    path
}

#[test]
fn a_file_of_the_first_schema_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(old(folder.path(), 1), StoreOptions::default()).unwrap();
    let (workflow, handoffs) = store.workflow("wf").unwrap().unwrap();
    assert_eq!((workflow.handoffs, workflow.mismatched, handoffs.len()), (2, 1, 2));
    assert_eq!(store.spans("wf").unwrap().len(), 5);
    let query = wilco::store::query::Query::parse("mismatch = stale_context").unwrap();
    assert_eq!(store.query(&query, Timestamp::now()).unwrap().lines.len(), 1);
    store.insert_blocking(Told::new(9, "wf", "a", "b").found("refused").spans().to_vec()).unwrap();
    assert_eq!(store.workflow("wf").unwrap().unwrap().0.mismatched, 2);
}

/// That a store answers as a new one does, into which the spans of the frozen files were put in the same order; gives
/// these spans.
#[track_caller]
fn answers_as_a_new_one(store: &Store) -> Vec<Span> {
    let text = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/store/spans.jsonl")).unwrap();
    let spans: Vec<Span> = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .flat_map(|line| wilco::otlp::from_json(line).unwrap())
        .collect();
    let fresh = memory();
    fresh.insert_blocking(spans.clone()).unwrap();
    for workflow in fresh.workflows(100, 0, false).unwrap() {
        let migrated = store.workflow(&workflow.id).unwrap().unwrap();
        let (summary, handoffs) = fresh.workflow(&workflow.id).unwrap().unwrap();
        assert_eq!((migrated.0.spans, migrated.0.handoffs), (summary.spans, summary.handoffs));
        assert_eq!(migrated.1, handoffs);
        assert_eq!(store.spans(&workflow.id).unwrap(), fresh.spans(&workflow.id).unwrap());
    }
    for text in ["decision.type = approve", "confidence > 0", "type = decision | count", "verdict = mismatched"] {
        let query = wilco::store::query::Query::parse(text).unwrap();
        assert_eq!(store.query(&query, Timestamp::now()).unwrap(), fresh.query(&query, Timestamp::now()).unwrap());
    }
    spans
}

#[test]
fn a_file_of_the_third_schema_has_the_same_answers_and_export_after_it_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = old(folder.path(), 3);
    let store = Store::open(&path, StoreOptions::default()).unwrap();
    let spans = answers_as_a_new_one(&store);
    let (request, last, count) = store.export(0, Timestamp::EPOCH, 1_000).unwrap().unwrap();
    assert_eq!((last, count), (spans.len() as i64, spans.len()));
    assert_eq!(wilco::otlp::from_protobuf(&request).unwrap(), spans);
    let again = store.insert_blocking(spans.clone()).unwrap();
    assert_eq!((again.spans, again.duplicates), (0, spans.len() as u64));
    drop(store);
    // What is not there any more takes no room: bodies are in packs, and nowhere else.
    let file = rusqlite::Connection::open(&path).unwrap();
    let unused = "SELECT count(*) FROM packs WHERE key NOT IN (SELECT pack FROM spans)";
    assert_eq!(file.query_row(unused, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[test]
fn nothing_is_left_of_a_span_that_was_replaced_or_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wilco.db");
    let packs = || {
        let file = rusqlite::Connection::open(&path).unwrap();
        file.query_row("SELECT count(*) FROM packs", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let told = Told::new(1, "wf", "planner", "writer");
    let foreign = stored::span(told.trace(), 99, "chat gpt", SpanKind::Client, 5, 3, Attributes::new());
    let store = Store::open(&path, StoreOptions::default()).unwrap();
    store.insert_blocking(told.spans().to_vec()).unwrap();
    store.insert_blocking(vec![foreign]).unwrap();
    assert_eq!(packs(), 2, "one of the workflow, one of the other maker");
    let longer = told.clone().lasting(50);
    store.insert_blocking(vec![longer.sender()]).unwrap();
    assert_eq!(packs(), 3, "the receiver is still in the first one");
    store.insert_blocking(longer.spans().to_vec()).unwrap();
    assert_eq!(store.spans("wf").unwrap().len(), 3);
    let now = packs();
    store.insert_blocking(told.spans().to_vec()).unwrap();
    assert_eq!(packs(), now, "what is not taken is not written");
    drop(store);
    let options = StoreOptions::default().keep_for(Duration::ZERO).tidy_every(Duration::from_millis(10));
    let store = Store::open(&path, options).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while packs() > 0 {
        assert!(std::time::Instant::now() < deadline, "{} packs are left", packs());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(store.spans(&told.trace().to_string()).unwrap().is_empty());
}

#[test]
fn a_file_of_the_second_schema_has_the_same_answers_and_places_after_it_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = old(folder.path(), 2);
    let before = rusqlite::Connection::open(&path).unwrap();
    let keys: Vec<i64> = before
        .prepare("SELECT key FROM spans ORDER BY key")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    drop(before);
    let store = Store::open(&path, StoreOptions::default()).unwrap();
    let spans = answers_as_a_new_one(&store);
    // An export goes on from the place where it was.
    let (_, last, count) = store.export(keys[3], Timestamp::EPOCH, 1_000).unwrap().unwrap();
    assert_eq!((last, count), (*keys.last().unwrap(), keys.len() - 4));
    // What is there already is known to be.
    let again = store.insert_blocking(spans.clone()).unwrap();
    assert_eq!((again.spans, again.duplicates), (0, spans.len() as u64));
}

#[test]
fn spans_go_out_as_they_came_page_by_page() {
    let store = memory();
    for number in 0..10 {
        store.insert_blocking(Told::new(number, "wf", "a", "b").spans().to_vec()).unwrap();
    }
    let (mut after, mut spans) = (0, Vec::new());
    while let Some((request, last, count)) = store.export(after, Timestamp::EPOCH, 6).unwrap() {
        let page = wilco::otlp::from_protobuf(&request).unwrap();
        assert_eq!(page.len(), count);
        spans.extend(page);
        after = last;
    }
    let mut expected: Vec<Span> = (0..10).flat_map(|number| Told::new(number, "wf", "a", "b").spans()).collect();
    let key = |span: &Span| span.span_id.to_bytes();
    expected.sort_by_key(key);
    spans.sort_by_key(key);
    assert_eq!(spans, expected);
}
