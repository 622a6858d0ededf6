//! Every header name that Wilco reads or writes, once, and the name by which a channel's connection is known.
//!
//! NATS header names are case-sensitive; these spellings are the contract.

/// W3C trace context: trace id, span id and flags.
pub const TRACEPARENT: &str = "traceparent";
/// W3C trace state, written only where the caller has one.
pub const TRACESTATE: &str = "tracestate";
/// W3C baggage, written only where the caller has some.
pub const BAGGAGE: &str = "baggage";
/// The packed header: an [`Envelope`](super::Envelope).
pub const WILCO: &str = "Wilco";
/// JetStream's de-duplication id: handoff id, `.`, attempt.
pub const NATS_MSG_ID: &str = "Nats-Msg-Id";
/// Plain header: the workflow id.
pub const WILCO_WORKFLOW: &str = "Wilco-Workflow";
/// Plain header: the sending agent's name.
pub const WILCO_FROM: &str = "Wilco-From";
/// Plain header: the intent as JSON, in clear.
pub const WILCO_INTENT: &str = "Wilco-Intent";
/// Plain header on a reply: the readback as intent JSON.
pub const WILCO_READBACK: &str = "Wilco-Readback";
/// Plain header on a reply: `0.83; by=schema`.
pub const WILCO_QUALITY: &str = "Wilco-Quality";
/// How the connection of a channel calls itself, before the channel's name: no name of an agent.
pub const CHANNEL_CONNECTION: &str = "wilco channel ";
/// Why a NATS service could not answer, in words (NATS micro, ADR-32).
pub const NATS_SERVICE_ERROR: &str = "Nats-Service-Error";
/// Why a NATS service could not answer, as a number (NATS micro, ADR-32).
pub const NATS_SERVICE_ERROR_CODE: &str = "Nats-Service-Error-Code";
