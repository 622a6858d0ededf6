use super::measure::Measure;
use super::record::{Record, RecordRef};
use super::span::SpanEncoder;

/// What waits for the exporter: spans, in loads of one batch each, and what metrics count.
///
/// A span is encoded here, on the thread that recorded it: its record is still in that thread's cache, nothing is
/// allocated, and nothing has to be freed by another thread.
#[derive(Debug)]
pub(super) struct Intake {
    form: Form,
    batch: usize,
    full: Vec<Load>,
    filling: Load,
    /// Buffers that were sent, to be filled again.
    room: Vec<Vec<u8>>,
    /// `None` where no metrics are wanted.
    measures: Option<Vec<Measure>>,
}

/// In which form spans are wanted.
#[derive(Debug)]
pub(super) enum Form {
    /// As OTLP's bytes.
    Encoded(Box<SpanEncoder>),
    /// As whole records, for an exporter of the user's own.
    Kept,
    /// In none: only metrics are.
    None,
}

/// The spans of one request: encoded, or kept as records.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) spans: usize,
    pub(super) encoded: Vec<u8>,
    pub(super) kept: Vec<Record>,
}

/// What the exporter takes at once.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) loads: Vec<Load>,
    pub(super) measures: Vec<Measure>,
}

/// Buffers kept to be filled again: one that is filled while another is sent.
const ROOM: usize = 2;

/// Most bytes that a usual span takes.
const ONE_SPAN: usize = 2048;

impl Intake {
    pub(super) fn new(form: Form, batch: usize, measured: bool) -> Self {
        let measures = measured.then(Vec::new);
        let (full, filling, room) = Default::default();
        let mut intake = Self { form, batch, full, filling, room, measures };
        intake.begin();
        intake
    }

    /// Whether a record becomes a span.
    pub(super) fn wants(&self, record: &RecordRef<'_>) -> bool {
        !matches!(self.form, Form::None) && record.is_due()
    }

    /// How many spans wait.
    pub(super) fn spans(&self) -> usize {
        self.full.len() * self.batch + self.filling.spans
    }

    /// Whether it is worth the exporter's while.
    pub(super) fn has_batch(&self) -> bool {
        !self.full.is_empty() || self.measures() >= self.batch
    }

    pub(super) fn is_empty(&self) -> bool {
        self.spans() == 0 && self.measures() == 0
    }

    /// How many records metrics have yet to count.
    pub(super) fn measures(&self) -> usize {
        self.measures.as_ref().map_or(0, Vec::len)
    }

    /// Takes what metrics count of a record, if there are any.
    pub(super) fn measure(&mut self, record: &RecordRef<'_>) {
        if let Some(measures) = &mut self.measures {
            measures.push(Measure::of(record));
        }
    }

    pub(super) fn add(&mut self, record: &RecordRef<'_>) {
        match &mut self.form {
            Form::Encoded(encoder) => {
                let encoded = &mut self.filling.encoded;
                // By a quarter, not to twice as much: loads that cannot be sent are kept as they are.
                if encoded.capacity() - encoded.len() < ONE_SPAN {
                    encoded.reserve_exact((encoded.len() / 4).max(8 * ONE_SPAN));
                }
                encoder.add(record, encoded);
            }
            Form::Kept => self.filling.kept.push(record.to_record()),
            Form::None => return,
        }
        self.filling.spans += 1;
        if self.filling.spans >= self.batch {
            let load = std::mem::take(&mut self.filling);
            self.full.push(load);
            self.begin();
        }
    }

    /// All that waits, into `taken`, which is empty.
    pub(super) fn take(&mut self, taken: &mut Taken) {
        std::mem::swap(&mut self.full, &mut taken.loads);
        if self.filling.spans > 0 {
            taken.loads.push(std::mem::take(&mut self.filling));
            self.begin();
        }
        if let Some(measures) = &mut self.measures {
            std::mem::swap(measures, &mut taken.measures);
        }
    }

    /// Takes a buffer back that is done with.
    pub(super) fn reuse(&mut self, mut room: Vec<u8>) {
        if self.room.len() < ROOM {
            room.clear();
            self.room.push(room);
        }
    }

    fn begin(&mut self) {
        if let Form::Encoded(encoder) = &self.form {
            self.filling.encoded = self.room.pop().unwrap_or_default();
            encoder.begin(&mut self.filling.encoded);
        }
    }
}
