//! One handoff on its way out: facts to headers, headers to the bus.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::client::PublishErrorKind;
use async_nats::{HeaderMap, HeaderName, HeaderValue, Subject};
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::carrier;
use super::delivery::Delivery;
use super::entry::{Entry, Sent};
use super::error::HandOffError;
use super::handoff::Handoff;
use super::hooks::Sending;
use super::hub::{Hub, InboxPart, SEND_WITHIN};
use super::lane::{AgentLanes, Lane};
use super::receipt::Receipt;
use super::timers::Timer;
use crate::model::{AgentName, ContentHash, HandoffId, HandoffKind, Mismatch, MismatchKind, WorkflowId};
use crate::telemetry::record::{Content, HandoffFacts, SpanPlace};
use crate::wire::{Envelope, names, trace};

/// An attempt at a handoff: the first, or a resend under the same id.
pub(crate) struct Attempt {
    pub(crate) handoff: Handoff,
    /// Id, number of the attempt and workflow of an earlier attempt.
    pub(crate) again: Option<(HandoffId, u32, WorkflowId)>,
}

/// Hands a task over.
pub(crate) async fn send(
    hub: &Arc<Hub>,
    lanes: &AgentLanes,
    to: &str,
    attempt: Attempt,
    within: Option<&Arc<Delivery>>,
) -> Result<Receipt, HandOffError> {
    let Attempt { mut handoff, again } = attempt;
    if hub.is_closed() {
        return Err(HandOffError::Closed);
    }
    let lane = lane(hub, lanes, to)?;
    let permit = permit(hub).await?;
    let now = hub.clock.now();

    let (id, number, workflow) = match again {
        Some((id, number, workflow)) => (id, number, workflow),
        None => (HandoffId::new(now), 1, workflow(&mut handoff, within)?),
    };
    let mut headers = own_headers(&handoff)?;
    let (place, carried) = place(hub, &workflow, &headers, within);
    let token = hub.new_token();
    if let Some(task) = within {
        task.add_inputs_to(&mut handoff.inputs);
    }
    let facts = HandoffFacts {
        id: Some(id),
        workflow: Some(workflow.clone()),
        from: Some(lanes.agent.clone()),
        to: Some(lane.to.clone()),
        kind: handoff.kind,
        parent: within.and_then(|task| task.id()),
        subject: lane.subject_text.clone(),
        subject_template: None,
        server: hub.server.clone(),
    };
    let sent = Sent {
        token,
        id,
        attempt: number,
        inst: hub.inst,
        seq: 0, // known only when it is its turn to leave
        from: lanes.agent.clone(),
        to: lane.to.clone(),
        workflow,
        facts,
        place,
        carried,
        at: now,
        by: handoff.deadline(now),
        content: Content { hash: ContentHash::of(&handoff.payload), size: handoff.payload.len() as u64 },
        handoff,
        within: within.cloned(),
    };
    let found = sent.handoff.missing_inputs.clone().map(|text| Mismatch::new(MismatchKind::IncompleteJoin, text));

    if let Some(hooks) = &hub.hooks {
        hooks.on_send(&Sending::of(&sent));
    }
    trace_headers(&sent, &mut headers);
    if sent.handoff.stored && headers.get(names::NATS_MSG_ID).is_none() {
        headers.insert(names::NATS_MSG_ID, format!("{id}.{number}"));
    }
    let entry = publish(hub, &lane, sent, headers, permit, found).await?;
    watch(hub, &entry);
    Ok(Receipt::new(hub.clone(), entry))
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
    Ok(lanes.open(agent, subject))
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
        Some(id) => Ok(id?),
        None => Ok(within.and_then(|task| task.workflow()).unwrap_or_else(WorkflowId::random)),
    }
}

