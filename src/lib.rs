//! Wilco traces the handoffs between agents over NATS: what was handed over, what the receiver understood, how old the
//! context was, and what became of the result.
//!
//! On the radio, "roger" means *received*; "wilco" means *understood, and will comply*. A message bus only ever says
//! roger. With this crate the receiver of a task says what it understood before it works, the sender compares, and
//! whatever does not agree leaves as a span that any OpenTelemetry backend can show.
//!
#![cfg_attr(feature = "channel", doc = "```no_run")]
#![cfg_attr(not(feature = "channel"), doc = "```ignore")]
//! use wilco::channel::{Channel, Handoff};
//! use wilco::model::{Intent, Verdict};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let channel = Channel::builder("newsroom").connect("nats://127.0.0.1:4222").await?;
//!     let mut inbox = channel.join("researcher").await?.inbox().await?;
//!     tokio::spawn(async move {
//!         let offer = inbox.next().await?;
//!         let max: u32 = offer.payload().ok()?; // understood in its own way, and said so before any work:
//!         let task = offer.read_back(Intent::new("find_sources").constraint("max", max)).await.ok()?;
//!         task.complete(&["https://example.org/1"]).quality(0.83, "schema").await.ok()
//!     });
//!     let intent = Intent::new("find_sources").constraint("max", 5);
//!     let receipt = channel.join("planner").await?.hand_off("researcher", Handoff::new(intent, &5)?).await?;
//!     match receipt.verdict().await {
//!         Verdict::Agreed { .. } => println!("{:?}", receipt.result::<Vec<String>>().await?.used()),
//!         other => println!("{:?}", other.mismatches()), // what does not agree, each with its evidence
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Where to look
//!
//! | module | holds |
//! |---|---|
//! | [`model`] | the words: [`Intent`](model::Intent), [`Context`](model::Context), the ladder of [`Rung`](model::Rung)s, [`Verdict`](model::Verdict), and every [`MismatchKind`](model::MismatchKind) with an example |
//! | [`channel`] | the API: [`Channel`](channel::Channel), [`Handoff`](channel::Handoff) and [`Receipt`](channel::Receipt) for the sender, [`Inbox`](channel::Inbox), [`Offer`](channel::Offer) and [`Task`](channel::Task) for the receiver, [`Hooks`](channel::Hooks) |
//! | [`telemetry`] | spans and metrics, and how they leave over OTLP |
//! | [`verify`] | the checks themselves, pure: usable without a bus |
//! | [`diagnose`] | [`find_failure`](diagnose::find_failure): from the spans of a workflow to the handoff that broke |
//! | [`otlp`] | spans of any origin, read from and written to OTLP |
//! | [`wire`] | headers and receipts, and the [contract](wire::contract) for agents in other languages |
//! | [`nats`] | the NATS client protocol, both directions, for who stands in between or plays the server |
//! | [`bus`] | an embedded core-NATS bus, for development and tests |
//! | [`proxy`] | a proxy between agents and their NATS server: traces agents that know nothing of Wilco |
//! | [`store`] | the trace store: spans in SQLite, joined to handoffs and workflows, and the [query language](store::query) |
//! | [`server`] | OTLP in, and a JSON API over a store |
//! | [`client`] | asks a running server of ours over HTTP, with no database |
//! | [`workflows`] | what was traced, on a server or in a file: `Workflows::open(...)`, `get_trace(id)`, `find_failure()` |
//! | [`cli`] | the `wilco` command: `bus`, `demo`, `proxy`, `replay`, `serve`, `query`, `stats`, `tail`, `import`, `export` |
//! | [`docs`] | [architecture](docs::architecture), [design](docs::design), [changelog](docs::changelog) |
//!
//! Complete programs are in `examples/`: `planner.rs` and `researcher.rs` first, then `hooks.rs`, `fan_out.rs` and
//! `plain_peer.rs`.
//!
//! # Features
//!
//! | feature | adds | default |
//! |---|---|---|
//! | (none) | [`model`], [`wire`], [`verify`], [`nats`]: no network, no runtime | |
//! | `telemetry` | [`telemetry`], with an OTLP exporter; [`client`] | |
//! | `channel` | [`channel`], with async-nats; implies `telemetry` | |
//! | `bus` | [`bus`] | |
//! | `proxy` | [`proxy`]; implies `telemetry` | |
//! | `store` | [`store`] and [`workflows`], with SQLite; implies `telemetry` | |
//! | `server` | [`server`], with axum and tonic; implies `store` | |
//! | `cli` | the `wilco` program; implies `bus`, `channel`, `proxy` and `server` | |
//! | `app` | all that the program needs: `cli` | yes |
//!
//! A user of the library writes `default-features = false, features = ["channel"]`. A feature only adds; none changes
//! what another does.
//!
//! # What holds everywhere
//!
//! - A mismatch is a *finding*, not an `Err`: it is in the [`Verdict`](model::Verdict) and on the span, with its evidence.
//! - Silence is no yes, and by itself no failure. No rung is reported without [`Evidence`](model::Evidence).
//! - A peer's bad bytes are data: never a panic, and never a reason to keep a message from its agent.
//! - Every wait has a deadline, every queue a bound. Telemetry may be dropped, and is then counted; tasks are not.
//! - Every asynchronous function says when it fails and what happens if its future is dropped.

#[cfg(feature = "bus")]
pub mod bus;
#[cfg(feature = "channel")]
pub mod channel;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "telemetry")]
pub mod client;
pub mod diagnose;
pub mod docs;
pub mod model;
pub mod nats;
pub mod otlp;
#[cfg(feature = "proxy")]
pub mod proxy;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "telemetry")]
pub mod telemetry;
pub mod verify;
pub mod wire;
#[cfg(feature = "store")]
pub mod workflows;
