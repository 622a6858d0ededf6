//! A handoff of which nothing more is to come becomes records of spans.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use super::open::{Open, Receiver, State, Task, text};
use super::overdue::Overdue;
use crate::model::{Climb, Evidence, HandoffId, HandoffKind, Mismatch, MismatchKind, Rung, Timestamp, WorkflowId};
use crate::proxy::record::Said;
use crate::telemetry::record::{
    Content, HandoffFacts, HandoffRecord, Outcome, ProcessRecord, Record, ResultFacts, SpanPlace,
};
use crate::verify;
use crate::verify::intent::{Comparer, Comparison};
use crate::wire::trace;

/// Why nothing more is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All is known, or its time has come.
    Due,
    /// There is no time or room to wait any longer.
    Early,
}

/// What is known of a receiver beside its handoffs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) last_beat: Option<Timestamp>,
    /// Its connection has ended.
    pub(super) is_gone: bool,
}

/// Makes the records of one handoff: one for each receiver, or one if none was seen. What remains is whose answer is owed
/// and did not come in time.
pub(super) fn records(
    mut open: Open,
    end: End,
    now: Timestamp,
    life: impl Fn(&Receiver) -> Life,
    out: &mut Vec<Record>,
) -> Option<Overdue> {
    let mut receivers = std::mem::take(&mut open.receivers);
    let Some(task) = open.sent.take() else {
        out.extend(
            receivers
                .into_iter()
                .filter_map(|receiver| process(open.id, receiver))
                .map(|record| Record::Process(Box::new(record))),
        );
        return None;
    };
    let any_answer = open.returned.is_some() || receivers.iter().any(|receiver| receiver.completions > 0);
    for receiver in &mut receivers {
        judge(receiver, &task, &open, end, any_answer, now, &life);
    }
    let overdue = Overdue::of(&open, &task, &receivers);
    if receivers.is_empty() {
        out.push(Record::Handoff(Box::new(handoff(&open, &task, None, 0, end))));
    }
    for (index, receiver) in receivers.into_iter().enumerate() {
        out.push(Record::Handoff(Box::new(handoff(&open, &task, Some(receiver), index, end))));
    }
    overdue
}

/// Finds what does not agree about one receiver.
fn judge(
    receiver: &mut Receiver,
    task: &Task,
    open: &Open,
    end: End,
    any_answer: bool,
    now: Timestamp,
    life: &impl Fn(&Receiver) -> Life,
) {
    let (sent_hash, sent_size) = (receiver.said_hash.or(task.hash), Some(task.size));
    if let Some(hash) = receiver.hash {
        receiver.mismatches.extend(verify::content(sent_hash, sent_size, hash, receiver.size));
    }
    let waits = task.reply.is_some() && receiver.expects_reply && open.stored.is_none() && open.returned.is_none();
    if waits && end == End::Due && !any_answer && receiver.state == State::Delivered {
        let mut line =
            format!("delivered to {}, and no reply within {:?}", receiver.agent, rounded(open.due.since(task.at)));
        let Life { last_beat, is_gone } = life(receiver);
        if is_gone {
            line.push_str("; it has disconnected");
        }
        if let Some(beat) = last_beat {
            line.push_str(&format!("; its last heartbeat was {:?} before", rounded(now.since(beat))));
        }
        receiver.mismatches.push(Mismatch::new(MismatchKind::TimedOut, line));
    }
    if receiver.state == State::Refused {
        receiver.climb(Rung::Failed, receiver.last_at);
        let line = "the receiver refused it (-NAK), and it was not delivered again";
        receiver.mismatches.push(Mismatch::new(MismatchKind::Failed, line));
    }
    duplicated(receiver);
    if let (Some(sent), Some(read_back)) = (&task.intent, &receiver.read_back) {
        let comparison = Comparer::default().compare(sent, read_back);
        let rung = match comparison {
            Comparison::Agrees => Some(Rung::Understood),
            Comparison::Differs(_) => Some(Rung::Misunderstood),
            Comparison::Unknown(_) => None,
        };
        if let Some(rung) = rung {
            receiver.climb_as(rung, Evidence::Declared, Some(receiver.agent.clone()), receiver.last_at);
        }
        receiver.mismatches.extend(comparison.mismatch());
    }
}

fn duplicated(receiver: &mut Receiver) {
    if receiver.deliveries > 1 && receiver.completions > 1 {
        let line = format!(
            "{} processed it {} times, of {} deliveries",
            receiver.agent, receiver.completions, receiver.deliveries
        );
        receiver.mismatches.push(Mismatch::new(MismatchKind::Duplicated, line));
    }
}

