//! One handoff on its way out: facts to headers, headers to the bus.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::client::PublishErrorKind;
use async_nats::{HeaderMap, HeaderName, HeaderValue, Subject};
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceState};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::carrier::{self, BAGGAGE};
use super::delivery::Delivery;
use super::entry::{Entry, Sent};
use super::error::HandOffError;
use super::handoff::Handoff;
use super::hooks::Sending;
use super::hub::{Hub, InboxPart, Outgoing, SEND_WITHIN};
use super::lane::{AgentLanes, Lane};
use super::receipt::Receipt;
use super::timers::Timer;
use crate::model::{AgentName, ContentHash, HandoffId, HandoffKind, Mismatch, MismatchKind, WorkflowId};
use crate::telemetry::record::{Content, SpanPlace};
use crate::wire::{EncodeError, EnvelopeRef, names, trace};

const NATS_MSG_ID: HeaderName = HeaderName::from_static(names::NATS_MSG_ID);

/// An attempt at a handoff: the first, or a resend under the same id.
pub(crate) struct Attempt {
    pub(crate) handoff: Handoff,
    /// What an earlier attempt has fixed.
    pub(crate) again: Option<Again>,
}

/// What a resend has in common with the attempt before, and which attempt it is.
pub(crate) struct Again {
    pub(crate) id: HandoffId,
    pub(crate) attempt: u32,
    pub(crate) seq: u64,
    pub(crate) workflow: WorkflowId,
}

/// Hands a task over.
pub(crate) async fn send(
    hub: &Arc<Hub>,
    lanes: &AgentLanes,
    to: &str,
    attempt: Attempt,
    within: Option<&Arc<Delivery>>,
) -> Result<Receipt, HandOffError> {
    if hub.is_closed() {
        return Err(HandOffError::Closed);
    }
    let lane = lane(hub, lanes, to)?;
    let permit = match hub.open.clone().try_acquire_owned() {
        Ok(permit) => permit,
        Err(_) => permit(hub).await?,
    };
    let resent = attempt.again.as_ref().map(|again| again.seq);
    let draft = draft(hub, &lane, attempt, within, permit)?;
    // One turn per lane, so that numbers leave in order.
    let mut seq = match lane.seq.try_lock() {
        Ok(seq) => seq,
        Err(_) => lane.seq.lock().await,
    };
    let number = resent.unwrap_or(*seq + 1);
    let (entry, message) = finish(hub, draft, number)?;
    let size = message.payload.len();
    let unsent = Unsent { hub, token: entry.sent.token };
    let mut waited = false;
    match in_time(SEND_WITHIN, hub.publish(message), || waited = true).await {
        Some(Ok(())) => {
            if waited {
                entry.on_published(hub.clock.now());
            }
            std::mem::forget(unsent);
            *seq = number.max(*seq);
            drop(seq);
            watch(hub, &entry);
            Ok(Receipt::new(hub.clone(), entry))
        }
        None => Err(HandOffError::NotSent { to: lane.to.clone(), waited: SEND_WITHIN }),
        Some(Err(error)) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
            Err(HandOffError::TooLarge { size, limit: hub.client.max_payload() })
        }
        Some(Err(error)) => Err(HandOffError::Publish { to: lane.to.clone(), source: Box::new(error) }),
    }
}

/// A handoff of which only its number is not known yet.
struct Draft {
    entry: Arc<Entry>,
    reply: Subject,
    headers: HeaderMap,
}

fn draft(
    hub: &Hub,
    lane: &Arc<Lane>,
    attempt: Attempt,
    within: Option<&Arc<Delivery>>,
    permit: OwnedSemaphorePermit,
) -> Result<Draft, HandOffError> {
    let Attempt { mut handoff, again } = attempt;
    let now = hub.clock.now();
    let (id, number, workflow) = match again {
        Some(Again { id, attempt, workflow, .. }) => (id, attempt, workflow),
        None => (HandoffId::new(now), 1, workflow(&mut handoff, within)?),
    };
    let mut headers = own_headers(&handoff)?;
    let (place, carried) = place(hub, &workflow, &headers, within);
    trace_headers(&place, carried.is_some(), &mut headers);
    baggage(&mut headers, within);
    if handoff.stored && headers.get(NATS_MSG_ID).is_none() {
        headers.insert(NATS_MSG_ID, format!("{id}.{number}"));
    }
    if let Some(task) = within {
        task.add_inputs_to(&mut handoff);
    }
    let by = handoff.deadline(now);
    let content = Content { hash: ContentHash::of(&handoff.payload), size: handoff.payload.len() as u64 };
    let (token, reply) = hub.new_reply();
    let missing = handoff.extras().missing_inputs.clone();
    let found = missing.map(|text| Mismatch::new(MismatchKind::IncompleteJoin, text));
    let sent = Sent {
        token,
        id,
        attempt: number,
        seq: 0,
        lane: lane.clone(),
        workflow,
        at: now,
        by,
        content,
        place,
        carried: carried.map(Box::new),
        handoff,
        within: within.cloned(),
    };
    let entry = hub.spare.entry(sent, permit, found);
    if let Some(hooks) = &hub.hooks {
        hooks.on_send(&Sending::of(&entry.sent));
    }
    Ok(Draft { entry, reply, headers })
}

