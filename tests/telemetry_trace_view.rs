//! An OTLP backend that nobody here wrote takes our spans and shows them: `tv` of PyPI's `trace-view`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(feature = "telemetry")]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use wilco::telemetry::Telemetry;
use wilco::telemetry::record::Record;

#[path = "support/otlp.rs"]
mod otlp;
#[path = "support/records.rs"]
mod records;
#[path = "support/trace_view.rs"]
mod trace_view;

use trace_view::TraceView;

#[test]
fn a_backend_of_somebody_elses_shows_the_trace() {
    let Some(tv) = TraceView::start() else { return };
    let telemetry = Telemetry::builder()
        .service_name("newsroom")
        .otlp_http(format!("http://{}", tv.address))
        .without_metrics()
        .build()
        .unwrap();
    telemetry.record(Record::Workflow(Box::new(records::workflow())));
    telemetry.record(Record::Handoff(Box::new(records::handoff())));
    telemetry.record(Record::Process(Box::new(records::process())));
    telemetry.record(Record::Step(Box::new(records::join())));
    let end = telemetry.shutdown_blocking(Duration::from_secs(10));
    assert_eq!((end.complete, end.stats.exported), (true, 4), "{end:?}");

    // It groups by the workflow, and shows each event as a span of its own below the event's span.
    let is_event = |span: &Value| span["id"].as_str().is_some_and(|id| id.contains("-event-"));
    let shown = tv.until("all is shown", || {
        let sessions = tv.get("/api/sessions");
        let [session] = &sessions.as_array()?[..] else { return None };
        assert_eq!(session["id"], "abc-123");
        let spans = tv.get("/api/sessions/abc-123/spans").as_array()?.clone();
        (spans.len() == 4 + 3 + 1 + 1 + 3 + 1).then_some(spans)
    });
    let parents: BTreeMap<&str, &str> = shown
        .iter()
        .filter(|span| !is_event(span))
        .map(|span| (span["id"].as_str().unwrap(), span["parent_span_id"].as_str().unwrap_or("none")))
        .collect();
    assert_eq!(
        parents,
        BTreeMap::from([
            ("0000000000000001", "none"),
            ("0000000000000010", "0000000000000001"),
            ("0000000000000011", "0000000000000010"),
            ("0000000000000012", "0000000000000001"),
        ])
    );
    assert!(shown.iter().all(|span| span["trace_id"] == "0af7651916cd43dd8448eb211c80319c"));

    let process = shown.iter().find(|span| span["id"] == "0000000000000011").unwrap();
    assert_eq!(process["metadata"]["wilco.mismatches"], serde_json::json!(["misunderstood", "stale_context"]));
    assert_eq!(process["metadata"]["wilco.handoff.id"], "019ca8d7-3636-78c7-9041-aadd07892eb8");
    assert_eq!(process["metadata"]["service.name"], "newsroom");
    assert_eq!(process["duration_ms"], 1398);
    let failed: Vec<_> = shown
        .iter()
        .filter(|span| span["parent_span_id"] == "0000000000000011" && is_event(span))
        .filter(|event| event["metadata"]["gen_ai.evaluation.score.value"] == 0.0)
        .map(|event| event["metadata"]["gen_ai.evaluation.name"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["misunderstood", "stale_context"]);
}
