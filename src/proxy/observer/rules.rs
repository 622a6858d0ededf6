use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use super::json::JsonPath;
use super::load::Load;
use super::name;
use super::pattern::AgentPattern;
use crate::model::{AgentName, ContentHash};
use crate::nats::Pattern;
use crate::proxy::profile::{self, Endpoint, PROMPT_TEMPLATE, Profile, Profiles};
use crate::proxy::record::ReplyKey;
use crate::telemetry::Telemetry;

/// Subjects that are left alone unless [`Rules::trace`] names them: the server's own, and inboxes.
const LEFT_ALONE: [&[u8]; 6] = [b"$JS.", b"$SYS.", b"$SRV.", b"$KV.", b"$O.", INBOX];

const INBOX: &[u8] = b"_INBOX.";

/// What sessions and correlator go by. Made once, shared by all.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Which traced messages get headers.
    pub(crate) inject: Inject,
    /// Also trace these.
    pub(crate) trace: Vec<Pattern>,
    /// Never trace these.
    pub(crate) leave: Vec<Pattern>,
    /// Subjects that name their agent.
    pub(crate) agents: Vec<AgentPattern>,
    pub(crate) profiles: Profiles,
    /// Where the workflow's id is in a payload.
    pub(crate) workflow_path: Option<JsonPath>,
    /// Where the intent is in the payload of a task.
    pub(crate) intent_path: Option<JsonPath>,
    /// Where the readback is in the payload of a reply.
    pub(crate) readback_path: Option<JsonPath>,
    /// A request without a reply after this time is `timed_out`.
    pub(crate) reply_within: Duration,
    /// What nobody was seen to receive is reported after this time.
    pub(crate) settle_within: Duration,
    /// Handoffs recorded in a second; where there are more, a share of them is.
    pub(crate) handoffs_per_second: u32,
    /// Handoffs that are open at once; beyond, the oldest is settled with what is known of it.
    pub(crate) open_handoffs: usize,
    pub(crate) telemetry: Telemetry,
    pub(crate) load: Load,
    /// Stands for this start of the proxy, as good as never for another.
    pub(crate) life: u16,
    keys: RandomState,
}

/// Which traced messages get headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inject {
    All,
    Off,
    Subjects(Vec<Pattern>),
}

impl Rules {
    /// The defaults, for that telemetry.
    pub(crate) fn new(telemetry: Telemetry) -> Self {
        Self {
            inject: Inject::All,
            trace: Vec::new(),
            leave: Vec::new(),
            agents: Vec::new(),
            profiles: Profiles::default(),
            workflow_path: None,
            intent_path: None,
            readback_path: None,
            reply_within: Duration::from_secs(60),
            settle_within: Duration::from_secs(60),
            handoffs_per_second: 10_000,
            open_handoffs: 8192,
            telemetry,
            load: Load::default(),
            life: fastrand::u16(..),
            keys: RandomState::new(),
        }
    }

    /// Whether handoffs are recorded at all; if not, messages get their headers still.
    #[inline]
    pub(super) fn records(&self) -> bool {
        self.telemetry.is_on()
    }

    /// By what a reply finds its request. Keyed, so that nobody can make two subjects meet.
    #[inline]
    pub(super) fn key(&self, subject: &[u8]) -> ReplyKey {
        ReplyKey(self.keys.hash_one(subject))
    }

    /// By what a delivery finds its handoff, where nothing in the message says which it is.
    #[inline]
    pub(crate) fn content(&self, subject: &[u8], hash: ContentHash) -> u64 {
        self.number((subject, hash))
    }

    /// A number that stands for some bytes, for as long as the process lives.
    #[inline]
    pub(crate) fn number(&self, of: impl std::hash::Hash) -> u64 {
        self.keys.hash_one(of)
    }

    #[inline]
    pub(super) fn is_inbox(subject: &[u8]) -> bool {
        subject.starts_with(INBOX)
    }

    /// Whether a subject is one of the server's own, or an inbox.
    pub(super) fn is_left_alone(&self, subject: &[u8]) -> bool {
        LEFT_ALONE.iter().any(|prefix| subject.starts_with(prefix))
    }

    pub(super) fn route(&self, subject: &[u8]) -> Route {
        let covers = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(subject));
        let left_alone = self.is_left_alone(subject);
        let traced = !covers(&self.leave) && (!left_alone || covers(&self.trace));
        let mut route = Route {
            traced,
            inject: match &self.inject {
                Inject::All => true,
                Inject::Off => false,
                Inject::Subjects(patterns) => covers(patterns),
            },
            ..Route::default()
        };
        let endpoint = self.profiles.has(Profile::SynadiaAgents).then(|| profile::endpoint(subject)).flatten();
        if let Some((endpoint, agent)) = endpoint {
            route.agent = name::sanitised(agent);
            route.template = Some(PROMPT_TEMPLATE.into());
            route.streams_back = endpoint == Endpoint::Prompt;
            route.is_beat = endpoint == Endpoint::Heartbeat;
            route.traced &= endpoint == Endpoint::Prompt;
        }
        let named = self.agents.iter().find_map(|pattern| Some((pattern, pattern.name(subject)?)));
        if let Some((pattern, agent)) = named {
            route.agent = name::sanitised(agent);
            route.template = Some(Arc::clone(pattern.template()));
        }
        route.template = route.template.or_else(|| profile::template(subject));
        route
    }

    /// The agent that a subscription is of, where its subject or its group says so. Of a connection that has a name of its
    /// own, a profile's guess is none.
    pub(super) fn subscriber(&self, subject: &[u8], group: Option<&[u8]>, has_own_name: bool) -> Option<AgentName> {
        if let Some(agent) = self.agents.iter().find_map(|pattern| pattern.name(subject)) {
            return name::sanitised(agent);
        }
        if self.profiles.has(Profile::SynadiaAgents)
            && let Some((Endpoint::Prompt, agent)) = profile::endpoint(subject)
            && !matches!(agent, b"*" | b">")
        {
            return name::sanitised(agent);
        }
        if !has_own_name && !self.is_left_alone(subject) && self.profiles.has(Profile::FastStream) {
            return name::sanitised(group.unwrap_or(subject));
        }
        None
    }
}

