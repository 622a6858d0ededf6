//! What is said of one replayed file. Its JSON form is an interface: keys are only ever added.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Serialize;

use super::conversation::{Conversation, Step};
use super::drive::{Arrival, Names, Passage, Passed};
use super::format::Format;
use super::rules::{ErrorMention, Exchange, Findings, Loop, Repeat, Suspect, Unanswered, UnusedReply};
use crate::cli::Outcome;
use crate::model::{AgentName, ContentHash, HandoffId};

/// What a recorded conversation says nothing of.
const NOT_IN_LOG: [&str; 7] =
    ["intents", "readbacks", "contexts", "timestamps", "acknowledgements", "result quality", "payload hashes"];

/// A file that was replayed.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) file: String,
    /// Always `true`; see [`Failed`].
    replayed: bool,
    pub(crate) format: Format,
    pub(crate) workflow: String,
    pub(crate) channel: String,
    /// Messages of the log that are to somebody: thoughts are not counted.
    pub(crate) in_log: usize,
    pub(crate) thoughts: usize,
    /// Handoffs that were sent.
    pub(crate) handoffs: usize,
    /// Messages that their receivers got.
    pub(crate) delivered: usize,
    /// Each payload that was delivered has the hash of its message in the file.
    pub(crate) hashes_equal: bool,
    /// Each receiver got what was delivered in the order of the log.
    pub(crate) order_kept: bool,
    pub(crate) lost: Vec<Lost>,
    /// How many handoffs ended with each verdict.
    pub(crate) verdicts: BTreeMap<&'static str, usize>,
    /// What the channel itself found.
    pub(crate) mismatches: Vec<Found>,
    pub(crate) agents: Vec<AgentLine>,
    pub(crate) receivers: Receivers,
    pub(crate) sizes: Sizes,
    pub(crate) boundaries: Vec<BoundaryLine>,
    pub(crate) loops: Vec<Loop>,
    pub(crate) repeats: Vec<Repeat>,
    pub(crate) unanswered: Vec<Unanswered>,
    pub(crate) unused_replies: Vec<UnusedReply>,
    pub(crate) unjudged_replies: Vec<usize>,
    pub(crate) errors: Vec<ErrorMention>,
    pub(crate) exchanges: Vec<Exchange>,
    /// What to look at first if the conversation went wrong: a guess by a fixed rule, not counted among the findings.
    pub(crate) suspect: Option<Suspect>,
    /// How many loops, repeats, unanswered messages, unused replies and errors there are.
    pub(crate) findings: usize,
    pub(crate) not_in_log: Vec<&'static str>,
    pub(crate) messages: Vec<MessageLine>,
}

/// A file that could not be replayed.
#[derive(Debug, Serialize)]
pub(crate) struct Failed {
    file: String,
    /// Always `false`.
    replayed: bool,
    error: String,
}

/// A message that its receiver did not get.
#[derive(Debug, Serialize)]
pub(crate) struct Lost {
    pub(crate) message: usize,
    pub(crate) why: String,
}

/// A mismatch, and the message whose handoff has it.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Found {
    pub(crate) message: usize,
    pub(crate) kind: &'static str,
    pub(crate) evidence: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct AgentLine {
    pub(crate) agent: AgentName,
    /// Who it is in the log; `null` for the group.
    pub(crate) speaker: Option<String>,
    pub(crate) sent: usize,
    pub(crate) received: usize,
}

/// How the receivers of messages are known.
#[derive(Debug, Serialize)]
pub(crate) struct Receivers {
    /// The log names them.
    pub(crate) named: usize,
    /// They follow from the rules of the format.
    pub(crate) by_rule: usize,
}

