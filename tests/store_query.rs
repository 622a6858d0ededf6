//! The query language: what it finds, and what it says of a text that it does not understand.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(feature = "store")]

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use wilco::model::Timestamp;
use wilco::store::query::{Answer, Query};
use wilco::store::{Store, StoreOptions};

#[path = "support/stored.rs"]
#[allow(dead_code)]
mod stored;

use stored::{NOON, Told};

/// A tree: 1 planner -> researcher, 2 planner -> writer, 3 writer -> reviewer (below 2), 4 reviewer -> printer (below 3);
/// in another workflow 5, and 6 below 5 in a ring with 7.
fn store() -> Store {
    let store = Store::in_memory(StoreOptions::default()).unwrap();
    let told = [
        Told::new(1, "a", "planner", "researcher").lasting(5).with("wilco.context.age_ms", 250.5),
        Told::new(2, "a", "planner", "writer").lasting(100).with("retries", 3_i64).with("tags", vec!["x", "y"]),
        Told::new(3, "a", "writer", "reviewer").below(2).found("stale_context").found("low_quality").lasting(50),
        Told::new(4, "a", "reviewer", "printer").below(3).found("refused").lasting(20),
        Told::new(5, "b", "planner", "it's \"odd\"").lasting(1),
        Told::new(6, "b", "writer", "reviewer").below(7).found("stale_context"),
        Told::new(7, "b", "reviewer", "writer").below(6),
    ];
    let mut spans: Vec<_> = told.iter().flat_map(Told::spans).collect();
    spans.push(stored::decision("a", 901, "approve", 10, 7_000));
    spans.push(stored::decision("a", 902, "approve", 11, 10));
    spans.push(stored::decision("b", 903, "reject", 12, 9_000));
    spans.push(stored::root("a", 0, 8_000, "no story", false));
    store.insert_blocking(spans).unwrap();
    store
}

