//! A record becomes the span that the wire contract describes. What a span says is told once, per kind of record, in
//! terms of a [`Writer`]; one writer makes OTLP/protobuf of it, and one what the SDK gives its exporters.
//!
//! Runs on the exporter thread, once per handoff a side.

mod attributes;
mod data;
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
use self::protobuf::{Frame, ProtoWriter};
use self::writer::Writer;
use super::names;
use super::record::Record;

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

    pub(super) fn span(&mut self, record: &Record) -> Option<SpanData> {
        write(&mut self.writer, record, self.session);
        self.writer.take()
    }
}

/// Makes OTLP requests of records.
#[derive(Debug)]
pub(super) struct SpanEncoder {
    writer: ProtoWriter,
    frame: Frame,
    session: bool,
}

impl SpanEncoder {
    pub(super) fn new(resource: &Resource, session: bool) -> Self {
        Self { writer: ProtoWriter::default(), frame: Frame::new(resource, &scope()), session }
    }

    /// Adds the span of a record to the next request.
    pub(super) fn add(&mut self, record: &Record) {
        write(&mut self.writer, record, self.session);
    }

    /// The request with all spans since the last one, in `room`.
    pub(super) fn request(&mut self, room: Vec<u8>) -> Vec<u8> {
        let spans = self.writer.spans();
        let request = self.frame.around(spans, room);
        spans.clear();
        request
    }
}

fn write(out: &mut impl Writer, record: &Record, session: bool) {
    match record {
        Record::Handoff(record) => handoff::write(out, record, session),
        Record::Process(record) => process::write(out, record, session),
        Record::Workflow(record) => workflow::write(out, record, session),
        Record::Step(record) => step::write(out, record, session),
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(names::SCOPE)
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(names::SCHEMA_URL)
        .build()
}
