//! CPU and memory per handoff of the channel, on a real NATS server.
//!
//! `cargo bench --bench cpu -- --server 127.0.0.1:4222 [--rounds N] [--msgs N] [--size BYTES]...
//! [--json FILE] [--only send|receive] [--batch SPANS] [--unclocked]`
//! `... -- --round-trip` and `... -- --million` measure the full delegation and the memory instead.
//!
//! Send side: `hand_off` of a transfer without receipts to a subject on which a plain socket drains. Receive side: a
//! plain thread writes pre-rendered handoffs; the inbox offers each, its payload is read as JSON, read back and done.
//! In both, spans are recorded and encoded as OTLP, short of sending them, and all CPU of the process counts but that of
//! the helper thread. `--unclocked` leaves the clocks alone, for valgrind.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use wilco::channel::{Channel, Handoff};
use wilco::model::{AgentName, ContentHash, HandoffId, HandoffKind, InstanceId, Intent, Timestamp, WorkflowId};
use wilco::telemetry::{OtlpTransport, Sending, Telemetry};
use wilco::wire::Envelope;

#[derive(Serialize, Deserialize)]
struct Order {
    id: u64,
    customer: String,
    amount_cents: u64,
    currency: String,
    body: String,
}

impl Order {
    fn of_size(size: usize) -> Self {
        let mut order = Self {
            id: 1,
            customer: "acme-7".into(),
            amount_cents: 129_900,
            currency: "EUR".into(),
            body: String::new(),
        };
        let fixed = serde_json::to_vec(&order).unwrap().len();
        order.body = "x".repeat(size.saturating_sub(fixed));
        order
    }
}

/// Drops every request.
#[derive(Debug)]
struct NoExport;

impl OtlpTransport for NoExport {
    fn send(&self, request: Bytes, spans: usize) -> Sending<'_> {
        std::hint::black_box((request, spans));
        Box::pin(std::future::ready(Ok(())))
    }
}

fn main() {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if options.round_trip {
        runtime.block_on(round_trip(&options));
    } else if options.million {
        runtime.block_on(million(&options));
    } else {
        runtime.block_on(cpu(&options));
    }
}

async fn cpu(options: &Options) {
    let mut rows = Vec::new();
    println!("| payload | send ns/handoff | receive ns/handoff |\n|---|---|---|");
    for &size in &options.sizes {
        let msgs = if size > 4096 { options.msgs / 4 } else { options.msgs };
        let (mut sends, mut receives) = (Vec::new(), Vec::new());
        for round in 0..=options.rounds {
            // Only one of them, for a profiler.
            let side = options.only.as_deref();
            let send = if side == Some("receive") { 0.0 } else { send(options, size, msgs).await };
            let receive = if side == Some("send") { 0.0 } else { receive(options, size, msgs).await };
            if round > 0 {
                sends.push(send);
                receives.push(receive);
            }
        }
        let (send, receive) = (median(&mut sends), median(&mut receives));
        println!("| {size} | {send:.0} | {receive:.0} |");
        rows.push(serde_json::json!({"size": size, "send_ns": send, "receive_ns": receive}));
    }
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(&rows).unwrap()).unwrap();
    }
}

