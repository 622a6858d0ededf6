//! What the agent says: a task, an answer to one, or what became of one.

use std::borrow::Cow;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use super::headers::{Headers, text};
use super::json::JsonPath;
use super::{Injection, MOST_AWAITED, Observer, Plan, Published, Rules, Skipped, answer};
use crate::model::{AgentName, ContentHash, HandoffId, Timestamp, WorkflowId};
use crate::proxy::profile::Profile;
use crate::proxy::record::{Answered, Batch, Observed, ReplyKey, Sent, Settled, Trace};
use crate::wire::trace;

impl Observer {
    /// Whether the hash of a payload that is published there is wanted.
    #[inline]
    pub(crate) fn wants_hash_up(&mut self, subject: &[u8]) -> bool {
        if Rules::is_inbox(subject) {
            let key = self.rules.key(subject);
            let entry = self.taken.by_reply(key);
            return self.rules.records() && entry.is_some_and(|entry| self.rules.load.takes_text(entry.id_text()));
        }
        let route = self.routes.of(subject, &self.rules);
        route.traced && (route.inject || self.rules.telemetry.is_on())
    }

    /// Called before the message goes on. `may_inject` says whether the protocol allows it.
    #[inline]
    pub(crate) fn on_publish(
        &mut self,
        message: &Published<'_>,
        may_inject: bool,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Plan<'_> {
        if message.subject.first() == Some(&b'$') && message.subject.starts_with(answer::ACK) {
            self.settle(message, now, batch);
            return Plan::Leave(Skipped::Untraced);
        }
        let is_inbox = Rules::is_inbox(message.subject);
        if is_inbox || self.taken.has_unusual_replies() {
            let key = self.rules.key(message.subject);
            let is_reply = self.taken.by_reply(key).is_some();
            if is_reply || is_inbox && !self.routes.of(message.subject, &self.rules).traced {
                let is_bare = message.size == 0 && message.headers.is_none();
                self.answer(key, message, now, batch);
                return Plan::Leave(if is_bare { Skipped::EmptyToInbox } else { Skipped::Reply });
            }
        }
        let route = self.routes.of(message.subject, &self.rules);
        if !route.traced {
            if route.is_beat
                && self.rules.records()
                && let Some(agent) = route.agent.clone()
            {
                batch.push(Observed::Beat { agent, at: now });
            }
            return Plan::Leave(Skipped::Untraced);
        }
        let headers = Headers::of(message.headers);
        if headers.wilco.is_some() {
            return Plan::Leave(Skipped::HasWilco);
        }
        if message.headers.is_some_and(|block| block.status().is_some()) {
            return Plan::Leave(Skipped::Status);
        }
        if !(self.rules.records() || route.inject && may_inject) {
            return Plan::Leave(if route.inject { Skipped::NoHeaders } else { Skipped::Off });
        }
        self.send(message, &headers, may_inject, now, batch)
    }

    /// A payload that streamed through has this hash.
    pub(crate) fn on_streamed(&mut self, id: HandoffId, hash: ContentHash, batch: &mut Batch) {
        if self.rules.records() && self.rules.load.takes(&id) {
            batch.push(Observed::Streamed { id, hash });
        }
    }

