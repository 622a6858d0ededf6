//! Several sessions and the ledger, without sockets or threads: what goes up through one observer comes down through
//! others, with the headers that the plan gave it.

mod bounds;
mod causes;
mod deliveries;
mod foreign;
mod intent;
mod left_alone;
mod names;
mod profiles;
mod replies;
mod stored;

use std::time::Duration;

use opentelemetry::trace::{SpanId, TraceId};

use super::ledger::{GRACE, Ledger};
use crate::model::{ContentHash, Evidence, HandoffId, HandoffKind, InstanceId, MismatchKind, Rung, Timestamp};
use crate::nats::{Connect, HeaderBlock, Info};
use crate::proxy::observer::{AgentPattern, Delivered, Inject, JsonPath, Observer, Plan, Published, Rules, Skipped};
use crate::proxy::profile::Profile;
use crate::proxy::record::{Batch, SessionId, Shed};
use crate::telemetry::record::{HandoffRecord, ProcessRecord, Record};
use crate::telemetry::{Dropped, Stats, Telemetry};
use crate::wire::{Envelope, EnvelopeRef};
use std::sync::Arc;

const ACK: &str = "$JS.ACK.ORDERS.workers";

/// A stage on which agents talk through the proxy.
struct Stage {
    rules: Arc<Rules>,
    now: Timestamp,
    sessions: u64,
    ledger: Ledger,
    /// Never exports: it stands for telemetry that is on.
    _telemetry: Telemetry,
}

/// One agent's session.
struct Agent {
    observer: Observer,
    batch: Batch,
}

/// A message on the bus, as the server has it.
#[derive(Clone, Debug, Default)]
struct Message {
    subject: String,
    reply: Option<String>,
    block: Option<String>,
    payload: Vec<u8>,
}

impl Message {
    fn to(subject: &str, payload: &str) -> Self {
        Self { subject: subject.to_owned(), payload: payload.as_bytes().to_vec(), ..Self::default() }
    }

    fn reply(mut self, reply: &str) -> Self {
        self.reply = Some(reply.to_owned());
        self
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        let block = self.block.take().unwrap_or_else(|| "NATS/1.0\r\n\r\n".to_owned());
        let lines = block.strip_suffix("\r\n").unwrap();
        self.block = Some(format!("{lines}{name}: {value}\r\n\r\n"));
        self
    }

    fn status(mut self, code: u16) -> Self {
        self.block = Some(format!("NATS/1.0 {code}\r\n\r\n"));
        self
    }

    fn envelope(&self) -> Envelope {
        let block = HeaderBlock::new(self.block.as_ref().expect("it has headers").as_bytes());
        let value = block.find("Wilco").expect("it has a Wilco header");
        Envelope::decode(std::str::from_utf8(value).unwrap(), None).envelope
    }

    fn traceparent(&self) -> &str {
        let block = HeaderBlock::new(self.block.as_ref().expect("it has headers").as_bytes());
        std::str::from_utf8(block.find("traceparent").expect("it has a trace")).unwrap()
    }

    /// The span that travels.
    fn span(&self) -> SpanId {
        SpanId::from_hex(&self.traceparent()[36..52]).unwrap()
    }

    fn is_sampled(&self) -> bool {
        self.traceparent().ends_with("-01")
    }
}

