//! OTLP in over HTTP and gRPC, and the API that tells of it: the routes and answers are those of the OpenAPI file.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(all(feature = "server", feature = "channel", feature = "bus"))]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use serde_json::Value;
use wilco::client::ClientError;
use wilco::model::{Span, Timestamp};
use wilco::server::{Server, ServerError, ServerOptions, Token};
use wilco::store::{Store, StoreOptions};
use wilco::workflows::{Workflows, WorkflowsError};

#[path = "support/http.rs"]
#[allow(dead_code)]
mod http;
#[path = "support/running.rs"]
#[allow(dead_code)]
mod running;
#[path = "support/stored.rs"]
#[allow(dead_code)]
mod stored;

use http::{escape, get, post};
use running::Running;
use stored::Told;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

/// The spans as an OTLP/protobuf request.
fn protobuf(spans: &[Span]) -> Vec<u8> {
    let store = Store::in_memory(StoreOptions::default()).unwrap();
    store.insert_blocking(spans.to_vec()).unwrap();
    store.export(0, Timestamp::EPOCH, 10_000).unwrap().unwrap().0
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn spans_come_in_as_protobuf_as_json_packed_or_not_and_by_grpc() {
    let running = Running::start(|options| options);
    let spans = |number| Told::new(number, &format!("wf-{number}"), "a", "b").spans();
    let body = protobuf(&spans(1));
    let reply = post(running.at.otlp_http, "/v1/traces", &[PROTOBUF], &body);
    assert_eq!(
        (reply.status, reply.body.as_str(), reply.header("content-type")),
        (200, "", Some("application/x-protobuf"))
    );
    let reply = post(
        running.at.otlp_http,
        "/v1/traces",
        &[PROTOBUF, ("content-encoding", "gzip")],
        &gzip(&protobuf(&spans(2))),
    );
    assert_eq!(reply.status, 200, "{reply:?}");
    let json = wilco::otlp::to_json(&spans(3));
    let reply = post(
        running.at.otlp_http,
        "/v1/traces",
        &[("content-type", "application/json; charset=utf-8")],
        json.as_bytes(),
    );
    assert_eq!((reply.status, reply.body.as_str()), (200, "{}"));
    let reply = post(
        running.at.otlp_http,
        "/v1/traces",
        &[JSON, ("content-encoding", "gzip")],
        &gzip(wilco::otlp::to_json(&spans(4)).as_bytes()),
    );
    assert_eq!(reply.status, 200, "{reply:?}");
    let [plain, packed] =
        [5, 6].map(|number| ExportTraceServiceRequest::decode(&protobuf(&spans(number))[..]).unwrap());
    running.runtime.block_on(async {
        let url = format!("http://{}", running.at.otlp_grpc.unwrap());
        let mut client = TraceServiceClient::connect(url).await.unwrap();
        client.export(plain).await.unwrap();
        client.send_compressed(tonic::codec::CompressionEncoding::Gzip).export(packed).await.unwrap();
    });
    for number in 1..=6 {
        let mut back = running.store.spans(&format!("wf-{number}")).unwrap();
        back.sort_by_key(|span| span.start);
        assert_eq!(back, spans(number), "{number}");
    }
}

#[test]
fn what_is_no_request_is_refused_with_a_reason() {
    let running = Running::start(|options| options.body_bytes(10_000));
    let at = running.at.otlp_http;
    for (path, headers, body, status, says) in [
        ("/v1/traces", &[PROTOBUF][..], &b"\xff\xff\xff"[..], 400, "not an OTLP/protobuf trace request"),
        ("/v1/traces", &[JSON], b"{\"resourceSpans\": 5}", 400, "not an OTLP/JSON trace request"),
        ("/v1/traces", &[("content-type", "text/plain")], b"", 415, "content-type \\\"text/plain\\\" is not known"),
        ("/v1/traces", &[PROTOBUF, ("content-encoding", "br")], b"", 415, "content-encoding br is not known"),
        ("/v1/traces", &[PROTOBUF, ("content-encoding", "gzip")], b"no gzip", 400, "the body is no gzip"),
        ("/v1/traces", &[PROTOBUF], &[0; 20_000], 413, "over the limit of 10000 bytes"),
        ("/v1/nothing", &[PROTOBUF], b"", 404, "nothing is at /v1/nothing"),
        ("/healthz", &[], b"", 405, "not by this method"),
    ] {
        let reply = post(at, path, headers, body);
        assert_eq!(reply.status, status, "{reply:?}");
        assert!(reply.body.contains(says), "{says}: {reply:?}");
    }
    // A small body that blows up is stopped at the limit.
    let bomb = gzip(&vec![0; 5_000_000]);
    assert!(bomb.len() < 10_000);
    let reply = post(at, "/v1/traces", &[PROTOBUF, ("content-encoding", "gzip")], &bomb);
    assert_eq!(reply.status, 413, "{reply:?}");
    // What is not kept is taken, and counted.
    assert_eq!(post(at, "/v1/metrics", &[PROTOBUF], b"").status, 200);
    assert!(get(running.at.http, "/metrics").body.contains("wilco_otlp_ignored_total 1"));
}

#[test]
fn overload_is_told_to_come_again_over_http_and_grpc() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wilco.db");
    let store = Store::open(&path, StoreOptions::default().waiting_bytes(20_000)).unwrap();
    let running = Running::over(store, |options| options);
    // Somebody holds the file, so that the first request waits and the next ones find no room.
    let holder = rusqlite::Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let body = |number: u64| protobuf(&Told::new(number, "wf", "a", "b").with("text", "x".repeat(9_000)).spans());
    let at = running.at.otlp_http;
    let first = std::thread::spawn({
        let body = body(1);
        move || post(at, "/v1/traces", &[PROTOBUF], &body)
    });
    while running.store.counts().waiting_bytes == 0 {
        std::thread::sleep(Duration::from_millis(2));
    }
    let reply = post(at, "/v1/traces", &[PROTOBUF], &body(2));
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")), "{reply:?}");
    assert!(reply.json()["error"].as_str().unwrap().starts_with("overloaded: "), "{reply:?}");
    let third = ExportTraceServiceRequest::decode(&body(3)[..]).unwrap();
    let status = running.runtime.block_on(async {
        let url = format!("http://{}", running.at.otlp_grpc.unwrap());
        let mut client = TraceServiceClient::connect(url).await.unwrap();
        client.export(third).await.unwrap_err()
    });
    assert_eq!(status.code(), tonic::Code::Unavailable, "{status}");
    holder.execute_batch("COMMIT").unwrap();
    assert_eq!(first.join().unwrap().status, 200);
    assert_eq!(running.store.spans("wf").unwrap().len(), 2);
    assert!(get(running.at.http, "/metrics").body.contains("wilco_store_refused_total 2"));
}