    fn send(
        &mut self,
        message: &Published<'_>,
        headers: &Headers<'_>,
        may_inject: bool,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Plan<'_> {
        let reply = self.reply_of(message.reply, headers);
        let key = reply.map(|reply| self.rules.key(reply));
        let route = self.routes.of(message.subject, &self.rules);
        let travels = route.inject && may_inject;
        self.is_bare |= !travels;
        // By what the other parts of the handoff show of it.
        let id = match (key, message.hash) {
            (_, Some(hash)) if !travels => HandoffId::with_tail(now, self.rules.content(message.subject, hash) as u16),
            (Some(key), _) => HandoffId::with_tail(now, key.0 as u16),
            (None, _) => HandoffId::new(now),
        };
        let is_recorded = self.rules.records() && self.rules.load.takes(&id);
        let carried = headers.context();
        let said = self.workflow_said(headers, message.payload);
        let trace = carried.map(|context| context.0);
        let forget = self.rules.reply_within;
        let cause = self.taken.cause(said.as_deref().unwrap_or_default().as_bytes(), trace, now, forget);
        let (parent, cause_context) = cause.map_or((None, None), |entry| (entry.id(), entry.context()));
        let own_name = cause.and_then(|entry| entry.agent.clone());
        let of_cause = cause.and_then(|entry| match (entry.workflow(), entry.id()) {
            ("", None) => None,
            // The first handoff of a workflow that nobody named names it.
            ("", Some(id)) => Some(id.to_string()),
            (workflow, _) => Some(workflow.to_owned()),
        });
        let named = said.or(of_cause.map(Cow::Owned)).and_then(|workflow| self.workflow(&workflow));
        // Of a handoff that is left out under load, no span will be there to be the parent of others.
        let sample =
            |trace_id, parent| (is_recorded || !self.rules.records()) && self.rules.telemetry.sample(trace_id, parent);
        let (trace_id, parent_span, sampled) = match (carried, cause_context, &named) {
            (Some(carried), _, _) => carried,
            (None, Some((trace_id, parent, sampled)), _) => (trace_id, parent, sample(trace_id, Some(sampled))),
            (None, None, Some((_, trace_id, root))) => (*trace_id, *root, sample(*trace_id, None)),
            (None, None, None) => {
                let trace_id = TraceId::from_bytes(*id.as_bytes());
                (trace_id, SpanId::INVALID, sample(trace_id, None))
            }
        };
        let (span_id, is_carried) = (trace::new_span_id(), carried.is_some());
        let trace = Trace { trace_id, span_id, parent: parent_span, sampled, carried: is_carried };
        let workflow = named.map(|(workflow, _, _)| workflow);
        let said_name = headers.from.and_then(text).and_then(|name| AgentName::new(name).ok());
        let from = said_name.or(own_name).map_or(Cow::Borrowed(self.names.name()), Cow::Owned);
        if let (Some(reply), Some(key)) = (reply, key)
            && !Rules::is_inbox(reply)
        {
            if self.awaited.len() >= MOST_AWAITED {
                self.awaited.clear();
            }
            self.awaited.insert(key);
        }
        let route = self.routes.of(message.subject, &self.rules);
        let (to, template, streams_back, inject) =
            (route.agent.as_ref(), &route.template, route.streams_back, route.inject);
        if is_recorded {
            let intent = said_at(headers.intent, self.rules.intent_path.as_ref(), message.payload)
                .map(|intent| batch.keep(intent.as_bytes()));
            let sent = Sent {
                id,
                at: now,
                from: from.as_ref().clone(),
                to: to.cloned(),
                workflow: workflow.clone(),
                parent,
                trace,
                subject: batch.keep(message.subject),
                template: template.clone(),
                reply: key,
                size: message.size,
                hash: message.hash,
                intent,
                travels,
                streams_back,
                server: self.server.clone(),
            };
            batch.push(Observed::Sent(sent));
        } else if self.rules.records() {
            batch.shed_sent();
        }
        if !travels {
            return Plan::Leave(if inject { Skipped::NoHeaders } else { Skipped::Off });
        }
        let traceparent = carried.is_none().then(|| {
            let flags = if trace.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
            trace::traceparent_bytes(&SpanContext::new(trace.trace_id, trace.span_id, flags, false, TraceState::NONE))
        });
        Plan::Inject(Injection { id, traceparent, from, to, workflow, kind: None, parent, by: None })
    }

    /// A workflow by its name, with its trace and its root.
    fn workflow(&mut self, name: &str) -> Option<(WorkflowId, TraceId, SpanId)> {
        if let Some(last) = &self.workflow
            && last.0.as_str() == name
        {
            return Some(last.clone());
        }
        let workflow = WorkflowId::new(name).ok()?;
        let (trace, root) = trace::workflow_trace(&workflow);
        self.workflow = Some((workflow, trace, root));
        self.workflow.clone()
    }

    /// The agent told JetStream what became of a message.
    fn settle(&mut self, message: &Published<'_>, now: Timestamp, batch: &mut Batch) {
        let reply = self.rules.key(message.subject);
        let settlement = answer::settlement(message.payload.unwrap_or_default(), batch);
        let Some(entry) = self.taken.by_reply(reply) else { return };
        if settlement.ends() {
            entry.done();
        }
        if self.rules.records() && self.rules.load.takes_text(entry.id_text()) {
            batch.push(Observed::Settled(Settled { session: self.session, reply, at: now, settlement }));
        }
    }

    /// The agent published to a reply subject.
    fn answer(&mut self, reply: ReplyKey, message: &Published<'_>, now: Timestamp, batch: &mut Batch) {
        let headers = Headers::of(message.headers);
        let chunked = self.rules.profiles.has(Profile::SynadiaAgents);
        let mut agent = None;
        let mut is_recorded = self.rules.records();
        let answer = answer::answer(message, &headers, chunked, batch);
        if let Some(entry) = self.taken.by_reply(reply) {
            agent = entry.agent.clone();
            is_recorded &= self.rules.load.takes_text(entry.id_text());
            if answer.ends(chunked) {
                entry.done();
            }
        }
        if !is_recorded {
            return;
        }
        let readback = said_at(headers.readback, self.rules.readback_path.as_ref(), message.payload);
        let quality = answer::quality(&headers);
        let answered = Answered {
            session: self.session,
            reply,
            at: now,
            agent: agent.unwrap_or_else(|| self.names.name().clone()),
            size: message.size,
            hash: message.hash,
            answer,
            readback: readback.map(|readback| batch.keep(readback.as_bytes())),
            quality: quality.map(|quality| (quality.score(), batch.keep(quality.by().as_bytes()))),
        };
        batch.push(Observed::Answered(answered));
    }
}

/// An intent as JSON: in its own header, or in the payload where the rules say where.
fn said_at<'a>(header: Option<&'a [u8]>, path: Option<&JsonPath>, payload: Option<&[u8]>) -> Option<Cow<'a, str>> {
    let in_header = header.and_then(text).map(Cow::Borrowed);
    in_header.or_else(|| Some(Cow::Owned(path?.find(payload?)?.to_string())))
}
