//! What can go wrong on a channel. A mismatch is a finding ([`crate::model::Verdict`]), never one of these.

use std::sync::Arc;
use std::time::Duration;

use crate::client::ClientError;
use crate::model::{AgentName, InvalidName, Mismatch, Refusal};
use crate::wire::EncodeError;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A channel could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The channel's or an agent's name is not one.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// What is to be asked for traces is no server.
    #[error(transparent)]
    Traces(#[from] ClientError),
    /// The server did not answer, or would not have us.
    #[error(
        "no connection to NATS at {server}: {source}; is nats-server running there, and are the credentials right?"
    )]
    Connect {
        /// What was dialled.
        server: String,
        /// What the client said.
        source: Source,
    },
    /// The server is too old or set up without headers, and everything rides in headers.
    #[error(
        "the NATS server {version} at {server} does not support message headers; use 2.2 or later without `no_headers`"
    )]
    NoHeaders {
        /// What was dialled.
        server: String,
        /// Its version.
        version: String,
    },
    /// The subscription for receipts and replies was refused.
    #[error("could not subscribe to {subject}")]
    Subscribe {
        /// The subject.
        subject: String,
        /// What the client said.
        source: Source,
    },
}

/// What was traced could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The channel was opened without a server to ask.
    #[error(
        "the channel knows no server that keeps traces; name one by `traces(\"http://127.0.0.1:4480\")` when opening it"
    )]
    NoServer,
    /// The server could not be asked, or knows nothing of it.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// An agent could not join, or could not open its inbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The name is not one.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The channel was opened with a list of agents, and this one is not on it.
    #[error("agent {agent} is not on channel {channel}; its agents are {known}")]
    UnknownAgent {
        /// Who wanted to join.
        agent: AgentName,
        /// The channel.
        channel: String,
        /// Its agents, comma-separated.
        known: String,
    },
    /// The subscription of the inbox was refused.
    #[error("could not subscribe to {subject}")]
    Subscribe {
        /// The subject.
        subject: String,
        /// What the client said.
        source: Source,
    },
    /// The server gave no answer.
    #[error("the NATS server did not answer")]
    Unconfirmed(#[source] Source),
    /// The channel was closed.
    #[error("the channel is closed")]
    Closed,
}

/// A task could not be handed over: nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandOffError {
    /// A name or an id in the handoff is not one.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The channel was opened with a list of agents, and the receiver is not on it.
    #[error("agent {agent} is not on channel {channel}; its agents are {known}")]
    UnknownAgent {
        /// The receiver.
        agent: AgentName,
        /// The channel.
        channel: String,
        /// Its agents, comma-separated.
        known: String,
    },
    /// The header would not be legal.
    #[error("the handoff to {to} does not fit its header")]
    Encode {
        /// The receiver.
        to: AgentName,
        /// Which part does not fit.
        source: EncodeError,
    },
    /// A header of the caller's own is not one.
    #[error("header {name:?} is not legal: names are visible ASCII without a colon, values have no line breaks")]
    Header {
        /// The header's name.
        name: String,
    },
    /// A header of the caller's own would be in the place of the packed one.
    #[error("header {name:?} is written by the channel itself; set what it says on the handoff")]
    ReservedHeader {
        /// The header's name.
        name: String,
    },
    /// The payload and the headers are more than the server takes.
    #[error(
        "payload of {size} bytes and its headers are over the server's limit of {limit}; send a reference, or raise max_payload"
    )]
    TooLarge {
        /// Size of the payload in bytes.
        size: usize,
        /// The server's `max_payload` in bytes.
        limit: usize,
    },
    /// The message did not leave in time: the connection is down, or slower than the agents.
    #[error("the handoff to {to} could not leave within {waited:?}: the connection to NATS is down or congested")]
    NotSent {
        /// The receiver.
        to: AgentName,
        /// How long it was tried.
        waited: Duration,
    },
    /// Too many handoffs are open.
    #[error("{limit} handoffs are open already, and none was settled within {waited:?}")]
    TooManyOpen {
        /// The limit of the channel.
        limit: usize,
        /// How long it was waited.
        waited: Duration,
    },
    /// The client refused the message.
    #[error("the handoff to {to} was not published")]
    Publish {
        /// The receiver.
        to: AgentName,
        /// What the client said.
        source: Source,
    },
    /// The channel was closed.
    #[error("the channel is closed")]
    Closed,
}

/// A payload could not be written or read as JSON.
#[derive(Debug, thiserror::Error)]
#[error("the payload is not the JSON that was expected: {0}")]
pub struct PayloadError(#[from] pub(crate) serde_json::Error);

/// Why there is no result. A finding told as an error, so that `?` can be used on [`super::Receipt::result`].
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoResult {
    /// Nobody was there to take it.
    #[error("nobody listens on {subject}: the server said \"no responders\"")]
    Undelivered {
        /// The subject.
        subject: Arc<str>,
    },
    /// The receiver would not take it.
    #[error("the receiver refused: {0}")]
    Refused(Refusal),
    /// The receiver gave up.
    #[error("the receiver failed: {error}")]
    Failed {
        /// What it said.
        error: String,
    },
    /// The deadline passed.
    #[error("no result came within {waited:?}")]
    TimedOut {
        /// How long it was waited.
        waited: Duration,
    },
    /// The sender withdrew the task.
    #[error("the task was withdrawn")]
    Withdrawn,
    /// A transfer has no result: control left with the task.
    #[error("a transfer has no result; hand off as a delegation to get one")]
    Transferred,
    /// The workflow was closed first.
    #[error("the workflow was closed before the result came")]
    WorkflowClosed,
    /// A result came that is not the JSON that was asked for.
    #[error("the result is not the JSON that was expected: {0}")]
    Unreadable(Arc<serde_json::Error>),
    /// The channel was closed first.
    #[error("the channel was closed before the result came")]
    Closed,
}

/// A word to the sender (readback, refusal, progress, result) could not be sent, or there is no task any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The sender withdrew the task; stop working on it.
    #[error("the sender withdrew the task{}", because(.mismatches))]
    Withdrawn {
        /// What did not agree, as the sender said.
        mismatches: Vec<Mismatch>,
    },
    /// The sender wanted to agree first, and did not before its deadline.
    #[error("the sender asked to hold the work for its agreement and gave none within {waited:?}")]
    NoDecision {
        /// How long it was waited.
        waited: Duration,
    },
    /// The result is more than the server takes.
    #[error(
        "result of {size} bytes and its headers are over the server's limit of {limit}; send a reference, or raise max_payload"
    )]
    TooLarge {
        /// Size of the result in bytes.
        size: usize,
        /// The server's `max_payload` in bytes.
        limit: usize,
    },
    /// The result could not be written as JSON.
    #[error("the result could not be written as JSON")]
    Payload(#[source] serde_json::Error),
    /// A score out of bounds.
    #[error(transparent)]
    Quality(#[from] crate::model::InvalidQuality),
    /// The message did not leave in time.
    #[error("the word to the sender could not leave within {waited:?}: the connection to NATS is down or congested")]
    NotSent {
        /// How long it was tried.
        waited: Duration,
    },
    /// The client refused the message.
    #[error("the word to the sender was not published")]
    Publish(#[source] Source),
}

fn because(mismatches: &[Mismatch]) -> String {
    match mismatches.first() {
        Some(first) => format!(": {first}"),
        None => String::new(),
    }
}
