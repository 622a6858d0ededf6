use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{SpanId, TraceId};

use super::super::profile::REPLY_TO;
use crate::model::{ContentHash, HandoffId, Timestamp};
use crate::nats::HeaderBlock;
use crate::wire::{Envelope, names, trace};

/// The header by which FastStream and others carry one id through a pipeline.
const CORRELATION_ID: &str = "correlation_id";
/// The member of W3C baggage that names a workflow.
const BAGGAGE_WORKFLOW: &str = "wilco.workflow";

/// The part of a packed header that names its workflow.
const WORKFLOW_KEY: &str = ";wf=";

/// The headers of one message that tell something of its handoff, found in one pass. Of equal names the first counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Headers<'a> {
    pub(super) traceparent: Option<&'a [u8]>,
    tracestate: Option<&'a [u8]>,
    baggage: Option<&'a [u8]>,
    pub(super) wilco: Option<&'a [u8]>,
    pub(super) workflow: Option<&'a [u8]>,
    pub(super) from: Option<&'a [u8]>,
    pub(super) intent: Option<&'a [u8]>,
    pub(super) readback: Option<&'a [u8]>,
    pub(super) quality: Option<&'a [u8]>,
    pub(super) correlation_id: Option<&'a [u8]>,
    pub(super) reply_to: Option<&'a [u8]>,
    pub(super) error: Option<&'a [u8]>,
    pub(super) error_code: Option<&'a [u8]>,
}

impl<'a> Headers<'a> {
    pub(super) fn of(block: Option<HeaderBlock<'a>>) -> Self {
        let mut found = Self::default();
        let Some(block) = block else { return found };
        for line in block.lines() {
            let is = |name: &str| line.name.eq_ignore_ascii_case(name.as_bytes());
            // By length first: most headers are of no interest.
            let place = match line.name.len() {
                5 if is(names::WILCO) => &mut found.wilco,
                7 if is(names::BAGGAGE) => &mut found.baggage,
                8 if is(REPLY_TO) => &mut found.reply_to,
                10 if is(names::TRACESTATE) => &mut found.tracestate,
                10 if is(names::WILCO_FROM) => &mut found.from,
                11 if is(names::TRACEPARENT) => &mut found.traceparent,
                12 if is(names::WILCO_INTENT) => &mut found.intent,
                13 if is(names::WILCO_QUALITY) => &mut found.quality,
                14 if is(names::WILCO_WORKFLOW) => &mut found.workflow,
                14 if is(names::WILCO_READBACK) => &mut found.readback,
                14 if is(CORRELATION_ID) => &mut found.correlation_id,
                18 if is(names::NATS_SERVICE_ERROR) => &mut found.error,
                23 if is(names::NATS_SERVICE_ERROR_CODE) => &mut found.error_code,
                _ => continue,
            };
            place.get_or_insert(line.value);
        }
        found
    }

    /// The trace context that the message carries, if it is a valid one, and whether it is sampled.
    pub(super) fn context(&self) -> Option<(TraceId, SpanId, bool)> {
        self.traceparent?;
        let span = trace::extract(self)?;
        Some((span.trace_id(), span.span_id(), span.is_sampled()))
    }

    /// The workflow that the message names: in its baggage, in a plain header, or as the id that it correlates by.
    pub(super) fn workflow(&self) -> Option<std::borrow::Cow<'a, str>> {
        let in_baggage = self.baggage.filter(|value| has(value, BAGGAGE_WORKFLOW)).and_then(|_| {
            let value = trace::extract_baggage(self).get(BAGGAGE_WORKFLOW).map(|value| value.to_string())?;
            (!value.is_empty()).then_some(value.into())
        });
        let plain = || [self.workflow, self.correlation_id].into_iter().flatten().find_map(text).map(Into::into);
        in_baggage.or_else(plain)
    }

    /// What the packed header says.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        self.wilco.and_then(Stamp::read)
    }

    /// The workflow that a packed header names: whoever wrote it has looked at the other headers before.
    pub(super) fn stamped_workflow(&self) -> Option<std::borrow::Cow<'a, str>> {
        let value = self.wilco.and_then(text)?;
        let at = memchr::memmem::find(value.as_bytes(), WORKFLOW_KEY.as_bytes())? + WORKFLOW_KEY.len();
        let named = value.get(at..)?.split(';').next()?;
        if named.contains('%') {
            return Envelope::decode(value, None).envelope.workflow.map(|workflow| workflow.as_str().to_owned().into());
        }
        (!named.is_empty()).then_some(named.into())
    }
}

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let value = match key {
            names::TRACEPARENT => self.traceparent,
            names::TRACESTATE => self.tracestate,
            names::BAGGAGE => self.baggage,
            _ => None,
        };
        value.and_then(text)
    }

    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// A value as text, if it is some.
