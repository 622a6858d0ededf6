//! Collectors good and bad, over HTTP and gRPC: none of them may cost an agent more than counted drops.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(feature = "telemetry")]

use std::process::Command;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use wilco::telemetry::record::Record;
use wilco::telemetry::{Flushed, OtlpConfig, Sampling, Stats, Telemetry, TelemetryBuilder};

#[path = "support/otlp.rs"]
mod otlp;
#[path = "support/records.rs"]
mod records;

use otlp::{Collector, Manner};

const LONG: Duration = Duration::from_secs(20);

/// Time for three attempts: they begin at 0, at 100 to 200 and at 300 to 500 ms, and the fourth would be at 700 at the
/// earliest, so that the end is not a matter of luck.
const REFUSALS: Duration = Duration::from_millis(650);

#[derive(Clone, Copy, Debug)]
enum Over {
    Http,
    Grpc,
}

impl Over {
    const BOTH: [Self; 2] = [Self::Http, Self::Grpc];

    fn collector(self, manner: Manner) -> Collector {
        match self {
            Self::Http => Collector::http(manner),
            Self::Grpc => Collector::grpc(manner),
        }
    }

    fn to(self, url: &str) -> TelemetryBuilder {
        Telemetry::builder().otlp(match self {
            Self::Http => OtlpConfig::http(url),
            Self::Grpc => OtlpConfig::grpc(url),
        })
    }
}

fn record_all(telemetry: &Telemetry, n: usize) {
    records::handoffs(n).for_each(|record| telemetry.record(record));
}

#[track_caller]
fn assert_adds_up(stats: Stats) {
    let known = stats.exported + stats.dropped.total() + stats.sampled_out + stats.queued;
    assert_eq!(stats.recorded, known, "{stats:?}");
}

