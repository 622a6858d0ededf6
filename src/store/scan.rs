//! What the store looks for in a span, read out of its OTLP/protobuf message in one pass and without a copy: a request
//! has thousands of values, of which some twenty are asked for.
//!
//! It reads what exporters write and nothing else: fields of the type and length that they have, names before values,
//! nothing said twice. `None` means that it is something else, valid or not, and the slow reader decides.

use super::content;
use super::fields::{Field, Part, Reader, Slice};

/// How deep values may be within values; the slow reader allows about as much.
const DEEPEST: usize = 40;

/// The parts of a span that have columns, and the attributes that make some. Attributes are by their place, or by value.
#[derive(Clone, Debug, Default)]
pub(super) struct Scanned {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    pub(super) parent_id: Option<[u8; 8]>,
    pub(super) name: Part,
    pub(super) kind: u64,
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) is_error: bool,
    /// Whether it has attributes with content.
    pub(super) has_content: bool,

    pub(super) handoff: Option<Part>,
    pub(super) parent: Option<Part>,
    pub(super) from: Option<Part>,
    pub(super) to: Option<Part>,
    pub(super) handoff_kind: Option<Part>,
    pub(super) verdict: Option<Part>,
    pub(super) rung: Option<Part>,
    /// The list, not looked into.
    pub(super) mismatches: Option<Part>,
    pub(super) attempt: Option<i64>,
    pub(super) deliveries: Option<i64>,
    pub(super) size: Option<i64>,
    pub(super) size_received: Option<i64>,
    pub(super) age_ms: Option<f64>,
    pub(super) quality: Option<f64>,

    pub(super) workflow: Option<Part>,
    pub(super) conversation: Option<Part>,
    pub(super) workflow_name: Option<Part>,
    pub(super) outcome: Option<Part>,
    pub(super) ok: Option<bool>,
    pub(super) operation: Option<Part>,
    pub(super) agent: Option<Part>,
    pub(super) tool: Option<Part>,
    pub(super) decision: Option<Part>,
    pub(super) is_decision: bool,
    pub(super) is_join: bool,
    pub(super) is_iteration: bool,
}

/// Reads a `Span` message.
pub(super) fn span(bytes: &[u8]) -> Option<Scanned> {
    let mut span = Scanned::default();
    let mut seen = 0_u32;
    let mut fields = Reader::new(bytes, 0);
    while let Some((number, field)) = fields.next()? {
        // Attributes, events and links come more than once.
        if number <= 16 && ![9, 11, 13].contains(&number) {
            if seen & 1 << number != 0 {
                return None;
            }
            seen |= 1 << number;
        }
        match (number, field) {
            (1, Field::Bytes(id)) => span.trace_id = id_of(id.bytes)?,
            (2, Field::Bytes(id)) => span.span_id = id_of(id.bytes)?,
            (4, Field::Bytes(id)) => span.parent_id = Some(id_of(id.bytes)?).filter(|id| *id != [0; 8]),
            (3, Field::Bytes(text)) => text.is_text()?,
            (5, Field::Bytes(text)) => {
                text.is_text()?;
                span.name = text.part();
            }
            (6, Field::Number(kind)) => span.kind = kind,
            (7, Field::Fixed64(ns)) => span.start_ns = ns,
            (8, Field::Fixed64(ns)) => span.end_ns = ns,
            (9, Field::Bytes(entry)) => attribute(&mut span, entry)?,
            (10 | 12 | 14, Field::Number(_)) => {}
            (11, Field::Bytes(event)) => {
                if entries(event, 3, |number, field| match (number, field) {
                    (1, Field::Fixed64(_)) | (4, Field::Number(_)) => Some(()),
                    (2, Field::Bytes(name)) => name.is_text(),
                    _ => None,
                })? {
                    span.has_content = true;
                }
            }
            (13, Field::Bytes(link)) => {
                entries(link, 4, |number, field| match (number, field) {
                    (1, Field::Bytes(id)) => id_of::<16>(id.bytes).map(|_| ()),
                    (2, Field::Bytes(id)) => id_of::<8>(id.bytes).map(|_| ()),
                    (3, Field::Bytes(state)) => state.is_text(),
                    (5, Field::Number(_)) | (6, Field::Fixed32) => Some(()),
                    _ => None,
                })?;
            }
            (15, Field::Bytes(status)) => {
                let mut fields = Reader::of(status);
                while let Some((number, field)) = fields.next()? {
                    match (number, field) {
                        (2, Field::Bytes(why)) => why.is_text()?,
                        (3, Field::Number(code)) => span.is_error = code == 2,
                        _ => return None,
                    }
                }
            }
            (16, Field::Fixed32) => {}
            _ => return None,
        }
    }
    Some(span)
}

