//! Comparing readbacks through the public door: tables of what agrees and what does not, and properties.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wilco::model::{Intent, MismatchKind, Slot};
use wilco::verify::intent::{Change, Comparer, Comparison, IntentMatcher, Synonyms, TextMatch, compare};

fn intent(json: Value) -> Intent {
    Intent::from_json(json.to_string().as_bytes()).expect("an intent")
}

fn compared(sent: Value, read_back: Value) -> Comparison {
    compare(&intent(sent), &intent(read_back), &Comparer::new())
}

fn constraint(sent: &Value, read_back: &Value) -> Comparison {
    let with = |value: &Value| Intent::new("g").constraint("x", value.clone());
    compare(&with(sent), &with(read_back), &Comparer::new())
}

#[test]
fn a_readback_in_other_spelling_agrees() {
    let sent = json!({"goal":"find_sources","object":"solid-state batteries","constraints":{"max":5,"since":"2025-01-01",
        "radius":"5 km","by":"2025-03-01T12:00:00Z"},"prohibitions":["paywalled","Blogs"],"output":"list of urls"});
    let read_back = json!({"goal":"Find sources","object":"Solid-State  Batteries.","constraints":{"MAX":"five",
        "since":"2025-01-01","radius":"5000 m","by":"2025-03-01T13:00:00+01:00"},"prohibitions":["blogs","PAYWALLED"],
        "output":"List of URLs"});
    assert_eq!(compared(sent, read_back), Comparison::Agrees);
}

#[test]
fn each_slot_that_differs_is_listed_with_both_values() {
    let sent = json!({"goal":"find_sources","object":"batteries","constraints":{"max":5,"since":"2025-01-01"},
        "prohibitions":["paywalled"]});
    let read_back = json!({"goal":"find_sources","object":"batteries","constraints":{"max":50,"lang":"en"}});
    let found = compared(sent, read_back);
    let shown: Vec<_> = found.differences().iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "constraints.lang: (absent) -> en",
            "constraints.max: 5 -> 50",
            "constraints.since: 2025-01-01 -> (absent)",
            "prohibitions: [\"paywalled\"] -> (absent)",
        ]
    );
    assert!(matches!(&found.differences()[1].change, Change::Changed { sent, .. } if *sent == json!(5)));
    let mismatch = found.mismatch().unwrap();
    assert_eq!(mismatch.kind, MismatchKind::Misunderstood);
    assert_eq!(mismatch.diff, shown);
    assert_eq!(mismatch.evidence, shown.join("; "));
}

#[test]
fn values_that_say_the_same_agree() {
    for (a, b) in [
        (json!(5), json!(5.0)),
        (json!("5"), json!(5)),
        (json!("5 km"), json!("5000 m")),
        (json!("1.5 h"), json!("90 min")),
        (json!("€5"), json!("5 EUR")),
        (json!("2025-01-01T00:00:00Z"), json!("2025-01-01T01:00:00+01:00")),
        (json!(["a", "b"]), json!(["B", "a", "a"])),
        (json!([5, "1 km"]), json!(["1000 m", "5"])),
        (json!({"a": 1, "b": null}), json!({"a": "1.0"})),
        (json!([[1, 2], ["x"]]), json!([[2, 1], ["X"]])),
        (json!(null), json!(null)),
        (json!(true), json!("true")),
    ] {
        assert_eq!(constraint(&a, &b), Comparison::Agrees, "{a} {b}");
        assert_eq!(constraint(&b, &a), Comparison::Agrees, "{b} {a}");
    }
}

#[test]
fn values_that_do_not_say_the_same_differ() {
    for (a, b) in [
        (json!(5), json!(6)),
        (json!(0.1), json!(0.1000000001)),
        (json!(9007199254740993u64), json!(9007199254740992u64)),
        (json!("2 GB"), json!("2 GiB")),
        (json!("5 km"), json!(5)),
        (json!("50%"), json!(50)),
        (json!("2025-01-01"), json!("2025-01-02")),
        (json!(["a"]), json!(["a", "b"])),
        (json!([1, 2]), json!([1, 3])),
        (json!([[1], [2]]), json!([[2], [1]])),
        (json!({"a": 1}), json!({"a": 2})),
        (json!({"a": 1}), json!({"b": 1})),
        (json!({"a": {"b": {"c": 1}}}), json!({"a": {"b": {"c": 2}}})),
        (json!(true), json!(false)),
        (json!("x"), json!(["x"])),
        (json!([]), json!({})),
        (json!("cats"), json!("dogs")),
    ] {
        assert!(matches!(constraint(&a, &b), Comparison::Differs(_)), "{a} {b}");
        assert!(matches!(constraint(&b, &a), Comparison::Differs(_)), "{b} {a}");
    }
}

#[test]
fn a_null_constraint_is_no_constraint() {
    let sent = json!({"goal":"g","constraints":{"since":null}});
    assert_eq!(compared(sent, json!({"goal":"g"})), Comparison::Agrees);
}