#[track_caller]
fn wait_until(what: &str, done: impl Fn() -> bool) {
    let by = Instant::now() + LONG;
    while !done() {
        assert!(Instant::now() < by, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ends it, and checks that it took no longer than it may, whatever the collector does.
#[track_caller]
fn shut_down_within(telemetry: &Telemetry, bound: Duration) -> Flushed {
    let begun = Instant::now();
    let end = telemetry.shutdown_blocking(bound);
    let took = begun.elapsed();
    assert!(took < bound + Duration::from_secs(1), "took {took:?}, over its bound of {bound:?}");
    assert_adds_up(end.stats);
    end
}

#[test]
fn a_burst_over_http_to_a_good_collector_loses_nothing() {
    burst(Over::Http);
}

#[test]
fn a_burst_over_grpc_to_a_good_collector_loses_nothing() {
    burst(Over::Grpc);
}

fn burst(over: Over) {
    let collector = over.collector(Manner::Good);
    let telemetry = over.to(&collector.url()).build().unwrap();
    records::workflows(20_000).for_each(|record| telemetry.record(record));
    let end = shut_down_within(&telemetry, LONG);
    assert!(end.complete, "{over:?} {end:?}");
    assert_eq!((end.stats.recorded, end.stats.exported, end.stats.queued), (20_000, 20_000, 0), "{over:?}");
    let mut ids: Vec<_> = collector.spans().into_iter().map(|span| span.span_id).collect();
    assert_eq!(ids.len(), 20_000);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20_000, "{over:?}: a span arrived twice");
}

#[test]
fn a_span_arrives_as_it_was_recorded() {
    for over in Over::BOTH {
        let collector = over.collector(Manner::Good);
        let telemetry = over.to(&collector.url()).service_name("newsroom").header("x-key", "k").build().unwrap();
        telemetry.record(Record::Process(Box::new(records::process())));
        assert!(telemetry.flush_blocking(LONG).complete, "{over:?}");
        let [span] = &collector.spans()[..] else { panic!("{over:?}: not one span") };
        assert_eq!(span.name, "process researcher");
        assert_eq!(span.kind(), SpanKind::Consumer);
        assert_eq!(span.trace_id, records::trace().to_bytes());
        assert_eq!(span.parent_span_id, span.links[0].span_id);
        let received = collector.received();
        let resource = received.traces[0].resource_spans[0].resource.clone().unwrap();
        let service = resource.attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
        let value = service.value.clone().and_then(|value| value.value);
        assert_eq!(value, Some(Value::StringValue("newsroom".to_owned())));
        for headers in &received.headers {
            assert_eq!(headers["x-key"], "k", "{over:?}");
        }
    }
}

#[test]
fn headers_of_the_environment_count_where_asked_for_and_under_those_of_code() {
    const THIS: &str = "headers_of_the_environment_count_where_asked_for_and_under_those_of_code";
    // A process of its own, since the environment is the whole process's.
    if std::env::var_os("OTEL_EXPORTER_OTLP_COMPRESSION").is_none() {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip");
        again.env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=env,x-secret=env");
        let output = again.args(["--exact", THIS]).output().unwrap();
        return assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    for over in Over::BOTH {
        for asked in [false, true] {
            let collector = over.collector(Manner::Good);
            let mut builder = over.to(&collector.url()).header("x-key", "code");
            if asked {
                builder = builder.from_env();
            }
            let telemetry = builder.build().unwrap();
            record_all(&telemetry, 10);
            assert!(shut_down_within(&telemetry, LONG).complete, "{over:?}");
            assert_eq!(collector.spans().len(), 10, "{over:?}");
            for headers in &collector.received().headers {
                assert_eq!(headers["x-key"], "code", "{over:?}");
                assert_eq!(headers.get("x-secret").map(String::as_str), asked.then_some("env"), "{over:?}");
                let coding = headers.get("content-encoding").or(headers.get("grpc-encoding"));
                assert_eq!(coding.map(String::as_str), Some("gzip"), "{over:?}");
            }
        }
    }
}

#[tokio::test]
async fn it_works_within_a_runtime_of_one_thread() {
    for over in Over::BOTH {
        let collector = over.collector(Manner::Good);
        let telemetry = over.to(&collector.url()).build().unwrap();
        record_all(&telemetry, 1000);
        let flushed = telemetry.flush(LONG).await;
        assert!(flushed.complete, "{over:?} {flushed:?}");
        assert_eq!(flushed.stats.exported, 1000);
        record_all(&telemetry, 10);
        let end = telemetry.shutdown(LONG).await;
        assert!(end.complete, "{over:?} {end:?}");
        assert_eq!(collector.spans().len(), 1010);
    }
}

#[test]
fn a_hung_collector_costs_nothing_but_counted_drops() {
    for over in Over::BOTH {
        let collector = over.collector(Manner::Hung);
        let telemetry = over.to(&collector.url()).queue_capacity(1000).batch_size(100).build().unwrap();
        record_all(&telemetry, 5000);
        let stats = telemetry.stats();
        assert_eq!((stats.recorded, stats.exported, stats.queued), (5000, 0, 1000), "{over:?}");
        assert_eq!((stats.dropped.queue_full, stats.dropped.total()), (4000, 4000), "{over:?}");
        assert!(!telemetry.flush_blocking(Duration::from_millis(100)).complete, "{over:?}");
        let end = shut_down_within(&telemetry, Duration::from_millis(500));
        assert!(!end.complete, "{over:?}");
        assert_eq!((end.stats.dropped.shutdown, end.stats.queued), (1000, 0), "{over:?}");
    }
}

#[test]
fn a_hung_export_is_cut_and_its_request_abandoned() {
    for over in Over::BOTH {
        let collector = over.collector(Manner::Hung);
        let telemetry =
            over.to(&collector.url()).export_timeout(Duration::from_millis(200)).without_metrics().build().unwrap();
        record_all(&telemetry, 10);
        let flushed = telemetry.flush_blocking(LONG);
        assert!(flushed.complete, "{over:?}");
        assert_eq!((flushed.stats.dropped.timeout, flushed.stats.dropped.total()), (10, 10), "{over:?} {flushed:?}");
        wait_until("the collector sees that nobody waits any more", || collector.received().abandoned == 1);
        assert!(shut_down_within(&telemetry, LONG).complete, "{over:?}");
    }
}

#[test]
fn a_collector_that_is_mute_from_the_start_is_cut_too() {
    for over in Over::BOTH {
        // Connections are taken and nothing at all is said, not even HTTP/2's greeting.
        let (url, _listener) = otlp::mute();
        let telemetry = over.to(&url).export_timeout(Duration::from_millis(200)).without_metrics().build().unwrap();
        record_all(&telemetry, 10);
        let flushed = telemetry.flush_blocking(LONG);
        assert!(flushed.complete, "{over:?}");
        assert_eq!((flushed.stats.dropped.timeout, flushed.stats.dropped.total()), (10, 10), "{over:?} {flushed:?}");
        assert!(shut_down_within(&telemetry, LONG).complete, "{over:?}");
    }
}

#[test]
fn a_hung_attempt_is_cut_by_its_timeout_and_made_again() {
    for over in Over::BOTH {
        let collector = over.collector(Manner::HangsFirst(1));
        let telemetry =
            over.to(&collector.url()).timeout(Duration::from_millis(300)).without_metrics().build().unwrap();
        record_all(&telemetry, 10);
        let flushed = telemetry.flush_blocking(LONG);
        assert!(flushed.complete, "{over:?}");
        assert_eq!((flushed.stats.exported, flushed.stats.dropped.total()), (10, 0), "{over:?} {flushed:?}");
        let received = collector.received();
        assert!(received.attempts >= 2 && received.abandoned >= 1, "{over:?} {}", received.attempts);
    }
}

#[test]
fn an_absent_collector_costs_nothing_but_counted_drops() {
    for over in Over::BOTH {
        let telemetry = over.to(&otlp::absent()).export_timeout(REFUSALS).queue_capacity(1000).build().unwrap();
        record_all(&telemetry, 3000);
        assert_adds_up(telemetry.stats());
        assert!(telemetry.flush_blocking(LONG).complete, "{over:?}");
        let end = shut_down_within(&telemetry, LONG);
        assert!(end.complete, "{over:?}");
        assert_eq!((end.stats.recorded, end.stats.exported, end.stats.queued), (3000, 0, 0), "{over:?}");
        let dropped = end.stats.dropped;
        // On a busy machine the time for retries may be over before the last refusal.
        let refused = dropped.export_failed + dropped.timeout;
        assert_eq!(dropped.queue_full + refused, 3000, "{over:?} {dropped:?}");
        assert!(refused >= 1000, "{over:?} {dropped:?}");
    }
}

#[test]
fn a_slow_collector_gets_everything_that_found_room() {
    for over in Over::BOTH {
        let collector = over.collector(Manner::Slow(Duration::from_millis(20)));
        let telemetry = over.to(&collector.url()).queue_capacity(2000).batch_size(500).build().unwrap();
        record_all(&telemetry, 5_000);
        let end = shut_down_within(&telemetry, LONG);
        assert!(end.complete, "{over:?}");
        assert_eq!(end.stats.dropped.total(), end.stats.dropped.queue_full, "{over:?} {end:?}");
        assert_eq!(end.stats.exported, 5_000 - end.stats.dropped.queue_full);
        assert_eq!(collector.spans().len() as u64, end.stats.exported, "{over:?}");
    }
}

#[test]
fn a_collector_that_recovers_gets_the_batch_once() {
    for over in Over::BOTH {
        let collector = over.collector(Manner::RefusesFirst(2));
        let telemetry = over.to(&collector.url()).without_metrics().build().unwrap();
        record_all(&telemetry, 100);
        let flushed = telemetry.flush_blocking(LONG);
        assert!(flushed.complete, "{over:?}");
        assert_eq!((flushed.stats.exported, flushed.stats.dropped.total()), (100, 0), "{over:?}");
        assert_eq!(collector.received().attempts, 3, "{over:?}");
        assert_eq!(collector.spans().len(), 100, "{over:?}");
    }
}

#[test]
fn a_collector_that_says_when_to_come_again_is_left_alone_until_then() {
    // Whole seconds, as `Retry-After` has them; more than the first pause would be on its own.
    let asked = Duration::from_secs(1);
    for over in Over::BOTH {
        let collector = over.collector(Manner::Asks(asked));
        let telemetry = over.to(&collector.url()).without_metrics().build().unwrap();
        record_all(&telemetry, 10);
        let flushed = telemetry.flush_blocking(LONG);
        assert_eq!((flushed.complete, flushed.stats.exported), (true, 10), "{over:?} {flushed:?}");
        let attempted = collector.received().attempted.clone();
        let [first, second] = attempted[..] else { panic!("{over:?} {attempted:?}") };
        assert!(second - first >= asked, "{over:?} {:?}", second - first);
    }
}

#[test]
fn a_collector_that_refuses_for_ever_is_given_up_in_bounded_time() {
    for over in Over::BOTH {
        let collector = over.collector(Manner::RefusesAll);
        let telemetry = over.to(&collector.url()).export_timeout(REFUSALS).without_metrics().build().unwrap();
        record_all(&telemetry, 100);
        let flushed = telemetry.flush_blocking(LONG);
        assert!(flushed.complete, "{over:?}");
        assert_eq!(flushed.stats.dropped.export_failed, 100, "{over:?}");
        assert!((2..=3).contains(&collector.received().attempts), "{over:?} {}", collector.received().attempts);
    }
}

#[test]
fn what_the_collector_calls_wrong_is_not_sent_again() {
    for over in Over::BOTH {
        let collector = over.collector(Manner::Objects);
        let telemetry = over.to(&collector.url()).without_metrics().build().unwrap();
        record_all(&telemetry, 100);
        let flushed = telemetry.flush_blocking(LONG);
        assert!(flushed.complete, "{over:?}");
        assert_eq!(flushed.stats.dropped.export_failed, 100, "{over:?}");
        assert_eq!(collector.received().attempts, 1, "{over:?}");
    }
}

#[test]
fn spans_of_a_batch_that_the_collector_rejects_in_part_count_as_exported() {
    for over in Over::BOTH {
        let collector = over.collector(Manner::Rejects(3));
        let telemetry = over.to(&collector.url()).without_metrics().build().unwrap();
        record_all(&telemetry, 10);
        let flushed = telemetry.flush_blocking(LONG);
        assert_eq!((flushed.stats.exported, flushed.stats.dropped.total()), (10, 0), "{over:?}");
        assert_eq!(collector.received().attempts, 1, "{over:?}: what was taken in part was sent again");
    }
}

#[test]
fn a_full_queue_ends_the_retries_of_the_batch_before_it() {
    let collector = Collector::http(Manner::RefusesAll);
    let telemetry = Telemetry::builder()
        .otlp_http(collector.url())
        .without_metrics()
        .queue_capacity(100)
        .batch_size(10)
        .export_timeout(Duration::from_secs(3600))
        .build()
        .unwrap();
    // Every batch fails; without the rule the first would be retried for an hour.
    let by = Instant::now() + LONG;
    while telemetry.stats().dropped.export_failed < 50 {
        assert!(Instant::now() < by, "{:?}", telemetry.stats());
        record_all(&telemetry, 100);
        std::thread::yield_now();
    }
    let _ = shut_down_within(&telemetry, Duration::from_millis(500));
}

#[test]
fn records_after_the_shutdown_are_counted_as_dropped() {
    let collector = Collector::http(Manner::Good);
    let telemetry = Telemetry::builder().otlp_http(collector.url()).build().unwrap();
    record_all(&telemetry, 5);
    assert!(shut_down_within(&telemetry, LONG).complete);
    record_all(&telemetry, 3);
    let stats = telemetry.stats();
    assert_eq!((stats.exported, stats.dropped.shutdown), (5, 3));
    assert_adds_up(stats);
    let begun = Instant::now();
    let _ = telemetry.shutdown_blocking(LONG);
    let _ = telemetry.flush_blocking(LONG);
    assert!(begun.elapsed() < Duration::from_secs(1), "a second shutdown waited");
}

#[test]
fn dropping_the_last_handle_sends_what_is_queued() {
    let collector = Collector::http(Manner::Good);
    let telemetry = Telemetry::builder().otlp_http(collector.url()).build().unwrap();
    let other = telemetry.clone();
    record_all(&telemetry, 50);
    drop(telemetry);
    record_all(&other, 50);
    drop(other);
    assert_eq!(collector.spans().len(), 100);
}

#[test]
fn dropping_the_last_handle_does_not_hang_on_a_hung_collector() {
    let collector = Collector::http(Manner::Hung);
    let telemetry = Telemetry::builder().otlp_http(collector.url()).build().unwrap();
    record_all(&telemetry, 50);
    let begun = Instant::now();
    drop(telemetry);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn many_producers_lose_nothing_and_count_exactly() {
    let collector = Collector::http(Manner::Good);
    let telemetry = Telemetry::builder().otlp_http(collector.url()).queue_capacity(2000).build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    record_all(&telemetry, 100);
                    assert_adds_up(telemetry.stats());
                }
            });
        }
    });
    let end = shut_down_within(&telemetry, LONG);
    assert_eq!(end.stats.recorded, 8000);
    assert_eq!(end.stats.exported + end.stats.dropped.queue_full, 8000);
    assert_eq!(collector.spans().len() as u64, end.stats.exported);
}