/// Numbers the handoff and writes its header. It is followed from here on, so that no answer can be too fast.
fn finish(hub: &Hub, draft: Draft, number: u64) -> Result<(Arc<Entry>, Outgoing), HandOffError> {
    let Draft { mut entry, reply, mut headers } = draft;
    // Nobody else holds it yet.
    if let Some(entry) = Arc::get_mut(&mut entry) {
        entry.sent.seq = number;
    }
    let sent = &entry.sent;
    let value = encode(hub, sent).map_err(|source| HandOffError::Encode { to: sent.to().clone(), source })?;
    carrier::set_wilco(&mut headers, value);
    let message = Outgoing {
        subject: sent.lane.subject.clone(),
        reply: Some(reply),
        headers: Some(headers),
        payload: sent.handoff.payload.clone(),
    };
    hub.follow(&entry);
    Ok((entry, message))
}

fn lane(hub: &Hub, lanes: &AgentLanes, to: &str) -> Result<Arc<Lane>, HandOffError> {
    if let Some(lane) = lanes.known(to) {
        return Ok(lane);
    }
    let agent = AgentName::new(to)?;
    if !hub.has_agent(&agent) {
        let (channel, known) = (hub.channel.to_string(), hub.known_agents());
        return Err(HandOffError::UnknownAgent { agent, channel, known });
    }
    let subject = hub.subject_of(&agent);
    let target = hub.info_of(&agent);
    Ok(lanes.open(agent, subject, target))
}

/// A place among the open handoffs.
async fn permit(hub: &Hub) -> Result<OwnedSemaphorePermit, HandOffError> {
    if let Ok(permit) = hub.open.clone().try_acquire_owned() {
        return Ok(permit);
    }
    match tokio::time::timeout(SEND_WITHIN, hub.open.clone().acquire_owned()).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) => Err(HandOffError::Closed),
        Err(_) => Err(HandOffError::TooManyOpen { limit: hub.open_limit, waited: SEND_WITHIN }),
    }
}

fn workflow(handoff: &mut Handoff, within: Option<&Arc<Delivery>>) -> Result<WorkflowId, HandOffError> {
    match handoff.workflow.take() {
        Some(id) => Ok(id.map_err(|error| *error)?),
        None => Ok(within.and_then(|task| task.workflow()).unwrap_or_else(WorkflowId::random)),
    }
}

fn own_headers(handoff: &Handoff) -> Result<HeaderMap, HandOffError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &handoff.extras().headers {
        if name.eq_ignore_ascii_case(names::WILCO) {
            return Err(HandOffError::ReservedHeader { name: name.clone() });
        }
        match (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            (Ok(header), Ok(value)) => headers.append(header, value),
            _ => return Err(HandOffError::Header { name: name.clone() }),
        }
    }
    Ok(headers)
}

