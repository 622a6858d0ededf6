use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{SpanId, TraceId};

use super::super::profile::REPLY_TO;
use crate::model::{ContentHash, HandoffId};
use crate::nats::HeaderBlock;
use crate::wire::limits::MAX_HEADER_BYTES;
use crate::wire::{Envelope, names, trace};

/// The header by which FastStream and others carry one id through a pipeline.
const CORRELATION_ID: &str = "correlation_id";
/// The member of W3C baggage that names a workflow.
const BAGGAGE_WORKFLOW: &str = "wilco.workflow";

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
        if let Some((traceparent, wilco)) = ours_alone(block.as_bytes()) {
            (found.traceparent, found.wilco) = (Some(traceparent), Some(wilco));
            return found;
        }
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
    pub(super) fn stamp(&self) -> Option<Stamp<'a>> {
        self.wilco.and_then(Stamp::read)
    }
}

/// The values of a block that has nothing but what a proxy writes on a message without headers, which most messages
/// are: found by their places.
#[inline]
fn ours_alone(block: &[u8]) -> Option<(&[u8], &[u8])> {
    const TRACEPARENT: usize = 55;
    let rest = block.strip_prefix(b"NATS/1.0\r\ntraceparent: ")?;
    let (traceparent, rest) = rest.split_at_checked(TRACEPARENT)?;
    let wilco = rest.strip_prefix(b"\r\nWilco: ")?.strip_suffix(b"\r\n\r\n")?;
    let is_one_line = traceparent.starts_with(b"00-") && memchr::memchr(b'\n', wilco).is_none();
    let is_plain = is_one_line && wilco.first() == Some(&b'1') && wilco.last().is_some_and(|last| *last > b' ');
    (is_plain && memchr::memchr2(b'\n', b'\r', traceparent).is_none()).then_some((traceparent, wilco))
}

/// The trace context of a `traceparent` that was kept.
pub(super) fn context_of(traceparent: &[u8]) -> Option<(TraceId, SpanId, bool)> {
    Headers { traceparent: Some(traceparent), ..Headers::default() }.context()
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

/// What a packed header says of its handoff, as far as every delivery needs it: looked at where it is, as most of it is
/// never asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp<'a> {
    id: &'a [u8],
    hash: &'a [u8],
    workflow: &'a [u8],
    whole: &'a [u8],
    /// It is a receipt or a result, not a task.
    pub(super) has_rung: bool,
    /// The library wrote it.
    pub(super) by_library: bool,
}

impl<'a> Stamp<'a> {
    /// `None` if it is no header of a version that we know, or says nothing.
    fn read(value: &'a [u8]) -> Option<Self> {
        const FIXED: usize = 134;
        let value = &value[..value.len().min(MAX_HEADER_BYTES)];
        let mut stamp = Self { whole: value, ..Self::default() };
        let mut rest;
        let is_fixed =
            |places: &[u8]| places.starts_with(b"1;id=") && &places[41..45] == b";at=" && &places[64..70] == b";hash=";
        match value.get(..FIXED) {
            // As the library and the proxy write it.
            Some(places) if is_fixed(places) && matches!(value.get(FIXED), None | Some(b';')) => {
                (stamp.id, stamp.hash) = (&places[5..41], &places[70..]);
                rest = value.get(FIXED + 1..).unwrap_or_default();
            }
            _ => {
                let (version, after) = cut(value);
                if version.trim_ascii() != b"1" {
                    return None;
                }
                rest = after;
            }
        }
        while !rest.is_empty() {
            let (part, after) = cut(rest);
            rest = after;
            let part = part.trim_ascii();
            let set = |place: &mut &'a [u8], skip: usize| {
                if place.is_empty() {
                    *place = &part[skip..];
                }
            };
            match part.first() {
                Some(b'w') if part.starts_with(b"wf=") => set(&mut stamp.workflow, 3),
                Some(b'r') if part.starts_with(b"rung=") => stamp.has_rung = true,
                Some(b'i') if part.starts_with(b"inst=") => stamp.by_library = true,
                Some(b'i') if part.starts_with(b"id=") => set(&mut stamp.id, 3),
                Some(b'h') if part.starts_with(b"hash=") => set(&mut stamp.hash, 5),
                _ => {}
            }
        }
        (!stamp.id.is_empty() || stamp.has_rung).then_some(stamp)
    }

    /// The handoff.
    pub(super) fn id(&self) -> Option<HandoffId> {
        text(self.id)?.parse().ok()
    }

    /// The text of the handoff's id; any bytes.
    pub(super) fn id_text(&self) -> &'a [u8] {
        self.id
    }

    /// The hash of what was sent.
    pub(super) fn hash(&self) -> Option<ContentHash> {
        text(self.hash)?.parse().ok()
    }

    /// Whether what was received is not what was sent.
    #[inline]
    pub(super) fn differs(&self, received: ContentHash) -> bool {
        let mut hex = [0; 64];
        received.write_hex_into(&mut hex);
        hex != *self.hash && self.hash().is_some()
    }

    /// The workflow. Whoever wrote it has looked at the other headers before.
    pub(super) fn workflow(&self) -> Option<std::borrow::Cow<'a, str>> {
        if self.workflow.contains(&b'%') {
            let envelope = Envelope::decode(text(self.whole)?, None).envelope;
            return envelope.workflow.map(|workflow| workflow.as_str().to_owned().into());
        }
        text(self.workflow).map(Into::into)
    }
}

