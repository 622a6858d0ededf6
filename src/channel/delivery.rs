//! What a receiver knows of one task it was given, from its arrival to the end of the work.

mod contexts;
mod life;
mod record;
mod words;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::{HeaderValue, Subject};
use bytes::Bytes;
use opentelemetry::trace::{SpanContext, TraceFlags};
use tokio::sync::Notify;

use super::carrier;
use super::handoff::Handoff;
use super::hub::Hub;
use super::lock::lock;
use crate::model::{
    AgentName, Climb, Evidence, HandoffId, HandoffKind, Intent, Mismatch, Rung, ShortHash, Timestamp, WorkflowId,
};
use crate::telemetry::record::{AgentInfo, Content, ContextAge, ResultFacts, SpanPlace};
use crate::verify::offset::ClockOffset;
use crate::wire::{Choice, Envelope};

/// One delivery of a task.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) address: Arc<Address>,
    pub(crate) token: u64,
    /// Where its span stands.
    pub(crate) place: SpanPlace,
    /// The flags of the context that came with the message, which is the parent of `place`.
    pub(crate) came_with: Option<TraceFlags>,
    /// When it was taken from the inbox.
    pub(crate) started: Timestamp,
    pub(crate) kind: HandoffKind,
    /// The subject it came by, where that is not the address'.
    pub(crate) subject: Option<Arc<str>>,
    /// 1 for the first delivery.
    pub(crate) delivery_count: u32,
    /// The payload, as it arrived.
    pub(crate) received: Content,
    pub(crate) envelope: Envelope,
    /// What the sender wants, where a plain message said it in clear.
    pub(crate) intent: Option<Intent>,
    pub(crate) payload: Bytes,
    pub(crate) reply: Option<Subject>,
    pub(crate) receipts: Option<Subject>,
    /// Our clock less that of whoever observed the contexts, as far as it is known.
    pub(crate) offset: Option<ClockOffset>,
    /// A holder of the key wrote the header.
    pub(crate) authentic: bool,
    /// The W3C baggage that came with the message, for the handoffs made within the task.
    pub(crate) baggage: Option<HeaderValue>,
    /// The message carried plain `Wilco-*` headers, so its sender reads them.
    pub(crate) speaks_plain: bool,
    pub(crate) state: Mutex<State>,
    pub(crate) decided: Notify,
    /// The record left.
    pub(crate) exported: AtomicBool,
}

// malloc has a quick way for pieces of up to 1,032 bytes, and merges all its small free ones for the sake of a larger
// one; the counts of an `Arc` come on top.
const _: () = assert!(std::mem::size_of::<Delivery>() + 2 * std::mem::size_of::<usize>() <= 1_032);

/// Where the tasks of an inbox come from, the same for all of them.
#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) hub: Arc<Hub>,
    pub(crate) agent: AgentName,
    /// What the inbox listens on: a subject, or a pattern.
    pub(crate) subject: Arc<str>,
    pub(crate) queue_group: Arc<str>,
    pub(crate) info: Option<Arc<AgentInfo>>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    climbs: Vec<Climb>,
    found: Vec<Mismatch>,
    read_back: Option<Intent>,
    /// `None` where no context came.
    contexts: Option<Box<ContextsUsed>>,
    decision: Option<(Choice, Vec<Mismatch>)>,
    answered: bool,
    result: ResultFacts,
    inputs: Vec<ShortHash>,
    ended: Option<Timestamp>,
}

/// The context items of a task, and what their use came to.
#[derive(Debug, Default)]
struct ContextsUsed {
    /// Names of the items that the agent looked at; empty: it named none, and all count as used.
    read: Vec<String>,
    age: Option<ContextAge>,
    latest: Vec<String>,
}

impl Delivery {
    pub(crate) fn id(&self) -> Option<HandoffId> {
        self.envelope.id
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.address.hub
    }

    /// The agent that took it.
    pub(crate) fn agent(&self) -> &AgentName {
        &self.address.agent
    }

    /// The sender's attempt, 1 for the first.
    pub(crate) fn attempt(&self) -> u32 {
        self.envelope.attempt.unwrap_or(1)
    }

    pub(crate) fn workflow(&self) -> Option<WorkflowId> {
        self.envelope.workflow.clone()
    }

    /// The process span, as the parent of what is done within the task.
    pub(crate) fn span_context(&self) -> SpanContext {
        self.place.context()
    }

    pub(crate) fn found(&self) -> Vec<Mismatch> {
        lock(&self.state).found.clone()
    }

    pub(crate) fn find(&self, mismatch: Mismatch) {
        let mut state = lock(&self.state);
        if !state.found.iter().any(|known| known.kind == mismatch.kind) {
            state.found.push(mismatch);
        }
    }

    pub(crate) fn climb(&self, rung: Rung, at: Timestamp) {
        lock(&self.state).climb(rung, self.agent(), at);
    }

    // Lineage.

    /// A result was used within the task, so whatever is handed off from here on rests on it.
    pub(crate) fn add_input(&self, hash: ShortHash) {
        let mut state = lock(&self.state);
        if !state.inputs.contains(&hash) && state.inputs.len() < crate::wire::limits::MAX_LIST_ITEMS {
            state.inputs.push(hash);
        }
    }

    pub(crate) fn add_inputs_to(&self, handoff: &mut Handoff) {
        let used = &lock(&self.state).inputs;
        if used.is_empty() {
            return;
        }
        let inputs = &mut handoff.extras_mut().inputs;
        for hash in used {
            if !inputs.contains(hash) && inputs.len() < crate::wire::limits::MAX_LIST_ITEMS {
                inputs.push(*hash);
            }
        }
    }
}

impl State {
    fn climb(&mut self, rung: Rung, by: &AgentName, at: Timestamp) {
        if !self.climbs.iter().any(|known| known.rung == rung) {
            self.climbs.push(Climb { rung, evidence: Evidence::Declared, by: Some(by.clone()), at });
        }
    }
}

/// How long an offer may be thought about before its sender is told that it arrived, unless set otherwise.
pub(crate) const ACKNOWLEDGE_WITHIN: Duration = Duration::from_millis(100);
