//! What a span tells of a handoff, read in one pass. A span's attributes lie all over the memory, so that looking each up
//! where a rule needs it costs far more than the rules do.

use super::sides::Rungs;
use crate::model::{AttributeValue, MismatchKind, Rung, Span, names};

/// Which handoff a span is of, and who the two are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Address<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) from: Option<&'a str>,
    pub(super) caller: Option<&'a str>,
    pub(super) to: Option<&'a str>,
    pub(super) parent: Option<&'a str>,
    pub(super) is_delegation: bool,
    pub(super) operation: Option<&'a str>,
    pub(super) attempt: Option<i64>,
    pub(super) message: Option<&'a str>,
}

/// What a span tells of its handoff; nothing in it is judged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading<'a> {
    pub(super) rungs: Rungs,
    pub(super) declared: Kinds,
    pub(super) agent: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
    pub(super) inputs: Texts<'a>,
    pub(super) expected_inputs: Option<i64>,
    pub(super) inst: Option<&'a str>,
    pub(super) seq: Option<i64>,
    pub(super) delivery_count: Option<i64>,
    pub(super) content_hash: Option<&'a str>,
    pub(super) content_size: Option<i64>,
    pub(super) hash_received: Option<&'a str>,
    pub(super) size_received: Option<i64>,
    pub(super) intent_sent: Option<&'a str>,
    pub(super) intent_read_back: Option<&'a str>,
    /// Context items that were handed over.
    pub(super) context: Texts<'a>,
    /// Context items that were read; `None` where nothing is said of it.
    pub(super) context_read: Option<Texts<'a>>,
    pub(super) context_latest: Texts<'a>,
    pub(super) result_hash: Option<&'a str>,
    pub(super) quality: Option<f64>,
    pub(super) threshold: Option<f64>,
    pub(super) used: Option<bool>,
    pub(super) checked: Option<bool>,
    pub(super) join_expected: Option<i64>,
    pub(super) join_arrived: Option<i64>,
    pub(super) decides: bool,
    pub(super) ok: Option<bool>,
    signers: [Option<&'a str>; SIGNERS],
}

/// Who may sign rungs of one handoff: its two agents, the bus under either of its names, and one that has no business here.
const SIGNERS: usize = 5;

impl<'a> Reading<'a> {
    pub(super) fn read(span: &'a Span) -> (Address<'a>, Self) {
        let (mut address, mut told) = (Address::default(), Self::default());
        for (name, value) in span.attributes.iter() {
            told.take(&mut address, name, value);
        }
        (address, told)
    }

    /// Reads the ladder, which is in the events, and in an attribute that holds its top.
    pub(super) fn climb(&mut self, span: &'a Span) {
        for event in span.events.iter().filter(|event| event.name == names::RUNG) {
            for (name, value) in event.attributes.iter() {
                match (name, value.as_text()) {
                    ("rung", Some(rung)) => self.rungs.add(rung),
                    ("by", Some(signer)) => self.sign(signer),
                    _ => {}
                }
            }
        }
    }

    /// Who signed rungs, each once.
    pub(super) fn signers(&self) -> impl Iterator<Item = &'a str> {
        self.signers.into_iter().flatten()
    }

    fn sign(&mut self, signer: &'a str) {
        for place in &mut self.signers {
            match place {
                Some(known) if *known == signer => return,
                Some(_) => {}
                None => {
                    *place = Some(signer);
                    return;
                }
            }
        }
    }

    fn take(&mut self, address: &mut Address<'a>, name: &'a str, value: &'a AttributeValue) {
        let text = || value.as_text();
        match name {
            names::MESSAGING_OPERATION_TYPE => address.operation = text(),
            names::MESSAGING_MESSAGE_ID => address.message = text(),
            names::GEN_AI_CALLER_NAME => address.caller = text(),
            names::GEN_AI_AGENT_NAME => self.agent = text(),
            _ if !name.starts_with("wilco.") => {}
            names::HANDOFF_ID => address.id = text(),
            names::HANDOFF_FROM => address.from = text(),
            names::HANDOFF_TO => address.to = text(),
            names::HANDOFF_PARENT => address.parent = text(),
            names::HANDOFF_KIND => address.is_delegation = text() == Some("delegation"),
            names::HANDOFF_ATTEMPT => address.attempt = value.as_int(),
            names::HANDOFF_INPUTS => self.inputs = Texts::of(value),
            names::HANDOFF_EXPECTED_INPUTS => self.expected_inputs = value.as_int(),
            names::HANDOFF_REASON => self.reason = text(),
            names::DELIVERY_COUNT => self.delivery_count = value.as_int(),
            names::INST => self.inst = text(),
            names::SEQ => self.seq = value.as_int(),
            names::CONTENT_HASH => self.content_hash = text(),
            names::CONTENT_SIZE => self.content_size = value.as_int(),
            names::CONTENT_HASH_RECEIVED => self.hash_received = text(),
            names::CONTENT_SIZE_RECEIVED => self.size_received = value.as_int(),
            names::INTENT_SENT => self.intent_sent = text(),
            names::INTENT_READ_BACK => self.intent_read_back = text(),
            names::CONTEXT => self.context = Texts::of(value),
            names::CONTEXT_READ => self.context_read = Some(Texts::of(value)),
            names::CONTEXT_LATEST => self.context_latest = Texts::of(value),
            names::RUNG => self.rungs.add(text().unwrap_or_default()),
            names::RESULT_HASH => self.result_hash = text(),
            names::RESULT_QUALITY => self.quality = value.as_number(),
            names::RESULT_QUALITY_THRESHOLD => self.threshold = value.as_number(),
            names::RESULT_USED => self.used = value.as_bool(),
            names::RESULT_CHECKED => self.checked = value.as_bool(),
            names::MISMATCHES => Texts::of(value).iter().for_each(|kind| self.declared.add(kind)),
            names::JOIN_EXPECTED => self.join_expected = value.as_int(),
            names::JOIN_ARRIVED => self.join_arrived = value.as_int(),
            names::DECISION_TYPE => self.decides = true,
            names::WORKFLOW_OK => self.ok = value.as_bool(),
            _ => {}
        }
    }
}

/// The texts in a list.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Texts<'a>(&'a [AttributeValue]);

impl<'a> Texts<'a> {
    fn of(value: &'a AttributeValue) -> Self {
        Self(value.as_list().unwrap_or_default())
    }

    pub(super) fn iter(self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.iter().filter_map(AttributeValue::as_text)
    }

    /// `name@version` texts, as pairs.
    pub(super) fn versions(self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        // Context items go on after a slash: `name@version/observed-at/max-age/hash`.
        self.iter().filter_map(|text| text.split('/').next().and_then(|item| item.split_once('@')))
    }

    /// When this version of a context item was observed, in nanoseconds by the clock of who handed it over.
    pub(super) fn observed(self, name: &str, version: &str) -> Option<u64> {
        self.iter().find_map(|text| {
            let mut parts = text.split('/');
            (parts.next()?.split_once('@')? == (name, version)).then(|| parts.next()?.parse().ok())?
        })
    }
}

/// Mismatch kinds, a bit for each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kinds(u32);

impl Kinds {
    fn add(&mut self, word: &str) {
        if let Ok(kind) = word.parse::<MismatchKind>() {
            self.0 |= 1 << kind as u32;
        }
    }

    pub(super) const fn has(self, kind: MismatchKind) -> bool {
        self.0 & (1 << kind as u32) != 0
    }
}

impl Rungs {
    fn add(&mut self, word: &str) {
        if let Ok(rung) = word.parse::<Rung>() {
            self.insert(rung);
        }
    }
}
