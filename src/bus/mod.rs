//! An embedded bus: the core of NATS in this process, for development, demonstrations and tests.
//!
//! It speaks the protocol as nats-server does, with the same parser as the proxy: subjects with wildcards, queue groups,
//! headers, request and reply with "no responders", `UNSUB` after so many, `echo` and `verbose`, one token as
//! authorisation. What it is not: **core NATS only, one process, nothing stored**. There is no JetStream (its API calls
//! are answered with "no responders", as by a nats-server without it), no cluster, no TLS, no accounts. For anything
//! that must survive a restart, run nats-server.
//!
//! A message is held only until its subscribers' sockets took it. All memory is bounded: connections
//! ([`BusBuilder::max_connections`]), what one connection sends at once ([`BusBuilder::max_payload`]), and what waits
//! for one connection ([`BusBuilder::max_pending`]): who reads too slowly is cut off, and told.
//!
//! ```
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use wilco::bus::Bus;
//!
//! let bus = Bus::builder().listen("127.0.0.1:0").start().await?;
//! println!("agents connect to {}", bus.url());
//! bus.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! Inside: one task a connection. It reads a batch, finds who subscribes (`router.rs`, a tree of tokens behind one lock,
//! with a cache for each connection), appends to the outboxes of the receivers (`outbox.rs`), and then writes each of
//! those once, itself, straight to the socket; only what a socket did not take is left to the receiver's own task.

mod builder;
mod client;
mod connection;
mod error;
mod keeper;
mod listener;
mod outbox;
mod parting;
mod router;
mod session;
mod shared;
mod stats;
mod sublist;
mod subscription;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::shared::Shared;

pub use builder::BusBuilder;
pub use error::BusError;
pub use stats::BusStats;

/// A running bus. Dropping it closes every connection at once; [`shutdown`](Self::shutdown) first sends what waits.
#[derive(Debug)]
pub struct Bus {
    address: SocketAddr,
    shared: Arc<Shared>,
    ends: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Bus {
    /// A bus to be started. Without further words it listens on a free port of 127.0.0.1.
    pub fn builder() -> BusBuilder {
        BusBuilder::default()
    }

    /// Where it listens; with the port that the system chose, if it was left to it.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where clients of this machine connect, such as `nats://127.0.0.1:41233`. Without the token, if there is one.
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("nats://{address}")
    }

    /// What it has done so far.
    pub fn stats(&self) -> BusStats {
        self.shared.stats()
    }

    /// Accepts no more, sends what waits, closes every connection. Takes at most 2 seconds.
    ///
    /// # Cancel safety
    /// If dropped, the connections are closed at once, as by dropping the bus.
    pub async fn shutdown(mut self) {
        self.ends.send_replace(true);
        let serving = &mut self.serving;
        // It fails only if the task was cancelled with the runtime.
        let _ = serving.await;
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        // Its connections are owned by this task, and end with it.
        self.serving.abort();
    }
}