/// Payloads, in bytes.
#[derive(Debug, Serialize)]
pub(crate) struct Sizes {
    pub(crate) total: usize,
    /// Of an even number of payloads, the lower of the two in the middle.
    pub(crate) median: usize,
    pub(crate) largest: usize,
    pub(crate) largest_message: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct BoundaryLine {
    pub(crate) to: AgentName,
    pub(crate) from: AgentName,
    pub(crate) handoffs: usize,
    pub(crate) bytes: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct MessageLine {
    pub(crate) message: usize,
    pub(crate) from: AgentName,
    pub(crate) to: AgentName,
    /// As received, in bytes; `null` if it was not.
    pub(crate) size: Option<usize>,
    /// BLAKE3 of the payload as received; `null` if it was not.
    pub(crate) hash: Option<ContentHash>,
    /// `null` if it was not sent.
    pub(crate) verdict: Option<&'static str>,
}

impl Failed {
    pub(crate) fn new(file: &Path, error: &anyhow::Error) -> Self {
        Self { file: file.display().to_string(), replayed: false, error: format!("{error:#}") }
    }
}

impl Report {
    pub(crate) fn new(
        file: &Path,
        conversation: &Conversation,
        names: Names,
        passage: &Passage,
        findings: Findings,
    ) -> Self {
        let steps = &conversation.steps;
        let got = Got::of(steps, passage);
        let mut verdicts = BTreeMap::new();
        for passed in &passage.handoffs {
            if let Passed::Sent { verdict, .. } = passed {
                *verdicts.entry(verdict.as_str()).or_default() += 1;
            }
        }
        let named = steps.iter().filter(|step| step.is_addressed).count();
        let mut not_in_log = NOT_IN_LOG.to_vec();
        if named < steps.len() {
            not_in_log.push(if named == 0 { "receivers" } else { "some receivers" });
        }
        Self {
            file: file.display().to_string(),
            replayed: true,
            format: conversation.format,
            workflow: names.workflow,
            channel: names.channel,
            in_log: steps.len(),
            thoughts: conversation.thoughts,
            handoffs: verdicts.values().sum(),
            delivered: got.by_step.iter().flatten().count(),
            hashes_equal: got.hashes_equal(steps),
            order_kept: got.order_kept(steps, passage),
            lost: lost(steps, passage, &got),
            mismatches: mismatches(steps, passage, &got),
            agents: agents(conversation),
            receivers: Receivers { named, by_rule: steps.len() - named },
            sizes: Sizes::of(steps),
            boundaries: boundaries(steps),
            findings: findings.count(),
            loops: findings.loops,
            repeats: findings.repeats,
            unanswered: findings.unanswered,
            unused_replies: findings.unused_replies,
            unjudged_replies: findings.unjudged_replies,
            errors: findings.errors,
            exchanges: findings.exchanges,
            suspect: findings.suspect,
            not_in_log,
            messages: messages(steps, passage, &got),
            verdicts,
        }
    }

    /// Whether everything arrived, whole, in order, and with nothing else found on the way.
    pub(crate) fn is_faithful(&self) -> bool {
        self.lost.is_empty() && self.hashes_equal && self.order_kept && self.mismatches.is_empty()
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match (self.is_faithful(), self.findings) {
            (false, _) => Outcome::Unknown,
            (true, 0) => Outcome::Clean,
            (true, _) => Outcome::FailureFound,
        }
    }
}

/// What arrived of each step, told by handoff ids.
struct Got<'a> {
    by_step: Vec<Option<&'a Arrival>>,
    /// Something arrived that is no step's, or a step arrived twice or at somebody else.
    has_strangers: bool,
}

impl<'a> Got<'a> {
    fn of(steps: &[Step], passage: &'a Passage) -> Self {
        let ids = passage.handoffs.iter().enumerate().filter_map(|(place, passed)| match passed {
            Passed::Sent { id, .. } => Some((*id, place)),
            Passed::NotSent { .. } => None,
        });
        let places: HashMap<HandoffId, usize> = ids.collect();
        let mut got = Self { by_step: vec![None; steps.len()], has_strangers: false };
        for (agent, arrivals) in &passage.arrivals {
            for arrival in arrivals {
                let place = arrival.id.and_then(|id| places.get(&id).copied());
                match place.filter(|place| steps[*place].to == *agent && got.by_step[*place].is_none()) {
                    Some(place) => got.by_step[place] = Some(arrival),
                    None => got.has_strangers = true,
                }
            }
        }
        got
    }

    fn hashes_equal(&self, steps: &[Step]) -> bool {
        self.by_step.iter().zip(steps).all(|(arrival, step)| arrival.is_none_or(|arrival| arrival.hash == step.hash))
    }

