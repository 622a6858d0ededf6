use super::*;
use crate::model::{AttributeValue, SpanKind, SpanStatus};

const CAMEL: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"planner"}},
  {"key":"host.name","value":{"stringValue":"node-1"}}]},"schemaUrl":"https://example.org","scopeSpans":[{"scope":{"name":"wilco","version":"0.1.0"},
  "spans":[{"traceId":"0AF7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","parentSpanId":"","flags":257,"name":"handoff writer",
  "kind":4,"startTimeUnixNano":"1772359202358506115","endTimeUnixNano":1772359203000000000,"unheardOf":{"deep":[1,{"a":null}]},
  "attributes":[{"key":"wilco.seq","value":{"intValue":"7"}},{"key":"n","value":{"intValue":-3}},{"key":"q","value":{"doubleValue":0.5}},
   {"key":"inf","value":{"doubleValue":"-Infinity"}},{"key":"ok","value":{"boolValue":true}},{"key":"raw","value":{"bytesValue":"AAH/"}},
   {"key":"in","value":{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":"2"}]}}},{"key":"none","value":{}},{"key":"null","value":null},
   {"key":"map","value":{"kvlistValue":{"values":[{"key":"x","value":{"stringValue":"y"}}]}}}],
  "events":[{"timeUnixNano":"5","name":"wilco.rung","attributes":[{"key":"rung","value":{"stringValue":"sent"}}]}],
  "links":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203332"}],
  "droppedEventsCount":2,"status":{"code":2,"message":"stale_context"}}]}]}]}"#;

#[test]
fn a_request_in_camel_case_is_read_whole() {
    let spans = from_json(CAMEL.as_bytes()).unwrap();
    let [span] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((span.service(), span.host()), (Some("planner"), Some("node-1")));
    assert_eq!(span.trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!((span.parent_span_id, span.kind, span.nanos()), (None, SpanKind::Producer, 641_493_885));
    assert_eq!((span.attributes.int("wilco.seq"), span.attributes.int("n")), (Some(7), Some(-3)));
    assert_eq!((span.attributes.number("q"), span.attributes.number("inf")), (Some(0.5), None));
    assert_eq!(span.attributes.get("raw"), Some(&AttributeValue::Bytes(vec![0, 1, 255])));
    assert_eq!(span.attributes.texts("in").collect::<Vec<_>>(), ["a"], "what is no text is left out");
    assert_eq!(span.attributes.get("null"), Some(&AttributeValue::Empty));
    assert_eq!((span.events.len(), span.links.len(), span.dropped.events), (1, 1, 2));
    assert_eq!(span.status, SpanStatus::Error("stale_context".to_owned()));
}

#[test]
fn snake_case_and_names_of_enumerations_mean_the_same() {
    let mut snake = CAMEL.to_owned();
    for (camel, other) in [
        ("resourceSpans", "resource_spans"),
        ("scopeSpans", "scope_spans"),
        ("traceId", "trace_id"),
        ("parentSpanId", "parent_span_id"),
        ("spanId", "span_id"),
        ("startTimeUnixNano", "start_time_unix_nano"),
        ("endTimeUnixNano", "end_time_unix_nano"),
        ("timeUnixNano", "time_unix_nano"),
        ("droppedEventsCount", "dropped_events_count"),
        ("stringValue", "string_value"),
        ("arrayValue", "array_value"),
        ("kvlistValue", "kvlist_value"),
        ("\"kind\":4", "\"kind\":\"SPAN_KIND_PRODUCER\""),
        ("\"code\":2", "\"code\":\"STATUS_CODE_ERROR\""),
    ] {
        assert!(snake.contains(camel), "{camel}");
        snake = snake.replace(camel, other);
    }
    assert_eq!(from_json(snake.as_bytes()).unwrap(), from_json(CAMEL.as_bytes()).unwrap());
}

#[test]
fn what_was_read_and_written_is_read_the_same() {
    let spans = from_json(CAMEL.as_bytes()).unwrap();
    let written = to_json(&spans);
    assert!(!written.contains('\n'));
    assert_eq!(from_json(written.as_bytes()).unwrap(), spans);
    assert_eq!(to_json(&from_json(written.as_bytes()).unwrap()), written);
}

#[test]
fn neighbours_of_one_resource_are_written_under_one() {
    let spans = from_json(CAMEL.as_bytes()).unwrap();
    let twice = to_json([&spans[0], &spans[0]]);
    assert_eq!(twice.matches("\"resource\"").count(), 1, "{twice}");
    assert_eq!(from_json(twice.as_bytes()).unwrap().len(), 2);
}

#[test]
fn an_error_names_what_was_expected_and_where() {
    let span = |field: &str| format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[\n{{{field}}}]}}]}}]}}");
    for (field, words) in [
        (r#""traceId":"0af7""#, "a trace id of 32 hex digits"),
        (r#""spanId":"g7ad6b7169203331""#, "a span id of 16 hex digits"),
        (r#""startTimeUnixNano":"soon""#, "\"soon\" is no whole number"),
        (r#""startTimeUnixNano":"-1""#, "-1 is out of range"),
        (r#""kind":"SPAN_KIND_ODD""#, "no kind of span"),
        (r#""attributes":[{"key":"a","value":7}]"#, "a value such as"),
        (r#""attributes":[{"value":{}}]"#, "missing field `key`"),
    ] {
        let error = from_json(span(field).as_bytes()).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("line 2 column"), "{field}: {error}");
    }
    assert!(from_json(b"[1]").is_err());
    assert_eq!(from_json(b"{}").unwrap(), []);
}

#[test]
fn a_request_of_empty_objects_is_refused_before_it_is_built() {
    let many = format!("{{\"resourceSpans\":[{}{{}}]}}", "{},".repeat(crate::otlp::limits::MOST_OBJECTS));
    let error = from_json(many.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, "request of 4000002 objects is over the limit of 4000000: send it in several");
    let deep = "{\"arrayValue\":{\"values\":[".repeat(100_000);
    let deep = format!("{{\"resourceSpans\":[{{\"resource\":{{\"attributes\":[{{\"key\":\"a\",\"value\":{deep}");
    assert!(from_json(deep.as_bytes()).unwrap_err().to_string().contains("recursion limit"));
}