pub(super) fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok().filter(|text| !text.is_empty())
}

fn has(value: &[u8], part: &str) -> bool {
    memchr::memmem::find(value, part.as_bytes()).is_some()
}

/// What a packed header says of its handoff, as far as every delivery needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) id: Option<HandoffId>,
    pub(super) at: Option<Timestamp>,
    pub(super) hash: Option<ContentHash>,
    /// It is a receipt or a result, not a task.
    pub(super) has_rung: bool,
    /// The library wrote it.
    pub(super) by_library: bool,
}

impl Stamp {
    /// `None` if it is no header of a version that we know.
    fn read(value: &[u8]) -> Option<Self> {
        let value = std::str::from_utf8(value).ok()?;
        Self::in_fixed_places(value).or_else(|| Self::decode(value))
    }

    /// Reads a header as a proxy and the library write it.
    fn in_fixed_places(value: &str) -> Option<Self> {
        let rest = value.get(134..).filter(|rest| rest.starts_with(";size="))?;
        let fixed = value.starts_with("1;id=") && value.get(41..45)? == ";at=" && value.get(64..70)? == ";hash=";
        let at: u64 = value.get(45..64)?.parse().ok()?;
        fixed.then_some(())?;
        Some(Self {
            id: Some(value.get(5..41)?.parse().ok()?),
            at: Some(Timestamp::from_unix_nanos(at)),
            hash: Some(value.get(70..134)?.parse().ok()?),
            has_rung: has(rest.as_bytes(), ";rung="),
            by_library: has(rest.as_bytes(), ";inst="),
        })
    }

    #[cold]
    fn decode(value: &str) -> Option<Self> {
        let envelope = Envelope::decode(value, None).envelope;
        let said = Self {
            id: envelope.id,
            at: envelope.at,
            hash: envelope.hash,
            has_rung: envelope.rung.is_some(),
            by_library: envelope.inst.is_some(),
        };
        (said != Self::default()).then_some(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::InstanceId;

    const ID: &str = "019ca8d7-3636-78c7-9041-aadd07892eb8";

    fn of(lines: &str) -> (Option<Stamp>, Option<String>) {
        let block = format!("NATS/1.0\r\n{lines}\r\n");
        let headers = Headers::of(Some(HeaderBlock::new(block.as_bytes())));
        (headers.stamp(), headers.workflow().map(Into::into))
    }

    #[test]
    fn both_ways_of_reading_a_packed_header_agree() {
        let at = Timestamp::from_unix_nanos(1_772_359_202_358_506_115);
        let mut envelope = Envelope {
            id: ID.parse().ok(),
            at: Some(at),
            hash: Some(ContentHash::of(b"x")),
            size: Some(1),
            ..Envelope::default()
        };
        for inst in [None, Some(InstanceId::random())] {
            envelope.inst = inst;
            let value = envelope.encode(None).unwrap();
            assert_eq!(Stamp::in_fixed_places(&value), Stamp::decode(&value));
            assert_eq!(Stamp::in_fixed_places(&value).unwrap().by_library, inst.is_some());
        }
        envelope.hash = None;
        let value = envelope.encode(None).unwrap();
        assert_eq!(Stamp::in_fixed_places(&value), None);
        assert_eq!(Stamp::read(value.as_bytes()).unwrap().id, envelope.id);
    }

    #[test]
    fn hostile_headers_say_nothing() {
        for value in ["", "1", "2;id=x", "1;id=7", "\u{0}", &"é".repeat(200), &format!("1;id={}", "é".repeat(90))] {
            assert_eq!(of(&format!("Wilco: {value}\r\n")).0, None, "{value:?}");
        }
        assert!(Headers::of(Some(HeaderBlock::new(b"NATS/1.0\r\nWilco: \xff\r\n\r\n"))).stamp().is_none());
        assert!(Headers::of(Some(HeaderBlock::new(b"NATS/1.0\r\ntraceparent: \xff\r\n\r\n"))).context().is_none());
    }

    #[test]
    fn a_workflow_is_named_by_baggage_then_by_its_own_header_then_by_correlation() {
        let baggage = "Baggage: tenant=a,wilco.workflow=from%20baggage;x=y\r\n";
        let (own, correlation) = ("wilco-workflow: own\r\n", "Correlation_ID: c-1\r\n");
        for (lines, expected) in [
            ([correlation, own, baggage].concat(), Some("from baggage")),
            ([correlation, own].concat(), Some("own")),
            ([correlation, "baggage: wilco.workflowx=1\r\n"].concat(), Some("c-1")),
            ("correlation_id:\r\n".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(of(&lines).1.as_deref(), expected, "{lines}");
        }
    }
}