fn telemetry(options: &Options) -> Telemetry {
    let builder = Telemetry::builder().transport(NoExport).without_metrics().schedule_delay(Duration::from_millis(50));
    match options.batch {
        Some(batch) => builder.batch_size(batch).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

fn intent() -> Intent {
    Intent::new("book_order").object("acme-7").constraint("currency", "EUR")
}

async fn send(options: &Options, size: usize, msgs: u64) -> f64 {
    let telemetry = telemetry(options);
    let channel = Channel::builder("bench").telemetry(telemetry.clone()).connect(&options.server).await.unwrap();
    let clerk = channel.join("clerk").await.unwrap();
    let drain = Drain::start(&options.server, "wilco.bench.book");
    let (intent, template) = (intent(), Order::of_size(size));
    let before = process_cpu();
    for id in 0..msgs {
        let order = Order {
            id,
            body: template.body.clone(),
            customer: template.customer.clone(),
            currency: template.currency.clone(),
            ..template
        };
        let handoff = Handoff::new(intent.clone(), &order).unwrap().workflow("bench").transfer().without_receipts();
        drop(clerk.hand_off("book", handoff).await.unwrap());
    }
    while channel.stats().followed > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(telemetry.flush(Duration::from_secs(20)).await.complete);
    let cpu = process_cpu() - before;
    let stats = telemetry.stats();
    assert_eq!((stats.exported, stats.dropped.total()), (msgs, 0), "every span must be made");
    (cpu - drain.stop()) as f64 / msgs as f64
}

async fn receive(options: &Options, size: usize, msgs: u64) -> f64 {
    let telemetry = telemetry(options);
    let channel = Channel::builder("bench").telemetry(telemetry.clone()).connect(&options.server).await.unwrap();
    let mut inbox = channel.join("book").await.unwrap().inbox().await.unwrap();
    let intent = intent();
    let seen = Arc::new(AtomicU64::new(0));
    let before = process_cpu();
    let feeder = std::thread::spawn({
        let (server, seen) = (options.server.clone(), seen.clone());
        move || feed(&server, size, msgs, &seen)
    });
    for n in 1..=msgs {
        let offer = tokio::time::timeout(Duration::from_secs(20), inbox.next()).await.unwrap().unwrap();
        assert!(offer.is_intact());
        std::hint::black_box(offer.payload::<Order>().unwrap());
        offer.read_back(intent.clone()).await.unwrap().done().await.unwrap();
        if n % 64 == 0 || n == msgs {
            seen.store(n, Ordering::Release);
        }
    }
    assert!(telemetry.flush(Duration::from_secs(20)).await.complete);
    let fed = feeder.join().unwrap();
    let cpu = process_cpu() - before;
    let stats = telemetry.stats();
    assert_eq!((stats.exported, stats.dropped.total()), (msgs, 0), "every span must be made");
    (cpu - fed) as f64 / msgs as f64
}

/// Writes handoffs as our own sender would, a new id and number each; returns the CPU that took.
fn feed(server: &str, size: usize, msgs: u64, seen: &AtomicU64) -> u64 {
    let mut socket = TcpStream::connect(server).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"protocol\":1}\r\n").unwrap();
    let payload = serde_json::to_vec(&Order::of_size(size)).unwrap();
    let first_seq = 10_000_000; // so that its text does not grow
    let template = rendered(&payload, first_seq);
    let id_at = find(&template, b"id=") + 3;
    let seq_at = find(&template, b"seq=") + 4;
    let per_batch = (65_536 / template.len()).max(1) as u64;
    let mut batch = Vec::new();
    let mut sent = 0;
    while sent < msgs {
        if sent.saturating_sub(seen.load(Ordering::Acquire)) > 16_384.min(8 * 1024 * 1024 / size as u64) {
            std::thread::sleep(Duration::from_micros(100));
            continue;
        }
        batch.clear();
        for _ in 0..per_batch.min(msgs - sent) {
            let at = batch.len();
            batch.extend_from_slice(&template);
            let id = HandoffId::new(Timestamp::now()).to_string();
            batch[at + id_at..at + id_at + id.len()].copy_from_slice(id.as_bytes());
            let seq = (first_seq + sent).to_string();
            batch[at + seq_at..at + seq_at + seq.len()].copy_from_slice(seq.as_bytes());
            sent += 1;
        }
        socket.write_all(&batch).unwrap();
    }
    while seen.load(Ordering::Acquire) < msgs {
        std::thread::sleep(Duration::from_millis(2));
    }
    thread_cpu()
}

fn rendered(payload: &[u8], seq: u64) -> Vec<u8> {
    let envelope = Envelope {
        id: Some(HandoffId::new(Timestamp::now())),
        at: Some(Timestamp::now()),
        hash: Some(ContentHash::of(payload)),
        size: Some(payload.len() as u64),
        from: Some(AgentName::new("clerk").unwrap()),
        to: Some(AgentName::new("book").unwrap()),
        workflow: Some(WorkflowId::new("bench").unwrap()),
        attempt: Some(1),
        inst: Some(InstanceId::random()),
        seq: Some(seq),
        kind: Some(HandoffKind::Transfer),
        intent: Some(intent().digest()),
        ..Envelope::default()
    };
    let header = format!(
        "NATS/1.0\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nWilco: {}\r\n\r\n",
        envelope.encode(None).unwrap()
    );
    let mut message =
        format!("HPUB wilco.bench.book {} {}\r\n{header}", header.len(), header.len() + payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message.extend_from_slice(b"\r\n");
    message
}

fn find(haystack: &[u8], needle: &[u8]) -> usize {
    haystack.windows(needle.len()).position(|window| window == needle).unwrap()
}

/// A subscriber that only reads.
struct Drain {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<u64>,
}

impl Drain {
    fn start(server: &str, subject: &str) -> Self {
        let mut socket = TcpStream::connect(server).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let hello = format!("CONNECT {{\"verbose\":false,\"headers\":true}}\r\nSUB {subject} 1\r\nPING\r\n");
        socket.write_all(hello.as_bytes()).unwrap();
        let mut greeting = Vec::new();
        let mut buffer = vec![0; 1 << 20];
        while !greeting.windows(4).any(|window| window == b"PONG") {
            let count = socket.read(&mut buffer).unwrap();
            greeting.extend_from_slice(&buffer[..count]);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || {
                while !stop.load(Ordering::Acquire) {
                    let _ = socket.read(&mut buffer);
                }
                thread_cpu()
            }
        });
        Self { stop, thread }
    }

    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap()
    }
}

