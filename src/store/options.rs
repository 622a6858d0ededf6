use std::time::Duration;

/// How a store keeps what it is given. The defaults suit a machine that does other things too.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    pub(super) waiting_bytes: usize,
    pub(super) keep_for: Option<Duration>,
    pub(super) keep_bytes: Option<u64>,
    pub(super) most_bytes: Option<u64>,
    pub(super) answer_within: Duration,
    pub(super) tidy_every: Duration,
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
}
