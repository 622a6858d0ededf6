//! Statuses that a server puts into the first line of a header block (`NATS/1.0 503`).

/// Idle heartbeat or flow control of a JetStream consumer.
pub const CONTROL: u16 = 100;
/// No messages, in answer to a pull request.
pub const NO_MESSAGES: u16 = 404;
/// A pull request has run out of time, or was malformed.
pub const REQUEST_TIMEOUT: u16 = 408;
/// A JetStream consumer is gone, or one of its limits was met; the description says which.
pub const CONFLICT: u16 = 409;
/// Nobody subscribes to the subject of a request. Newer servers add a header `Nats-Subject`.
pub const NO_RESPONDERS: u16 = 503;
