/// What arrives under the inbox of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InboxPart {
    /// Results, and the server's "no responders".
    Reply,
    /// Receipts.
    Receipt,
    /// Decisions of senders, for the tasks this process works on.
    Decision,
    /// Our own markers.
    Marker,
    /// Our own word to ourselves that the server has our subscriptions.
    Confirm,
}

impl InboxPart {
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Reply => 'r',
            Self::Receipt => 'c',
            Self::Decision => 'd',
            Self::Marker => 'm',
            Self::Confirm => 'k',
        }
    }

    /// Takes `{letter}.{number}` apart.
    pub(crate) fn parse(tail: &str) -> Option<(Self, u64)> {
        let (letter, number) = tail.split_once('.')?;
        let part = match letter {
            "r" => Self::Reply,
            "c" => Self::Receipt,
            "d" => Self::Decision,
            "m" => Self::Marker,
            "k" => Self::Confirm,
            _ => return None,
        };
        Some((part, number.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_subjects_name_their_part_and_number() {
        assert_eq!(InboxPart::parse("r.17"), Some((InboxPart::Reply, 17)));
        for bad in ["", "r", "r.", "r.x", "x.1", "r.-1", "r.99999999999999999999999"] {
            assert_eq!(InboxPart::parse(bad), None, "{bad}");
        }
    }
}