fn handoff(open: &Open, task: &Task, receiver: Option<Receiver>, index: usize, end: End) -> HandoffRecord {
    let trace = task.trace;
    // The id that travels is the first receiver's.
    let span_id = if index == 0 { trace.span_id } else { trace::new_span_id() };
    let place = SpanPlace {
        trace_id: trace.trace_id,
        span_id,
        parent_span_id: trace.parent,
        parent_is_remote: true,
        trace_state: TraceState::NONE,
        sampled: trace.sampled,
    };
    let carried = trace.carried.then(|| context(trace.trace_id, trace.parent, trace.sampled));
    let mut climbs = vec![Climb { rung: Rung::Sent, evidence: Evidence::Wire, by: None, at: task.at }];
    climbs.extend(open.stored.map(|at| Climb { rung: Rung::Stored, evidence: Evidence::Wire, by: None, at }));
    let mut mismatches = Vec::new();
    let mut ended = open.stored.unwrap_or(task.at);
    if let Some((at, why)) = &open.undelivered {
        mismatches.push(Mismatch::new(MismatchKind::Undelivered, why.clone()));
        ended = *at;
    }
    let mut result = ResultFacts::default();
    let (mut to, mut read_back, mut is_pending) = (task.to.clone(), None, false);
    let mut understood = false;
    match receiver {
        Some(receiver) => {
            let waits = task.reply.is_some() && receiver.expects_reply || receiver.from_store;
            is_pending = end == End::Early && waits && receiver.state == State::Delivered;
            ended = receiver.last_at;
            if receiver.has_timed_out() {
                ended = open.due;
            }
            if receiver.completions == 0
                && let Some(at) = open.returned.filter(|_| receiver.state == State::Delivered)
            {
                // The answer came by a way that does not lead through here.
                climbs.push(Climb { rung: Rung::Completed, evidence: Evidence::Inferred, by: None, at });
                ended = ended.max(at);
            }
            understood = receiver.climbs.iter().any(|climb| climb.rung == Rung::Understood);
            result = ResultFacts { content: receiver.result, quality: receiver.quality, ..ResultFacts::default() };
            to = Some(receiver.agent);
            read_back = receiver.read_back;
            climbs.extend(receiver.climbs);
            mismatches.extend(receiver.mismatches);
        }
        None => {
            if let Some(at) = open.returned {
                climbs.push(Climb { rung: Rung::Completed, evidence: Evidence::Wire, by: to.clone(), at });
                ended = ended.max(at);
            } else if open.undelivered.is_none() {
                is_pending = end == End::Early;
            }
        }
    }
    let verdict = match () {
        () if !mismatches.is_empty() => "mismatched",
        () if understood => "agreed",
        () if is_pending => "pending",
        () => "unconfirmed",
    };
    HandoffRecord {
        place,
        carried,
        facts: HandoffFacts {
            target: None,
            id: Some(open.id),
            workflow: task.workflow.clone().or_else(|| workflow_of(open.id)),
            from: Some(task.from.clone()),
            to,
            kind: if task.reply.is_some() && open.stored.is_none() {
                HandoffKind::Delegation
            } else {
                HandoffKind::Transfer
            },
            parent: task.parent,
            subject: task.subject.clone(),
            subject_template: task.template.clone(),
            server: task.server.clone(),
        },
        started: task.at,
        ended,
        attempt: 1,
        inst: None,
        seq: None,
        content: task.hash.map(|hash| Content { hash, size: task.size }),
        intent: task.intent.clone(),
        read_back,
        contexts: Vec::new(),
        context_age: None,
        context_latest: Vec::new(),
        inputs: Vec::new(),
        expected_inputs: None,
        reason: None,
        // Seen from outside, a cause is always deduced.
        parent_evidence: task.parent.map(|_| Evidence::Inferred),
        triggered_by: None,
        deadline: None,
        result,
        outcome: Outcome { verdict, mismatches, climbs },
    }
}

/// What was received of a handoff that somebody else reports. Nothing, if nobody says which handoff it is, or if the
/// library sent it, which reports it in full; unless what it says is not true.
pub(super) fn process(id: HandoffId, mut receiver: Receiver) -> Option<ProcessRecord> {
    let said = receiver.said.take()?;
    let hash = receiver.hash?;
    receiver.mismatches.extend(verify::content(said.hash, said.size, hash, receiver.size));
    if said.by_library {
        receiver.mismatches.retain(|found| matches!(found.kind, MismatchKind::Corrupted | MismatchKind::Truncated));
        if receiver.mismatches.is_empty() {
            return None;
        }
    }
    duplicated(&mut receiver);
    let Said { from, workflow, parent, context: carried, .. } = *said;
    let (trace_id, parent_span_id, sampled) =
        carried.unwrap_or((TraceId::from_bytes(*id.as_bytes()), SpanId::INVALID, true));
    let verdict = if receiver.mismatches.is_empty() { "unconfirmed" } else { "mismatched" };
    Some(ProcessRecord {
        place: SpanPlace {
            trace_id,
            span_id: trace::new_span_id(),
            parent_span_id,
            parent_is_remote: true,
            trace_state: TraceState::NONE,
            sampled,
        },
        link: carried.map(|(trace_id, span_id, sampled)| context(trace_id, span_id, sampled)),
        facts: HandoffFacts {
            target: None,
            id: Some(id),
            workflow: workflow.or_else(|| workflow_of(id)),
            from,
            to: Some(receiver.agent.clone()),
            kind: if receiver.expects_reply { HandoffKind::Delegation } else { HandoffKind::Transfer },
            parent,
            subject: receiver.subject,
            subject_template: receiver.template,
            server: receiver.server,
        },
        agent: receiver.agent,
        queue_group: receiver.group,
        started: receiver.first_at,
        ended: receiver.last_at,
        attempt: 1,
        delivery_count: receiver.delivery,
        inst: None,
        seq: None,
        received: Content { hash, size: receiver.size },
        read_back: receiver.read_back,
        contexts_read: Vec::new(),
        context_latest: Vec::new(),
        context_age: None,
        result: ResultFacts { content: receiver.result, quality: receiver.quality, ..ResultFacts::default() },
        outcome: Outcome { verdict, mismatches: receiver.mismatches, climbs: receiver.climbs },
    })
}

/// The first handoff of a workflow that nobody named names it.
fn workflow_of(id: HandoffId) -> Option<WorkflowId> {
    WorkflowId::new(text(id.to_string().as_bytes())).ok()
}

fn context(trace_id: TraceId, span_id: SpanId, sampled: bool) -> SpanContext {
    let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE)
}

/// To a tenth of a second, for a person.
fn rounded(time: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_millis(u64::try_from(time.as_millis() / 100 * 100).unwrap_or(u64::MAX))
}
