//! How long a server takes to make a page, where there is much behind it.
//!
//!     cargo bench --bench pages                          a short run: 60,000 handoffs
//!     cargo bench --bench pages -- --handoffs 1000000    what the README tells
//!     cargo bench --bench pages -- --db FILE             on a database that is there
//!
//! Prints the half of all requests that were quicker (p50) and what 95 of 100 were (p95), from the connection to the last
//! byte, each page asked for as often, every time for another workflow or handoff.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures, and prints what it measured")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use wilco::model::Span;
use wilco::server::{Server, ServerOptions};
use wilco::store::{Store, StoreOptions};

#[path = "../tests/support/stored.rs"]
#[allow(dead_code)]
mod stored;

use stored::Told;

/// Handoffs of one workflow; each has two spans.
const A_WORKFLOW: u64 = 10;

/// How often each page is asked for.
const TIMES: u64 = 40;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| arguments.iter().position(|each| each == name).and_then(|at| arguments.get(at + 1));
    let handoffs: u64 = after("--handoffs").map_or(60_000, |count| count.parse().unwrap());
    let folder = tempfile::tempdir_in(after("--folder").map_or(".", String::as_str)).unwrap();
    let path = after("--db").map_or_else(|| folder.path().join("wilco.db"), Into::into);
    let is_there = path.exists();
    let store = Store::open(&path, StoreOptions::default().waiting_bytes(1 << 30)).unwrap();
    if !is_there {
        let begun = Instant::now();
        for part in (0..handoffs).step_by(5_000) {
            store
                .insert_blocking(
                    (part..(part + 5_000).min(handoffs)).flat_map(|number| spans(number, handoffs)).collect(),
                )
                .unwrap();
        }
        store.insert_blocking(large()).unwrap();
        println!("{handoffs} handoffs put in within {:.0} s", begun.elapsed().as_secs_f64());
    }

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let options = ServerOptions::default().http(any).otlp_http(any).otlp_grpc(None);
    let server = runtime.block_on(Server::start(store, options)).unwrap();
    let at = server.addresses().http;
    let pick = |turn: u64| turn.wrapping_mul(2_654_435_761) % handoffs.max(1);
    let pages: [(&str, &dyn Fn(u64) -> String); 15] = [
        ("workflows", &|_| "/".to_owned()),
        ("workflows, a page further", &|turn| format!("/?offset={}", 50 * turn)),
        ("workflows, last 15 min", &|_| "/?range=15m".to_owned()),
        ("workflows, by mismatch", &|_| "/?q=mismatch%20%3D%20stale_context".to_owned()),
        ("workflows, by boundary", &|_| "/?q=from%20%3D%20planner%20AND%20verdict%20%3D%20mismatched".to_owned()),
        ("a workflow", &|turn| format!("/workflows/wf-{}", pick(turn) / A_WORKFLOW)),
        ("a handoff", &|turn| format!("/handoffs/{}", Told::id(pick(turn) + 1))),
        ("agents", &|_| "/agents".to_owned()),
        ("agents, last 24 h", &|_| "/agents?range=24h".to_owned()),
        ("a boundary", &|_| "/agents?from=planner&to=writer".to_owned()),
        ("statistics", &|_| "/stats".to_owned()),
        ("statistics, last 24 h", &|_| "/stats?range=24h".to_owned()),
        ("the same, beside the day before", &|_| "/stats?range=24h&against=before".to_owned()),
        ("a workflow of 10,000 spans", &|_| "/workflows/large".to_owned()),
        ("the same, in one span", &|turn| format!("/workflows/large?span={:016x}", (2_000_000_000 + turn) * 4 + 2)),
    ];
    println!("{:<34}{:>10}{:>10}{:>10}", "page", "first ms", "p50 ms", "p95 ms");
    for (name, path) in pages {
        let first = get(at, &path(0));
        let mut taken: Vec<Duration> = (1..=TIMES).map(|turn| get(at, &path(turn))).collect();
        taken.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "{name:<34}{:>10.1}{:>10.1}{:>10.1}",
            ms(first),
            ms(taken[taken.len() / 2]),
            ms(taken[taken.len() * 95 / 100])
        );
    }
    runtime.block_on(server.close(Duration::from_secs(1)));
}

fn get(at: SocketAddr, path: &str) -> Duration {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(at).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/html\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let head = String::from_utf8_lossy(&answer[..answer.len().min(200)]);
    assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
    begun.elapsed()
}

const DAY_MS: u64 = 24 * 3_600_000;

/// Since the time that samples count from, in milliseconds.
fn now_ms() -> u64 {
    wilco::model::Timestamp::now().unix_nanos().saturating_sub(stored::NOON) / 1_000_000
}

fn spans(number: u64, handoffs: u64) -> impl Iterator<Item = Span> {
    let place = number % A_WORKFLOW;
    let (from, to) = [("planner", "researcher"), ("planner", "writer"), ("writer", "reviewer")][place as usize % 3];
    // Evenly over the last two days, the last one just now.
    let at_ms = now_ms().saturating_sub(2 * DAY_MS - 2 * DAY_MS * (number + 1) / handoffs);
    let told = Told::new(number + 1, &format!("wf-{}", number / A_WORKFLOW), from, to);
    let mut told = Told { at_ms, ..told }
        .with("wilco.intent.sent", r#"{"goal":"find_sources","constraints":{"max":5,"since":"2025-01-01"}}"#)
        .with("wilco.context.age_ms", 12.5);
    if place > 0 {
        told = told.below(number);
    }
    if number.is_multiple_of(97) {
        told = told.found("stale_context");
    }
    told.spans().into_iter()
}

/// A workflow of 10,000 spans.
fn large() -> Vec<Span> {
    let mut spans = Vec::new();
    for number in 0..2_000 {
        let place = 2_000_000_000 + number;
        let (from, to) =
            [("planner", "researcher"), ("researcher", "writer"), ("writer", "planner")][number as usize % 3];
        let told = Told { at_ms: number * 10, ..Told::new(place, "large", from, to) };
        let [sender, receiver] = told.spans();
        for call in 0..3 {
            let id = 20_000_000_000 + number * 10 + call;
            let mut inner =
                stored::span(told.trace(), id, "chat", Default::default(), told.at_ms + call, 2, Default::default());
            inner.parent_span_id = Some(receiver.span_id);
            spans.push(inner);
        }
        spans.extend([sender, receiver]);
    }
    spans
}
