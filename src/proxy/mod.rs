//! A proxy between agents and their NATS server: it traces the handoffs of agents that know nothing of Wilco.
//!
//! Clients change one URL. What they say goes on byte for byte, but for the headers that a published message gets; what
//! they hear goes on byte for byte. [`Settings`] has what can be set, [`Proxy`] runs it.
//!
//! ```text
//! listen.rs   accepts, and hands connections to the workers
//! worker.rs   one thread: its connections, its counters, its batch of records
//! session/    one client and its server: frames, headers, back-pressure, how they end
//! observer/   what one session learns of its agent's handoffs
//! correlate/  one thread: joins what the sessions learned into handoffs, and these into spans
//! ```
//!
//! Started from the command line (which runs until it gets SIGTERM):
//!
//! ```text
//! cargo run --release -- proxy --listen 127.0.0.1:4223 --upstream nats://127.0.0.1:4222 --otlp http://127.0.0.1:4318 --metrics 127.0.0.1:9222
//! ```
//!
//! A message never waits for anything but its receiver: no lock, no channel and no allocation per message lie on its
//! way, and records of it are dropped, and counted, rather than waited for.

mod config;
mod correlate;
mod counters;
mod error;
mod info;
mod listen;
mod metrics;
mod observer;
mod profile;
mod record;
mod session;
mod settings;
mod shared;
mod stream;
mod tls;
mod upstream;
mod worker;

pub use config::Config;
pub use error::ProxyError;
pub use listen::{Drained, Proxy};
pub use settings::{KEYS, Key, Origin, Row, Settings, SettingsError, Shape};
