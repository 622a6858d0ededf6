//! What the store does in a second, and how long a question takes.
//!
//!     cargo bench --bench store                          a short run: 60,000 handoffs
//!     cargo bench --bench store -- --handoffs 1000000    what the README tells
//!
//! `wilco serve` runs as a process of its own and gets OTLP/protobuf over HTTP from eight connections, in parts of 20,000
//! handoffs. The first parts are given to others, too, in turns, so that what else the machine does falls on all alike:
//! to bare SQLite (the same rows into the same tables with the same indexes and the same durability, from memory, in
//! transactions of about 10,000), and to `tv` of PyPI's `trace-view` where that is found (in WILCO_TEST_VENV or .venv).
//! CPU time is that of the whole process for servers, and of the inserting thread for bare SQLite.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures, and prints what it measured")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use wilco::model::{Span, Timestamp};
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

/// Handoffs that are sent between two looks at the clock.
const HANDOFFS_A_PART: u64 = 20_000;

/// Parts that the others get, too: they are slower.
const PARTS_FOR_ALL: u64 = 3;

/// What somebody took in, and what that cost.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    spans: usize,
    time: Duration,
    cpu: Duration,
}

impl Taken {
    fn add(&mut self, spans: usize, time: Duration, cpu: Duration) {
        self.spans += spans;
        self.time += time;
        self.cpu += cpu;
    }

    fn rate(&self) -> f64 {
        self.spans as f64 / self.time.as_secs_f64()
    }

