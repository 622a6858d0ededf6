//! What many spans say alike, remembered as bytes, so that it is copied instead of written again.

use std::sync::Arc;

use super::writer::{Boundary, Side};
use crate::model::{AgentName, Climb, Evidence, HandoffKind, InstanceId, Rung, WorkflowId};
use crate::telemetry::record::{AgentInfo, ServerAddress};

/// Boundaries that are remembered; a process with more of them at once writes some anew.
const MOST: usize = 64;
/// Rungs that are remembered: the same few come again and again.
const MOST_RUNGS: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Remembered {
    boundaries: Vec<Known>,
    /// Where the last one was found: the next span is most likely of the same boundary.
    last: usize,
    /// Where the next one goes when there is no more room.
    next: usize,
    workflow: Option<(WorkflowId, &'static str)>,
    workflow_bytes: Vec<u8>,
    rungs: Vec<KnownRung>,
    next_rung: usize,
}

/// The event of a rung, at whatever time.
#[derive(Debug)]
struct KnownRung {
    rung: Rung,
    evidence: Evidence,
    by: Option<AgentName>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Known {
    from: Option<AgentName>,
    to: Option<AgentName>,
    kind: HandoffKind,
    subject: Arc<str>,
    template: Option<Arc<str>>,
    server: Option<Arc<ServerAddress>>,
    target: Option<Arc<AgentInfo>>,
    side: KnownSide,
    bytes: Vec<u8>,
}

#[derive(Debug)]
enum KnownSide {
    Sender { inst: Option<InstanceId> },
    Receiver { agent: AgentName, group: Option<Arc<str>> },
}

impl Remembered {
    pub(super) fn boundary(&mut self, of: &Boundary<'_>) -> Option<&[u8]> {
        if !self.boundaries.get(self.last).is_some_and(|known| known.is(of)) {
            self.last = self.boundaries.iter().position(|known| known.is(of))?;
        }
        self.boundaries.get(self.last).map(|known| known.bytes.as_slice())
    }

    pub(super) fn add_boundary(&mut self, of: &Boundary<'_>, bytes: &[u8]) {
        let known = Known::new(of, bytes);
        if self.boundaries.len() < MOST {
            self.boundaries.push(known);
        } else {
            self.boundaries[self.next] = known;
            self.next = (self.next + 1) % MOST;
        }
    }

    pub(super) fn workflow(&self, id: &WorkflowId, kind: &'static str) -> Option<&[u8]> {
        let (known, known_kind) = self.workflow.as_ref()?;
        (known == id && *known_kind == kind).then_some(&self.workflow_bytes)
    }

    pub(super) fn set_workflow(&mut self, id: &WorkflowId, kind: &'static str, bytes: &[u8]) {
        self.workflow = Some((id.clone(), kind));
        self.workflow_bytes.clear();
        self.workflow_bytes.extend_from_slice(bytes);
    }

    pub(super) fn rung(&self, climb: &Climb) -> Option<&[u8]> {
        let is =
            |known: &&KnownRung| known.rung == climb.rung && known.evidence == climb.evidence && known.by == climb.by;
        self.rungs.iter().find(is).map(|known| known.bytes.as_slice())
    }

    pub(super) fn add_rung(&mut self, climb: &Climb, bytes: &[u8]) {
        let Climb { rung, evidence, by, .. } = climb.clone();
        let known = KnownRung { rung, evidence, by, bytes: bytes.to_vec() };
        if self.rungs.len() < MOST_RUNGS {
            self.rungs.push(known);
        } else {
            self.rungs[self.next_rung] = known;
            self.next_rung = (self.next_rung + 1) % MOST_RUNGS;
        }
    }
}

impl Known {
    fn new(of: &Boundary<'_>, bytes: &[u8]) -> Self {
        let facts = of.facts;
        Self {
            from: facts.from.cloned(),
            to: facts.to.cloned(),
            kind: facts.kind,
            subject: facts.subject.clone(),
            template: facts.subject_template.cloned(),
            server: facts.server.cloned(),
            target: facts.target.cloned(),
            side: match of.side {
                Side::Sender { inst } => KnownSide::Sender { inst },
                Side::Receiver { agent, group } => KnownSide::Receiver { agent: agent.clone(), group: group.cloned() },
            },
            bytes: bytes.to_vec(),
        }
    }

    /// Whether these are its attributes. What is shared is most often the very same, which a comparison of `Arc`s sees
    /// before it looks at the contents.
    fn is(&self, of: &Boundary<'_>) -> bool {
        let facts = of.facts;
        let side = match (&self.side, of.side) {
            (KnownSide::Sender { inst }, Side::Sender { inst: other }) => *inst == other,
            (KnownSide::Receiver { agent, group }, Side::Receiver { agent: other, group: others }) => {
                agent == other && group.as_ref() == others
            }
            _ => false,
        };
        side && self.kind == facts.kind
            && self.subject == *facts.subject
            && self.from.as_ref() == facts.from
            && self.to.as_ref() == facts.to
            && self.template.as_ref() == facts.subject_template
            && self.server.as_ref() == facts.server
            && self.target.as_ref() == facts.target
    }
}
