//! How an agent is called that does not say so in the way of Wilco.

use crate::model::AgentName;

/// Bytes of an agent's name.
const LONGEST: usize = 128;

/// A name made of any bytes: what cannot be in an agent's name becomes `-`, and what is too long is cut. `None` if nothing
/// is left of it.
pub(crate) fn sanitised(text: &[u8]) -> Option<AgentName> {
    let text = String::from_utf8_lossy(text);
    let text = text.trim();
    let bad = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '.' | '*' | '>' | '\u{fffd}');
    let mut name = String::with_capacity(text.len().min(LONGEST));
    for c in text.chars().map(|c| if bad(c) { '-' } else { c }) {
        if name.len() + c.len_utf8() > LONGEST {
            break;
        }
        name.push(c);
    }
    if name.chars().all(|c| c == '-') {
        return None;
    }
    AgentName::new(name).ok()
}

/// From where a session has its name: the later in this list, the stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The number of its connection.
    Connection,
    /// The queue group that it joined first.
    Group,
    /// The user that it authenticates as.
    User,
    /// The name in its `CONNECT`.
    Connect,
    /// The NATS service that it is.
    Service,
    /// What it subscribes to.
    Subject,
}

/// What a session is called.
#[derive(Debug)]
pub(super) struct Names {
    name: AgentName,
    source: Source,
    /// By its subscriptions. If these name several agents, no single one of them is the session.
    by_subject: BySubject,
}

#[derive(Debug)]
enum BySubject {
    None,
    One(AgentName),
    Several,
}

impl Names {
    /// By its number, and by which life of the proxy it is of: else who came first after one start and who came first after
    /// another would be one agent.
    pub(super) fn of_connection(life: u16, number: u64) -> Self {
        // A token of letters, digits and hyphens.
        let name = sanitised(format!("conn-{life:04x}-{number}").as_bytes());
        let name = name.unwrap_or_else(|| Self::of_connection(0, 0).name);
        Self { name, source: Source::Connection, by_subject: BySubject::None }
    }

    /// The strongest name; of two of one source the first.
    pub(super) fn learn(&mut self, source: Source, name: Option<AgentName>) {
        let Some(name) = name else { return };
        match (&self.by_subject, source) {
            (BySubject::None, Source::Subject) => self.by_subject = BySubject::One(name),
            (BySubject::One(other), Source::Subject) if *other != name => self.by_subject = BySubject::Several,
            (_, Source::Subject) => {}
            _ if source > self.source => (self.name, self.source) = (name, source),
            _ => {}
        }
    }

    /// Whether somebody chose a name for it: in its `CONNECT`, or for its service.
    pub(super) fn has_own(&self) -> bool {
        self.source >= Source::Connect
    }

    pub(super) fn name(&self) -> &AgentName {
        match &self.by_subject {
            BySubject::One(name) => name,
            BySubject::None | BySubject::Several => &self.name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_become_a_name_or_none() {
        for (text, name) in [
            (&b"writer"[..], Some("writer")),
            (b"my app v1.2", Some("my-app-v1-2")),
            (b" a\r\nb ", Some("a--b")),
            ("übersetzer".as_bytes(), Some("übersetzer")),
            (b"\xff\xfe", None),
            (b"", None),
            (b"...", None),
        ] {
            assert_eq!(sanitised(text).as_ref().map(AgentName::as_str), name, "{text:?}");
        }
        let long = sanitised("ü".repeat(100).as_bytes()).unwrap();
        assert_eq!(long.as_str().len(), 128);
    }

    #[test]
    fn the_stronger_source_names_the_session_whatever_comes_first() {
        use Source::{Connect, Group, Service, Subject, User};
        let mut names = Names::of_connection(0x3f2a, 7);
        assert_eq!(*names.name(), "conn-3f2a-7");
        for (source, name, expected) in [
            (Group, "workers", "workers"),
            (Connect, "app", "app"),
            (User, "alice", "app"),
            (Connect, "app2", "app"),
            (Service, "calculator", "calculator"),
            (Subject, "writer", "writer"),
            (Subject, "writer", "writer"),
            (Subject, "reader", "calculator"),
        ] {
            names.learn(source, sanitised(name.as_bytes()));
            assert_eq!(*names.name(), expected, "after {source:?} {name}");
        }
    }
}
