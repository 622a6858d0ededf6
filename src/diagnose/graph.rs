use std::collections::HashMap;

use opentelemetry::trace::SpanId;

use super::handoff::Handoff;
use super::join::Join;
use super::reading::{Address, Reading};
use super::sides::{Attempt, Delivery};
use crate::model::{Span, SpanKind};

/// The handoffs of one workflow, and what hangs together.
#[derive(Clone, Debug)]
pub struct Graph<'a> {
    /// Every handoff that some record tells of.
    pub handoffs: Vec<Handoff<'a>>,
    /// Joins on record.
    pub joins: Vec<Join<'a>>,
    /// Spans of decisions, with the handoff that the decider was working on, where it is known.
    pub decisions: Vec<(&'a Span, Option<usize>)>,
    /// Whether the workflow's result was right, where somebody recorded it.
    pub ok: Option<bool>,
    /// Which handoff made a result with this hash.
    pub(super) makers: HashMap<&'a str, usize>,
}

impl<'a> Graph<'a> {
    /// Joins what both sides of each handoff tell, by handoff id.
    pub(super) fn of(spans: &'a [Span]) -> Self {
        let mut builder = Builder::default();
        for span in spans {
            builder.add(span);
        }
        builder.finish()
    }

    /// For each handoff, whether some task names its result among its inputs.
    pub(super) fn claimed(&self) -> Vec<bool> {
        let mut claimed = vec![false; self.handoffs.len()];
        for hash in self.handoffs.iter().filter_map(|handoff| handoff.attempts.last()).flat_map(|sent| sent.inputs()) {
            if let Some(maker) = self.makers.get(hash) {
                claimed[*maker] = true;
            }
        }
        claimed
    }

    /// The handoff that made the result with this hash.
    pub fn maker(&self, hash: &str) -> Option<&Handoff<'a>> {
        self.makers.get(hash).map(|at| &self.handoffs[*at])
    }

    /// The handoff with this id.
    pub fn handoff(&self, id: &str) -> Option<&Handoff<'a>> {
        self.handoffs.iter().find(|handoff| handoff.id == id)
    }
}

#[derive(Default)]
struct Builder<'a> {
    handoffs: Vec<Handoff<'a>>,
    places: HashMap<&'a str, usize>,
    /// Which handoff a span is part of, on either side.
    of_span: HashMap<SpanId, usize>,
    ok: Option<bool>,
    /// Spans of joins and decisions.
    others: Vec<(&'a Span, Reading<'a>)>,
}

impl<'a> Builder<'a> {
    fn add(&mut self, span: &'a Span) {
        let (address, mut told) = Reading::read(span);
        if let Some(ok) = told.ok {
            self.ok = Some(ok && self.ok.unwrap_or(true));
        }
        if told.decides || told.join_expected.is_some() {
            self.others.push((span, told));
        }
        let Some(id) = address.id else { return };
        let Some(side) = Side::of(span, &address) else { return };
        told.climb(span);
        let at = self.place(id);
        self.of_span.insert(span.span_id, at);
        let handoff = &mut self.handoffs[at];
        handoff.from = handoff.from.or(address.from).or(address.caller);
        handoff.to = handoff.to.or(address.to);
        handoff.parent_id = handoff.parent_id.or(address.parent);
        handoff.is_delegation |= address.is_delegation;
        match side {
            Side::Sender => handoff.attempts.push(Attempt { span, number: address.attempt.unwrap_or(1), told }),
            Side::Receiver => {
                let attempt = address.message.and_then(attempt_in_message_id).unwrap_or(0);
                handoff.deliveries.push(Delivery { span, attempt, told });
            }
        }
    }

    fn place(&mut self, id: &'a str) -> usize {
        *self.places.entry(id).or_insert_with(|| {
            self.handoffs.push(Handoff::new(id));
            self.handoffs.len() - 1
        })
    }

