//! Hands a conversation over: real agents, a real channel, a real server.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::ProgressBar;
use tokio::task::JoinSet;

use super::conversation::Conversation;
use super::pace::Pace;
use crate::channel::{Agent, Channel, HandOffError, Handoff, Inbox};
use crate::model::{AgentName, ContentHash, HandoffId, Mismatch, MismatchKind, Verdict};
use crate::telemetry::Telemetry;

/// How long a closing channel may take for its last words.
const GRACE: Duration = Duration::from_secs(2);

/// Without its receiver's word on a message, the next one is not sent.
const NOT_TAKEN: [MismatchKind; 2] = [MismatchKind::Undelivered, MismatchKind::Unacknowledged];

/// What the two sides saw of a conversation.
#[derive(Debug)]
pub(crate) struct Passage {
    /// One per step that was begun, in their order.
    pub(crate) handoffs: Vec<Passed>,
    /// What each agent took from its inbox, in the order in which it came.
    pub(crate) arrivals: BTreeMap<AgentName, Vec<Arrival>>,
}

/// What the sender of a step knows of it.
#[derive(Debug)]
pub(crate) enum Passed {
    Sent { id: HandoffId, verdict: Verdict },
    NotSent { why: String },
}

/// What a receiver knows of one message, from the message alone.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) id: Option<HandoffId>,
    pub(crate) from: Option<AgentName>,
    /// Of the bytes as they came.
    pub(crate) hash: ContentHash,
    pub(crate) size: usize,
    pub(crate) mismatches: Vec<Mismatch>,
}

/// Replays one conversation: every agent with an inbox of its own, one step after the other, each sent only after the
/// one before was acknowledged (one that is too large is passed over). No intent is stated, since the log holds none.
pub(crate) async fn drive(
    conversation: &Conversation,
    names: &Names,
    server: &str,
    telemetry: &Telemetry,
    mut pace: Pace,
    progress: &ProgressBar,
) -> anyhow::Result<Passage> {
    let agents = conversation.agents.iter().map(|participant| participant.agent.as_str());
    let builder = Channel::builder(&names.channel).agents(agents).telemetry(telemetry.clone());
    let channel = builder.connect(server).await?;
    let workflow = channel.workflow(&names.workflow)?.named("replay");

    let mut senders: BTreeMap<&AgentName, Agent> = BTreeMap::new();
    let mut receivers = JoinSet::new();
    for participant in &conversation.agents {
        let agent = channel.join(&participant.agent).await?;
        let inbox = agent.inbox().await?;
        receivers.spawn(receive(participant.agent.clone(), inbox));
        senders.insert(&participant.agent, agent);
    }

    let mut handoffs = Vec::with_capacity(conversation.steps.len());
    for step in &conversation.steps {
        pace.wait().await;
        let handoff = Handoff::without_intent(step.content.clone()).transfer().in_workflow(&workflow);
        let handoff = handoff.because(format!("message {} of the log", step.message));
        match senders[&step.from].hand_off(&step.to, handoff).await {
            Ok(receipt) => {
                let verdict = receipt.verdict().await;
                let was_taken = !verdict.mismatches().iter().any(|mismatch| NOT_TAKEN.contains(&mismatch.kind));
                handoffs.push(Passed::Sent { id: receipt.id(), verdict });
                if !was_taken {
                    break;
                }
            }
            Err(error) => {
                // Only this message's fault; anything else would be every later message's, too.
                let is_its_own = matches!(error, HandOffError::TooLarge { .. } | HandOffError::Encode { .. });
                handoffs.push(Passed::NotSent { why: error.to_string() });
                if !is_its_own {
                    break;
                }
            }
        }
        progress.inc(1);
    }

    workflow.finish();
    drop(senders);
    channel.close(GRACE).await;
    let mut arrivals = BTreeMap::new();
    while let Some(received) = receivers.join_next().await {
        let (agent, received) = received?;
        arrivals.insert(agent, received);
    }
    Ok(Passage { handoffs, arrivals })
}

/// What a replay calls itself on the bus and on spans.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) channel: String,
    pub(crate) workflow: String,
}

impl Names {
    /// Different for each replay, so that two of them on one server, or of one file, do not meet.
    pub(crate) fn for_file(stem: &str) -> Self {
        let stem: String = stem.chars().filter(|c| !c.is_control()).take(24).collect();
        let run = fastrand::u32(..);
        Self { channel: format!("replay-{run:08x}"), workflow: format!("{stem}-{run:08x}") }
    }
}

/// Takes everything that comes until the channel is closed, and acknowledges it.
async fn receive(agent: AgentName, mut inbox: Inbox) -> (AgentName, Vec<Arrival>) {
    let mut arrivals = Vec::new();
    while let Some(offer) = inbox.next().await {
        arrivals.push(Arrival {
            id: offer.id(),
            from: offer.from().cloned(),
            hash: ContentHash::of(offer.bytes()),
            size: offer.bytes().len(),
            mismatches: offer.mismatches(),
        });
        if let Err(error) = offer.acknowledge().await {
            // Its sender will say `unacknowledged`.
            tracing::warn!(%agent, %error, "a message could not be acknowledged");
        }
    }
    (agent, arrivals)
}
