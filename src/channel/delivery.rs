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
use super::hub::Hub;
use super::lock::lock;
use crate::model::{AgentName, Climb, Evidence, HandoffId, Intent, Mismatch, Rung, ShortHash, Timestamp, WorkflowId};
use crate::telemetry::record::{ContextAge, ProcessRecord, ResultFacts};
use crate::verify::offset::ClockOffset;
use crate::wire::{Choice, Envelope};

/// One delivery of a task.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) hub: Arc<Hub>,
    pub(crate) token: u64,
    /// The record, with what is known since the arrival; completed at the end. In a box of its own, as malloc has a quick
    /// way for pieces of up to 1,032 bytes, and merges all its small free ones for the sake of a larger one.
    pub(crate) record: Box<ProcessRecord>,
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

#[derive(Debug, Default)]
pub(crate) struct State {
    climbs: Vec<Climb>,
    found: Vec<Mismatch>,
    read_back: Option<Intent>,
    /// Names of the context items that the agent looked at; empty: it named none, and all count as used.
    read: Vec<String>,
    context_age: Option<ContextAge>,
    latest: Vec<String>,
    decision: Option<(Choice, Vec<Mismatch>)>,
    answered: bool,
    result: ResultFacts,
    inputs: Vec<ShortHash>,
    ended: Option<Timestamp>,
}

impl Delivery {
    pub(crate) fn id(&self) -> Option<HandoffId> {
        self.record.facts.id
    }

    pub(crate) fn workflow(&self) -> Option<WorkflowId> {
        self.record.facts.workflow.clone()
    }

    /// The process span, as the parent of what is done within the task.
    pub(crate) fn span_context(&self) -> SpanContext {
        let flags = if self.record.place.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
        SpanContext::new(
            self.record.place.trace_id,
            self.record.place.span_id,
            flags,
            false,
            self.record.place.trace_state.clone(),
        )
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
        lock(&self.state).climb(rung, &self.record.agent, at);
    }

    // Lineage.

    /// A result was used within the task, so whatever is handed off from here on rests on it.
    pub(crate) fn add_input(&self, hash: ShortHash) {
        let mut state = lock(&self.state);
        if !state.inputs.contains(&hash) && state.inputs.len() < crate::wire::limits::MAX_LIST_ITEMS {
            state.inputs.push(hash);
        }
    }

    pub(crate) fn add_inputs_to(&self, inputs: &mut Vec<ShortHash>) {
        for hash in &lock(&self.state).inputs {
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