#[test]
fn unsampled_handoffs_are_left_out_but_never_a_finding() {
    for with_metrics in [true, false] {
        let collector = Collector::http(Manner::Good);
        let mut builder = Telemetry::builder().otlp_http(collector.url()).sampling(Sampling::always_off());
        if !with_metrics {
            builder = builder.without_metrics();
        }
        let telemetry = builder.build().unwrap();
        assert!(!telemetry.sample(records::trace(), None));
        let mut agreed = records::handoff();
        agreed.place.sampled = false;
        let mut found = records::process();
        found.place.sampled = false;
        telemetry.record(Record::Handoff(Box::new(agreed)));
        telemetry.record(Record::Process(Box::new(found)));
        let end = shut_down_within(&telemetry, LONG);
        assert_eq!((end.stats.sampled_out, end.stats.exported, end.stats.dropped.total()), (1, 1, 0));
        let names: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
        assert_eq!(names, ["process researcher"]);
    }
}

#[test]
fn metrics_count_what_happened_without_ids_or_subjects() {
    for over in Over::BOTH {
        let collector = over.collector(Manner::Good);
        let telemetry = over.to(&collector.url()).build().unwrap();
        telemetry.handoff_opened();
        telemetry.handoff_opened();
        telemetry.handoff_settled();
        telemetry.record(Record::Handoff(Box::new(records::handoff())));
        telemetry.record(Record::Process(Box::new(records::process())));
        telemetry.record(Record::Workflow(Box::new(records::workflow())));
        assert!(shut_down_within(&telemetry, LONG).complete);
        let metrics = collector.metrics();
        let names: Vec<_> = metrics.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "gen_ai.workflow.duration",
                "messaging.client.consumed.messages",
                "messaging.client.operation.duration",
                "messaging.client.sent.messages",
                "messaging.process.duration",
                "wilco.handoff.active",
                "wilco.handoff.context.age",
                "wilco.handoff.duration",
                "wilco.handoff.mismatches",
                "wilco.handoff.payload.size",
                "wilco.handoff.quality",
                "wilco.spans.dropped",
                "wilco.spans.exported",
            ],
            "{over:?}"
        );
        let text = format!("{metrics:?}");
        for secret in ["abc-123", "019ca8d7", "wilco.newsroom.researcher"] {
            assert!(!text.contains(secret), "{secret} is a dimension");
        }
        let Some(Data::Histogram(duration)) = &metrics["wilco.handoff.duration"].data else { panic!("no histogram") };
        let [point] = &duration.data_points[..] else { panic!("not one point") };
        assert_eq!((point.count, point.sum), (1, Some(1.5)));
        assert_eq!(metrics["wilco.handoff.duration"].unit, "s");
        let Some(Data::Histogram(workflow)) = &metrics["gen_ai.workflow.duration"].data else { panic!("no histogram") };
        assert_eq!(workflow.data_points[0].explicit_bounds[..3], [1.0, 5.0, 10.0]);
        let Some(Data::Sum(mismatches)) = &metrics["wilco.handoff.mismatches"].data else { panic!("no sum") };
        assert_eq!(mismatches.data_points.len(), 2);
        let Some(Data::Sum(active)) = &metrics["wilco.handoff.active"].data else { panic!("no sum") };
        let value = active.data_points[0].value;
        assert_eq!(value, Some(opentelemetry_proto::tonic::metrics::v1::number_data_point::Value::AsInt(1)));
        assert!(!active.is_monotonic);
    }
}

