use bytes::Bytes;
use opentelemetry_sdk::Resource;

use super::protobuf::{BYTES, Buffer, STRING, field, varint_len};
use super::scope;

/// What stands around the spans of a request: who made them.
#[derive(Debug)]
pub(in crate::telemetry) struct Frame {
    /// `ResourceSpans.resource`, whole.
    resource: Vec<u8>,
    /// `ScopeSpans.scope`, whole.
    scope: Vec<u8>,
    /// `ScopeSpans.schema_url`, whole.
    scope_end: Vec<u8>,
    /// `ResourceSpans.schema_url`, whole.
    resource_end: Vec<u8>,
}

/// A tag, and the longest length.
const LONGEST_PREFIX: usize = 1 + varint_len(usize::MAX);

impl Frame {
    pub(in crate::telemetry) fn new(resource: &Resource) -> Self {
        let mut maker = Buffer::default();
        let begun = maker.open(field(1, BYTES));
        for (key, value) in resource {
            any_text(&mut maker, key.as_str(), &value.as_str());
        }
        maker.close(begun);
        let scope = scope();
        let mut about = Buffer::default();
        let begun = about.open(field(1, BYTES));
        about.bytes(field(1, BYTES), scope.name().as_bytes());
        about.bytes(field(2, BYTES), scope.version().unwrap_or_default().as_bytes());
        about.close(begun);
        let schema = |url: Option<&str>| {
            let mut end = Buffer::default();
            if let Some(url) = url {
                end.bytes(field(3, BYTES), url.as_bytes());
            }
            end.0
        };
        Self {
            resource: maker.0,
            scope: about.0,
            scope_end: schema(scope.schema_url()),
            resource_end: schema(resource.schema_url()),
        }
    }

    /// Bytes that must be free before the first span.
    pub(super) fn room(&self) -> usize {
        2 * LONGEST_PREFIX + self.resource.len() + self.scope.len()
    }

    /// The request that carries `spans`, which stand behind [`Frame::room`]: an `ExportTraceServiceRequest`. It is
    /// part of the first of the two, all that was allocated.
    pub(in crate::telemetry) fn around(&self, spans: Vec<u8>) -> (Bytes, Bytes) {
        let room = self.room();
        let scope_spans = self.scope.len() + (spans.len() - room) + self.scope_end.len();
        let resource_spans = self.resource.len() + 1 + varint_len(scope_spans) + scope_spans + self.resource_end.len();
        let mut head = Buffer(Vec::with_capacity(room));
        head.0.push(field(1, BYTES));
        head.varint(resource_spans as u64);
        head.0.extend_from_slice(&self.resource);
        head.0.push(field(2, BYTES));
        head.varint(scope_spans as u64);
        head.0.extend_from_slice(&self.scope);
        let mut whole = spans;
        let from = room - head.0.len();
        whole[from..room].copy_from_slice(&head.0);
        whole.extend_from_slice(&self.scope_end);
        whole.extend_from_slice(&self.resource_end);
        let whole = Bytes::from(whole);
        let request = whole.slice(from..);
        (whole, request)
    }
}

/// An attribute of a resource, all of which are texts here.
fn any_text(out: &mut Buffer, key: &str, value: &str) {
    let pair = out.open(field(1, BYTES));
    out.bytes(field(1, BYTES), key.as_bytes());
    let any = out.open(field(2, BYTES));
    out.bytes(STRING, value.as_bytes());
    out.close(any);
    out.close(pair);
}