/// Where the handoff's span stands: under the caller's own `traceparent`, else under the current span, else under the
/// task it is handed off from, else under the root of its workflow.
fn place(
    hub: &Hub,
    workflow: &WorkflowId,
    headers: &HeaderMap,
    within: Option<&Arc<Delivery>>,
) -> (SpanPlace, Option<SpanContext>) {
    let carried = if headers.is_empty() { None } else { trace::extract(&carrier::From(Some(headers))) };
    let current = opentelemetry::Context::map_current(|context| {
        let span = context.span();
        let parent = span.span_context();
        parent.is_valid().then(|| parent.clone())
    });
    let task = within.map(|task| task.span_context());
    // A span opened inside the task's own trace is the closer parent; a foreign one is not.
    let current = match (&current, &task) {
        (Some(span), Some(task)) if span.trace_id() != task.trace_id() => None,
        _ => current,
    };
    let parent = carried.clone().or(current).or(task);
    let span_id = trace::new_span_id();
    let place = match parent {
        Some(parent) => SpanPlace {
            trace_id: parent.trace_id(),
            span_id,
            parent_span_id: parent.span_id(),
            parent_is_remote: parent.is_remote(),
            trace_state: parent.trace_state().clone(),
            sampled: hub.telemetry.sample(parent.trace_id(), Some(parent.is_sampled())),
        },
        None => {
            let (trace_id, root) = hub.trace_of(workflow);
            SpanPlace {
                trace_id,
                span_id,
                parent_span_id: root,
                parent_is_remote: true,
                trace_state: TraceState::NONE,
                sampled: hub.telemetry.sample(trace_id, None),
            }
        }
    };
    (place, carried)
}

fn trace_headers(place: &SpanPlace, is_carried: bool, headers: &mut HeaderMap) {
    if !is_carried {
        trace::inject(&place.context(), &mut carrier::Into(headers));
    }
}

/// The current baggage goes along; where there is none, that of the task it is handed off from.
fn baggage(headers: &mut HeaderMap, within: Option<&Arc<Delivery>>) {
    opentelemetry::Context::map_current(|context| {
        if !context.baggage().is_empty() {
            trace::inject_baggage(context.baggage(), &mut carrier::Into(headers));
        } else if let Some(baggage) = within.and_then(|task| task.baggage.clone())
            && headers.get(BAGGAGE).is_none()
        {
            headers.insert(BAGGAGE, baggage);
        }
    });
}

/// Forgets a handoff that did not leave, also when `hand_off` itself was dropped.
struct Unsent<'a> {
    hub: &'a Hub,
    token: u64,
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        self.hub.forget(self.token);
    }
}

fn encode(hub: &Hub, sent: &Sent) -> Result<String, EncodeError> {
    let (handoff, extras) = (&sent.handoff, sent.handoff.extras());
    let receipts = handoff.receipts.then(|| hub.inbox_subject(InboxPart::Receipt, sent.token));
    let envelope = EnvelopeRef {
        id: Some(sent.id),
        at: Some(sent.at),
        hash: Some(sent.content.hash),
        size: Some(sent.content.size),
        from: Some(sent.from()),
        to: Some(sent.to()),
        workflow: Some(&sent.workflow),
        attempt: Some(sent.attempt),
        inst: Some(hub.inst),
        seq: Some(sent.seq),
        hold: handoff.hold,
        // Only a context's age needs the clocks.
        offset: if extras.contexts.is_empty() { None } else { sent.lane.offset(sent.at).map(carrier::bounds) },
        kind: Some(handoff.kind),
        intent: handoff.intent.as_ref().map(|intent| intent.digest()),
        contexts: &extras.contexts,
        inputs: &extras.inputs,
        need: extras.owed,
        parent: sent.parent(),
        by: sent.by,
        receipts: receipts.as_deref(),
        ..EnvelopeRef::default()
    };
    envelope.encode(hub.key.as_ref())
}

/// Sets the deadlines of a handoff that has left.
fn watch(hub: &Arc<Hub>, entry: &Arc<Entry>) {
    let sent = &entry.sent;
    let is_plain_transfer = !sent.handoff.receipts && sent.handoff.kind == HandoffKind::Transfer;
    if is_plain_transfer {
        hub.await_passage(entry);
        if sent.by.is_none() {
            return;
        }
    }
    let now = Instant::now();
    if !is_plain_transfer {
        hub.timers.add(now + sent.handoff.read_back_within, Timer::ReadBack(sent.token));
    }
    if let Some(by) = sent.by {
        hub.timers.add(now + by.since(sent.at), Timer::Result(sent.token));
    }
}

/// Runs `future` for at most `limit`. A timer is set only if it is not ready at once, which on this path it nearly
/// always is; `on_wait` is told if it is not.
pub(crate) async fn in_time<T>(limit: Duration, future: impl Future<Output = T>, on_wait: impl FnOnce()) -> Option<T> {
    let mut future = pin!(future);
    let ready = std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        })
    })
    .await;
    match ready {
        Some(value) => Some(value),
        None => {
            on_wait();
            tokio::time::timeout(limit, future).await.ok()
        }
    }
}
