//! What the store does in a second, and how long a question takes.
//!
//!     cargo bench --bench store                          a short run: 60,000 handoffs
//!     cargo bench --bench store -- --handoffs 1000000    what the README tells
//!
//! Spans of handoffs are put in twice over: as rows by bare SQLite (the same rows into the same tables with the same
//! indexes and the same durability, from memory, in transactions of 10,000), and as OTLP/protobuf over HTTP by eight
//! connections. Where `tv` of PyPI's `trace-view` is found (in WILCO_TEST_VENV or .venv), it gets the same requests.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures, and prints what it measured")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use wilco::model::{Span, Timestamp};
use wilco::server::{Server, ServerOptions};
use wilco::store::query::Query;
use wilco::store::{Store, StoreOptions};

#[path = "../tests/support/stored.rs"]
#[allow(dead_code)]
mod stored;

use stored::Told;

/// Handoffs of one workflow; each has two spans.
const HANDOFFS_A_WORKFLOW: u64 = 10;

/// Spans of one request.
const SPANS_A_REQUEST: usize = 500;

/// Connections that send at once.
const CONNECTIONS: usize = 8;

/// Spans that trace-view gets, at most: it is slower.
const MOST_FOR_TRACE_VIEW: usize = 40_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| arguments.iter().position(|each| each == name).and_then(|at| arguments.get(at + 1));
    let handoffs: u64 = after("--handoffs").map_or(60_000, |count| count.parse().unwrap());
    let folder = tempfile::tempdir_in(after("--folder").map_or(".", String::as_str)).unwrap();
    println!("{handoffs} handoffs, {} spans, {HANDOFFS_A_WORKFLOW} handoffs a workflow", handoffs * 2);

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let path = folder.path().join("wilco.db");
    let store = Store::open(&path, StoreOptions::default()).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let options = ServerOptions::default().http(any).otlp_http(any).otlp_grpc(None);
    let server = runtime.block_on(Server::start(store.clone(), options)).unwrap();

    // Made a part at a time, so that what is sent does not stand beside what is measured.
    let (mut spent, mut sent) = (Duration::ZERO, 0);
    let mut first = None;
    for part in (0..handoffs).step_by(20_000) {
        let requests = requests(part..(part + 20_000).min(handoffs));
        let begun = Instant::now();
        send(server.addresses().otlp_http, &requests);
        spent += begun.elapsed();
        sent += requests.iter().map(|(_, count)| count).sum::<usize>();
        first.get_or_insert(requests);
    }
    let ingest = sent as f64 / spent.as_secs_f64();
    println!("ingest over OTLP/HTTP    {ingest:>10.0} spans/s, durable; resident {:.0} MiB after it", resident_mib());

    let bare = bare(&path, &folder.path().join("bare.db"), 200_000);
    println!("bare SQLite, same rows   {bare:>10.0} spans/s; the store reaches {:.2} of it", ingest / bare);
    if let Some(first) = first {
        match trace_view(&first) {
            Some(theirs) => println!(
                "trace-view               {theirs:>10.0} spans/s; the store reaches {:.1} times that",
                ingest / theirs
            ),
            None => println!("trace-view               not found"),
        }
    }

    let workflows = handoffs / HANDOFFS_A_WORKFLOW;
    let pick = |turn: u64| format!("wf-{}", turn.wrapping_mul(2_654_435_761) % workflows.max(1));
    let in_process = median(500, |turn| assert!(!store.spans(&pick(turn)).unwrap().is_empty()));
    println!("one workflow, in process {:>10.3} ms p50", in_process.as_secs_f64() * 1e3);
    let api = server.addresses().http;
    let over_http = median(500, |turn| {
        let mut stream = TcpStream::connect(api).unwrap();
        write!(stream, "GET /api/workflows/{}/spans HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", pick(turn))
            .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    });
    println!("one workflow, over HTTP  {:>10.3} ms p50", over_http.as_secs_f64() * 1e3);
    for text in [
        "from = planner AND mismatch = stale_context",
        "to = reviewer AND verdict = mismatched | limit 100",
        "mismatch = refused | limit 100",
        "timestamp > \"2026-01-15T10:00:05Z\" AND from = writer | limit 100",
        "type = decision AND decision.type = approve | limit 100",
        "handoff{workflow = wf-7} >> handoff{verdict = mismatched AND workflow = wf-7}",
    ] {
        let query = Query::parse(text).unwrap();
        let taken = median(20, |_| {
            store.query(&query, Timestamp::now()).unwrap();
        });
        println!("{:>10.3} ms p50  {text}", taken.as_secs_f64() * 1e3);
    }
    println!(
        "resident {:.0} MiB at the end, file {:.0} MiB",
        resident_mib(),
        std::fs::metadata(&path).unwrap().len() as f64 / 1048576.0
    );
    runtime.block_on(server.close(Duration::from_secs(1)));
}