/// Checks a message with attributes under the field `of`, as resources have; whether some of them are content.
pub(super) fn has_attributes(bytes: &[u8], of: u32, other: impl Fn(u32, Field<'_>) -> Option<()>) -> Option<bool> {
    entries(Slice::whole(bytes), of, other)
}

fn entries(message: Slice<'_>, of: u32, other: impl Fn(u32, Field<'_>) -> Option<()>) -> Option<bool> {
    let mut has_content = false;
    let mut fields = Reader::of(message);
    while let Some((number, field)) = fields.next()? {
        match field {
            Field::Bytes(entry) if number == of => {
                let (name, value) = named(entry)?;
                check(value, DEEPEST)?;
                has_content |= content::is_content(name);
            }
            field => other(number, field)?,
        }
    }
    Some(has_content)
}

/// The texts in a list of values.
pub(super) fn texts(list: &[u8]) -> impl Iterator<Item = &str> {
    let mut fields = Reader::new(list, 0);
    std::iter::from_fn(move || fields.next().flatten()).filter_map(|(_, value)| {
        let Field::Bytes(value) = value else { return None };
        match Reader::of(value).next()?? {
            (1, Field::Bytes(text)) => std::str::from_utf8(text.bytes).ok(),
            _ => None,
        }
    })
}

/// Takes in one attribute. Of a name that comes twice, the last one counts.
fn attribute(span: &mut Scanned, entry: Slice<'_>) -> Option<()> {
    let (name, value) = named(entry)?;
    let value = check(value, DEEPEST)?;
    let text = || if let Value::Text(part) = &value { Some(part.clone()) } else { None };
    let int = || if let Value::Int(int) = value { Some(int) } else { None };
    let number = || match value {
        Value::Int(int) => Some(int as f64),
        Value::Double(double) if double.is_finite() => Some(double),
        _ => None,
    };
    match name {
        "wilco.handoff.id" => span.handoff = text(),
        "wilco.handoff.parent" => span.parent = text(),
        "wilco.handoff.from" => span.from = text(),
        "wilco.handoff.to" => span.to = text(),
        "wilco.handoff.kind" => span.handoff_kind = text(),
        "wilco.handoff.attempt" => span.attempt = int(),
        "wilco.delivery.count" => span.deliveries = int(),
        "wilco.content.size" => span.size = int(),
        "wilco.content.size.received" => span.size_received = int(),
        "wilco.context.age_ms" => span.age_ms = number(),
        "wilco.result.quality" => span.quality = number(),
        "wilco.verdict" => span.verdict = text(),
        "wilco.rung" => span.rung = text(),
        "wilco.mismatches" => span.mismatches = if let Value::List(part) = value { Some(part) } else { None },
        "wilco.workflow.id" => span.workflow = text().filter(|part| !part.is_empty()),
        "gen_ai.conversation.id" => span.conversation = text().filter(|part| !part.is_empty()),
        "gen_ai.workflow.name" => span.workflow_name = text(),
        "wilco.workflow.outcome" => span.outcome = text(),
        "wilco.workflow.ok" => span.ok = if let Value::Bool(ok) = value { Some(ok) } else { None },
        "gen_ai.operation.name" => span.operation = text(),
        "gen_ai.agent.name" => span.agent = text(),
        "gen_ai.tool.name" => span.tool = text(),
        "wilco.decision.type" => {
            span.decision = text();
            span.is_decision = true;
        }
        "wilco.join.expected" => span.is_join = true,
        "wilco.iteration" => span.is_iteration = true,
        other => span.has_content |= content::is_content(other),
    }
    Some(())
}