#[test]
fn a_token_is_asked_of_everybody_but_for_health() {
    let running = Running::start(|options| options.token(Token::new("open-sesame").unwrap()));
    let shown = |token: &str| [("authorization".to_owned(), format!("Bearer {token}"))];
    for path in ["/api/workflows", "/metrics", "/api/events"] {
        let reply = get(running.at.http, path);
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Bearer")), "{path}");
        let wrong = shown("open-sesam");
        let wrong: Vec<_> = wrong.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(http::request(running.at.http, "GET", path, &wrong, b"").unwrap().status, 401, "{path}");
    }
    let right = shown("open-sesame");
    let right: Vec<_> = right.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(http::request(running.at.http, "GET", "/api/workflows", &right, b"").unwrap().status, 200);
    assert_eq!(get(running.at.http, "/healthz").status, 200);
    let body = protobuf(&Told::new(1, "wf", "a", "b").spans());
    assert_eq!(post(running.at.otlp_http, "/v1/traces", &[PROTOBUF], &body).status, 401);
    assert_eq!(post(running.at.otlp_http, "/v1/traces", &[PROTOBUF, right[0]], &body).status, 200);
    let status = running.runtime.block_on(async {
        let url = format!("http://{}", running.at.otlp_grpc.unwrap());
        let mut client = TraceServiceClient::connect(url).await.unwrap();
        client.export(ExportTraceServiceRequest::default()).await.unwrap_err()
    });
    assert_eq!(status.code(), tonic::Code::Unauthenticated);
}

#[test]
fn other_hosts_are_let_in_only_with_a_token_or_when_told_so() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (any, local): (SocketAddr, SocketAddr) = ("0.0.0.0:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap());
    let store = || Store::in_memory(StoreOptions::default()).unwrap();
    let options = || ServerOptions::default().http(local).otlp_http(any).otlp_grpc(None);
    let error = runtime.block_on(Server::start(store(), options())).unwrap_err();
    assert!(matches!(error, ServerError::Open { .. }), "{error}");
    assert!(error.to_string().contains("0.0.0.0:0 can be reached from other hosts"), "{error}");
    assert!(runtime.block_on(Server::start(store(), options().open_to_all(true))).is_ok());
    assert!(runtime.block_on(Server::start(store(), options().token(Token::new("open-sesame").unwrap()))).is_ok());
    assert!(Token::new("short").is_none() && Token::new("with a blank").is_none());
}