/// The part before the first `;`, and what follows it.
fn cut(value: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b';', value) {
        Some(at) => (&value[..at], &value[at + 1..]),
        None => (value, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstanceId, Timestamp, WorkflowId};

    const ID: &str = "019ca8d7-3636-78c7-9041-aadd07892eb8";

    /// The handoff and the workflow that these lines name.
    fn of(lines: &str) -> (Option<HandoffId>, Option<String>) {
        let block = format!("NATS/1.0\r\n{lines}\r\n");
        let headers = Headers::of(Some(HeaderBlock::new(block.as_bytes())));
        (headers.stamp().and_then(|stamp| stamp.id()), headers.workflow().map(Into::into))
    }

    #[test]
    fn what_is_written_is_read_in_its_fixed_places_and_in_any_others() {
        let at = Timestamp::from_unix_nanos(1_772_359_202_358_506_115);
        let hash = ContentHash::of(b"x");
        for (inst, workflow) in [(None, "abc"), (Some(InstanceId::random()), "50% of it; or so")] {
            let envelope = Envelope {
                id: ID.parse().ok(),
                at: Some(at),
                hash: Some(hash),
                size: Some(1),
                inst,
                workflow: WorkflowId::new(workflow).ok(),
                ..Envelope::default()
            };
            let fixed = envelope.encode(None).unwrap();
            let other = fixed.replace(";hash=", ";x=1; hash=");
            for value in [&fixed, &other] {
                let stamp = Stamp::read(value.as_bytes()).unwrap();
                assert_eq!((stamp.id(), stamp.hash()), (envelope.id, envelope.hash), "{value}");
                assert_eq!((stamp.by_library, stamp.has_rung), (inst.is_some(), false));
                assert_eq!(stamp.workflow().as_deref(), Some(workflow));
                assert!(stamp.differs(ContentHash::of(b"y")) && !stamp.differs(hash));
            }
        }
        assert!(Stamp::read(format!("1;id={ID};rung=completed").as_bytes()).unwrap().has_rung);
        let no_hash = format!("1;id={ID};hash=zz");
        assert!(!Stamp::read(no_hash.as_bytes()).unwrap().differs(hash), "what is no hash proves nothing");
    }

    #[test]
    fn hostile_headers_say_nothing() {
        for value in ["", "1", "2;id=x", "1;id=7", "\u{0}", &"é".repeat(200), &format!("1;id={}", "é".repeat(90))] {
            assert_eq!(of(&format!("Wilco: {value}\r\n")).0, None, "{value:?}");
        }
        for (value, at) in [("1;id=\u{fc};at=".repeat(20), 3), ("1;id=".to_owned() + &";".repeat(300), 0)] {
            let stamp = Stamp::read(value.as_bytes());
            assert_eq!(stamp.and_then(|stamp| stamp.id()), None, "{at}");
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