impl Stage {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Rules)) -> Self {
        // Records pass by telemetry here: they are taken from the ledger.
        let telemetry = Telemetry::builder().otlp_http("http://127.0.0.1:1").build().unwrap();
        let mut rules = Rules::new(telemetry.clone());
        rules.life = 0x3f2a;
        change(&mut rules);
        let rules = Arc::new(rules);
        let now = Timestamp::from_unix_nanos(1_772_359_202_000_000_000);
        Self { ledger: Ledger::new(Arc::clone(&rules)), rules, now, sessions: 0, _telemetry: telemetry }
    }

    fn agent(&mut self, name: &str) -> Agent {
        self.sessions += 1;
        let peer = ([127, 0, 0, 1], 4000).into();
        let observer = Observer::new(Arc::clone(&self.rules), SessionId::new(self.sessions), peer);
        let mut agent = Agent { observer, batch: Batch::default() };
        let info = Info { host: "10.0.0.7".to_owned(), port: 4222, ..Info::default() };
        agent.observer.on_info(&info);
        let connect = Connect { name: name.to_owned(), ..Connect::default() };
        agent.observer.on_connect(&connect, &mut agent.batch);
        agent
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    fn ms(&mut self, ms: u64) {
        self.pass(Duration::from_millis(ms));
    }

    /// An agent publishes; what the server gets of it.
    fn publish(&mut self, agent: &mut Agent, message: &Message) -> Message {
        self.try_publish(agent, message).0
    }

    fn try_publish(&mut self, agent: &mut Agent, message: &Message) -> (Message, Option<Skipped>) {
        self.ms(1);
        let hash = agent.observer.wants_hash_up(message.subject.as_bytes()).then(|| ContentHash::of(&message.payload));
        let published = Published {
            subject: message.subject.as_bytes(),
            reply: message.reply.as_deref().map(str::as_bytes),
            headers: message.block.as_deref().map(|block| HeaderBlock::new(block.as_bytes())),
            payload: Some(&message.payload),
            size: message.payload.len() as u64,
            hash,
        };
        let plan = agent.observer.on_publish(&published, true, self.now, &mut agent.batch);
        let mut message = message.clone();
        match plan {
            Plan::Leave(why) => (message, Some(why)),
            Plan::Inject(injection) => {
                if let Some(traceparent) = injection.traceparent {
                    message = message.header("traceparent", std::str::from_utf8(&traceparent).unwrap());
                }
                let envelope = EnvelopeRef {
                    id: Some(injection.id),
                    at: Some(self.now),
                    hash,
                    size: Some(published.size),
                    from: Some(&injection.from),
                    to: injection.to,
                    workflow: injection.workflow.as_ref(),
                    parent: injection.parent,
                    ..EnvelopeRef::default()
                };
                (message.header("Wilco", &envelope.encode(None).unwrap()), None)
            }
        }
    }

    /// The server delivers to an agent's subscription.
    fn deliver(&mut self, agent: &mut Agent, sid: &str, message: &Message) {
        self.ms(1);
        let delivered = Delivered {
            sid: sid.as_bytes(),
            subject: message.subject.as_bytes(),
            reply: message.reply.as_deref().map(str::as_bytes),
            headers: message.block.as_deref().map(|block| HeaderBlock::new(block.as_bytes())),
            payload: Some(&message.payload),
            size: message.payload.len() as u64,
        };
        agent.observer.on_delivery(&delivered, self.now, &mut agent.batch);
    }

    /// JetStream delivers it for the n-th time.
    fn deliver_stored(&mut self, agent: &mut Agent, n: u32, message: &Message) -> Message {
        let stored = message.clone().reply(&format!("{ACK}.{n}.7.{n}.1772359202000000000.0"));
        self.deliver(agent, "1", &stored);
        stored
    }

    /// The workers' batches reach the correlator.
    fn ship(&mut self, agents: &mut [&mut Agent]) {
        for agent in agents {
            self.ledger.take(&agent.batch, self.now);
            agent.batch.clear();
        }
    }

    fn records(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        while self.ledger.tick(self.now) {
            records.append(self.ledger.records());
        }
        records.append(self.ledger.records());
        records
    }

    /// Everything that is settled once nothing more is heard for long.
    fn settle(&mut self, agents: &mut [&mut Agent]) -> Vec<Record> {
        self.ship(agents);
        self.pass(Duration::from_secs(3600));
        self.records()
    }

    fn handoffs(&mut self, agents: &mut [&mut Agent]) -> Vec<HandoffRecord> {
        handoffs(self.settle(agents))
    }

    fn handoff(&mut self, agents: &mut [&mut Agent]) -> HandoffRecord {
        let mut all = self.handoffs(agents);
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }
}

impl Agent {
    fn subscribe(&mut self, sid: &str, subject: &str, group: Option<&str>) {
        self.observer.on_subscribe(sid.as_bytes(), subject.as_bytes(), group.map(str::as_bytes), &mut self.batch);
    }
}

fn handoffs(records: Vec<Record>) -> Vec<HandoffRecord> {
    let handoff = |record| match record {
        Record::Handoff(record) => *record,
        other => panic!("{other:?}"),
    };
    records.into_iter().map(handoff).collect()
}

fn processes(records: Vec<Record>) -> Vec<ProcessRecord> {
    let process = |record| match record {
        Record::Process(record) => *record,
        other => panic!("{other:?}"),
    };
    records.into_iter().map(process).collect()
}

fn to(record: &HandoffRecord) -> &str {
    record.facts.to.as_ref().map_or("", |to| to.as_str())
}

fn found(record: &HandoffRecord) -> Vec<MismatchKind> {
    record.outcome.mismatches.iter().map(|found| found.kind).collect()
}

fn rungs(record: &HandoffRecord) -> Vec<Rung> {
    record.outcome.climbs.iter().map(|climb| climb.rung).collect()
}