    fn finish(mut self) -> Graph<'a> {
        // A handoff that left no record of its own is known by those that were made while working on it.
        for at in 0..self.handoffs.len() {
            if let Some(parent) = self.handoffs[at].parent_id {
                self.place(parent);
            }
        }
        self.number_deliveries();
        self.link_parents();
        let mut joins = Vec::new();
        let mut decisions = Vec::new();
        for (span, told) in &self.others {
            let within = span.parent_span_id.and_then(|parent| self.of_span.get(&parent).copied());
            joins.extend(Join::read(span, told, within));
            if told.decides {
                decisions.push((*span, within));
            }
        }
        let makers = makers(&self.handoffs);
        Graph { handoffs: self.handoffs, joins, decisions, ok: self.ok, makers }
    }

    /// A delivery belongs to the attempt whose span is its parent, else to the one that its message id names.
    fn number_deliveries(&mut self) {
        for handoff in &mut self.handoffs {
            handoff.attempts.sort_by_key(|attempt| attempt.number);
            for delivery in &mut handoff.deliveries {
                let parent = delivery.span.parent_span_id;
                let sent = handoff.attempts.iter().find(|attempt| Some(attempt.span.span_id) == parent);
                delivery.attempt = match (sent, delivery.attempt) {
                    (Some(sent), _) => sent.number,
                    (None, 0) => handoff.attempts.last().map_or(1, |last| last.number),
                    (None, named) => named,
                };
            }
            handoff.deliveries.sort_by_key(|delivery| (delivery.attempt, delivery.count(), delivery.span.start));
            let last_sent = handoff.attempts.last().map(|attempt| attempt.number);
            let last_taken = handoff.deliveries.last().map(|delivery| delivery.attempt);
            handoff.last_attempt = last_sent.max(last_taken).unwrap_or(1);
        }
    }

    fn link_parents(&mut self) {
        for at in 0..self.handoffs.len() {
            let handoff = &self.handoffs[at];
            let named = handoff.parent_id.and_then(|parent| self.places.get(parent).copied());
            // The sender's span stands below that of the delivery it was working on.
            let above = handoff.attempts.first().and_then(|attempt| attempt.span.parent_span_id);
            if let (Some(parent), Some(above)) = (named, above) {
                // A receiver's span that was lost is known by what stands below it.
                self.of_span.entry(above).or_insert(parent);
            }
            let parent = named.or_else(|| above.and_then(|above| self.of_span.get(&above).copied()));
            let parent = parent.filter(|parent| *parent != at);
            self.handoffs[at].parent = parent;
            if let Some(parent) = parent {
                self.handoffs[parent].children.push(at);
                let sender = self.handoffs[at].from;
                // Who hands on while working on it is the one that it was handed to.
                if self.handoffs[parent].is_unseen() && self.handoffs[parent].to.is_none() {
                    self.handoffs[parent].to = sender;
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Side {
    Sender,
    Receiver,
}

impl Side {
    fn of(span: &Span, address: &Address<'_>) -> Option<Self> {
        match address.operation {
            Some("process") => Some(Self::Receiver),
            Some("send") => Some(Self::Sender),
            _ => match span.kind {
                SpanKind::Consumer => Some(Self::Receiver),
                SpanKind::Producer | SpanKind::Client => Some(Self::Sender),
                _ => None,
            },
        }
    }
}

/// The message id is the handoff id, a dot and the attempt, unless the sender set its own.
fn attempt_in_message_id(id: &str) -> Option<i64> {
    id.rsplit_once('.')?.1.parse().ok()
}

fn makers<'a>(handoffs: &[Handoff<'a>]) -> HashMap<&'a str, usize> {
    let mut makers = HashMap::with_capacity(handoffs.len());
    for (at, handoff) in handoffs.iter().enumerate() {
        let sent = handoff.attempts.iter().map(|attempt| attempt.told.result_hash);
        let taken = handoff.deliveries.iter().map(|delivery| delivery.told.result_hash);
        for hash in sent.chain(taken).flatten() {
            makers.insert(hash, at);
        }
    }
    makers
}