fn ask(store: &Store, text: &str) -> Answer {
    let query = Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    store
        .query(&query, Timestamp::from_unix_nanos(NOON + 60_000_000_000))
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The numbers of the handoffs that are found, in ascending order.
fn handoffs(store: &Store, text: &str) -> Vec<u64> {
    let answer = ask(store, text);
    assert_eq!(answer.what, "handoffs", "{text}");
    let mut numbers: Vec<u64> = answer
        .lines
        .iter()
        .map(|line| {
            let id = serde_json::to_value(line).unwrap()["id"].as_str().unwrap().to_owned();
            u64::from_str_radix(id.rsplit('-').next().unwrap(), 16).unwrap()
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn however_frequent_a_kind_is_the_same_is_found_last_first() {
    let store = Store::in_memory(StoreOptions::default()).unwrap();
    // Told of in another order than they began in; half of them stale, one of a hundred refused.
    let told = (0..3_000_u64).map(|place| {
        let number = place * 7_919 % 3_000 + 1;
        let told = Told::new(number, &format!("wf-{}", number % 7), "planner", "writer");
        let told = if number % 2 == 0 { told.found("stale_context") } else { told };
        if number % 100 == 0 { told.found("refused") } else { told }
    });
    store.insert_blocking(told.flat_map(|told| told.spans()).collect()).unwrap();
    let found = |text: &str| -> Vec<u64> {
        let lines = ask(&store, text).lines;
        let id = |line| serde_json::to_value(line).unwrap()["id"].as_str().unwrap().to_owned();
        lines.into_iter().map(|line| u64::from_str_radix(id(line).rsplit('-').next().unwrap(), 16).unwrap()).collect()
    };
    let stale = |place: u64| 3_000 - 2 * place;
    assert_eq!(found("mismatch = stale_context | limit 20"), (0..20).map(stale).collect::<Vec<_>>());
    assert_eq!(found("mismatch = stale_context | limit 20 | offset 30"), (30..50).map(stale).collect::<Vec<_>>());
    assert_eq!(found("mismatch = stale_context | limit 1400"), (0..1_400).map(stale).collect::<Vec<_>>());
    // Sorted, it is never walked by time.
    let sorted = found("mismatch = stale_context AND workflow = \"wf-3\" | sort timestamp desc | limit 20");
    assert_eq!(found("mismatch = stale_context AND workflow = \"wf-3\" | limit 20"), sorted);
    assert_eq!(
        found("mismatch = refused | limit 20 | offset 5"),
        (5..25).map(|place| 3_000 - 100 * place).collect::<Vec<_>>()
    );
    assert_eq!(found("mismatch = stale_context | sort duration_ms | limit 20").len(), 20);
}

#[test]
fn every_form_of_comparison_finds_what_it_says() {
    let store = store();
    for (text, expected) in [
        ("", &[1, 2, 3, 4, 5, 6, 7][..]),
        ("handoff{}", &[1, 2, 3, 4, 5, 6, 7]),
        ("from = \"planner\"", &[1, 2, 5]),
        ("from = planner and to != writer", &[1, 5]),
        ("from = \"planner\" AND mismatch = \"stale_context\"", &[]),
        ("mismatch = stale_context", &[3, 6]),
        ("mismatch = stale_context AND from = writer", &[3, 6]),
        ("mismatch in (refused, low_quality)", &[3, 4]),
        ("mismatch ^= re", &[4]),
        ("NOT mismatch = stale_context", &[1, 2, 4, 5, 7]),
        ("verdict = mismatched", &[3, 4, 6]),
        ("verdict != mismatched", &[1, 2, 5, 7]),
        ("verdict in (agreed, mismatched)", &[1, 2, 3, 4, 5, 6, 7]),
        ("to ^= \"re\"", &[1, 3, 4 - 1, 6][..0]),
        ("to =~ \"^re(v|s)\"", &[1, 3, 6]),
        ("to !~ \"e\"", &[5]),
        ("to = 'it\\'s \"odd\"'", &[5]),
        ("(from = planner OR from = writer) AND NOT workflow = b", &[1, 2, 3]),
        ("workflow = a AND duration_ms >= 50", &[2, 3]),
        ("duration_ms > 0.05s", &[2]),
        ("duration_ms < 5.0", &[5]),
        ("retries = 3", &[2]),
        ("retries > 2 AND retries < 4", &[2]),
        ("retries != 3", &[]),
        ("NOT retries = 3", &[1, 3, 4, 5, 6, 7]),
        ("tags = y", &[2]),
        ("context.age_ms > 250", &[1]),
        ("age_ms > 250 AND age_ms < 251", &[1]),
        ("service.name = newsroom AND from = reviewer", &[4, 7]),
        ("messaging.system ^= na AND from = reviewer", &[4, 7]),
        ("\"wilco.handoff.kind\" = delegation AND kind = delegation AND to = printer", &[4]),
        ("rung >= completed AND id = '019ca8d7-0000-7000-8000-000000000003'", &[3]),
        ("parent = '019ca8d7-0000-7000-8000-000000000002'", &[3]),
        ("id = nothing", &[]),
        ("timestamp >= \"2026-01-15T10:00:00.004Z\" AND timestamp < \"2026-01-15T10:00:00.006Z\"", &[4, 5]),
        ("timestamp < \"2026-01-16\" AND from = writer", &[3, 6]),
        ("last 15m AND from = writer", &[3, 6]),
        ("last 1s", &[]),
    ] {
        if text == "to ^= \"re\"" {
            assert_eq!(handoffs(&store, text), [1, 3, 6], "{text}");
            continue;
        }
        assert_eq!(handoffs(&store, text), expected, "{text}");
    }
}

#[test]
fn handoffs_are_found_by_what_stands_above_them() {
    let store = store();
    for (text, expected) in [
        ("handoff{to = writer} >> handoff{verdict = mismatched}", &[3, 4, 6][..]),
        ("handoff{to = writer} > handoff{verdict = mismatched}", &[3, 6]),
        ("handoff{to = writer AND workflow = a} >> handoff{}", &[3, 4]),
        ("handoff{to = writer} > handoff{} > handoff{to = printer}", &[4]),
        ("handoff{from = planner} >> handoff{mismatch = stale_context} >> handoff{}", &[4]),
        ("handoff{to = printer} >> handoff{}", &[]),
        // A ring has an end.
        ("handoff{workflow = b} >> handoff{workflow = b}", &[6, 7]),
    ] {
        assert_eq!(handoffs(&store, text), expected, "{text}");
    }
}

#[test]
fn spans_and_workflows_are_found_too() {
    let store = store();
    let names = |text: &str| -> Vec<String> {
        let lines = serde_json::to_value(ask(&store, text).lines).unwrap();
        lines
            .as_array()
            .unwrap()
            .iter()
            .map(|line| format!("{}@{}", line["name"].as_str().unwrap(), line["duration_ms"]))
            .collect()
    };
    assert_eq!(
        names(
            "type = \"decision\" AND decision.type = \"approve\" AND duration_ms > 5000 AND timestamp > \"2026-01-15T10:00:00Z\""
        ),
        ["decision approve@7000.0"]
    );
    assert_eq!(names("type = decision AND decision.confidence > 0.5 | sort duration_ms").len(), 3);
    assert_eq!(names("span{wilco.decision.type =~ \"^re\"}"), ["decision reject@9000.0"]);
    assert_eq!(names("span{type = workflow}"), ["invoke_workflow story@8000.0"]);
    assert_eq!(names("span{from = reviewer AND type = process}").len(), 2);
    assert_eq!(names("workflow{ok = false}"), ["story@8000.0"]);
    assert_eq!(names("workflow{mismatched >= 2 AND outcome ^= no}").len(), 1);
    assert_eq!(names("workflow{service.name = newsroom}").len(), 1);
    assert_eq!(ask(&store, "workflow{}").lines.len(), 2);
}

#[test]
fn groups_are_counted_and_measured() {
    let store = store();
    let answer = ask(&store, "verdict = mismatched | by to, mismatch | count, p95(duration_ms)");
    assert_eq!(
        (answer.what.as_str(), &answer.columns[..]),
        ("groups", &["to", "mismatch", "count", "p95(duration_ms)"].map(str::to_owned)[..])
    );
    assert_eq!(
        serde_json::to_value(&answer.lines).unwrap(),
        json!([
            {"to": "reviewer", "mismatch": "stale_context", "count": 2, "p95(duration_ms)": 50.0},
            {"to": "printer", "mismatch": "refused", "count": 1, "p95(duration_ms)": 20.0},
            {"to": "reviewer", "mismatch": "low_quality", "count": 1, "p95(duration_ms)": 50.0},
        ])
    );
    let one = |text: &str| -> Value { serde_json::to_value(&ask(&store, text).lines[0]).unwrap() };
    assert_eq!(one("| count"), json!({"count": 7}));
    assert_eq!(one("last 1m | rate")["rate"].as_f64().map(|rate| (rate * 60.0).round()), Some(7.0));
    assert_eq!(
        one(
            "from = planner | sum(duration_ms), avg(duration_ms), min(duration_ms), max(duration_ms), p50(duration_ms)"
        ),
        json!({"sum(duration_ms)": 106.0, "avg(duration_ms)": 106.0 / 3.0, "min(duration_ms)": 1.0, "max(duration_ms)": 100.0, "p50(duration_ms)": 5.0})
    );
    assert_eq!(one("retries = 3 | max(retries)"), json!({"max(retries)": 3}));
    assert_eq!(one("| by verdict | count | sort count desc | limit 1"), json!({"verdict": "agreed", "count": 4}));
    assert_eq!(
        one("type = decision | by decision.type | count | sort decision.type desc"),
        json!({"decision.type": "reject", "count": 1})
    );
    assert_eq!(one("nothing = here | p50(duration_ms)"), json!({"p50(duration_ms)": null}));
}

#[test]
fn answers_come_in_pages_and_in_the_order_asked_for() {
    let store = store();
    let ids = |text: &str| -> Vec<f64> {
        let lines = serde_json::to_value(ask(&store, text).lines).unwrap();
        lines.as_array().unwrap().iter().map(|line| line["duration_ms"].as_f64().unwrap()).collect()
    };
    assert_eq!(ids("| sort duration_ms desc | limit 3"), [100.0, 50.0, 20.0]);
    assert_eq!(ids("| sort duration_ms desc | limit 3 | offset 3"), [10.0, 10.0, 5.0]);
    assert_eq!((ask(&store, "| limit 3").next, ask(&store, "| limit 7").next), (Some(3), None));
    let newest = serde_json::to_value(&ask(&store, "| limit 1").lines[0]).unwrap();
    assert_eq!(newest["timestamp"], "2026-01-15T10:00:00.007000000Z");
    let query = Query::parse("").unwrap().at_most(2);
    assert_eq!(store.query(&query, Timestamp::now()).unwrap().lines.len(), 2);
}

#[test]
fn what_is_not_understood_is_pointed_at() {
    for (text, error) in [
        ("from", "column 5: expected one of = != < <= > >= ^= =~ !~ in, found the end"),
        ("from = ", "column 8: expected a value, found the end"),
        ("to = a AND form = b", "column 12: nothing is called form: is it from? Quote it if it is an attribute's name"),
        (
            "duration > 5",
            "column 1: nothing is called duration: is it duration_ms? Quote it if it is an attribute's name",
        ),
        (
            "| by verdcit | count",
            "column 6: nothing is called verdcit: is it verdict? Quote it if it is an attribute's name",
        ),
        ("from = \"planner", "column 8: text without its closing \""),
        ("from == planner", "column 7: expected a value, found `=`"),
        ("from = planner to = writer", "column 16: expected AND, OR, `|` or the end, found `to`"),
        ("(from = planner", "column 16: expected AND, OR or `)`, found the end"),
        ("grüße = 1 AND", "column 14: expected a name such as `from`, found the end"),
        ("from in planner", "column 9: expected `(`, found `planner`"),
        ("duration_ms > 5 parsecs", "column 17: expected AND, OR, `|` or the end, found `parsecs`"),
        ("duration_ms > 5x", "column 15: `5x` is no number and no duration such as 15m or 250ms"),
        ("last 15", "column 6: expected a duration such as 15m, 2h or 7d, found 15"),
        ("to =~ \"(\"", "column 7: no regular expression: error: unclosed group"),
        ("to ^= 5", "column 7: `^=` needs a text in quotes"),
        ("handoff{to = a", "column 15: expected AND, OR or `}`, found the end"),
        ("handoff{} > span{}", "column 11: only handoffs stand below one another"),
        ("handoff{} >> to = a", "column 14: expected handoff{...}, found `to`"),
        (
            "| jump",
            "column 3: expected by, sort, limit, offset, count, rate, or sum, avg, min, max, p50, p90, p95, p99 of a name, found `jump`",
        ),
        ("| limit 0", "column 9: expected a number from 1 to 10000, found 0"),
        ("| p95 duration_ms", "column 7: expected `(` and a name, found `duration_ms`"),
        ("from = a ; drop", "column 10: `;` means nothing here"),
    ] {
        assert_eq!(Query::parse(text).unwrap_err().to_string(), error, "{text}");
    }
    // Some is known only when it is asked.
    let store = store();
    for (text, error) in [
        ("duration_ms > \"long\"", "column 15: expected a number, for `duration_ms` is one"),
        ("verdict = maybe", "column 11: expected one of pending, agreed, unconfirmed, mismatched, found \"maybe\""),
        ("verdict > agreed", "column 11: these words have no order: compare them by = != ^= =~ !~ in"),
        (
            "timestamp > yesterday",
            "column 13: `timestamp` is a time such as \"2026-01-15T10:00:00Z\" or \"2026-01-15\"",
        ),
        ("id > a", "column 6: `id` is compared by = and != only"),
        ("span{trace_id = 12}", "column 17: `trace_id` has 32 hexadecimal digits"),
        ("workflow{ok = maybe}", "column 15: `ok` is true or false"),
        ("| by to | count | sort size", "column 24: expected one of the columns to, count, found `size`"),
        ("| p50(from)", "column 7: `from` is no number"),
    ] {
        let query = Query::parse(text).unwrap();
        assert_eq!(store.query(&query, Timestamp::now()).unwrap_err().to_string(), error, "{text}");
    }
}

#[test]
fn nested_and_long_texts_are_bounded() {
    let deep = format!("{}a = 1{}", "(".repeat(100), ")".repeat(100));
    assert!(Query::parse(&deep).unwrap_err().problem().contains("nested deeper than 64"));
    let nots = format!("{}a = 1", "NOT ".repeat(100));
    assert!(Query::parse(&nots).unwrap_err().problem().contains("nested deeper than 64"));
    let wide = vec!["a = 1"; 300].join(" OR ");
    assert!(Query::parse(&wide).unwrap_err().problem().contains("more than 200 comparisons"));
    assert!(Query::parse(&"a".repeat(20_000)).unwrap_err().problem().contains("over the limit of 16384"));
    let chain = vec!["handoff{}"; 20].join(" >> ");
    assert!(Query::parse(&chain).unwrap_err().problem().contains("more than 8 handoffs"));
    // What is just within the limits is answered, too.
    let store = store();
    let wide = vec!["a = 1"; 200].join(" OR ");
    ask(&store, &wide);
    ask(&store, &["handoff{a = 1}"; 8].join(" >> "));
    ask(&store, &format!("{}a = 1{}", "(".repeat(60), ")".repeat(60)));
}

#[test]
fn an_answer_that_takes_too_long_is_given_up() {
    let options = StoreOptions::default().answer_within(Duration::from_millis(1));
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("wilco.db"), options).unwrap();
    let spans = (0..5_000).flat_map(|number| Told::new(number, "wf", "a", "b").spans()).collect();
    store.insert_blocking(spans).unwrap();
    let query = Query::parse("x =~ \"(a|b|c)+\" OR y = 1 OR z = 2").unwrap();
    let error = store.query(&query, Timestamp::now()).unwrap_err();
    assert!(error.to_string().starts_with("no answer within 1ms: ask for less"), "{error}");
    // And the next one is answered.
    assert!(store.handoff(&Told::id(1)).unwrap().is_some());
}

const WORDS: &[&str] = &[
    "from",
    "to",
    "id",
    "type",
    "mismatch",
    "verdict",
    "timestamp",
    "duration_ms",
    "workflow",
    "x.y",
    "ok",
    "last",
    "and",
    "or",
    "not",
    "in",
    "handoff{",
    "span{",
    "workflow{",
    "}",
    "(",
    ")",
    ",",
    "|",
    "by",
    "count",
    "rate",
    "sort",
    "limit",
    "offset",
    "p95(",
    "desc",
    "=",
    "!=",
    "<",
    ">",
    ">=",
    ">>",
    "^=",
    "=~",
    "!~",
    "5",
    "-1.5",
    "15m",
    "5s",
    "\"a\"",
    "'b'",
    "true",
    "agreed",
    "stale_context",
    "\"2026-01-15\"",
    "'; DROP TABLE spans; --",
    "\"%_\"",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered_or_refused_at_one_of_its_columns(text in ".{0,60}") {
        if let Err(error) = Query::parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.column()), "{text:?}: {error}");
        }
    }

    /// Whatever parses becomes SQL that the database takes.
    #[test]
    fn any_words_are_answered_or_refused_and_never_break_the_database(
        words in proptest::collection::vec(proptest::sample::select(WORDS), 0..14),
    ) {
        thread_local!(static STORE: Store = store());
        let text = words.join(" ");
        if let Ok(query) = Query::parse(&text) {
            let answer = STORE.with(|store| store.query(&query, Timestamp::now()));
            prop_assert!(matches!(answer, Ok(_) | Err(wilco::store::StoreError::Query(_))), "{text}: {answer:?}");
        }
    }

    /// A text in quotes is found as it is, whatever is in it.
    #[test]
    fn any_value_is_found_as_it_is(value in "\\PC{0,20}") {
        let store = Store::in_memory(StoreOptions::default()).unwrap();
        store.insert_blocking(vec![Told::new(1, "wf", "a", "b").with("note", value.as_str()).sender()]).unwrap();
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        prop_assert_eq!(handoffs(&store, &format!("note = \"{quoted}\"")), [1]);
        prop_assert_eq!(handoffs(&store, &format!("note ^= \"{quoted}\"")), [1]);
    }
}