    fn show(&self, who: &str) {
        let cpu = self.cpu.as_secs_f64() * 1e6 / self.spans.max(1) as f64;
        println!("{who:<24} {:>10.0} spans/s, {cpu:>6.1} us of CPU a span", self.rate());
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| arguments.iter().position(|each| each == name).and_then(|at| arguments.get(at + 1));
    let handoffs: u64 = after("--handoffs").map_or(60_000, |count| count.parse().unwrap());
    let folder = tempfile::tempdir_in(after("--folder").map_or(".", String::as_str)).unwrap();
    println!("{handoffs} handoffs, {} spans, {HANDOFFS_A_WORKFLOW} handoffs a workflow", handoffs * 2);

    let path = folder.path().join("wilco.db");
    let serve = Serve::start(&path);
    let mut bare = Bare::open(&path, &folder.path().join("bare.db"));
    let mut peer = TraceView::start(folder.path());
    // Made a part at a time, so that what is sent does not stand beside what is measured.
    let (mut ours, mut all, mut theirs, mut rows) =
        (Taken::default(), Taken::default(), Taken::default(), Taken::default());
    for (part, begin) in (0..handoffs).step_by(HANDOFFS_A_PART as usize).enumerate() {
        let requests = requests(begin..(begin + HANDOFFS_A_PART).min(handoffs));
        let spans = requests.iter().map(|(_, count)| count).sum::<usize>();
        let (begun, cpu) = (Instant::now(), cpu_of(serve.process.id()));
        send(serve.otlp, &requests);
        let (time, cpu) = (begun.elapsed(), cpu_of(serve.process.id()) - cpu);
        all.add(spans, time, cpu);
        if (part as u64) < PARTS_FOR_ALL {
            ours.add(spans, time, cpu);
            let (time, cpu) = bare.copy_new();
            rows.add(spans, time, cpu);
            if let Some(peer) = &mut peer {
                let (time, cpu) = peer.take(&requests, spans);
                theirs.add(spans, time, cpu);
            }
        }
    }
    println!("in turns, {} spans each, over OTLP/HTTP and durable:", ours.spans);
    ours.show("wilco serve");
    rows.show("bare SQLite, same rows");
    println!("  the store reaches {:.2} of bare SQLite", ours.rate() / rows.rate());
    match &peer {
        Some(_) => {
            theirs.show("trace-view");
            println!("  the store reaches {:.1} times trace-view", ours.rate() / theirs.rate());
        }
        None => println!("trace-view not found"),
    }
    all.show("wilco serve, all");
    println!("resident {:.0} MiB after the load", resident_mib(serve.process.id()));

    let store = Store::open(&path, StoreOptions::default()).unwrap();
    let workflows = handoffs / HANDOFFS_A_WORKFLOW;
    let pick = |turn: u64| format!("wf-{}", turn.wrapping_mul(2_654_435_761) % workflows.max(1));
    let in_process = median(500, |turn| assert!(!store.spans(&pick(turn)).unwrap().is_empty()));
    println!("one workflow, in process {:>10.3} ms p50", in_process.as_secs_f64() * 1e3);
    let over_http = median(500, |turn| {
        let mut stream = TcpStream::connect(serve.api).unwrap();
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
        "workflow = wf-7 AND type = handoff",
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
        resident_mib(serve.process.id()),
        std::fs::metadata(&path).unwrap().len() as f64 / 1048576.0
    );
}

/// A running `wilco serve`. Dropping it kills it.
struct Serve {
    process: Child,
    api: SocketAddr,
    otlp: SocketAddr,
}

impl Serve {
    fn start(db: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_wilco"))
            .args([
                "serve",
                "--http",
                "127.0.0.1:0",
                "--otlp-http",
                "127.0.0.1:0",
                "--otlp-grpc",
                "127.0.0.1:0",
                "--db",
            ])
            .arg(db)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut address = |before: &str| loop {
            let line = lines.next().unwrap().unwrap();
            if let Some((_, address)) = line.split_once(before) {
                break address.trim().parse().unwrap();
            }
        };
        let (api, otlp) = (address("http://"), address("http://"));
        // Whatever else it says is read, so that it never waits.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, api, otlp }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
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

/// The rows of a store, put into the same tables by nothing but prepared statements.
struct Bare {
    source: rusqlite::Connection,
    target: rusqlite::Connection,
    /// The last trace that was copied.
    last: i64,
}

/// Traces that one transaction copies: some 10,000 spans.
const TRACES_AT_ONCE: i64 = 500;

/// What belongs to the traces from one to another. A trace is one workflow here.
const TABLES: [(&str, &str); 9] = [
    ("origins", "SELECT * FROM origins WHERE ?1 = 1 AND ?2 > 0"),
    ("traces", "SELECT * FROM traces WHERE key BETWEEN ?1 AND ?2"),
    (
        "workflows",
        "SELECT * FROM workflows WHERE key IN (SELECT workflow FROM workflow_traces WHERE trace BETWEEN ?1 AND ?2)",
    ),
    ("workflow_traces", "SELECT * FROM workflow_traces WHERE trace BETWEEN ?1 AND ?2"),
    ("spans", "SELECT * FROM spans WHERE key BETWEEN ?1 << 30 AND (?2 + 1 << 30) - 1"),
    (
        "packs",
        "SELECT * FROM packs WHERE key IN (SELECT pack FROM spans WHERE key BETWEEN ?1 << 30 AND (?2 + 1 << 30) - 1)",
    ),
    (
        "handoffs",
        "SELECT * FROM handoffs WHERE workflow IN (SELECT workflow FROM workflow_traces WHERE trace BETWEEN ?1 AND ?2)",
    ),
    (
        "findings",
        "SELECT f.* FROM findings f JOIN handoffs h ON h.key = f.handoff \
         WHERE h.workflow IN (SELECT workflow FROM workflow_traces WHERE trace BETWEEN ?1 AND ?2)",
    ),
    (
        "arrivals",
        "SELECT ?1 * 1000000, (SELECT zeroblob(8 * count(*)) FROM spans WHERE key BETWEEN ?1 << 30 AND (?2 + 1 << 30) - 1)",
    ),
];

impl Bare {
    fn open(from: &Path, to: &Path) -> Self {
        drop(Store::open(to, StoreOptions::default()).unwrap());
        let target = rusqlite::Connection::open(to).unwrap();
        target
            .execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16384")
            .unwrap();
        Self { source: rusqlite::Connection::open(from).unwrap(), target, last: 0 }
    }

    /// Copies what is new; how long the inserts took.
    fn copy_new(&mut self) -> (Duration, Duration) {
        let newest: i64 = self.source.query_row("SELECT max(key) FROM traces", [], |row| row.get(0)).unwrap();
        let (mut time, mut cpu) = (Duration::ZERO, Duration::ZERO);
        while self.last < newest {
            let (begin, end) = (self.last + 1, (self.last + TRACES_AT_ONCE).min(newest));
            self.last = end;
            let mut batch: Vec<(String, Vec<Vec<Value>>)> = Vec::new();
            for (table, sql) in TABLES {
                let mut select = self.source.prepare(sql).unwrap();
                let columns = select.column_count();
                let rows = select
                    .query_map([begin, end], |row| {
                        (0..columns).map(|at| row.get(at)).collect::<Result<Vec<Value>, _>>()
                    })
                    .unwrap()
                    .collect::<Result<Vec<_>, _>>()
                    .unwrap();
                let places = (1..=columns).map(|at| format!("?{at}")).collect::<Vec<_>>().join(", ");
                batch.push((format!("INSERT INTO {table} VALUES ({places})"), rows));
            }
            let (begun, cpu_before) = (Instant::now(), cpu_of_thread());
            self.target.execute_batch("BEGIN IMMEDIATE").unwrap();
            for (insert, rows) in &batch {
                let mut insert = self.target.prepare_cached(insert).unwrap();
                for row in rows {
                    insert.execute(rusqlite::params_from_iter(row)).unwrap();
                }
            }
            self.target.execute_batch("COMMIT").unwrap();
            time += begun.elapsed();
            cpu += cpu_of_thread() - cpu_before;
        }
        (time, cpu)
    }
}

/// A running `tv`. Dropping it kills it.
struct TraceView {
    process: Child,
    address: SocketAddr,
    database: PathBuf,
    rows: usize,
}

impl TraceView {
    /// `None` where it is not found.
    fn start(folder: &Path) -> Option<Self> {
        let venv = std::env::var_os("WILCO_TEST_VENV").map_or_else(|| PathBuf::from(".venv"), PathBuf::from);
        let program = Some(venv.join("bin/tv")).filter(|path| path.exists())?;
        let database = folder.join("trace-view.db");
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Command::new(program)
            .args(["--port", &address.port().to_string(), "--batch-interval-ms", "10", "--db"])
            .arg(&database)
            .arg("serve")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "tv does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { process, address, database, rows: 0 })
    }

    /// Sends, and waits until all is in its file: it answers before it writes.
    fn take(&mut self, requests: &[(Vec<u8>, usize)], spans: usize) -> (Duration, Duration) {
        let (begun, cpu) = (Instant::now(), cpu_of(self.process.id()));
        send(self.address, requests);
        self.rows += spans;
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = rusqlite::Connection::open_with_flags(&self.database, flags).unwrap();
        loop {
            let rows = connection.query_row("SELECT count(*) FROM spans", [], |row| row.get::<_, i64>(0)).unwrap_or(0);
            if rows >= self.rows as i64 {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "tv lost spans: {rows} of {}", self.rows);
            std::thread::sleep(Duration::from_millis(5));
        }
        (begun.elapsed(), cpu_of(self.process.id()) - cpu)
    }
}

impl Drop for TraceView {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
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

/// Resident memory of a process.
fn resident_mib(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// CPU time of a process, in user and system mode.
fn cpu_of(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // After the name in parentheses; ticks are of 10 ms on Linux.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    Duration::from_millis(fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10)
}

fn cpu_of_thread() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