/// What the rules say of one subject.
#[derive(Clone, Debug, Default)]
pub(super) struct Route {
    /// What is published to it is a handoff.
    pub(super) traced: bool,
    /// It may get headers.
    pub(super) inject: bool,
    /// The agent that it names.
    pub(super) agent: Option<AgentName>,
    pub(super) template: Option<Arc<str>>,
    /// Answers come in chunks, with an empty message at the end.
    pub(super) streams_back: bool,
    /// It is a sign of life.
    pub(super) is_beat: bool,
}

/// What the rules say of the subjects that a session used last. Bounded; what falls out is worked out again.
#[derive(Debug, Default)]
pub(super) struct Routes {
    slots: Vec<Slot>,
    last: usize,
}

#[derive(Debug, Default)]
struct Slot {
    subject: Vec<u8>,
    route: Route,
}

/// Most slots. There are as many as a session needs: twice as many each time a subject finds its slot taken.
const SLOTS: usize = 32;

const FIRST_SLOTS: usize = 2;

impl Routes {
    /// What the rules say of a subject.
    #[inline]
    pub(super) fn of(&mut self, subject: &[u8], rules: &Rules) -> &Route {
        let hit = self.slots.get(self.last).is_some_and(|slot| slot.subject == subject && !subject.is_empty());
        if !hit {
            self.find(subject, rules);
        }
        &self.slots[self.last].route
    }

    #[cold]
    fn find(&mut self, subject: &[u8], rules: &Rules) {
        if self.slots.is_empty() {
            self.slots.resize_with(FIRST_SLOTS, Slot::default);
        }
        let number = rules.number(subject) as usize;
        self.last = number % self.slots.len();
        let taken = |slot: &Slot| slot.subject != subject && !slot.subject.is_empty();
        if self.slots.len() < SLOTS && taken(&self.slots[self.last]) {
            // What was in the slots is worked out again.
            let twice = 2 * self.slots.len();
            self.slots.clear();
            self.slots.reserve_exact(twice);
            self.slots.resize_with(twice, Slot::default);
            self.last = number % twice;
        }
        let slot = &mut self.slots[self.last];
        if slot.subject != subject || subject.is_empty() {
            slot.subject.clear();
            slot.subject.extend_from_slice(subject);
            slot.route = rules.route(subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(rules: &Rules, subject: &str) -> bool {
        rules.route(subject.as_bytes()).traced
    }

    #[test]
    fn the_servers_subjects_and_inboxes_are_left_alone_unless_asked_for() {
        let mut rules = Rules::new(Telemetry::off());
        for subject in ["$JS.API.INFO", "$SYS.x", "$SRV.PING", "$KV.b.k", "$O.b.C.x", "_INBOX.a.1"] {
            assert!(!traced(&rules, subject), "{subject}");
        }
        assert!(traced(&rules, "agents.writer") && traced(&rules, "$JSX") && traced(&rules, "_INBOX"));
        rules.trace = vec!["$KV.tasks.>".parse().unwrap()];
        rules.leave = vec!["logs.>".parse().unwrap(), "$KV.tasks.private".parse().unwrap()];
        assert!(traced(&rules, "$KV.tasks.7") && !traced(&rules, "$KV.other.7"));
        assert!(!traced(&rules, "logs.a") && !traced(&rules, "$KV.tasks.private"));
    }

    #[test]
    fn injection_may_be_limited_to_subjects() {
        let mut rules = Rules::new(Telemetry::off());
        rules.inject = Inject::Subjects(vec!["agents.>".parse().unwrap()]);
        assert!(rules.route(b"agents.writer").inject && !rules.route(b"other").inject);
        assert!(rules.route(b"other").traced);
    }

    #[test]
    fn a_pattern_of_the_config_is_stronger_than_a_profile() {
        let mut rules = Rules::new(Telemetry::off());
        rules.profiles = [Profile::SynadiaAgents].into_iter().collect();
        let prompt = b"agents.prompt.cc.alice.s1";
        assert_eq!(rules.route(prompt).agent.unwrap(), "cc");
        assert!(rules.route(prompt).streams_back && !rules.route(b"agents.hb.cc.alice.s1").traced);
        rules.agents = vec![AgentPattern::new("agents.prompt.*.*.{agent}").unwrap()];
        assert_eq!(rules.route(prompt).agent.unwrap(), "s1");
        assert_eq!(rules.subscriber(prompt, None, true).unwrap(), "s1");
    }

    #[test]
    fn the_cache_says_what_the_rules_say_however_many_subjects_there_are() {
        let rules = Rules::new(Telemetry::off());
        let mut routes = Routes::default();
        for round in 0..3 {
            for n in 0..200 {
                let subject = if n % 2 == 0 { format!("a.{n}") } else { format!("_INBOX.{n}") };
                assert_eq!(routes.of(subject.as_bytes(), &rules).traced, n % 2 == 0, "{round} {subject}");
            }
        }
        assert!(routes.of(b"", &rules).traced);
        assert_eq!(routes.slots.len(), SLOTS);
    }
}
