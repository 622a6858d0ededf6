//! What a receiver knows of one task it was given, from its arrival to the end of the work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::Subject;
use bytes::Bytes;
use opentelemetry::trace::{SpanContext, TraceFlags};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::carrier;
use super::error::ReplyError;
use super::hooks::{ContextRead, Decided, Settled};
use super::hub::{HOLD_UNSAMPLED, Hub, InboxPart, Outgoing};
use super::lock::lock;
use super::timers::Timer;
use crate::model::{
    AgentName, Climb, Context, Evidence, HandoffId, HandoffKind, Intent, Mismatch, MismatchKind, Quality, Refusal,
    Rung, ShortHash, Timestamp, Verdict, WorkflowId,
};
use crate::telemetry::record::{Content, ContextAge, ProcessRecord, Record, ResultFacts};
use crate::verify::freshness::{freshness, worst_age};
use crate::verify::offset::ClockOffset;
use crate::wire::{Choice, ContextAgeReport, Decision, Envelope, Receipt};

/// One delivery of a task.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) hub: Arc<Hub>,
    pub(crate) token: u64,
    /// The record, with what is known since the arrival; at the end it leaves whole.
    pub(crate) record: Box<ProcessRecord>,
    pub(crate) envelope: Envelope,
    /// What the sender wants, where a plain message said it in clear.
    pub(crate) intent: Option<Intent>,
    pub(crate) payload: Bytes,
    pub(crate) reply: Option<Subject>,
    pub(crate) receipts: Option<Subject>,
    /// Our clock less that of whoever observed the contexts, as far as it is known.
    pub(crate) offset: Option<ClockOffset>,
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

    // Context.

    pub(crate) fn mark_read(&self, name: &str) {
        let mut state = lock(&self.state);
        if !state.read.iter().any(|known| known == name) {
            state.read.push(name.to_owned());
        }
    }

    pub(crate) fn context_now(&self, item: &Context) -> ContextRead {
        let known = lock(&self.hub.known);
        ContextRead {
            name: item.name.clone(),
            version: item.version.clone(),
            observed_at: item.observed_at,
            freshness: freshness(item, self.hub.clock.now(), self.offset, known.get(&item.name)),
        }
    }

    pub(crate) fn contexts_now(&self) -> Vec<ContextRead> {
        self.envelope.contexts.iter().map(|item| self.context_now(item)).collect()
    }

    /// Judges the items that were used, at the moment at which the agent has made its plan.
    fn use_contexts(&self, now: Timestamp) -> Vec<ContextAgeReport> {
        if self.envelope.contexts.is_empty() {
            return Vec::new();
        }
        let read = lock(&self.state).read.clone();
        let used: Vec<&Context> =
            self.envelope.contexts.iter().filter(|item| read.is_empty() || read.contains(&item.name)).collect();
        let mut stale = Vec::new();
        let mut latest = Vec::new();
        {
            let mut known = lock(&self.hub.known);
            for item in &used {
                stale.extend(freshness(item, now, self.offset, known.get(&item.name)).mismatch().cloned());
                if let Some(version) = known.get(&item.name) {
                    latest.push(format!("{}@{}", item.name, version.version));
                }
            }
            for item in &self.envelope.contexts {
                if let Some(version) = &item.version {
                    known.saw(&item.name, version);
                }
            }
        }
        stale.into_iter().for_each(|mismatch| self.find(mismatch));
        let mut state = lock(&self.state);
        state.context_age = worst_age(used.iter().copied(), now, self.offset).map(carrier::context_age);
        state.latest = latest;
        state.read = used.iter().map(|item| item.name.clone()).collect();
        used.iter()
            .filter_map(|item| {
                let age_ns = now.nanos_since(item.observed_at?);
                Some(ContextAgeReport::new(item.name.as_str(), item.version.clone(), age_ns as f64 / 1e6))
            })
            .collect()
    }

    // Words to the sender.

    /// A receipt of `rung`, with what is known by now. `None` if none was asked for.
    fn receipt(&self, rung: Rung, now: Timestamp) -> Option<Receipt> {
        self.receipts.as_ref()?;
        let mut receipt = Receipt::new(rung, self.record.agent.clone(), self.envelope.at, self.record.started, now);
        receipt.hash = Some(self.record.received.hash);
        receipt.size = Some(self.record.received.size);
        receipt.control = Some(self.hub.inbox_subject(InboxPart::Decision, self.token).into());
        let state = lock(&self.state);
        receipt.mismatches = state.found.iter().map(|mismatch| mismatch.kind.as_str().to_owned()).collect();
        Some(receipt)
    }

    /// The receipt as a message. A part that does not fit is left out rather than the receipt.
    fn receipt_message(&self, mut receipt: Receipt) -> Option<Outgoing> {
        let (subject, id) = (self.receipts.clone()?, self.id()?);
        let encoded = receipt.encode(id, self.hub.key.as_ref()).or_else(|error| {
            tracing::warn!(%error, handoff = %id, "a receipt was too long; its texts are left out");
            (receipt.note, receipt.error) = (None, receipt.error.map(|text| text.chars().take(1_000).collect()));
            receipt.encode(id, self.hub.key.as_ref())
        });
        match encoded {
            Ok((header, body)) => {
                let mut message = Outgoing::with_wilco(subject, header, body);
                if let Some(headers) = &mut message.headers {
                    self.inject_trace(headers);
                }
                Some(message)
            }
            Err(error) => {
                tracing::warn!(%error, handoff = %id, "a receipt could not be written; its sender will not learn of it");
                None
            }
        }
    }

    pub(crate) fn inject_trace(&self, headers: &mut async_nats::HeaderMap) {
        crate::wire::trace::inject(&self.span_context(), &mut carrier::Into(headers));
    }

    pub(crate) async fn say(&self, receipt: Option<Receipt>) -> Result<(), ReplyError> {
        lock(&self.state).answered = true;
        match receipt.and_then(|receipt| self.receipt_message(receipt)) {
            Some(message) => self.publish(message).await,
            None => Ok(()),
        }
    }

    /// Says something from where nobody can wait.
    fn say_later(&self, receipt: Option<Receipt>) {
        lock(&self.state).answered = true;
        if let Some(message) = receipt.and_then(|receipt| self.receipt_message(receipt)) {
            self.hub.send_later(message);
        }
    }

    pub(crate) async fn publish(&self, message: Outgoing) -> Result<(), ReplyError> {
        let size = message.payload.len();
        let published = super::send::in_time(super::hub::SEND_WITHIN, self.hub.publish(message)).await;
        match published {
            Some(Ok(())) => Ok(()),
            None => Err(ReplyError::NotSent { waited: super::hub::SEND_WITHIN }),
            Some(Err(error)) if error.kind() == async_nats::client::PublishErrorKind::MaxPayloadExceeded => {
                Err(ReplyError::TooLarge { size, limit: self.hub.client.max_payload() })
            }
            Some(Err(error)) => Err(ReplyError::Publish(Box::new(error))),
        }
    }

    // The life of an offer.

    /// The agent is still thinking: tell the sender that the task arrived, unless it was told more already.
    pub(crate) fn acknowledge_late(&self) {
        if !lock(&self.state).answered {
            self.say_later(self.receipt(Rung::Received, self.hub.clock.now()));
        }
    }

    pub(crate) async fn acknowledge(&self) -> Result<(), ReplyError> {
        let now = self.hub.clock.now();
        let said = self.say(self.receipt(Rung::Received, now)).await;
        self.finish(now);
        said
    }

    pub(crate) async fn read_back(&self, intent: Intent) -> Result<(), ReplyError> {
        let now = self.hub.clock.now();
        let ages = self.use_contexts(now);
        if let Some(sent) = &self.intent {
            // Only a plain message says its intent in clear; then this side can judge for itself.
            if let Some(mismatch) = crate::verify::intent::compare(sent, &intent, &self.hub.comparer).mismatch() {
                self.find(mismatch);
            }
        }
        {
            let mut state = lock(&self.state);
            state.climb(Rung::Accepted, &self.record.agent, now);
            state.read_back = Some(intent.clone());
        }
        if let Some(hooks) = &self.hub.hooks {
            hooks.on_readback(&super::hooks::Readback {
                id: self.id(),
                agent: self.record.agent.clone(),
                intent: intent.clone(),
                contexts: self.contexts_now(),
                mismatches: self.found(),
            });
        }
        let receipt = self.receipt(Rung::Understood, now).map(|mut receipt| {
            receipt.intent = Some(intent);
            receipt.context_age = ages;
            receipt
        });
        if receipt.is_some() {
            self.say(receipt).await?;
        }
        if self.envelope.hold && self.receipts.is_some() { self.wait_for_go(now).await } else { Ok(()) }
    }

    async fn wait_for_go(&self, since: Timestamp) -> Result<(), ReplyError> {
        let limit = self.patience(since).unwrap_or(HOLD_UNSAMPLED);
        match tokio::time::timeout(limit, self.decision()).await {
            Ok((Choice::Go, _)) => Ok(()),
            Ok((Choice::Withdraw, mismatches)) => {
                self.finish(self.hub.clock.now());
                Err(ReplyError::Withdrawn { mismatches })
            }
            Err(_) => {
                self.finish(self.hub.clock.now());
                Err(ReplyError::NoDecision { waited: limit })
            }
        }
    }

    /// How long the sender still waits. Its two stamps are of its own clock and this side's of ours, so each pair is
    /// only compared with itself; the time on the wire is not known and counts for nothing.
    fn patience(&self, now: Timestamp) -> Option<Duration> {
        let (at, by) = (self.envelope.at?, self.envelope.by?);
        Some(by.since(at).saturating_sub(now.since(self.record.started)))
    }

    async fn decision(&self) -> (Choice, Vec<Mismatch>) {
        loop {
            let decided = self.decided.notified();
            if let Some(decision) = lock(&self.state).decision.clone() {
                return decision;
            }
            decided.await;
        }
    }

    /// Waits until the sender takes the task back.
    pub(crate) async fn withdrawn(&self) -> Vec<Mismatch> {
        loop {
            let decided = self.decided.notified();
            if let Some((Choice::Withdraw, mismatches)) = &lock(&self.state).decision {
                return mismatches.clone();
            }
            decided.await;
        }
    }

    pub(crate) fn is_withdrawn(&self) -> Option<Vec<Mismatch>> {
        match &lock(&self.state).decision {
            Some((Choice::Withdraw, mismatches)) => Some(mismatches.clone()),
            _ => None,
        }
    }

    pub(crate) async fn refuse(&self, refusal: Refusal) -> Result<(), ReplyError> {
        let now = self.hub.clock.now();
        let receipt = self.refused(&refusal, now);
        let said = if receipt.is_some() {
            self.say(receipt).await
        } else {
            self.reply_error(&format!("refused: {refusal}"), Rung::Refused, 409).await
        };
        self.finish(now);
        said
    }

    /// As [`Delivery::refuse`], from where nobody can wait.
    pub(crate) fn refuse_later(&self, refusal: &Refusal) {
        let now = self.hub.clock.now();
        match self.refused(refusal, now) {
            Some(receipt) => self.say_later(Some(receipt)),
            None => {
                if let Some(message) = self.error_message(&format!("refused: {refusal}"), Rung::Refused, 409) {
                    self.hub.send_later(message);
                }
            }
        }
        self.finish(now);
    }

    fn refused(&self, refusal: &Refusal, now: Timestamp) -> Option<Receipt> {
        self.climb(Rung::Refused, now);
        let receipt = self.receipt(Rung::Refused, now).map(|mut receipt| {
            receipt.refusal = Some(refusal.clone());
            receipt
        });
        self.find(Mismatch::new(MismatchKind::Refused, refusal.as_str()));
        receipt
    }

    pub(crate) async fn progress(&self, note: String) -> Result<(), ReplyError> {
        if let Some(mismatches) = self.is_withdrawn() {
            return Err(ReplyError::Withdrawn { mismatches });
        }
        let now = self.hub.clock.now();
        self.climb(Rung::InProgress, now);
        let receipt = self.receipt(Rung::InProgress, now).map(|mut receipt| {
            receipt.note = Some(note);
            receipt
        });
        self.say(receipt).await
    }

    /// The end of the work: a result for a delegation, a last receipt for a transfer whose sender waits for one.
    pub(crate) async fn complete(self: Arc<Self>, payload: Bytes, quality: Option<Quality>) -> Result<(), ReplyError> {
        let now = self.hub.clock.now();
        let content = Content { hash: crate::model::ContentHash::of(&payload), size: payload.len() as u64 };
        {
            let mut state = lock(&self.state);
            state.climb(Rung::Completed, &self.record.agent, now);
            state.result.content = Some(content);
            state.result.quality = quality.clone();
        }
        let said = match &self.reply {
            Some(subject) if self.record.facts.kind == HandoffKind::Delegation => {
                self.publish(self.result_message(subject.clone(), payload, content, quality)).await
            }
            // Without a deadline nobody waits for it.
            _ if self.receipts.is_some() && self.envelope.by.is_some() => {
                let receipt = self.receipt(Rung::Completed, now).map(|mut receipt| {
                    receipt.quality = quality;
                    receipt.result_hash = Some(content.hash);
                    receipt.result_size = Some(content.size);
                    receipt
                });
                self.say(receipt).await
            }
            _ => {
                lock(&self.state).answered = true;
                Ok(())
            }
        };
        self.finish_last(now);
        said
    }

    fn result_message(&self, subject: Subject, payload: Bytes, content: Content, quality: Option<Quality>) -> Outgoing {
        let mut headers = async_nats::HeaderMap::new();
        if let Some(id) = self.id() {
            let envelope = Envelope {
                id: Some(id),
                hash: Some(content.hash),
                rung: Some(Rung::Completed),
                quality: quality.clone(),
                ..Envelope::default()
            };
            match envelope.encode(self.hub.key.as_ref()) {
                Ok(value) => {
                    self.inject_trace(&mut headers);
                    carrier::set_wilco(&mut headers, value);
                }
                Err(error) => tracing::warn!(%error, handoff = %id, "a result leaves without its header"),
            }
        } else if self.speaks_plain {
            let readback = lock(&self.state).read_back.clone();
            let plain = crate::wire::Plain { readback, quality, ..Default::default() };
            plain.write(|name, value| headers.insert(name, value));
        }
        Outgoing { subject, reply: None, headers: (!headers.is_empty()).then_some(headers), payload }
    }

    pub(crate) async fn fail(&self, error: String) -> Result<(), ReplyError> {
        let now = self.hub.clock.now();
        self.climb(Rung::Failed, now);
        let receipt = self.failed(&error, now);
        self.find(Mismatch::new(MismatchKind::Failed, error.clone()));
        let said =
            if receipt.is_some() { self.say(receipt).await } else { self.reply_error(&error, Rung::Failed, 500).await };
        self.finish(now);
        said
    }

    fn failed(&self, error: &str, now: Timestamp) -> Option<Receipt> {
        self.receipt(Rung::Failed, now).map(|mut receipt| {
            receipt.error = Some(error.to_owned());
            receipt
        })
    }

    async fn reply_error(&self, error: &str, rung: Rung, code: u16) -> Result<(), ReplyError> {
        match self.error_message(error, rung, code) {
            Some(message) => self.publish(message).await,
            None => Ok(()),
        }
    }

    /// An empty reply that says what went wrong, in the headers that NATS services use. For senders without receipts.
    fn error_message(&self, error: &str, rung: Rung, code: u16) -> Option<Outgoing> {
        let subject = self.reply.clone().filter(|_| self.record.facts.kind == HandoffKind::Delegation)?;
        let mut headers = async_nats::HeaderMap::new();
        let line: String = error.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect();
        headers.insert(crate::wire::names::NATS_SERVICE_ERROR, line);
        headers.insert(crate::wire::names::NATS_SERVICE_ERROR_CODE, code.to_string());
        if let Some(id) = self.id() {
            let envelope = Envelope { id: Some(id), rung: Some(rung), ..Envelope::default() };
            if let Ok(value) = envelope.encode(self.hub.key.as_ref()) {
                carrier::set_wilco(&mut headers, value);
            }
        }
        Some(Outgoing { subject, reply: None, headers: Some(headers), payload: Bytes::new() })
    }

    /// An offer or a task was dropped with nothing said.
    pub(crate) fn abandon(&self, what: &str) {
        if self.is_ended() {
            return; // the channel was closed over it, and its sender told
        }
        if self.is_withdrawn().is_some() {
            // Stopping is what the sender asked for.
            return self.finish(self.hub.clock.now());
        }
        self.abandon_because(format!("the {what} was dropped without a word"));
    }

    fn abandon_because(&self, text: String) {
        let now = self.hub.clock.now();
        self.find(Mismatch::new(MismatchKind::Abandoned, text.clone()));
        if self.receipts.is_some() {
            self.say_later(self.failed(&text, now));
        } else if let Some(message) = self.error_message(&text, Rung::Failed, 500) {
            self.hub.send_later(message);
        }
        self.finish(now);
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

    // Decisions and the record.

    pub(crate) fn on_decision(&self, decision: &Decision) {
        let mismatches: Vec<Mismatch> = decision
            .known_mismatches()
            .map(|kind| Mismatch::new(kind, decision.diff.join("; ")).with_diff(decision.diff.clone()))
            .collect();
        lock(&self.state).decision = Some((decision.decision, mismatches.clone()));
        self.decided.notify_waiters();
        if let Some(hooks) = &self.hub.hooks {
            let (id, agent) = (self.id(), self.record.agent.clone());
            hooks.on_decision(&Decided { id, agent, choice: decision.decision, mismatches });
        }
        if lock(&self.state).ended.is_some() {
            self.export();
        }
    }

    /// The work is over.
    fn finish(&self, now: Timestamp) {
        if self.end(now) {
            self.export();
        }
    }

    /// Whether the work ended now and the record leaves at once: it does unless only a decision can tell whether it is
    /// of interest.
    fn end(&self, now: Timestamp) -> bool {
        let (undecided, clean) = {
            let mut state = lock(&self.state);
            if state.ended.is_some() {
                return false;
            }
            state.ended = Some(now);
            (self.receipts.is_some() && state.decision.is_none(), state.found.is_empty())
        };
        if let Some(hooks) = &self.hub.hooks {
            hooks.on_settled(&self.settled());
        }
        let dull = !self.record.place.sampled && clean;
        if undecided && (dull || self.hub.hooks.is_some()) && !self.hub.is_closed() {
            self.hub.timers.add(Instant::now() + HOLD_UNSAMPLED, Timer::Undecided(self.token));
        }
        !(undecided && dull)
    }

    /// No decision came, so there was nothing that did not agree.
    pub(crate) fn on_undecided(&self) {
        self.export();
        self.hub.end_delivery(self.token);
    }

    pub(crate) fn is_ended(&self) -> bool {
        lock(&self.state).ended.is_some()
    }

    /// The channel is going. Whoever waits for the work learns it, if there is still time.
    pub(crate) fn on_closed(&self) {
        if !self.is_ended() {
            self.abandon_because("the channel was closed before the work ended".to_owned());
        }
        self.export();
    }

    fn export(&self) {
        if self.leave() {
            self.hub.telemetry.record(Record::Process(self.copied_record()));
        }
    }

    fn copied_record(&self) -> Box<ProcessRecord> {
        let mut record = self.record.clone();
        let mut state = lock(&self.state);
        state.complete(&mut record, &self.envelope);
        (record.outcome.mismatches, record.outcome.climbs) = (state.found.clone(), state.climbs.clone());
        record
    }

    /// As `finish`, by the last who holds the delivery, as a rule: then the record is moved, not copied.
    fn finish_last(self: Arc<Self>, now: Timestamp) {
        if !self.end(now) || !self.leave() {
            return;
        }
        match Arc::try_unwrap(self) {
            Ok(Self { hub, mut record, envelope, state, .. }) => {
                let state = &mut *lock(&state);
                state.complete(&mut record, &envelope);
                // Nobody is left who could ask.
                record.outcome.mismatches = std::mem::take(&mut state.found);
                record.outcome.climbs = std::mem::take(&mut state.climbs);
                hub.telemetry.record(Record::Process(record));
            }
            Err(shared) => shared.hub.telemetry.record(Record::Process(shared.copied_record())),
        }
    }

    /// Marks the record as gone; `false` if it went before.
    fn leave(&self) -> bool {
        if self.exported.swap(true, Ordering::AcqRel) {
            return false;
        }
        // A decision that comes later is of interest to hooks alone.
        if self.receipts.is_some() && (self.hub.hooks.is_none() || lock(&self.state).decision.is_some()) {
            self.hub.end_delivery(self.token);
        }
        true
    }

    fn settled(&self) -> Settled {
        let state = lock(&self.state);
        let told = state.decision.iter().flat_map(|(_, mismatches)| mismatches.iter().cloned());
        let mismatches: Vec<Mismatch> = state.found.iter().cloned().chain(told).collect();
        let rung = state.climbs.iter().max_by_key(|climb| climb.rung);
        let verdict = match (&state.decision, &state.read_back) {
            _ if !mismatches.is_empty() => Verdict::Mismatched(mismatches.clone()),
            (Some((Choice::Go, _)), Some(readback)) => Verdict::Agreed { readback: readback.clone() },
            _ => Verdict::Unconfirmed { why: "the sender has said nothing against the readback".to_owned() },
        };
        Settled {
            id: self.id(),
            agent: self.record.agent.clone(),
            is_sender: false,
            rung: rung.map_or((Rung::Received, Evidence::Declared), |climb| (climb.rung, climb.evidence)),
            verdict,
            mismatches,
        }
    }
}

