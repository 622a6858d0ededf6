//! Wilco traces the handoffs between agents over NATS.

#[cfg(feature = "channel")]
pub mod channel;
#[cfg(feature = "cli")]
pub mod cli;
pub mod model;
#[cfg(feature = "telemetry")]
pub mod telemetry;
pub mod verify;
pub mod wire;