fn own_headers(handoff: &Handoff) -> Result<HeaderMap, HandOffError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &handoff.headers {
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
            let (trace_id, root) = trace::workflow_trace(workflow);
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

fn trace_headers(sent: &Sent, headers: &mut HeaderMap) {
    if sent.carried.is_none() {
        let flags = if sent.place.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
        let place = &sent.place;
        let context = SpanContext::new(place.trace_id, place.span_id, flags, false, place.trace_state.clone());
        trace::inject(&context, &mut carrier::Into(headers));
    }
    opentelemetry::Context::map_current(|context| {
        if !context.baggage().is_empty() {
            trace::inject_baggage(context.baggage(), &mut carrier::Into(headers));
        }
    });
}

/// Numbers the handoff, writes its header and publishes it, in one turn per lane, so that numbers leave in order.
async fn publish(
    hub: &Arc<Hub>,
    lane: &Lane,
    mut sent: Sent,
    mut headers: HeaderMap,
    permit: OwnedSemaphorePermit,
    found: Option<Mismatch>,
) -> Result<Arc<Entry>, HandOffError> {
    let to = sent.to.clone();
    let token = sent.token;
    let mut seq = lane.seq.lock().await;
    sent.seq = if sent.attempt == 1 { *seq + 1 } else { *seq };
    let envelope = envelope(hub, lane, &sent);
    let value = envelope.encode(hub.key.as_ref()).map_err(|source| HandOffError::Encode { to: to.clone(), source })?;
    carrier::set_wilco(&mut headers, value);
    let reply: Subject = hub.inbox_subject(InboxPart::Reply, token).into();
    let (subject, payload) = (lane.subject.clone(), sent.handoff.payload.clone());
    let size = payload.len();
    // Followed before it is sent, so that no answer can be too fast; forgotten if it does not leave.
    let entry = Entry::new(sent, Some(permit), found.into_iter().collect());
    hub.follow(&entry);
    let unsent = Unsent { hub, token };
    let published =
        in_time(SEND_WITHIN, hub.client.publish_with_reply_and_headers(subject, reply, headers, payload)).await;
    match published {
        Some(Ok(())) => {
            std::mem::forget(unsent);
            *seq = entry.sent.seq;
            Ok(entry)
        }
        None => Err(HandOffError::NotSent { to, waited: SEND_WITHIN }),
        Some(Err(error)) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
            Err(HandOffError::TooLarge { size, limit: hub.client.max_payload() })
        }
        Some(Err(error)) => Err(HandOffError::Publish { to, source: Box::new(error) }),
    }
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

fn envelope(hub: &Hub, lane: &Lane, sent: &Sent) -> Envelope {
    Envelope {
        id: Some(sent.id),
        at: Some(sent.at),
        hash: Some(sent.content.hash),
        size: Some(sent.content.size),
        from: Some(sent.from.clone()),
        to: Some(sent.to.clone()),
        workflow: Some(sent.workflow.clone()),
        attempt: Some(sent.attempt),
        inst: Some(sent.inst),
        seq: Some(sent.seq),
        hold: sent.handoff.hold,
        // Only a context's age needs the clocks.
        offset: if sent.handoff.contexts.is_empty() { None } else { lane.offset(sent.at).map(carrier::bounds) },
        kind: Some(sent.handoff.kind),
        intent: sent.handoff.intent.as_ref().map(|intent| intent.digest()),
        contexts: sent.handoff.contexts.clone(),
        inputs: sent.handoff.inputs.clone(),
        need: sent.handoff.owed,
        parent: sent.facts.parent,
        by: sent.by,
        receipts: sent.handoff.receipts.then(|| hub.inbox_subject(InboxPart::Receipt, sent.token).into()),
        ..Envelope::default()
    }
}

/// Sets the deadlines of a handoff that has left.
fn watch(hub: &Arc<Hub>, entry: &Arc<Entry>) {
    let sent = &entry.sent;
    let (token, now) = (sent.token, Instant::now());
    if !sent.handoff.receipts && sent.handoff.kind == HandoffKind::Transfer {
        hub.await_passage(entry);
    } else {
        hub.timers.add(now + sent.handoff.read_back_within, Timer::ReadBack(token));
    }
    if let Some(by) = sent.by {
        hub.timers.add(now + by.since(sent.at), Timer::Result(token));
    }
}

/// Runs `future` for at most `limit`. A timer is set only if it is not ready at once, which on this path it nearly
/// always is.
pub(crate) async fn in_time<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
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
        None => tokio::time::timeout(limit, future).await.ok(),
    }
}
