use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::content::{Done, Policy};
use super::fields::{Field, Reader, Slice};
use super::pack::Packer;
use super::row::{self, Origin, SpanRow};
use super::scan;
use super::{StoreError, body};
use crate::otlp::limits::{LONGEST_REQUEST, MOST_SPANS};
use crate::otlp::{self, OtlpError};

/// The spans of one OTLP request, read and ready to be written: see [`Store::read`](super::Store::read).
#[derive(Debug, Default)]
pub struct Request {
    pub(super) rows: Vec<SpanRow>,
    /// Their bodies, as they are stored.
    pub(super) packs: Vec<Vec<u8>>,
    pub(super) content: Done,
}

impl Request {
    /// Packs the bodies of spans, which takes its time, and is none of the writer's.
    pub(super) fn new(mut rows: Vec<SpanRow>, content: Done) -> Self {
        // A pack is forgotten as a whole, so it has spans of one trace and one workflow.
        let (mut packs, mut open) = (Vec::new(), HashMap::<([u8; 16], Option<&str>), (usize, Packer)>::new());
        let mut places = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut begin = || {
                packs.push(Vec::new());
                packs.len() - 1
            };
            let (pack, packer) =
                open.entry((row.trace_id, row.workflow())).or_insert_with(|| (begin(), Packer::default()));
            if packer.is_full() {
                let next = begin();
                packs[std::mem::replace(pack, next)] = std::mem::take(packer).finish();
            }
            places.push((*pack, packer.add(&row.body)));
        }
        for (pack, packer) in open.into_values() {
            packs[pack] = packer.finish();
        }
        for (row, (pack, at)) in rows.iter_mut().zip(places) {
            (row.pack, row.at) = (pack, at);
        }
        Self { rows, packs, content }
    }

    /// How much memory it takes, about.
    pub(super) fn weight(&self) -> usize {
        self.rows.iter().map(SpanRow::weight).sum::<usize>() + self.packs.iter().map(Vec::len).sum::<usize>()
    }

    /// How many spans it has.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has no spans.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Reads a request in OTLP/protobuf. Spans as exporters write them are taken as they are; what is written otherwise is
/// decoded, and said what is wrong with it.
pub(super) fn read(request: &Bytes, policy: &Policy) -> Result<Request, StoreError> {
    if request.len() > LONGEST_REQUEST {
        return Err(OtlpError::TooLong { bytes: request.len() }.into());
    }
    if let Some(read) = as_it_is(request, policy) {
        return read;
    }
    let mut content = Done::default();
    let rows = row::rows(otlp::from_protobuf(request)?, policy, &mut content)?;
    Ok(Request::new(rows, content))
}

fn as_it_is(request: &Bytes, policy: &Policy) -> Option<Result<Request, StoreError>> {
    let (mut rows, mut content) = (Vec::new(), Done::default());
    let mut fields = Reader::new(request, 0);
    while let Some((number, field)) = fields.next()? {
        let (1, Field::Bytes(of_resource)) = (number, field) else { return None };
        let (resource, scopes) = parts(of_resource)?;
        scan::has_attributes(resource, 1, |number, field| match (number, field) {
            (2, Field::Number(_)) => Some(()),
            _ => None,
        })?;
        for of_scope in scopes {
            let (scope, spans) = parts(of_scope)?;
            scan::has_attributes(scope, 3, |number, field| match (number, field) {
                (1 | 2, Field::Bytes(text)) => text.is_text(),
                (4, Field::Number(_)) => Some(()),
                _ => None,
            })?;
            let origin = Arc::new(Origin::new(resource.to_vec(), scope.to_vec()));
            for span in spans {
                if rows.len() == MOST_SPANS {
                    // Said with the number of all.
                    return None;
                }
                let scanned = scan::span(span.bytes)?;
                if scanned.has_content {
                    // Written anew, without it or with what is kept of it.
                    match without_content(span.bytes, &origin, policy, &mut rows, &mut content) {
                        Ok(()) => continue,
                        Err(error) => return Some(Err(error)),
                    }
                }
                rows.push(SpanRow::new(scanned, request.slice_ref(span.bytes), Arc::clone(&origin)));
            }
        }
    }
    Some(Ok(Request::new(rows, content)))
}

fn without_content(
    span: &[u8],
    origin: &Arc<Origin>,
    policy: &Policy,
    into: &mut Vec<SpanRow>,
    content: &mut Done,
) -> Result<(), StoreError> {
    let spans = body::decode(&[], &[], std::iter::once(span))?;
    for mut row in row::rows(spans, policy, content)? {
        row.origin = Arc::clone(origin);
        into.push(row);
    }
    Ok(())
}

/// The parts of a `ResourceSpans` or a `ScopeSpans` message: what is said of all (field 1), and the list (field 2).
fn parts(message: Slice<'_>) -> Option<(&[u8], Vec<Slice<'_>>)> {
    let (mut of_all, mut list) = (None, Vec::new());
    let mut fields = Reader::new(message.bytes, 0);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(said)) if of_all.is_none() => of_all = Some(said.bytes),
            (2, Field::Bytes(each)) => list.push(each),
            // The address of a schema; it is not kept.
            (3, Field::Bytes(schema)) => schema.is_text()?,
            _ => return None,
        }
    }
    Some((of_all.unwrap_or_default(), list))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Span;
    use crate::store::samples;

    fn framed(spans: &[Span]) -> Bytes {
        let span = &spans[0];
        let (resource, scope) = (body::encode_resource(&span.resource), body::encode_scope(&span.scope));
        let bodies: Vec<_> = spans.iter().map(body::encode_span).collect();
        body::frame(bodies.iter().map(|body| (1, &resource[..], &scope[..], &body[..]))).into()
    }

    #[test]
    fn both_readers_make_the_same_rows() {
        let span = samples::everything();
        let request = framed(&[span.clone(), span.clone()]);
        let fast = as_it_is(&request, &Policy::default()).unwrap().unwrap();
        let slow = row::rows(vec![span.clone(), span], &Policy::default(), &mut Done::default()).unwrap();
        let slow = Request::new(slow, Done::default());
        assert_eq!(format!("{fast:?}"), format!("{slow:?}"));
    }

    #[test]
    fn content_leaves_a_span_on_both_ways() {
        let mut span = samples::everything();
        span.attributes.insert("gen_ai.prompt", "secret");
        let request = framed(&[span.clone()]);
        let fast = read(&request, &Policy::default()).unwrap();
        let mut done = Done::default();
        let slow = Request::new(row::rows(vec![span], &Policy::default(), &mut done).unwrap(), done);
        assert_eq!(format!("{fast:?}"), format!("{slow:?}"));
        assert_eq!((fast.content, done.left_out), (done, 1));
        assert!(!fast.rows[0].body.windows(6).any(|part| part == b"secret"));
    }

    #[test]
    fn a_request_that_is_none_is_said_to_be_none_and_one_cut_short_too() {
        let request = framed(&[samples::everything()]);
        for end in [1, 5, request.len() / 2, request.len() - 1] {
            let error = read(&request.slice(..end), &Policy::default()).unwrap_err();
            assert!(error.to_string().starts_with("not an OTLP/protobuf trace request"), "{error}");
        }
    }
}
