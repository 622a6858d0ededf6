//! A record becomes the span that the wire contract describes. What a span says is told once, per kind of record, in
//! terms of a [`Writer`]; one writer makes OTLP/protobuf of it, and one what the SDK gives its exporters.
//!
//! Runs where the record is made, once per handoff a side; for an exporter of the user's own, on the exporter thread.

mod attributes;
mod data;
mod frame;
mod handoff;
mod process;
mod protobuf;
mod shared;
mod step;
mod text;
mod workflow;
mod writer;

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;

use self::data::DataWriter;
pub(super) use self::frame::Frame;
use self::protobuf::ProtoWriter;
use self::writer::Writer;
use super::names;
use super::record::RecordRef;

/// Makes the SDK's spans of records.
#[derive(Debug)]
pub(super) struct SpanBuilder {
    writer: DataWriter,
    session: bool,
}

impl SpanBuilder {
    pub(super) fn new(session: bool) -> Self {
        Self { writer: DataWriter::new(scope()), session }
    }

    pub(super) fn span(&mut self, record: &RecordRef<'_>) -> Option<SpanData> {
        write(&mut self.writer, record, self.session);
        self.writer.take()
    }
}

/// Makes OTLP's spans of records.
#[derive(Debug)]
pub(super) struct SpanEncoder {
    writer: ProtoWriter,
    /// Bytes before the first span of a request, for what stands around them.
    room: usize,
    session: bool,
}

impl SpanEncoder {
    pub(super) fn new(resource: &Resource, session: bool) -> Self {
        Self { writer: ProtoWriter::default(), room: Frame::new(resource).room(), session }
    }

    /// Makes an empty buffer ready for spans, and for [`Frame::around`] them.
    pub(super) fn begin(&self, spans: &mut Vec<u8>) {
        spans.resize(self.room, 0);
    }

    /// Adds the span of a record.
    pub(super) fn add(&mut self, record: &RecordRef<'_>, spans: &mut Vec<u8>) {
        self.writer.write_into(spans, |writer| write(writer, record, self.session));
    }
}

fn write(out: &mut impl Writer, record: &RecordRef<'_>, session: bool) {
    match record {
        RecordRef::Handoff(record) => handoff::write(out, record, session),
        RecordRef::Process(record) => process::write(out, record, session),
        RecordRef::Workflow(record) => workflow::write(out, record, session),
        RecordRef::Step(record) => step::write(out, record, session),
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(names::SCOPE)
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(names::SCHEMA_URL)
        .build()
}
