//! Agents that hand tasks to each other over NATS, with every handoff traced.
//!
//! A [`Channel`] is a named group of agents. An [`Agent`] hands off ([`Agent::hand_off`]) and holds a [`Receipt`]; the
//! other side takes an [`Offer`] from its [`Inbox`], reads it back to get a [`Task`], and completes it. What does not
//! agree is in the [`Verdict`](crate::model::Verdict) and on the spans.

mod agent;
mod ahead;
mod builder;
mod came;
mod carrier;
#[allow(clippy::module_inception)] // the noun of this file is the channel
mod channel;
mod delivery;
mod dispatch;
mod entry;
mod error;
mod fan_out;
mod handoff;
mod hooks;
mod hub;
mod inbox;
mod lane;
mod lock;
pub(crate) mod login;
mod offer;
mod payload;
mod receipt;
mod result;
mod send;
mod step;
mod task;
mod timers;
mod token;
mod workflow;

pub use agent::Agent;
pub use builder::ChannelBuilder;
pub use channel::{Channel, ChannelStats};
pub use error::{ConnectError, HandOffError, JoinError, NoResult, PayloadError, ReplyError, TraceError};
pub use fan_out::{FanOut, Joined};
pub use handoff::Handoff;
pub use hooks::{Arrival, ContextRead, Decided, Hooks, Readback, Reception, Sending, Settled};
pub use inbox::Inbox;
pub use offer::Offer;
pub use receipt::Receipt;
pub use result::TaskResult;
pub use step::{Decision, Step, StepSpan};
pub use task::{Completion, Task};
pub use workflow::Workflow;

pub use crate::telemetry::record::AgentInfo;