fn spans(numbers: std::ops::Range<u64>) -> impl Iterator<Item = Span> {
    numbers.flat_map(|number| {
        let workflow = format!("wf-{}", number / HANDOFFS_A_WORKFLOW);
        let place = number % HANDOFFS_A_WORKFLOW;
        let (from, to) = [("planner", "researcher"), ("planner", "writer"), ("writer", "reviewer")][place as usize % 3];
        let mut told = Told::new(number + 1, &workflow, from, to)
            .with("wilco.intent.sent", r#"{"goal":"find_sources","constraints":{"max":5,"since":"2025-01-01"}}"#)
            .with("wilco.content.hash", "blake3:0f0e0d0c0b0a090807060504030201000f0e0d0c0b0a09080706050403020100")
            .with("messaging.destination.name", "wilco.newsroom.writer")
            .with("messaging.operation.type", "send")
            .with("gen_ai.operation.name", "invoke_agent")
            .with("gen_ai.agent.name", to)
            .with("gen_ai.caller.name", from)
            .with("wilco.context", vec!["crm@41"])
            .with("wilco.result.quality", 0.83)
            .with("wilco.context.age_ms", 12.5);
        if place > 0 {
            told = told.below(number);
        }
        if number % 97 == 0 {
            told = told.found("stale_context");
        } else if number % 4_001 == 0 {
            told = told.found("refused");
        }
        let decision =
            (number % 50 == 0).then(|| stored::decision(&workflow, (1 << 60) + number, "approve", number, 5));
        told.spans().into_iter().chain(decision)
    })
}

/// Bodies, each with how many spans it has.
fn requests(numbers: std::ops::Range<u64>) -> Vec<(Vec<u8>, usize)> {
    // A store in memory gives them out in the form in which they are sent.
    let store = Store::in_memory(StoreOptions::default().waiting_bytes(usize::MAX)).unwrap();
    store.insert_blocking(spans(numbers).collect()).unwrap();
    let (mut requests, mut after) = (Vec::new(), 0);
    while let Some((body, last, count)) = store.export(after, Timestamp::EPOCH, SPANS_A_REQUEST).unwrap() {
        requests.push((body, count));
        after = last;
    }
    requests
}

fn send(address: SocketAddr, requests: &[(Vec<u8>, usize)]) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_nodelay(true).unwrap();
                while let Some((body, _)) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    while post(&mut stream, body) != 200 {
                        // The store says that it is full, and when to come again; this comes a little earlier.
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            });
        }
    });
}

fn post(stream: &mut TcpStream, body: &[u8]) -> u16 {
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let (mut answer, mut chunk) = (Vec::new(), [0; 4_096]);
    let end = loop {
        if let Some(end) = answer.windows(4).position(|part| part == b"\r\n\r\n") {
            break end + 4;
        }
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "the server closed the connection");
        answer.extend_from_slice(&chunk[..read]);
    };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length: usize =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    let mut left = length.saturating_sub(answer.len() - end);
    while left > 0 {
        left = left.saturating_sub(stream.read(&mut chunk).unwrap());
    }
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap()
}