#[test]
fn a_taken_port_is_named_with_what_to_do() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, free) = (taken.local_addr().unwrap(), "127.0.0.1:0".parse().unwrap());
    let options = ServerOptions::default().http(free).otlp_http(free).otlp_grpc(Some(address));
    let store = Store::in_memory(StoreOptions::default()).unwrap();
    let error = runtime.block_on(Server::start(store, options)).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "OTLP over gRPC: {address} is taken by another program; stop that one, or name another address with --otlp-grpc"
        )
    );
}

// ------------------------------------------------------------------------------------------------------------- the API

fn filled() -> Running {
    let running = Running::start(|options| options);
    let told = [
        Told::new(1, "a", "planner", "writer").with("wilco.context.age_ms", 12.5),
        Told::new(2, "a", "writer", "reviewer").below(1).found("stale_context"),
        Told::new(3, "b / ü", "planner", "writer"),
    ];
    let mut spans: Vec<Span> = told.iter().flat_map(Told::spans).collect();
    spans.push(stored::decision("a", 900, "approve", 5, 5));
    spans.push(stored::root("a", 0, 100, "no story", false));
    running.store.insert_blocking(spans).unwrap();
    running
}

#[test]
fn every_answer_is_as_the_openapi_file_says_and_every_route_is_in_it() {
    let running = filled();
    let document = get(running.at.http, "/api/openapi.json").json();
    let handoff = Told::id(2);
    let calls: Vec<(&str, String, u16)> = vec![
        ("/api/openapi.json", "/api/openapi.json".into(), 200),
        ("/api/workflows", "/api/workflows".into(), 200),
        ("/api/workflows", "/api/workflows?limit=1&mismatched=true".into(), 200),
        ("/api/workflows", "/api/workflows?limit=0".into(), 400),
        ("/api/workflows", "/api/workflows?limits=5".into(), 400),
        ("/api/workflows/{id}", "/api/workflows/a".into(), 200),
        ("/api/workflows/{id}", format!("/api/workflows/{}", escape("b / ü")), 200),
        ("/api/workflows/{id}", "/api/workflows/none".into(), 404),
        ("/api/workflows/{id}/spans", "/api/workflows/a/spans".into(), 200),
        ("/api/workflows/{id}/spans", "/api/workflows/none/spans".into(), 404),
        ("/api/workflows/{id}/failure", "/api/workflows/a/failure".into(), 200),
        ("/api/workflows/{id}/failure", "/api/workflows/none/failure".into(), 404),
        ("/api/handoffs/{id}", format!("/api/handoffs/{handoff}"), 200),
        ("/api/handoffs/{id}", "/api/handoffs/none".into(), 404),
        ("/api/query", format!("/api/query?q={}", escape("verdict = mismatched")), 200),
        ("/api/query", format!("/api/query?q={}", escape("type = decision")), 200),
        ("/api/query", format!("/api/query?q={}", escape("workflow{}")), 200),
        ("/api/query", format!("/api/query?q={}", escape("| by to | count, p95(duration_ms)")), 200),
        ("/api/query", "/api/query?q=from".into(), 400),
        ("/api/stats", "/api/stats".into(), 200),
        ("/api/stats", "/api/stats?since=yesterday".into(), 400),
        ("/healthz", "/healthz".into(), 200),
        ("/metrics", "/metrics".into(), 200),
    ];
    for (route, path, status) in &calls {
        let reply = get(running.at.http, path);
        assert_eq!(reply.status, *status, "{path}: {reply:?}");
        let promised = &document["paths"][*route]["get"]["responses"][status.to_string()]["content"];
        let kind = reply.header("content-type").unwrap().split(';').next().unwrap().to_owned();
        let schema = &promised[&kind]["schema"];
        assert!(schema.is_object(), "{route} {status} {kind} is not in openapi.json");
        if kind == "application/json" {
            let problems = check(&document, schema, &reply.json(), path);
            assert!(problems.is_empty(), "{problems:#?}\n{}", reply.body);
        }
    }
    // What is called here and what is promised there are the same.
    let called: BTreeSet<&str> = calls.iter().map(|(route, ..)| *route).collect();
    let gets = |(_, methods): &(&String, &Value)| methods.get("get").is_some();
    let promised: BTreeSet<&str> =
        document["paths"].as_object().unwrap().iter().filter(gets).map(|(path, _)| path.as_str()).collect();
    let streamed = BTreeSet::from(["/api/events"]);
    assert_eq!(called.union(&streamed).copied().collect::<BTreeSet<_>>(), promised);
    // And so are the routes of the program.
    let source = include_str!("../src/server/api.rs");
    let routes: BTreeSet<&str> =
        source.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(routes, promised);
}

