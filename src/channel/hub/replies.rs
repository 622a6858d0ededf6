use async_nats::Subject;
use bytes::Bytes;

use super::{Hub, InboxPart};
use crate::channel::lock::lock;

/// Reply subjects of handoffs to come, with their tokens.
///
/// The client copies a subject that it is given, unless its bytes are shared already. So some are written at a time, one
/// behind the other, and each handoff takes a slice: one allocation instead of three for each of them.
#[derive(Debug, Default)]
pub(super) struct Replies {
    subjects: Bytes,
    next: u64,
}

/// Bytes that are written at once, up to a size for which malloc has a quick way.
const AT_ONCE: usize = 1_000;

impl Hub {
    /// A token for a handoff, and the subject under which answers to it arrive.
    pub(crate) fn new_reply(&self) -> (u64, Subject) {
        let mut replies = lock(&self.replies);
        if replies.subjects.is_empty() {
            *replies = self.more_replies();
        }
        let token = replies.next;
        replies.next += 1;
        let subject = replies.subjects.split_to(self.inbox_subject_len(token));
        drop(replies);
        let known = Subject::from_utf8(subject);
        (token, known.unwrap_or_else(|_| self.inbox_subject(InboxPart::Reply, token).into()))
    }

    fn more_replies(&self) -> Replies {
        let count = (AT_ONCE / self.inbox_subject_len(u64::MAX)).max(1);
        let next = self.new_tokens(count as u64);
        let mut subjects = String::with_capacity(AT_ONCE);
        for token in next..next + count as u64 {
            self.push_inbox_subject(InboxPart::Reply, token, &mut subjects);
        }
        Replies { subjects: subjects.into(), next }
    }
}