#[test]
fn a_lost_prohibition_differs_and_the_evidence_names_it() {
    let sent = json!({"goal":"g","prohibitions":["paywalled","blogs"]});
    let found = compared(sent, json!({"goal":"g","prohibitions":["blogs"]})).mismatch().unwrap();
    assert_eq!(found.diff, [r#"prohibitions: ["blogs","paywalled"] -> ["blogs"]"#]);
    assert!(found.evidence.ends_with(r#"(missing: "paywalled")"#), "{found}");
}

#[test]
fn constraint_names_differing_in_case_alone_stay_apart() {
    let both = json!({"goal":"g","constraints":{"Max":1,"max":2}});
    assert_eq!(compared(both.clone(), both.clone()), Comparison::Agrees);
    assert!(matches!(
        compared(both, json!({"goal":"g","constraints":{"Max":2,"max":1}})),
        Comparison::Differs(found) if found.len() == 2
    ));
}

#[test]
fn free_text_differs_by_its_anchors_and_is_otherwise_similar_or_unknown() {
    let sent = "Find five recent sources on solid-state batteries, without paywalls";
    let goal = |text: &str| compare(&Intent::new(sent), &Intent::new(text), &Comparer::new());
    assert_eq!(goal("find 5 recent sources without paywalls on solid state batteries"), Comparison::Agrees);
    let found = goal("Find fifty recent sources on solid-state batteries").mismatch().unwrap();
    assert!(found.evidence.ends_with("(number five -> (absent))"), "{found}");
    let unknown = goal("look for 5 articles about solid-state cells that are not behind a wall");
    assert_eq!(unknown, Comparison::Unknown(vec![Slot::Goal]));
    // A slot that differs for certain wins over one that cannot be told.
    let read_back = Intent::new("look for 5 articles about solid-state cells that are not behind a wall").output("csv");
    assert!(
        matches!(compare(&Intent::new(sent), &read_back, &Comparer::new()), Comparison::Differs(d) if d.len() == 1)
    );
}

#[test]
fn synonyms_and_matcher_are_the_users() {
    #[derive(Debug)]
    struct Agreeable;
    impl IntentMatcher for Agreeable {
        fn compare_text(&self, _: &str, _: &str) -> TextMatch {
            TextMatch::Similar { score: 1.0 }
        }
    }
    let sent = Intent::new("one two three four five six seven").constraint("max", 5);
    let read_back = Intent::new("something else in a handful of words").constraint("limit", 5);
    let comparer = Comparer::new().synonyms(Synonyms::new().group(["max", "limit"]));
    assert!(matches!(compare(&sent, &read_back, &comparer), Comparison::Differs(d) if d[0].slot == Slot::Goal));
    assert!(compare(&sent, &read_back, &comparer.matcher(Agreeable)).agrees());
}

#[test]
fn huge_and_deep_values_are_compared_to_the_letter_in_bounded_time() {
    let many = |n: i64| json!((0..100_000).map(|i| i * n).collect::<Vec<_>>());
    assert!(constraint(&many(1), &many(1)).agrees());
    assert!(!constraint(&many(1), &many(2)).agrees());
    let deep = |leaf: i64| (0..100).fold(json!(leaf), |inner, _| json!([inner]));
    assert!(constraint(&deep(1), &deep(1)).agrees());
    assert!(!constraint(&deep(1), &deep(2)).agrees());
    let long = |last: &str| json!("word ".repeat(100_000) + last);
    assert!(!constraint(&long("a"), &long("b")).agrees());
}

/// Text of all sorts: plain words, numbers, units, dates, anchors, anything.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}( [a-z]{1,8}){0,9}",
        "[A-Za-z0-9 ,.'€$%:/@_-]{0,60}",
        "-?[0-9]{1,6}(\\.[0-9]{1,3})? ?(km|m|h|min|GB|GiB|EUR|%|sources)?",
        "20[0-9]{2}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:00:00(Z|\\+01:00))?",
        "\\PC{0,40}",
        any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z_]{1,6}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn any_intent() -> impl Strategy<Value = Intent> {
    let slots = (text(), prop::option::of(text()), prop::option::of(text()), prop::collection::vec(text(), 0..4));
    (slots, prop::collection::btree_map("[a-zA-Z_]{1,6}", value(), 0..5)).prop_map(
        |((goal, object, output, prohibitions), constraints)| {
            let mut intent = Intent::new(format!("g{goal}"));
            if let Some(object) = object {
                intent = intent.object(object);
            }
            if let Some(output) = output {
                intent = intent.output(output);
            }
            intent = prohibitions.into_iter().fold(intent, Intent::prohibit);
            constraints.into_iter().fold(intent, |intent, (name, value)| intent.constraint(name, value))
        },
    )
}

/// Agree, differ, unknown, and in which slots, whatever the order of the two sides.
fn shape(comparison: &Comparison) -> (u8, usize) {
    match comparison {
        Comparison::Agrees => (0, 0),
        Comparison::Differs(slots) => (1, slots.len()),
        Comparison::Unknown(slots) => (2, slots.len()),
    }
}

/// The same text in other case and spacing.
fn respelled(text: &str) -> String {
    format!("  {}\t", text.to_uppercase().replace(' ', "   "))
}

proptest! {
    #[test]
    fn an_intent_agrees_with_itself_and_with_its_own_json(intent in any_intent()) {
        let comparer = Comparer::new();
        prop_assert!(compare(&intent, &intent, &comparer).agrees());
        if let Ok(again) = Intent::from_json(intent.canonical_json().as_bytes()) {
            // Canonical JSON holds doubles only, so integers beyond 2^53 may come back as others.
            let exact = !intent.canonical_json().bytes().collect::<Vec<_>>().windows(16).any(|w| w.iter().all(u8::is_ascii_digit));
            prop_assert!(!exact || compare(&intent, &again, &comparer).agrees(), "{intent} {again}");
        }
    }

    #[test]
    fn comparing_is_symmetric(a in any_intent(), b in any_intent()) {
        let comparer = Comparer::new();
        prop_assert_eq!(shape(&compare(&a, &b, &comparer)), shape(&compare(&b, &a, &comparer)));
    }

    #[test]
    fn free_texts_compare_the_same_both_ways(a in text(), b in text()) {
        let matcher = wilco::verify::intent::AnchoredNgrams::new();
        let kind = |m: TextMatch| match m {
            TextMatch::Different { .. } => (0, 0.0),
            TextMatch::Similar { score } => (1, score),
            TextMatch::Unknown { score } => (2, score),
        };
        prop_assert_eq!(kind(matcher.compare_text(&a, &b)), kind(matcher.compare_text(&b, &a)));
    }

    #[test]
    fn case_and_blanks_do_not_matter(
        words in prop::collection::vec("[a-z]{1,8}", 1..12),
        prohibitions in prop::collection::btree_set("[a-z]{2,8}", 0..4),
    ) {
        let text = words.join(" ");
        let build = |spell: fn(&str) -> String| {
            let intent = Intent::new(spell(&text)).object(spell(&text)).constraint("x", spell(&text));
            prohibitions.iter().fold(intent, |intent, what| intent.prohibit(spell(what)))
        };
        let (sent, read_back) = (build(str::to_owned), build(respelled));
        prop_assert_eq!(compare(&sent, &read_back, &Comparer::new()), Comparison::Agrees);
    }

    #[test]
    fn number_formats_and_units_do_not_matter(n in 0u32..10_000_000, thousandths in 0u32..1000) {
        let exact = format!("{n}.{thousandths:03}");
        let grouped = exact_grouped(n, thousandths);
        let metres = u64::from(n) * 1000 + u64::from(thousandths);
        for (a, b) in [
            (json!(n), json!(f64::from(n))),
            (json!(n), json!(format!("{n}.00"))),
            (json!(exact), json!(grouped)),
            (json!(format!("{exact} km")), json!(format!("{metres} m"))),
            (json!(format!("{exact} km")), json!(metres.to_string() + "m")),
            (json!(format!("{exact} s")), json!(format!("{metres} ms"))),
            (json!(format!("{exact} EUR")), json!(format!("€{grouped}"))),
            (json!(format!("find {n} sources on batteries now")), json!(format!("Find {n}.0 sources on batteries now!"))),
        ] {
            prop_assert_eq!(constraint(&a, &b), Comparison::Agrees, "{} {}", a, b);
        }
    }

    #[test]
    fn changing_one_number_never_agrees(
        a in any::<i32>(), b in any::<i32>(),
        place in 0usize..7,
        words in prop::collection::vec("[a-z]{2,8}", 4..30),
    ) {
        prop_assume!(a != b);
        let say = |n: i32| {
            let mut words = words.clone();
            words.insert(words.len() / 2, n.to_string());
            match place {
                0 => json!(n),
                1 => json!(n.to_string()),
                2 => json!(format!("{n} km")),
                3 => json!([1.5, {"deep": [n]}]),
                4 => json!(words.join(" ")),
                5 => json!(["x", n]),
                _ => json!([words.join(" "), "x"]),
            }
        };
        prop_assert!(matches!(constraint(&say(a), &say(b)), Comparison::Differs(_)), "{} {}", say(a), say(b));
    }

    #[test]
    fn differences_print_in_one_line(a in any_intent(), b in any_intent()) {
        if let Some(found) = compare(&a, &b, &Comparer::new()).mismatch() {
            prop_assert_eq!(found.diff.len(), compare(&a, &b, &Comparer::new()).differences().len());
            prop_assert!(found.diff.iter().all(|line| line.contains(" -> ") && !line.contains('\n')));
        }
    }
}

fn exact_grouped(n: u32, thousandths: u32) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    format!("{out}.{thousandths:03}")
}