    /// By senders and contents alone, without the ids that tell what arrived: per receiver, what came is what the log
    /// says should come, less what was lost.
    fn order_kept(&self, steps: &[Step], passage: &Passage) -> bool {
        let in_order = passage.arrivals.iter().all(|(agent, arrivals)| {
            let delivered = steps.iter().zip(&self.by_step).filter(|(_, arrival)| arrival.is_some());
            let expected =
                delivered.filter(|(step, _)| step.to == *agent).map(|(step, _)| (Some(&step.from), step.hash));
            expected.eq(arrivals.iter().map(|arrival| (arrival.from.as_ref(), arrival.hash)))
        });
        in_order && !self.has_strangers
    }
}

fn lost(steps: &[Step], passage: &Passage, got: &Got<'_>) -> Vec<Lost> {
    let missing = steps.iter().enumerate().filter(|(place, _)| got.by_step[*place].is_none());
    missing
        .map(|(place, step)| {
            let why = match passage.handoffs.get(place) {
                Some(Passed::NotSent { why }) => why.clone(),
                Some(Passed::Sent { verdict, .. }) => match verdict.mismatches().first() {
                    Some(mismatch) => mismatch.to_string(),
                    None => "it was sent, and its receiver did not see it".to_owned(),
                },
                None => "it was not sent, because one before it was not taken".to_owned(),
            };
            Lost { message: step.message, why }
        })
        .collect()
}

/// Of both sides, each kind once a message.
fn mismatches(steps: &[Step], passage: &Passage, got: &Got<'_>) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        let sender = match passage.handoffs.get(place) {
            Some(Passed::Sent { verdict, .. }) => verdict.mismatches(),
            _ => &[],
        };
        let receiver = got.by_step[place].map_or(&[][..], |arrival| &arrival.mismatches);
        for mismatch in sender.iter().chain(receiver) {
            let (message, kind) = (step.message, mismatch.kind.as_str());
            if !found.iter().any(|known| known.message == message && known.kind == kind) {
                found.push(Found { message, kind, evidence: mismatch.evidence.clone() });
            }
        }
    }
    found
}

fn agents(conversation: &Conversation) -> Vec<AgentLine> {
    let count = |is_its: &dyn Fn(&Step) -> bool| conversation.steps.iter().filter(|step| is_its(step)).count();
    let lines = conversation.agents.iter().map(|participant| AgentLine {
        agent: participant.agent.clone(),
        speaker: participant.speaker.clone(),
        sent: count(&|step| step.from == participant.agent),
        received: count(&|step| step.to == participant.agent),
    });
    lines.collect()
}

impl Sizes {
    fn of(steps: &[Step]) -> Self {
        let mut sizes: Vec<(usize, usize)> = steps.iter().map(|step| (step.content.len(), step.message)).collect();
        sizes.sort_unstable_by_key(|(size, message)| (*size, std::cmp::Reverse(*message)));
        let (largest, largest_message) = sizes.last().copied().unwrap_or_default();
        let median = sizes.get(sizes.len().saturating_sub(1) / 2).map_or(0, |(size, _)| *size);
        Self { total: sizes.iter().map(|(size, _)| size).sum(), median, largest, largest_message }
    }
}

/// In the order in which they were first crossed.
fn boundaries(steps: &[Step]) -> Vec<BoundaryLine> {
    let mut lines: Vec<BoundaryLine> = Vec::new();
    for step in steps {
        let bytes = step.content.len();
        match lines.iter_mut().find(|line| line.to == step.to && line.from == step.from) {
            Some(line) => (line.handoffs, line.bytes) = (line.handoffs + 1, line.bytes + bytes),
            None => lines.push(BoundaryLine { to: step.to.clone(), from: step.from.clone(), handoffs: 1, bytes }),
        }
    }
    lines
}

