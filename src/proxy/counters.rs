use std::sync::atomic::{AtomicU64, Ordering};

use super::observer::Skipped;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From client to server.
    Up,
    /// From server to client.
    Down,
}

/// Why a connection is no longer looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opaque {
    /// The client speaks TLS with the server.
    Tls,
    /// A verb that we do not know.
    Unknown,
    /// A line or body that nats-server refuses.
    Malformed,
}

/// What happened, as one worker or the listener counts it. Each has one writer, so that counting is a load and a store.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: Count,
    pub(crate) published: Count,
    pub(crate) delivered: Count,
    pub(crate) injected: Count,
    pub(crate) streamed: Count,
    pub(crate) skipped: [Count; Skipped::ALL.len()],
    pub(crate) opaque: [Count; Opaque::ALL.len()],
    pub(crate) server_errors: Count,
    pub(crate) around: Count,
    pub(crate) lame_ducks: Count,
    pub(crate) refused_limit: Count,
    pub(crate) refused_upstream: Count,
    pub(crate) upstream_failures: Count,
    pub(crate) tls_failures: Count,
    pub(crate) accept_failures: Count,
    pub(crate) shed_sent: Count,
    pub(crate) shed_received: Count,
}

/// A number that one thread adds to and others read.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    #[inline]
    pub(crate) fn add(&self) {
        // Nobody else writes, so nothing is lost between the load and the store.
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(crate) fn add_many(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Opaque {
    pub(crate) const ALL: [Self; 3] = [Self::Tls, Self::Unknown, Self::Malformed];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Unknown => "unknown",
            Self::Malformed => "malformed",
        }
    }
}

impl Counters {
    pub(crate) fn message(&self, direction: Direction) {
        match direction {
            Direction::Up => self.published.add(),
            Direction::Down => self.delivered.add(),
        }
    }

    pub(crate) fn injected(&self) {
        self.injected.add();
    }

    pub(crate) fn streamed(&self) {
        self.streamed.add();
    }

    pub(crate) fn server_error(&self) {
        self.server_errors.add();
    }

    pub(crate) fn skipped(&self, why: Skipped) {
        self.skipped[why as usize].add();
    }

    pub(crate) fn opaque(&self, why: Opaque) {
        self.opaque[why as usize].add();
    }
}