/// A full delegation (task, readback, result) against a bare request and reply, one at a time, in turns.
async fn round_trip(options: &Options) {
    let telemetry = telemetry(options);
    let asking = Channel::builder("bench").telemetry(telemetry.clone()).connect(&options.server).await.unwrap();
    let answering = Channel::builder("bench").telemetry(telemetry.clone()).connect(&options.server).await.unwrap();
    let mut inbox = answering.join("book").await.unwrap().inbox().await.unwrap();
    tokio::spawn(async move {
        while let Some(offer) = inbox.next().await {
            let order: Order = offer.payload().unwrap();
            let task = offer.read_back(intent()).await.unwrap();
            task.complete(&order).quality(0.9, "bench").await.unwrap();
        }
    });
    let plain = async_nats::connect(&options.server).await.unwrap();
    let mut requests = plain.subscribe("bench.plain").await.unwrap();
    let replier = async_nats::connect(&options.server).await.unwrap();
    plain.flush().await.unwrap();
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            replier.publish(request.reply.unwrap(), request.payload).await.unwrap();
        }
    });
    let requester = async_nats::connect(&options.server).await.unwrap();
    let clerk = asking.join("clerk").await.unwrap();
    let intent = intent();
    println!("| payload | request/reply p50 us | delegation p50 us | x |\n|---|---|---|---|");
    for &size in &options.sizes {
        let order = Order::of_size(size);
        let payload = Bytes::from(serde_json::to_vec(&order).unwrap());
        let (mut bare, mut full) = (Vec::new(), Vec::new());
        for n in 0..options.msgs / 10 {
            let start = Instant::now();
            requester.request("bench.plain", payload.clone()).await.unwrap();
            let between = Instant::now();
            let handoff = Handoff::new(intent.clone(), &order).unwrap().workflow("bench");
            let receipt = clerk.hand_off("book", handoff).await.unwrap();
            let result = receipt.result::<Order>().await.unwrap();
            std::hint::black_box(result.used());
            if n > 200 {
                bare.push((between - start).as_secs_f64() * 1e6);
                full.push(between.elapsed().as_secs_f64() * 1e6);
            }
        }
        let (bare, full) = (median(&mut bare), median(&mut full));
        println!("| {size} | {bare:.0} | {full:.0} | {:.2} |", full / bare);
    }
}

/// Resident memory while a million handoffs go by.
async fn million(options: &Options) {
    let telemetry = telemetry(options);
    let channel = Channel::builder("bench").telemetry(telemetry.clone()).connect(&options.server).await.unwrap();
    let clerk = channel.join("clerk").await.unwrap();
    let other = Channel::builder("bench").telemetry(telemetry.clone()).connect(&options.server).await.unwrap();
    let mut inbox = other.join("book").await.unwrap().inbox().await.unwrap();
    tokio::spawn(async move {
        while let Some(offer) = inbox.next().await {
            offer.read_back(intent()).await.unwrap().complete(&7).await.unwrap();
        }
    });
    let (intent, order) = (intent(), Order::of_size(128));
    println!("| delegations | resident MiB |\n|---|---|");
    for n in 0..=1_000_000_u64 {
        if n % 100_000 == 0 {
            println!("| {n} | {:.1} |", resident_mib());
        }
        let handoff = Handoff::new(intent.clone(), &order).unwrap().workflow("bench");
        let receipt = clerk.hand_off("book", handoff).await.unwrap();
        if n % 64 == 0 {
            std::hint::black_box(receipt.result::<u64>().await.unwrap().used());
        }
    }
    println!("dropped spans: {}", telemetry.stats().dropped.total());
}

fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn process_cpu() -> u64 {
    nanos(ClockId::ProcessCPUTime)
}

fn thread_cpu() -> u64 {
    nanos(ClockId::ThreadCPUTime)
}

/// Without the clocks, whose library valgrind cannot run.
static UNCLOCKED: AtomicBool = AtomicBool::new(false);

fn nanos(clock: ClockId) -> u64 {
    if UNCLOCKED.load(Ordering::Relaxed) {
        return 0;
    }
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct Options {
    server: String,
    rounds: usize,
    msgs: u64,
    sizes: Vec<usize>,
    json: Option<String>,
    round_trip: bool,
    million: bool,
    only: Option<String>,
    batch: Option<usize>,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            server: "127.0.0.1:4222".into(),
            rounds: 5,
            msgs: 40_000,
            sizes: Vec::new(),
            json: None,
            round_trip: false,
            million: false,
            only: None,
            batch: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
            match argument.as_str() {
                "--server" => options.server = value(),
                "--rounds" => options.rounds = value().parse().unwrap(),
                "--msgs" => options.msgs = value().parse().unwrap(),
                "--size" => options.sizes.push(value().parse().unwrap()),
                "--json" => options.json = Some(value()),
                "--round-trip" => options.round_trip = true,
                "--only" => options.only = Some(value()),
                "--batch" => options.batch = Some(value().parse().unwrap()),
                "--unclocked" => UNCLOCKED.store(true, Ordering::Relaxed),
                "--million" => options.million = true,
                "--bench" => {} // what cargo passes
                other => panic!("unknown argument {other}; see the top of benches/cpu.rs"),
            }
        }
        if options.sizes.is_empty() {
            options.sizes = vec![128, 1024, 8192];
        }
        options
    }
}