fn messages(steps: &[Step], passage: &Passage, got: &Got<'_>) -> Vec<MessageLine> {
    let line = |(place, step): (usize, &Step)| MessageLine {
        message: step.message,
        from: step.from.clone(),
        to: step.to.clone(),
        size: got.by_step[place].map(|arrival| arrival.size),
        hash: got.by_step[place].map(|arrival| arrival.hash),
        verdict: match passage.handoffs.get(place) {
            Some(Passed::Sent { verdict, .. }) => Some(verdict.as_str()),
            _ => None,
        },
    };
    steps.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mismatch, MismatchKind, Timestamp, Verdict};

    /// Two messages to b, one to a.
    fn conversation() -> Conversation {
        let said = [("a", "b", "one"), ("a", "b", "three"), ("b", "a", "seven")];
        let agent = |name: &str| AgentName::new(name).unwrap();
        let step = |(message, (from, to, content)): (usize, (&str, &str, &str))| Step {
            message,
            from: agent(from),
            to: agent(to),
            is_addressed: false,
            content: bytes::Bytes::copy_from_slice(content.as_bytes()),
            hash: ContentHash::of(content.as_bytes()),
        };
        let participant = |name: &str| super::super::conversation::Participant { agent: agent(name), speaker: None };
        Conversation {
            format: Format::GroupChat,
            agents: vec![participant("a"), participant("b")],
            steps: said.into_iter().enumerate().map(step).collect(),
            thoughts: 1,
        }
    }

    fn faithful(conversation: &Conversation) -> Passage {
        let mut passage = Passage { handoffs: Vec::new(), arrivals: BTreeMap::new() };
        for step in &conversation.steps {
            let id = HandoffId::new(Timestamp::now());
            let verdict = Verdict::Unconfirmed { why: String::new() };
            passage.handoffs.push(Passed::Sent { id, verdict });
            let (from, hash, size) = (Some(step.from.clone()), step.hash, step.content.len());
            let arrival = Arrival { id: Some(id), from, hash, size, mismatches: Vec::new() };
            passage.arrivals.entry(step.to.clone()).or_default().push(arrival);
        }
        passage
    }

    fn report(change: impl FnOnce(&mut Passage)) -> Report {
        let conversation = conversation();
        let mut passage = faithful(&conversation);
        change(&mut passage);
        let names = Names { channel: "replay".to_owned(), workflow: "w".to_owned() };
        Report::new(Path::new("log.json"), &conversation, names, &passage, Findings::of(&[]))
    }

    fn to<'a>(passage: &'a mut Passage, agent: &str) -> &'a mut Vec<Arrival> {
        passage.arrivals.get_mut(&AgentName::new(agent).unwrap()).unwrap()
    }

    #[test]
    fn a_faithful_replay_is_clean() {
        let report = report(|_| {});
        assert_eq!((report.in_log, report.handoffs, report.delivered, report.thoughts), (3, 3, 3, 1));
        assert!(report.hashes_equal && report.order_kept && report.is_faithful());
        assert_eq!(report.outcome(), Outcome::Clean);
        assert_eq!(report.verdicts, BTreeMap::from([("unconfirmed", 3)]));
        let Sizes { total, median, largest, largest_message } = report.sizes;
        assert_eq!((total, median, largest, largest_message), (13, 5, 5, 1));
        assert_eq!((report.boundaries[0].handoffs, report.boundaries[0].bytes), (2, 8));
    }

    #[test]
    fn a_message_that_did_not_arrive_is_lost_with_a_reason() {
        let report = report(|passage| {
            let undelivered = Mismatch::new(MismatchKind::Undelivered, "nobody was there");
            if let Passed::Sent { verdict, .. } = &mut passage.handoffs[2] {
                *verdict = Verdict::Mismatched(vec![undelivered]);
            }
            to(passage, "a").clear();
        });
        assert_eq!((report.delivered, report.lost.len(), report.lost[0].message), (2, 1, 2));
        assert!(report.lost[0].why.contains("nobody was there"));
        assert_eq!(report.mismatches[0].kind, "undelivered");
        assert!(report.order_kept, "what was delivered came in order");
        assert_eq!(report.outcome(), Outcome::Unknown);
    }

    #[test]
    fn what_was_never_sent_is_lost_too() {
        let report = report(|passage| {
            passage.handoffs.truncate(2);
            passage.handoffs[1] = Passed::NotSent { why: "the connection is down".to_owned() };
            to(passage, "b").pop();
            to(passage, "a").clear();
        });
        assert_eq!((report.handoffs, report.delivered), (1, 1));
        let lost: Vec<_> = report.lost.iter().map(|lost| (lost.message, lost.why.as_str())).collect();
        assert_eq!(lost[0], (1, "the connection is down"));
        assert!(lost[1].1.contains("not sent"), "{lost:?}");
    }

    #[test]
    fn an_altered_payload_shows_in_the_hashes() {
        let report = report(|passage| to(passage, "b")[1].hash = ContentHash::of(b"thrEe"));
        assert!(!report.hashes_equal && !report.is_faithful());
    }

    #[test]
    fn an_exchange_of_two_messages_shows_in_the_order() {
        let report = report(|passage| to(passage, "b").swap(0, 1));
        assert_eq!((report.delivered, report.hashes_equal, report.order_kept), (3, true, false));
        assert_eq!(report.outcome(), Outcome::Unknown);
    }

    #[test]
    fn a_message_of_nobody_or_at_somebody_else_shows_in_the_order() {
        let stranger = || Arrival { id: None, from: None, hash: ContentHash::of(b""), size: 0, mismatches: Vec::new() };
        assert!(!report(|passage| to(passage, "a").push(stranger())).order_kept);
        let misrouted = report(|passage| {
            let arrival = to(passage, "a").remove(0);
            to(passage, "b").push(arrival);
        });
        assert_eq!((misrouted.delivered, misrouted.order_kept), (2, false));
    }
}