/// Name and value of a `KeyValue` message, the value not looked into.
fn named(entry: Slice<'_>) -> Option<(&str, Option<Slice<'_>>)> {
    let mut fields = Reader::of(entry);
    let (1, Field::Bytes(name)) = fields.next()?? else { return None };
    let name = std::str::from_utf8(name.bytes).ok()?;
    let value = match fields.next()? {
        None => return Some((name, None)),
        Some((2, Field::Bytes(value))) => value,
        Some(_) => return None,
    };
    if fields.next()?.is_some() {
        return None;
    }
    Some((name, Some(value)))
}

/// A value, as far as columns are made of it.
enum Value {
    Other,
    Text(Part),
    Bool(bool),
    Int(i64),
    Double(f64),
    List(Part),
}

/// Reads an `AnyValue` message and checks all that is in it.
fn check(value: Option<Slice<'_>>, deeper: usize) -> Option<Value> {
    let Some(value) = value else { return Some(Value::Other) };
    let mut fields = Reader::of(value);
    let Some((number, field)) = fields.next()? else { return Some(Value::Other) };
    if fields.next()?.is_some() {
        return None;
    }
    Some(match (number, field) {
        (1, Field::Bytes(text)) => {
            text.is_text()?;
            Value::Text(text.part())
        }
        (2, Field::Number(flag)) => Value::Bool(flag != 0),
        (3, Field::Number(int)) => Value::Int(int.cast_signed()),
        (4, Field::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
        (5, Field::Bytes(list)) if deeper > 0 => {
            let mut fields = Reader::of(list);
            while let Some((number, field)) = fields.next()? {
                let (1, Field::Bytes(value)) = (number, field) else { return None };
                check(Some(value), deeper - 1)?;
            }
            Value::List(list.part())
        }
        (6, Field::Bytes(map)) if deeper > 0 => {
            let mut fields = Reader::of(map);
            while let Some((number, field)) = fields.next()? {
                let (1, Field::Bytes(entry)) = (number, field) else { return None };
                check(named(entry)?.1, deeper - 1)?;
            }
            Value::Other
        }
        (7, Field::Bytes(_)) => Value::Other,
        _ => return None,
    })
}

fn id_of<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    if bytes.is_empty() { Some([0; N]) } else { bytes.try_into().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{body, samples};

    #[test]
    fn what_we_write_is_read_and_no_beginning_of_it_is() {
        let span_ = samples::everything();
        let bytes = body::encode_span(&span_);
        let read = span(&bytes).unwrap();
        assert_eq!((read.trace_id, read.span_id), (span_.trace_id.to_bytes(), span_.span_id.to_bytes()));
        assert_eq!(&bytes[read.name.start as usize..read.name.end as usize], b"step");
        assert!(read.is_error && !read.has_content);
        for end in (0..bytes.len()).step_by(61) {
            // A cut between two fields is a span of its own, with less in it.
            let _ = span(&bytes[..end]);
        }
    }

    #[test]
    fn what_is_not_as_exporters_write_it_is_left_to_the_slow_reader() {
        let entry = |entry: &[u8]| [&[9 << 3 | 2, entry.len() as u8], entry].concat();
        assert!(span(&entry(b"\x0a\x01a\x12\x03\x0a\x01b")).is_some());
        // The value before the name, the name twice, a value of two kinds, no UTF-8, a group, a short id.
        assert!(span(&entry(b"\x12\x03\x0a\x01b\x0a\x01a")).is_none());
        assert!(span(&entry(b"\x0a\x01a\x0a\x01a")).is_none());
        assert!(span(&entry(b"\x0a\x01a\x12\x05\x0a\x01b\x10\x01")).is_none());
        assert!(span(&entry(b"\x0a\x01\xff")).is_none());
        assert!(span(b"\x0b").is_none());
        assert!(span(b"\x0a\x01a").is_none());
        // A name twice: of the second only.
        let twice = [entry(b"\x0a\x0awilco.rung\x12\x03\x0a\x01b"), entry(b"\x0a\x0awilco.rung\x12\x02\x18\x01")];
        assert!(span(&twice.concat()).unwrap().rung.is_none());
    }
}
