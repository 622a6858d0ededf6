use std::sync::Arc;
use std::time::Duration;

use super::content::{Policy, Redact};
use crate::model::Clock;

/// How a store keeps what it is given. The defaults suit a machine that does other things too.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    pub(super) waiting_bytes: usize,
    pub(super) keep_for: Option<Duration>,
    pub(super) keep_bytes: Option<u64>,
    pub(super) most_bytes: Option<u64>,
    pub(super) answer_within: Duration,
    pub(super) tidy_every: Duration,
    pub(super) content: Policy,
    pub(super) clock: Clock,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            waiting_bytes: 16 << 20,
            keep_for: None,
            keep_bytes: None,
            most_bytes: None,
            answer_within: Duration::from_secs(5),
            tidy_every: Duration::from_secs(5),
            content: Policy::default(),
            clock: Clock::system(),
        }
    }
}

impl StoreOptions {
    /// The most bytes of spans that may wait to be written; more are refused as
    /// [`Overloaded`](super::StoreError::Overloaded). Default: 16 MiB.
    #[must_use]
    pub const fn waiting_bytes(mut self, bytes: usize) -> Self {
        self.waiting_bytes = bytes;
        self
    }

    /// Forget workflows to which nothing came for this long, by the store's own clock. Default: keep them.
    #[must_use]
    pub const fn keep_for(mut self, age: Duration) -> Self {
        self.keep_for = Some(age);
        self
    }

    /// Forget the oldest workflows while the file has more than this many bytes in use. Default: keep them.
    #[must_use]
    pub const fn keep_bytes(mut self, bytes: u64) -> Self {
        self.keep_bytes = Some(bytes);
        self
    }

    /// The file never grows over this many bytes: what does not fit is refused as [`Full`](super::StoreError::Full).
    /// Default: as large as the disk allows.
    #[must_use]
    pub const fn most_bytes(mut self, bytes: u64) -> Self {
        self.most_bytes = Some(bytes);
        self
    }

    /// The longest that one answer may take. Default: 5 s.
    #[must_use]
    pub const fn answer_within(mut self, time: Duration) -> Self {
        self.answer_within = time;
        self
    }

    /// How often it is looked for what is to be forgotten. Default: 5 s.
    #[must_use]
    pub const fn tidy_every(mut self, time: Duration) -> Self {
        self.tidy_every = time;
        self
    }
    /// Where the time of arrival comes from. It is read once, when the store is opened; from then on time only goes by,
    /// so that a clock that is set meanwhile makes nothing older than it is. Default: the host's clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Keeps what agents and models said to each other, as spans of other makers carry it (`gen_ai.input.messages`,
    /// `gen_ai.prompt`, `llm.input_messages.*`, `input.value` and others): of each attribute the first so many bytes, and
    /// a mark where it was cut. Default: a note of size and hash is kept in its place.
    #[must_use]
    pub const fn keep_content(mut self, most_bytes: usize) -> Self {
        self.content.most_bytes = Some(most_bytes);
        self
    }

    /// Takes out of content what nobody shall read, before it is kept. Default: nothing. Without
    /// [`StoreOptions::keep_content`] there is nothing to redact.
    #[must_use]
    pub fn redact(mut self, redactor: impl Redact + 'static) -> Self {
        self.content.redactor = Some(Arc::new(redactor));
        self
    }
}
