//! Wilco traces the handoffs between agents over NATS.

#[cfg(feature = "channel")]
pub mod channel;
pub mod model;
#[cfg(feature = "telemetry")]
pub mod telemetry;
pub mod verify;
pub mod wire;