#[test]
fn metrics_are_sent_from_time_to_time() {
    let collector = Collector::http(Manner::Good);
    let telemetry = Telemetry::builder()
        .otlp_http(collector.url())
        .metrics_interval(Duration::from_millis(20))
        .schedule_delay(Duration::from_millis(10))
        .build()
        .unwrap();
    record_all(&telemetry, 1);
    let by = Instant::now() + LONG;
    while collector.received().metrics.len() < 3 {
        assert!(Instant::now() < by, "only {} exports of metrics", collector.received().metrics.len());
        std::thread::yield_now();
    }
}

#[test]
fn off_records_nothing_and_ends_at_once() {
    let telemetry = Telemetry::off();
    record_all(&telemetry, 10);
    assert!(!telemetry.is_on());
    assert_eq!(telemetry.stats(), Stats::default());
    assert!(telemetry.flush_blocking(LONG).complete && telemetry.shutdown_blocking(LONG).complete);
    assert!(telemetry.sample(records::trace(), Some(true)) && !telemetry.sample(records::trace(), Some(false)));
}

#[test]
fn what_cannot_work_is_refused_with_its_reason() {
    let error = |builder: TelemetryBuilder| builder.build().unwrap_err().to_string();
    assert!(error(Telemetry::builder()).starts_with("no exporter"));
    let refused = error(Telemetry::builder().otlp_http("localhost:4318"));
    assert!(refused.contains("\"localhost:4318/v1/traces\" is not an OTLP endpoint"), "{refused}");
    let refused = error(Telemetry::builder().otlp_http("http://a").queue_capacity(0));
    assert_eq!(refused, "queue_capacity is \"0\", and must be at least 1");
    let refused = error(Telemetry::builder().otlp_grpc("http://a").header("a b", "secret"));
    assert!(refused.contains("a b") && !refused.contains("secret"), "{refused}");
}

#[test]
fn a_secure_endpoint_can_be_set_up_without_a_process_wide_crypto_provider() {
    for over in Over::BOTH {
        // Nobody speaks TLS there; what counts is that the client is made and the handshake fails as a counted drop.
        let collector = over.collector(Manner::Good);
        let url = collector.url().replace("http://", "https://");
        let telemetry = over.to(&url).without_metrics().export_timeout(Duration::from_millis(300)).build().unwrap();
        record_all(&telemetry, 5);
        let end = shut_down_within(&telemetry, LONG);
        assert_eq!((end.stats.exported, end.stats.dropped.total()), (0, 5), "{over:?} {end:?}");
    }
}