/// Spans per second when the rows of a store are put into the same tables by nothing but prepared statements.
fn bare(from: &Path, to: &Path, most_spans: i64) -> f64 {
    drop(Store::open(to, StoreOptions::default()).unwrap());
    let source = rusqlite::Connection::open(from).unwrap();
    let target = rusqlite::Connection::open(to).unwrap();
    target
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -8192")
        .unwrap();
    let number = |sql: &str| source.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let spans = number("SELECT count(*) FROM spans").min(most_spans);
    let last = number(&format!("SELECT max(key) FROM (SELECT key FROM spans ORDER BY key LIMIT {spans})"));
    let tables = [
        ("origins", "SELECT * FROM origins WHERE ?1 >= 0 AND ?2 > 0"),
        (
            "workflows",
            "SELECT * FROM workflows WHERE key IN (SELECT workflow FROM spans WHERE key > ?1 AND key <= ?2 EXCEPT SELECT workflow FROM spans WHERE key <= ?1)",
        ),
        (
            "traces",
            "SELECT t.* FROM traces t WHERE workflow IN (SELECT workflow FROM spans WHERE key > ?1 AND key <= ?2 EXCEPT SELECT workflow FROM spans WHERE key <= ?1)",
        ),
        ("spans", "SELECT * FROM spans WHERE key > ?1 AND key <= ?2"),
        ("handoffs", "SELECT * FROM handoffs WHERE s_span > ?1 AND s_span <= ?2"),
        (
            "findings",
            "SELECT f.* FROM findings f JOIN handoffs h ON h.key = f.handoff WHERE h.s_span > ?1 AND h.s_span <= ?2",
        ),
    ];
    let mut spent = Duration::ZERO;
    for begin in (0..last).step_by(10_000) {
        let end = (begin + 10_000).min(last);
        let mut batch: Vec<(String, Vec<Vec<Value>>)> = Vec::new();
        for (at, (table, sql)) in tables.iter().enumerate() {
            if at == 0 && begin > 0 {
                continue;
            }
            let mut select = source.prepare(sql).unwrap();
            let columns = select.column_count();
            let rows = select
                .query_map([begin, end], |row| (0..columns).map(|at| row.get(at)).collect::<Result<Vec<Value>, _>>())
                .unwrap()
                .collect::<Result<Vec<_>, _>>()
                .unwrap();
            let places = (1..=columns).map(|at| format!("?{at}")).collect::<Vec<_>>().join(", ");
            batch.push((format!("INSERT INTO {table} VALUES ({places})"), rows));
        }
        let begun = Instant::now();
        target.execute_batch("BEGIN IMMEDIATE").unwrap();
        for (insert, rows) in &batch {
            let mut insert = target.prepare_cached(insert).unwrap();
            for row in rows {
                insert.execute(rusqlite::params_from_iter(row)).unwrap();
            }
        }
        target.execute_batch("COMMIT").unwrap();
        spent += begun.elapsed();
    }
    spans as f64 / spent.as_secs_f64()
}

/// Spans per second of `tv`, until it shows all that it was sent; `None` where it is not found.
fn trace_view(requests: &[(Vec<u8>, usize)]) -> Option<f64> {
    let venv = std::env::var_os("WILCO_TEST_VENV").map_or_else(|| PathBuf::from(".venv"), PathBuf::from);
    let program = Some(venv.join("bin/tv")).filter(|path| path.exists())?;
    let mut count = 0;
    let requests: Vec<_> = requests
        .iter()
        .take_while(|(_, spans)| {
            count += spans;
            count <= MOST_FOR_TRACE_VIEW
        })
        .cloned()
        .collect();
    let spans: usize = requests.iter().map(|(_, spans)| spans).sum();
    let folder = tempfile::tempdir_in(".").unwrap();
    let database = folder.path().join("traces.db");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut process = Command::new(program)
        .args(["--port", &address.port().to_string(), "--batch-interval-ms", "10", "--db"])
        .arg(&database)
        .arg("serve")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "tv does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    let begun = Instant::now();
    send(address, &requests);
    // It answers before it writes: what counts is what is in its file.
    let rows = loop {
        let connection =
            rusqlite::Connection::open_with_flags(&database, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let rows = connection.query_row("SELECT count(*) FROM spans", [], |row| row.get::<_, i64>(0)).unwrap_or(0);
        if rows >= spans as i64 || begun.elapsed() > Duration::from_secs(60) {
            break rows;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let rate = rows as f64 / begun.elapsed().as_secs_f64();
    let _ = process.kill();
    let _ = process.wait();
    Some(rate)
}

fn median(times: u64, mut run: impl FnMut(u64)) -> Duration {
    let mut taken: Vec<Duration> = (0..times)
        .map(|turn| {
            let begun = Instant::now();
            run(turn);
            begun.elapsed()
        })
        .collect();
    taken.sort_unstable();
    taken[taken.len() / 2]
}

/// Resident memory of this process, which is server and sender in one.
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