#[test]
fn a_wrong_schema_and_a_wrong_answer_would_be_found() {
    let document = serde_json::json!({"components": {"schemas": {"A": {"type": "object", "required": ["a"],
        "properties": {"a": {"type": ["integer", "null"]}}, "additionalProperties": false}}}});
    let schema = serde_json::json!({"$ref": "#/components/schemas/A"});
    let found = |value: Value| check(&document, &schema, &value, "x").len();
    assert_eq!(found(serde_json::json!({"a": 1})), 0);
    assert_eq!(found(serde_json::json!({"a": null})), 0);
    assert_eq!(found(serde_json::json!({"a": "1"})), 1);
    assert_eq!(found(serde_json::json!({})), 1);
    assert_eq!(found(serde_json::json!({"a": 1, "b": 2})), 1);
}

/// What of a value is not as its schema says: types, required and further properties, enumerations, items.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        let target = &document["components"]["schemas"][name];
        assert!(target.is_object(), "no schema {name}");
        return check(document, target, value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let all: Vec<_> = any.iter().map(|each| check(document, each, value, at)).collect();
        return if all.iter().any(Vec::is_empty) { Vec::new() } else { all.into_iter().flatten().collect() };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        other => panic!("{at}: no type but {other}"),
    };
    if !(allowed.contains(&kind) || kind == "integer" && allowed.contains(&"number")) {
        return vec![format!("{at}: {kind} is not {allowed:?}")];
    }
    let mut problems = Vec::new();
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        problems.push(format!("{at}: {value} is not one of {words:?}"));
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        if schema["items"].is_object() {
            problems.extend(check(document, &schema["items"], item, &format!("{at}[{number}]")));
        }
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(object) = value.as_object() {
        problems.extend(required.filter(|name| !object.contains_key(*name)).map(|name| format!("{at}: no {name}")));
        for (name, inner) in object {
            match &schema["properties"][name] {
                Value::Null if schema["additionalProperties"] == false => {
                    problems.push(format!("{at}: {name} is not promised"))
                }
                Value::Null => {}
                property => problems.extend(check(document, property, inner, &format!("{at}.{name}"))),
            }
        }
    }
    problems
}

#[test]
fn answers_hold_what_the_spans_told() {
    let running = filled();
    let at = running.at.http;
    let workflows = get(at, "/api/workflows").json();
    assert_eq!(workflows["workflows"].as_array().unwrap().len(), 2);
    let one = get(at, "/api/workflows/a").json();
    assert_eq!((&one["outcome"], &one["handoffs"], &one["mismatched"]), (&"no story".into(), &2.into(), &1.into()));
    assert_eq!(one["lines"][1]["mismatches"], serde_json::json!(["stale_context"]));
    let spans = get(at, "/api/workflows/a/spans");
    assert_eq!(wilco::otlp::from_json(spans.body.as_bytes()).unwrap().len(), 6);
    let error = get(at, &format!("/api/query?q={}", escape("from = "))).json();
    assert_eq!((&error["column"], &error["error"]), (&8.into(), &"column 8: expected a value, found the end".into()));
    let stats = get(at, "/api/stats").json();
    assert_eq!(stats["boundaries"][0]["kinds"], serde_json::json!({"stale_context": 1}));
    assert_eq!(stats["decisions"][0]["decision"], "approve");
    assert_eq!(get(at, &format!("/api/query?q={}&limit=1", escape("verdict = agreed"))).json()["next"], 1);
    assert_eq!(get(running.at.otlp_http, "/healthz").body, "ok\n");
}