impl State {
    /// Moves what was learnt since the arrival into the record, but for findings and rungs, which are asked for later.
    fn complete(&mut self, record: &mut ProcessRecord, envelope: &Envelope) {
        let told = self.decision.as_ref().is_some_and(|(_, mismatches)| !mismatches.is_empty());
        // The sender's finding makes this side of interest too, but not faulty.
        record.place.sampled |= told;
        let label = |name: &String| {
            let item = envelope.contexts.iter().find(|item| item.name == *name);
            item.map_or_else(|| name.clone(), Context::label)
        };
        record.ended = self.ended.unwrap_or(record.started);
        record.read_back = self.read_back.take();
        record.contexts_read = self.read.iter().map(label).collect();
        record.context_latest = std::mem::take(&mut self.latest);
        record.context_age = self.context_age;
        record.result = std::mem::take(&mut self.result);
        record.outcome.verdict = verdict_word(&self.found, told, self.decision.as_ref());
    }

    fn climb(&mut self, rung: Rung, by: &AgentName, at: Timestamp) {
        if !self.climbs.iter().any(|known| known.rung == rung) {
            self.climbs.push(Climb { rung, evidence: Evidence::Declared, by: Some(by.clone()), at });
        }
    }
}

/// A receiver knows of an agreement only if the sender said so.
fn verdict_word(found: &[Mismatch], told: bool, decision: Option<&(Choice, Vec<Mismatch>)>) -> &'static str {
    match decision {
        _ if told || !found.is_empty() => "mismatched",
        Some((Choice::Go, _)) => "agreed",
        _ => "unconfirmed",
    }
}

/// How long an offer may be thought about before its sender is told that it arrived, unless set otherwise.
pub(crate) const ACKNOWLEDGE_WITHIN: Duration = Duration::from_millis(100);
