//! Wilco traces the handoffs between agents over NATS.

pub mod model;
#[cfg(feature = "telemetry")]
pub mod telemetry;
pub mod verify;
pub mod wire;