#[test]
fn events_tell_of_each_handoff_as_it_changes_and_end_with_the_server() {
    let mut running = Running::start(|options| options);
    let mut stream = TcpStream::connect(running.at.http).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"GET /api/events HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line.contains("text/event-stream")));
    let body = protobuf(&Told::new(1, "wf", "planner", "writer").found("refused").spans());
    assert_eq!(post(running.at.otlp_http, "/v1/traces", &[PROTOBUF], &body).status, 200);
    let data = lines.by_ref().find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap();
    let handoff: Value = serde_json::from_str(&data).unwrap();
    assert_eq!((&handoff["id"], &handoff["verdict"]), (&Told::id(1).into(), &"mismatched".into()));
    let begun = std::time::Instant::now();
    let server = running.server.take().unwrap();
    running.runtime.block_on(server.close(Duration::from_secs(10)));
    assert!(begun.elapsed() < Duration::from_secs(5), "a listener kept the server from ending");
}

#[test]
fn a_channel_that_knows_its_server_gets_a_trace_and_finds_the_failure() {
    let running = Running::start(|options| options);
    running.runtime.block_on(async {
        let bus = wilco::bus::Bus::builder().listen("127.0.0.1:0").start().await.unwrap();
        let telemetry = wilco::telemetry::Telemetry::builder()
            .service_name("newsroom")
            .otlp_http(format!("http://{}", running.at.otlp_http))
            .without_metrics()
            .build()
            .unwrap();
        let builder = wilco::channel::Channel::builder("newsroom").telemetry(telemetry);
        let channel = builder.traces(format!("http://{}", running.at.http)).connect(&bus.url()).await.unwrap();
        let planner = channel.join("planner").await.unwrap();
        let task = wilco::channel::Handoff::new(wilco::model::Intent::new("write"), &5).unwrap().workflow("abc-123");
        let receipt = planner.hand_off("writer", task).await.unwrap();
        assert!(receipt.result::<u32>().await.is_err(), "nobody is there");
        drop(receipt);
        let failure = channel.get_trace("abc-123").await.unwrap().find_failure().expect("it failed");
        assert_eq!((failure.cause.kind.as_str(), &*failure.cause.boundary), ("undelivered", "writer<-planner"));
        let error = channel.get_trace("none").await.unwrap_err();
        assert!(error.to_string().starts_with("no workflow or trace \"none\" is known at http://"), "{error}");

        let without = wilco::channel::Channel::builder("newsroom").connect(&bus.url()).await.unwrap();
        let error = without.get_trace("abc-123").await.unwrap_err();
        assert!(error.to_string().contains("traces(\"http://127.0.0.1:4480\")"), "{error}");
        let wrong = wilco::channel::Channel::builder("newsroom").traces("wilco.db").connect(&bus.url()).await;
        assert!(wrong.unwrap_err().to_string().contains("\"wilco.db\" is no URL"));
    });
}

#[test]
fn workflows_are_the_same_by_url_and_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wilco.db");
    let store = Store::open(&path, StoreOptions::default()).unwrap();
    let running = Running::over(store, |options| options);
    let spans: Vec<Span> =
        (0..3).flat_map(|number| Told::new(number, "b / ü", "planner", "writer").found("refused").spans()).collect();
    running.store.insert_blocking(spans).unwrap();
    running.runtime.block_on(async {
        let url = Workflows::open(&format!("http://{}", running.at.http)).await.unwrap();
        let file = Workflows::open(path.to_str().unwrap()).await.unwrap();
        let sorted = |workflow: wilco::diagnose::Workflow| {
            let mut spans = workflow.spans().to_vec();
            spans.sort_by_key(|span| (span.start, span.span_id.to_bytes()));
            spans
        };
        assert_eq!(sorted(url.get_trace("b / ü").await.unwrap()), sorted(file.get_trace("b / ü").await.unwrap()));
        assert_eq!(url.list(10, 0).await.unwrap(), file.list(10, 0).await.unwrap());
        assert_eq!(url.query("mismatch = refused").await.unwrap(), file.query("mismatch = refused").await.unwrap());
        assert_eq!(url.stats(Timestamp::EPOCH).await.unwrap(), file.stats(Timestamp::EPOCH).await.unwrap());
        for place in [&url, &file] {
            assert!(matches!(place.get_trace("none").await.unwrap_err(), WorkflowsError::Unknown { .. }));
            let error = place.query("from").await.unwrap_err();
            assert!(error.to_string().starts_with("column 5: expected one of"), "{error}");
        }
        let error = Workflows::open("http://127.0.0.1:9").await.unwrap().list(1, 0).await.unwrap_err();
        assert!(matches!(error, WorkflowsError::Client(ClientError::Unreachable { .. })), "{error}");
        assert!(matches!(Workflows::open("no/such.db").await.unwrap_err(), WorkflowsError::NoFile { .. }));
    });
}
