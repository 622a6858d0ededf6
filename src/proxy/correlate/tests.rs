//! Several sessions and the ledger, without sockets or threads: what goes up through one observer comes down through
//! others, with the headers that the plan gave it.

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

    /// The span that travels.
    fn span(&self) -> SpanId {
        let block = HeaderBlock::new(self.block.as_ref().unwrap().as_bytes());
        let value = std::str::from_utf8(block.find("traceparent").unwrap()).unwrap();
        SpanId::from_hex(&value[36..52]).unwrap()
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
        self.ledger.tick(self.now);
        std::mem::take(self.ledger.records())
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

// ------------------------------------------------------------------------------------------------ deliveries

#[test]
fn one_subject_to_three_subscribers_is_three_handoffs_of_one_id() {
    let mut stage = Stage::new();
    let mut planner = stage.agent("planner");
    let mut receivers = ["a", "b", "c"].map(|name| stage.agent(name));
    let sent = stage.publish(&mut planner, &Message::to("tasks", "find"));
    stage.ship(&mut [&mut planner]);
    for receiver in &mut receivers {
        receiver.subscribe("1", "tasks", None);
        stage.deliver(receiver, "1", &sent);
        stage.ship(&mut [receiver]);
    }
    stage.pass(GRACE);
    let records = handoffs(stage.records());
    assert_eq!(records.iter().map(to).collect::<Vec<_>>(), ["a", "b", "c"]);
    let id = sent.envelope().id;
    assert!(records.iter().all(|record| record.facts.id == id && *record.facts.from.as_ref().unwrap() == "planner"));
    assert!(records.iter().all(|record| rungs(record) == [Rung::Sent, Rung::Delivered]));
    assert!(records.iter().all(|record| record.outcome.verdict == "unconfirmed"));
    assert_eq!(records[0].place.span_id, sent.span(), "the first has the id that travels");
    assert_ne!(records[1].place.span_id, records[2].place.span_id);
    let parents: Vec<_> = records.iter().map(|record| record.place.parent_span_id).collect();
    assert!(parents.iter().all(|parent| *parent == parents[0]), "and all have one parent");
}

#[test]
fn a_queue_group_is_one_handoff() {
    let mut stage = Stage::new();
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent(""));
    worker.subscribe("1", "tasks", Some("workers"));
    let sent = stage.publish(&mut planner, &Message::to("tasks", "find"));
    stage.deliver(&mut worker, "1", &sent);
    let record = stage.handoff(&mut [&mut planner, &mut worker]);
    assert_eq!(to(&record), "workers", "named after its group, as it has no other name");
    assert_eq!(record.facts.kind, HandoffKind::Transfer);
    assert_eq!(record.content.unwrap().hash, ContentHash::of(b"find"));
    assert_eq!(record.facts.server.unwrap().port, 4222);
}

#[test]
fn records_of_several_workers_may_come_in_any_order() {
    let mut stage = Stage::new();
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    let sent = stage.publish(&mut planner, &Message::to("tasks", "find"));
    stage.deliver(&mut worker, "1", &sent);
    stage.ship(&mut [&mut worker]);
    stage.ms(100);
    assert!(stage.records().is_empty(), "it is not known whose it is");
    let record = stage.handoff(&mut [&mut planner]);
    assert_eq!((to(&record), record.place.span_id), ("worker", sent.span()));
}

#[test]
fn a_message_that_nobody_was_seen_to_receive_is_sent_and_unconfirmed() {
    let mut stage = Stage::new();
    let mut planner = stage.agent("planner");
    stage.publish(&mut planner, &Message::to("tasks", "find"));
    stage.ship(&mut [&mut planner]);
    stage.pass(Duration::from_secs(59));
    assert!(stage.records().is_empty());
    stage.pass(Duration::from_secs(1));
    let record = handoffs(stage.records()).remove(0);
    assert_eq!((rungs(&record), record.outcome.verdict, to(&record)), (vec![Rung::Sent], "unconfirmed", ""));
}

#[test]
fn changed_bytes_are_corrupted_and_fewer_are_truncated() {
    for (payload, kind) in [("fins", MismatchKind::Corrupted), ("fin", MismatchKind::Truncated)] {
        let mut stage = Stage::new();
        let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
        let mut sent = stage.publish(&mut planner, &Message::to("tasks", "find"));
        sent.payload = payload.as_bytes().to_vec();
        stage.deliver(&mut worker, "1", &sent);
        let record = stage.handoff(&mut [&mut planner, &mut worker]);
        assert_eq!((found(&record), record.outcome.verdict), (vec![kind], "mismatched"));
    }
}

#[test]
fn a_payload_that_streams_through_is_checked_when_its_end_has_passed() {
    for (hash, kinds) in [(ContentHash::of(b"find"), vec![]), (ContentHash::of(b"fund"), vec![MismatchKind::Corrupted])]
    {
        let mut stage = Stage::new();
        let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
        let sent = stage.publish(&mut planner, &Message::to("tasks", "find"));
        let block = HeaderBlock::new(sent.block.as_ref().unwrap().as_bytes());
        let mut delivered =
            Delivered { sid: b"1", subject: b"tasks", reply: None, headers: Some(block), payload: None, size: 4 };
        worker.observer.on_delivery(&delivered, stage.now, &mut worker.batch);
        assert!(worker.observer.wants_hash_of_stream());
        worker.observer.on_streamed_down(hash, &mut worker.batch);
        assert_eq!(found(&stage.handoff(&mut [&mut planner, &mut worker])), kinds);
        delivered.subject = b"$SYS.x";
        worker.observer.on_delivery(&delivered, stage.now, &mut worker.batch);
        assert!(!worker.observer.wants_hash_of_stream());
    }
}

#[test]
fn without_headers_a_delivery_is_known_by_subject_and_content() {
    let mut stage = Stage::with(|rules| rules.inject = Inject::Off);
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    for payload in ["one", "two", "one"] {
        let (sent, skipped) = stage.try_publish(&mut planner, &Message::to("tasks", payload));
        assert_eq!((sent.block.clone(), skipped), (None, Some(Skipped::Off)));
        stage.deliver(&mut worker, "1", &sent);
    }
    stage.deliver(&mut worker, "1", &Message::to("tasks", "by somebody else"));
    // The receiver's worker may be the faster one.
    let records = stage.handoffs(&mut [&mut worker, &mut planner]);
    assert_eq!(records.len(), 3);
    for record in &records {
        assert_eq!(to(record), "worker");
        let delivered = record.outcome.climbs.last().unwrap();
        assert_eq!((delivered.rung, delivered.evidence), (Rung::Delivered, Evidence::Inferred));
    }
    let ids: std::collections::HashSet<_> = records.iter().map(|record| record.facts.id).collect();
    assert_eq!(ids.len(), 3, "each delivery is of another handoff");
}

// ------------------------------------------------------------------------------------------------ request and reply

#[test]
fn a_reply_is_the_result_of_its_request() {
    let mut stage = Stage::new();
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    let sent = stage.publish(&mut planner, &Message::to("tasks", "find").reply("_INBOX.x.1"));
    stage.deliver(&mut worker, "1", &sent);
    let (reply, skipped) = stage.try_publish(&mut worker, &Message::to("_INBOX.x.1", "found"));
    assert_eq!((reply.block.clone(), skipped), (None, Some(Skipped::Reply)));
    stage.deliver(&mut planner, "2", &reply);
    let record = stage.handoff(&mut [&mut planner, &mut worker]);
    assert_eq!(rungs(&record), [Rung::Sent, Rung::Delivered, Rung::Completed]);
    assert_eq!(record.outcome.climbs[2].evidence, Evidence::Wire);
    let result = record.result.content.unwrap();
    assert_eq!((result.hash, result.size), (ContentHash::of(b"found"), 5));
    assert_eq!((record.facts.kind, record.outcome.verdict), (HandoffKind::Delegation, "unconfirmed"));
    assert!(record.ended.since(record.started) < Duration::from_millis(10), "it ends with the answer");
}

#[test]
fn a_request_to_nobody_is_undelivered_at_once() {
    let mut stage = Stage::new();
    let mut planner = stage.agent("planner");
    stage.publish(&mut planner, &Message::to("tasks", "find").reply("_INBOX.x.1"));
    stage.deliver(&mut planner, "2", &Message::to("_INBOX.x.1", "").status(503));
    stage.ship(&mut [&mut planner]);
    stage.pass(GRACE);
    let record = handoffs(stage.records()).remove(0);
    assert_eq!((found(&record), rungs(&record)), (vec![MismatchKind::Undelivered], vec![Rung::Sent]));
}

#[test]
fn a_request_without_a_reply_is_timed_out_at_its_deadline() {
    let mut stage = Stage::with(|rules| rules.reply_within = Duration::from_secs(5));
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    let sent = stage.publish(&mut planner, &Message::to("tasks", "find").reply("_INBOX.x.1"));
    stage.deliver(&mut worker, "1", &sent);
    stage.ship(&mut [&mut worker, &mut planner]);
    stage.pass(Duration::from_millis(4_900));
    assert!(stage.records().is_empty());
    stage.pass(Duration::from_secs(60));
    let record = handoffs(stage.records()).remove(0);
    assert_eq!(found(&record), [MismatchKind::TimedOut]);
    assert!(record.outcome.mismatches[0].evidence.starts_with("delivered to worker, and no reply within"));
}

#[test]
fn a_receiver_that_went_away_is_told_of_when_its_answer_is_missed() {
    let mut stage = Stage::new();
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    let sent = stage.publish(&mut planner, &Message::to("tasks", "find").reply("_INBOX.x.1"));
    stage.deliver(&mut worker, "1", &sent);
    worker.observer.on_closed(&mut worker.batch);
    let record = stage.handoff(&mut [&mut planner, &mut worker]);
    assert_eq!(found(&record), [MismatchKind::TimedOut]);
    assert!(record.outcome.mismatches[0].evidence.ends_with("; it has disconnected"));
}

#[test]
fn an_answer_by_one_of_two_receivers_leaves_the_other_unconfirmed() {
    let mut stage = Stage::new();
    let (mut planner, mut worker, mut monitor) =
        (stage.agent("planner"), stage.agent("worker"), stage.agent("monitor"));
    let sent = stage.publish(&mut planner, &Message::to("tasks", "find").reply("_INBOX.x.1"));
    stage.deliver(&mut worker, "1", &sent);
    stage.deliver(&mut monitor, "1", &sent);
    stage.publish(&mut worker, &Message::to("_INBOX.x.1", "found"));
    let records = stage.handoffs(&mut [&mut planner, &mut worker, &mut monitor]);
    assert_eq!(
        records.iter().map(|record| (to(record), found(record).len())).collect::<Vec<_>>(),
        [("worker", 0), ("monitor", 0)]
    );
}

#[test]
fn an_answer_from_beyond_the_proxy_completes_the_request() {
    let mut stage = Stage::new();
    let mut planner = stage.agent("planner");
    stage.publish(&mut planner, &Message::to("agents.writer", "find").reply("_INBOX.x.1"));
    stage.deliver(&mut planner, "2", &Message::to("_INBOX.x.1", "found"));
    let record = stage.handoff(&mut [&mut planner]);
    assert_eq!((rungs(&record), found(&record)), (vec![Rung::Sent, Rung::Completed], vec![]));
}

#[test]
fn a_reply_subject_that_looks_like_none_is_one_still() {
    let mut stage = Stage::new();
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    let sent = stage.publish(&mut planner, &Message::to("tasks", "find").reply("answers.7"));
    stage.deliver(&mut worker, "1", &sent);
    let (reply, skipped) = stage.try_publish(&mut worker, &Message::to("answers.7", "found"));
    assert_eq!(skipped, Some(Skipped::Reply));
    stage.deliver(&mut planner, "2", &reply);
    let record = stage.handoff(&mut [&mut planner, &mut worker]);
    assert_eq!(record.outcome.climbs.last().unwrap().rung, Rung::Completed);
}

#[test]
fn an_error_of_a_service_is_a_failure_with_its_reason() {
    let mut stage = Stage::new();
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    let sent = stage.publish(&mut planner, &Message::to("calc.add", "1 x").reply("_INBOX.x.1"));
    stage.deliver(&mut worker, "1", &sent);
    let error = Message::to("_INBOX.x.1", "")
        .header("Nats-Service-Error", "no number")
        .header("Nats-Service-Error-Code", "400");
    stage.publish(&mut worker, &error);
    let record = stage.handoff(&mut [&mut planner, &mut worker]);
    assert_eq!(found(&record), [MismatchKind::Failed]);
    assert_eq!(record.outcome.mismatches[0].evidence, "the service answered with error 400: no number");
}

#[test]
fn a_received_reply_is_not_the_parent_of_the_next_request() {
    let mut stage = Stage::new();
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    let first = stage.publish(&mut planner, &Message::to("tasks", "one").reply("_INBOX.x.1"));
    stage.deliver(&mut worker, "1", &first);
    let reply = stage.publish(&mut worker, &Message::to("_INBOX.x.1", "done"));
    stage.deliver(&mut planner, "2", &reply);
    let second = stage.publish(&mut planner, &Message::to("tasks", "two").reply("_INBOX.x.2"));
    assert_eq!(second.envelope().parent, None);
}

// ------------------------------------------------------------------------------------------------ jetstream

#[test]
fn an_acknowledgement_of_the_store_is_stored_and_no_result() {
    let mut stage = Stage::new();
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    let sent = stage.publish(&mut planner, &Message::to("orders.new", "7").reply("_INBOX.x.1"));
    stage.deliver(&mut planner, "2", &Message::to("_INBOX.x.1", r#"{"stream":"ORDERS","seq":7}"#));
    let stored = stage.deliver_stored(&mut worker, 1, &sent);
    stage.publish(&mut worker, &Message::to(stored.reply.as_ref().unwrap(), "+WPI"));
    stage.publish(&mut worker, &Message::to(stored.reply.as_ref().unwrap(), "+ACK"));
    let record = stage.handoff(&mut [&mut planner, &mut worker]);
    assert_eq!(rungs(&record), [Rung::Sent, Rung::Stored, Rung::Delivered, Rung::InProgress, Rung::Completed]);
    assert_eq!((record.facts.kind, found(&record)), (HandoffKind::Transfer, vec![]));
    assert_eq!(record.result.content, None);
}

#[test]
fn what_the_store_does_not_take_is_undelivered() {
    let mut stage = Stage::new();
    let mut planner = stage.agent("planner");
    stage.publish(&mut planner, &Message::to("orders.new", "7").reply("_INBOX.x.1"));
    let refusal = r#"{"error":{"code":400,"err_code":10054,"description":"too large"},"stream":"S","seq":0}"#;
    stage.deliver(&mut planner, "2", &Message::to("_INBOX.x.1", refusal));
    let record = stage.handoff(&mut [&mut planner]);
    assert_eq!(found(&record), [MismatchKind::Undelivered]);
    assert!(record.outcome.mismatches[0].evidence.contains("too large"));
}

#[test]
fn a_redelivery_after_a_nak_is_the_same_handoff_and_only_the_last_word_counts() {
    let mut stage = Stage::new();
    let (mut planner, mut worker, mut other) = (stage.agent("planner"), stage.agent("worker"), stage.agent("worker"));
    let sent = stage.publish(&mut planner, &Message::to("orders.new", "7"));
    let first = stage.deliver_stored(&mut worker, 1, &sent);
    stage.publish(&mut worker, &Message::to(first.reply.as_ref().unwrap(), "-NAK"));
    // Another instance of the same consumer gets it.
    let second = stage.deliver_stored(&mut other, 2, &sent);
    stage.publish(&mut other, &Message::to(second.reply.as_ref().unwrap(), ""));
    let record = stage.handoff(&mut [&mut planner, &mut worker, &mut other]);
    assert_eq!(rungs(&record), [Rung::Sent, Rung::Delivered, Rung::Delivered, Rung::Completed]);
    assert_eq!(found(&record), []);
}

#[test]
fn a_nak_without_a_redelivery_and_a_term_are_failures() {
    for (settlement, evidence) in [
        ("-NAK {\"delay\":1}", "the receiver refused it (-NAK), and it was not delivered again"),
        ("+TERM bad order", "the receiver ended it (+TERM): bad order"),
    ] {
        let mut stage = Stage::new();
        let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
        let sent = stage.publish(&mut planner, &Message::to("orders.new", "7"));
        let stored = stage.deliver_stored(&mut worker, 1, &sent);
        stage.publish(&mut worker, &Message::to(stored.reply.as_ref().unwrap(), settlement));
        let record = stage.handoff(&mut [&mut planner, &mut worker]);
        assert_eq!(found(&record), [MismatchKind::Failed]);
        assert_eq!(record.outcome.mismatches[0].evidence, evidence);
    }
}

#[test]
fn one_handoff_that_was_processed_twice_is_duplicated() {
    let mut stage = Stage::new();
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    let sent = stage.publish(&mut planner, &Message::to("orders.new", "7"));
    let first = stage.deliver_stored(&mut worker, 1, &sent);
    let second = stage.deliver_stored(&mut worker, 2, &sent);
    for stored in [&first, &second] {
        stage.publish(&mut worker, &Message::to(stored.reply.as_ref().unwrap(), "+ACK"));
    }
    let record = stage.handoff(&mut [&mut planner, &mut worker]);
    assert_eq!(found(&record), [MismatchKind::Duplicated]);
    assert_eq!(record.outcome.mismatches[0].evidence, "worker processed it 2 times, of 2 deliveries");
}

#[test]
fn a_redelivery_that_is_acknowledged_once_is_no_duplicate() {
    let mut stage = Stage::new();
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    let sent = stage.publish(&mut planner, &Message::to("orders.new", "7"));
    stage.deliver_stored(&mut worker, 1, &sent);
    let second = stage.deliver_stored(&mut worker, 2, &sent);
    stage.publish(&mut worker, &Message::to(second.reply.as_ref().unwrap(), "+ACK"));
    assert_eq!(found(&stage.handoff(&mut [&mut planner, &mut worker])), []);
}

// ------------------------------------------------------------------------------------------------ names

#[test]
fn the_subject_pattern_is_stronger_than_the_connections_name() {
    let mut stage = Stage::with(|rules| rules.agents = vec![AgentPattern::new("agents.{agent}.in").unwrap()]);
    let (mut planner, mut writer) = (stage.agent("app-1"), stage.agent("app-2"));
    planner.subscribe("1", "agents.planner.in", Some("g"));
    writer.subscribe("1", "agents.writer.in", None);
    let sent = stage.publish(&mut planner, &Message::to("agents.writer.in", "find"));
    assert_eq!(sent.envelope().to.unwrap(), "writer");
    stage.deliver(&mut writer, "1", &sent);
    let record = stage.handoff(&mut [&mut planner, &mut writer]);
    assert_eq!((record.facts.from.clone().unwrap().as_str(), to(&record)), ("planner", "writer"));
    assert_eq!(record.facts.subject_template.as_deref(), Some("agents.{agent}.in"));
}

#[test]
fn an_agent_without_a_name_is_called_after_its_connection_for_as_long_as_it_lasts() {
    let mut stage = Stage::new();
    let mut nameless = stage.agent("");
    let names: Vec<_> =
        (0..2).map(|_| stage.publish(&mut nameless, &Message::to("t", "x")).envelope().from.unwrap()).collect();
    assert_eq!(names.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["conn-1", "conn-1"]);
}

#[test]
fn a_token_is_never_taken_for_a_name() {
    let mut stage = Stage::new();
    let mut agent = stage.agent("");
    let connect = Connect { user: "s3cr3t-token".to_owned(), ..Connect::default() };
    agent.observer.on_connect(&connect, &mut agent.batch);
    assert_eq!(stage.publish(&mut agent, &Message::to("t", "x")).envelope().from.unwrap(), "conn-1");
}

#[test]
fn an_agent_may_say_its_name_itself() {
    let mut stage = Stage::new();
    let mut agent = stage.agent("app");
    let sent = stage.publish(&mut agent, &Message::to("t", "x").header("Wilco-From", "critic"));
    assert_eq!(sent.envelope().from.unwrap(), "critic");
}

// ------------------------------------------------------------------------------------------------ workflows and causes

#[test]
fn a_chain_of_causes_is_one_trace() {
    let mut stage = Stage::new();
    let mut agents = ["a", "b", "c"].map(|name| stage.agent(name));
    let [a, b, c] = &mut agents;
    let one = stage.publish(a, &Message::to("step1", "x"));
    stage.deliver(b, "1", &one);
    let two = stage.publish(b, &Message::to("step2", "y"));
    stage.deliver(c, "1", &two);
    let three = stage.publish(c, &Message::to("step3", "z"));
    assert_eq!(one.envelope().parent, None);
    assert_eq!((two.envelope().parent, three.envelope().parent), (one.envelope().id, two.envelope().id));
    let workflow = one.envelope().id.unwrap().to_string();
    assert_eq!(
        (two.envelope().workflow.unwrap().as_str(), three.envelope().workflow.unwrap().as_str()),
        (&*workflow, &*workflow)
    );
    let [a, b, c] = &mut agents;
    let mut records = stage.handoffs(&mut [a, b, c]);
    records.sort_by_key(|record| record.started);
    assert!(records.iter().all(|record| record.place.trace_id == records[0].place.trace_id));
    assert!(records.iter().all(|record| record.facts.workflow.as_ref().unwrap() == &*workflow));
    assert_eq!(records[0].place.parent_span_id, SpanId::INVALID);
    assert_eq!(records[1].place.parent_span_id, one.span());
    assert_eq!(records[2].place.parent_span_id, two.span());
}

#[test]
fn an_ambiguous_cause_is_unknown() {
    let mut stage = Stage::new();
    let (mut a, mut b) = (stage.agent("a"), stage.agent("b"));
    let sent = ["x", "y"].map(|payload| stage.publish(&mut a, &Message::to("step1", payload)));
    for message in &sent {
        stage.deliver(&mut b, "1", message);
    }
    let next = stage.publish(&mut b, &Message::to("step2", "z"));
    assert_eq!((next.envelope().parent, next.envelope().workflow), (None, None));
}

#[test]
fn correlation_ids_group_a_workflow_and_tell_concurrent_causes_apart() {
    let mut stage = Stage::new();
    let (mut a, mut b) = (stage.agent("a"), stage.agent("b"));
    let sent = ["w-1", "w-2"].map(|id| stage.publish(&mut a, &Message::to("step1", "x").header("correlation_id", id)));
    for message in &sent {
        stage.deliver(&mut b, "1", message);
    }
    for (cause, id) in sent.iter().zip(["w-1", "w-2"]) {
        let next = stage.publish(&mut b, &Message::to("step2", "y").header("correlation_id", id));
        assert_eq!(next.envelope().parent, cause.envelope().id, "{id}");
        assert_eq!(next.envelope().workflow.unwrap(), id);
    }
    let records = stage.handoffs(&mut [&mut a, &mut b]);
    let trace = |id: &str| crate::wire::trace::workflow_trace(&crate::model::WorkflowId::new(id).unwrap());
    for record in records {
        let (trace_id, root) = trace(record.facts.workflow.as_ref().unwrap().as_str());
        assert_eq!(record.place.trace_id, trace_id);
        assert_eq!(record.place.parent_span_id == root, record.facts.parent.is_none());
    }
}

#[test]
fn a_workflow_is_found_in_the_payload_where_the_config_says() {
    let mut stage = Stage::with(|rules| rules.workflow_path = JsonPath::new("meta.job").ok());
    let mut a = stage.agent("a");
    let sent = stage.publish(&mut a, &Message::to("t", r#"{"meta":{"job":"j-9"}}"#));
    assert_eq!(sent.envelope().workflow.unwrap(), "j-9");
    let header = Message::to("t", r#"{"meta":{"job":"j-9"}}"#).header("Wilco-Workflow", "own");
    assert_eq!(stage.publish(&mut a, &header).envelope().workflow.unwrap(), "own");
    let other = stage.publish(&mut a, &Message::to("t", "no json"));
    assert_eq!(other.envelope().workflow, None);
}

#[test]
fn a_trace_that_is_there_already_wins_and_is_not_written_again() {
    let mut stage = Stage::new();
    let (mut a, mut b) = (stage.agent("a"), stage.agent("b"));
    let context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let sent = stage.publish(&mut a, &Message::to("t", "x").header("Traceparent", context));
    assert_eq!(sent.block.as_ref().unwrap().matches("raceparent").count(), 1);
    stage.deliver(&mut b, "1", &sent);
    let next = stage.publish(&mut b, &Message::to("u", "y"));
    let mut records = stage.handoffs(&mut [&mut a, &mut b]);
    records.sort_by_key(|record| record.started);
    let carried = records[0].carried.as_ref().unwrap();
    assert_eq!(carried.trace_id(), TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap());
    assert_eq!(records[0].place.parent_span_id, SpanId::from_hex("b7ad6b7169203331").unwrap());
    assert_eq!(records[1].place.trace_id, carried.trace_id());
    assert_eq!(next.envelope().parent, sent.envelope().id);
}

#[test]
fn an_unsampled_trace_stays_unsampled() {
    let mut stage = Stage::new();
    let (mut a, mut b) = (stage.agent("a"), stage.agent("b"));
    let context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let sent = stage.publish(&mut a, &Message::to("t", "x").header("traceparent", context));
    stage.deliver(&mut b, "1", &sent);
    let next = stage.publish(&mut b, &Message::to("u", "y"));
    assert!(next.block.unwrap().contains("-00\r\n"));
    assert!(stage.handoffs(&mut [&mut a, &mut b]).iter().all(|record| !record.place.sampled));
}

// ------------------------------------------------------------------------------------------------ others' headers

fn foreign(by_library: bool) -> Message {
    let at = Timestamp::from_unix_nanos(1_772_359_201_000_000_000);
    let envelope = Envelope {
        id: Some(HandoffId::new(at)),
        at: Some(at),
        hash: Some(ContentHash::of(b"find")),
        size: Some(4),
        from: "planner".parse().ok(),
        workflow: crate::model::WorkflowId::new("abc").ok(),
        inst: by_library.then(InstanceId::random),
        ..Envelope::default()
    };
    let context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    Message::to("tasks", "find").header("traceparent", context).header("Wilco", &envelope.encode(None).unwrap())
}

#[test]
fn a_message_with_a_wilco_header_gets_nothing_and_no_second_handoff_span() {
    let mut stage = Stage::new();
    let (mut a, mut b) = (stage.agent("a"), stage.agent("b"));
    let message = foreign(true);
    let (sent, skipped) = stage.try_publish(&mut a, &message);
    assert_eq!((sent.block.clone(), skipped), (message.block.clone(), Some(Skipped::HasWilco)));
    stage.deliver(&mut b, "1", &sent);
    stage.ship(&mut [&mut a, &mut b]);
    stage.pass(Duration::from_secs(1));
    assert!(stage.records().is_empty(), "the library reports it");
    let next = stage.publish(&mut b, &Message::to("u", "y"));
    assert_eq!(next.envelope().parent, message.envelope().id, "but it is a cause like any other");
    assert_eq!(next.envelope().workflow.unwrap(), "abc");
}

#[test]
fn a_handoff_of_another_proxy_becomes_a_process_span() {
    let mut stage = Stage::new();
    let mut b = stage.agent("b");
    let message = foreign(false).reply("_INBOX.x.1");
    stage.deliver(&mut b, "1", &message);
    stage.publish(&mut b, &Message::to("_INBOX.x.1", "found"));
    let record = processes(stage.settle(&mut [&mut b])).remove(0);
    assert_eq!((record.agent.as_str(), record.facts.from.unwrap().as_str()), ("b", "planner"));
    assert_eq!(record.place.parent_span_id, SpanId::from_hex("b7ad6b7169203331").unwrap());
    assert_eq!(record.link.unwrap().span_id(), record.place.parent_span_id);
    assert_eq!(record.result.content.unwrap().size, 5);
    assert_eq!((record.delivery_count, record.outcome.verdict), (1, "unconfirmed"));
}

#[test]
fn a_message_of_the_library_that_was_changed_is_found() {
    let mut stage = Stage::new();
    let mut b = stage.agent("b");
    let mut message = foreign(true);
    message.payload = b"fund".to_vec();
    stage.deliver(&mut b, "1", &message);
    let record = processes(stage.settle(&mut [&mut b])).remove(0);
    assert_eq!(record.outcome.mismatches[0].kind, MismatchKind::Corrupted);
}

#[test]
fn a_receipt_of_the_library_is_no_handoff() {
    let mut stage = Stage::new();
    let mut b = stage.agent("b");
    let value = format!("1;id={};rung=understood", HandoffId::new(stage.now));
    let receipt = Message::to("receipts.planner", "{}").header("Wilco", &value);
    stage.deliver(&mut b, "1", &receipt);
    assert!(stage.settle(&mut [&mut b]).is_empty());
    assert_eq!(stage.publish(&mut b, &Message::to("u", "y")).envelope().parent, None);
}

// ------------------------------------------------------------------------------------------------ profiles

#[test]
fn a_synadia_prompt_is_answered_in_chunks_and_only_the_empty_one_ends_it() {
    let mut stage = Stage::with(|rules| rules.profiles = [Profile::SynadiaAgents].into_iter().collect());
    let (mut caller, mut agent) = (stage.agent("caller"), stage.agent("host"));
    agent.subscribe("1", "agents.prompt.cc.alice.s1", Some("agents"));
    let prompt = Message::to("agents.prompt.cc.alice.s1", r#"{"prompt":"hi"}"#).reply("_INBOX.x.1");
    let prompt = prompt.header("Agent-Sender", "v1;sig=AbC==");
    let sent = stage.publish(&mut caller, &prompt);
    assert!(
        sent.block.as_ref().unwrap().starts_with("NATS/1.0\r\nAgent-Sender: v1;sig=AbC==\r\n"),
        "signed bytes stay"
    );
    stage.deliver(&mut agent, "1", &sent);
    stage.publish(&mut agent, &Message::to("_INBOX.x.1", r#"{"type":"status","data":"ack"}"#));
    stage.ship(&mut [&mut caller, &mut agent]);
    stage.pass(Duration::from_secs(20));
    assert!(stage.records().is_empty(), "an ack is no result");
    stage.publish(&mut agent, &Message::to("_INBOX.x.1", r#"{"type":"response","data":"hello"}"#));
    let (end, skipped) = stage.try_publish(&mut agent, &Message::to("_INBOX.x.1", ""));
    assert_eq!((end.block, skipped), (None, Some(Skipped::EmptyToInbox)));
    let record = stage.handoff(&mut [&mut caller, &mut agent]);
    assert_eq!(rungs(&record), [Rung::Sent, Rung::Delivered, Rung::Received, Rung::InProgress, Rung::Completed]);
    assert_eq!(record.outcome.climbs[2].evidence, Evidence::Declared);
    assert_eq!(
        (to(&record), record.facts.subject_template.as_deref()),
        ("cc", Some("agents.prompt.{agent}.{owner}.{name}"))
    );
}

#[test]
fn a_synadia_agent_that_acks_and_never_ends_is_timed_out_with_its_last_heartbeat() {
    let mut stage = Stage::with(|rules| rules.profiles = [Profile::SynadiaAgents].into_iter().collect());
    let (mut caller, mut agent) = (stage.agent("caller"), stage.agent("host"));
    agent.subscribe("1", "agents.prompt.cc.alice.s1", Some("agents"));
    let prompt = Message::to("agents.prompt.cc.alice.s1", "hi").reply("_INBOX.x.1");
    let sent = stage.publish(&mut caller, &prompt);
    stage.deliver(&mut agent, "1", &sent);
    stage.publish(&mut agent, &Message::to("_INBOX.x.1", r#"{"type":"status","data":"ack"}"#));
    stage.pass(Duration::from_secs(30));
    let (beat, skipped) = stage.try_publish(&mut agent, &Message::to("agents.hb.cc.alice.s1", "{}"));
    assert_eq!((beat.block, skipped), (None, Some(Skipped::Untraced)));
    stage.ship(&mut [&mut caller, &mut agent]);
    stage.pass(Duration::from_secs(40));
    let record = handoffs(stage.records()).remove(0);
    assert_eq!(found(&record), [MismatchKind::TimedOut]);
    let evidence = &record.outcome.mismatches[0].evidence;
    assert!(evidence.ends_with("; its last heartbeat was 40s before"), "{evidence}");
}

#[test]
fn each_subscription_of_a_faststream_application_is_an_agent() {
    let mut stage = Stage::with(|rules| rules.profiles = [Profile::FastStream].into_iter().collect());
    let mut app = stage.agent("faststream-0.6.3");
    app.subscribe("1", "step1", None);
    app.subscribe("2", "step2", Some("writers"));
    let mut client = stage.agent("client");
    let one = stage.publish(&mut client, &Message::to("step1", "x").header("correlation_id", "c"));
    stage.deliver(&mut app, "1", &one);
    let two = stage.publish(&mut app, &Message::to("step2", "y").header("correlation_id", "c"));
    stage.deliver(&mut app, "2", &two);
    let three = stage.publish(&mut app, &Message::to("done", "z").header("correlation_id", "c"));
    assert_eq!((two.envelope().from.unwrap().as_str(), two.envelope().parent), ("step1", one.envelope().id));
    assert_eq!((three.envelope().from.unwrap().as_str(), three.envelope().parent), ("writers", two.envelope().id));
}

#[test]
fn a_request_of_faststream_over_jetstream_is_answered_where_its_header_says() {
    let mut stage = Stage::with(|rules| rules.profiles = [Profile::FastStream].into_iter().collect());
    let (mut client, mut app) = (stage.agent("client"), stage.agent("app"));
    let request = Message::to("orders", "x").reply("_INBOX.puback.1").header("reply_to", "_INBOX.r.1");
    let sent = stage.publish(&mut client, &request);
    let stored = stage.deliver_stored(&mut app, 1, &sent);
    stage.publish(&mut app, &Message::to("_INBOX.r.1", "answer"));
    stage.publish(&mut app, &Message::to(stored.reply.as_ref().unwrap(), "+ACK"));
    let record = stage.handoff(&mut [&mut client, &mut app]);
    assert!(rungs(&record).contains(&Rung::Completed) && found(&record).is_empty(), "{record:#?}");
}

#[test]
fn a_nats_service_is_called_by_its_name() {
    let mut stage = Stage::with(|rules| rules.profiles = [Profile::NatsMicro].into_iter().collect());
    let (mut client, mut service) = (stage.agent("client"), stage.agent(""));
    service.subscribe("1", "$SRV.PING.calculator.VMKS6", None);
    service.subscribe("2", "calc.add", Some("q"));
    let sent = stage.publish(&mut client, &Message::to("calc.add", "1 2").reply("_INBOX.x.1"));
    stage.deliver(&mut service, "2", &sent);
    stage.publish(&mut service, &Message::to("_INBOX.x.1", "3"));
    assert_eq!(to(&stage.handoff(&mut [&mut client, &mut service])), "calculator");
}

#[test]
fn a_task_of_taskiq_has_its_workflow_in_its_body() {
    let mut stage = Stage::with(|rules| rules.profiles = [Profile::Taskiq].into_iter().collect());
    let mut client = stage.agent("client");
    let body = r#"{"task_id":"7d1b","task_name":"app:add","labels":{},"args":[],"kwargs":{}}"#;
    assert_eq!(stage.publish(&mut client, &Message::to("taskiq_tasks", body)).envelope().workflow.unwrap(), "7d1b");
}

// ------------------------------------------------------------------------------------------------ intent

#[test]
fn an_intent_and_its_readback_are_compared_where_the_config_says_they_are() {
    for (max, verdict) in [(5, "agreed"), (50, "mismatched")] {
        let mut stage = Stage::with(|rules| {
            rules.intent_path = JsonPath::new("intent").ok();
            rules.readback_path = JsonPath::new("understood").ok();
        });
        let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
        let task = r#"{"intent":{"goal":"find","constraints":{"max":5}},"text":"..."}"#;
        let sent = stage.publish(&mut planner, &Message::to("tasks", task).reply("_INBOX.x.1"));
        stage.deliver(&mut worker, "1", &sent);
        let reply = format!(r#"{{"understood":{{"goal":"find","constraints":{{"max":{max}}}}},"result":[]}}"#);
        stage.publish(&mut worker, &Message::to("_INBOX.x.1", &reply).header("Wilco-Quality", "0.83; by=schema"));
        let record = stage.handoff(&mut [&mut planner, &mut worker]);
        assert_eq!(record.outcome.verdict, verdict);
        assert_eq!(record.result.quality.as_ref().unwrap().score(), 0.83);
        if verdict == "mismatched" {
            assert_eq!(record.outcome.mismatches[0].diff, ["constraints.max: 5 -> 50"]);
        }
    }
}

// ------------------------------------------------------------------------------------------------ what is left alone

#[test]
fn the_servers_own_subjects_cost_nothing_and_get_nothing() {
    let mut stage = Stage::new();
    let mut a = stage.agent("a");
    for subject in ["$JS.API.STREAM.INFO.X", "$SYS.REQ", "$SRV.PING", "$KV.b.k", "$O.b.C.1"] {
        let (sent, skipped) = stage.try_publish(&mut a, &Message::to(subject, "x").reply("_INBOX.x.1"));
        assert_eq!((sent.block, skipped), (None, Some(Skipped::Untraced)), "{subject}");
        stage.deliver(&mut a, "1", &Message::to(subject, "x"));
    }
    stage.deliver(&mut a, "1", &Message::to("_INBOX.x.1", r#"{"stream":"X","seq":1}"#));
    for status in [100, 404, 408, 409] {
        stage.deliver(&mut a, "1", &Message::to("_INBOX.x.1", "").status(status));
    }
    assert!(stage.settle(&mut [&mut a]).is_empty());
    assert_eq!(stage.publish(&mut a, &Message::to("t", "x")).envelope().parent, None);
}

#[test]
fn hostile_bytes_anywhere_are_data() {
    let mut stage = Stage::with(|rules| {
        rules.profiles = Profile::ALL.into_iter().collect();
        rules.workflow_path = JsonPath::new("a.b").ok();
        rules.intent_path = JsonPath::new("a").ok();
        rules.readback_path = JsonPath::new("a").ok();
        rules.agents = vec![AgentPattern::new("{agent}.>").unwrap()];
    });
    let mut agents = ["a", "b"].map(|name| stage.agent(name));
    let mut random = fastrand::Rng::with_seed(7);
    let pieces: [&[u8]; 14] = [
        b"",
        b".",
        b"$JS.ACK.",
        b"_INBOX.",
        b"agents.prompt.a.b.c",
        b"agents.hb.a.b.c",
        b"\xff\xfe",
        b"NATS/1.0\r\n",
        b"Wilco: 1;id=",
        b"traceparent: 00-",
        b"\r\n",
        b"{\"a\":",
        b"019ca8d7-3636-78c7-9041-aadd07892eb8",
        b"+ACK",
    ];
    for _ in 0..20_000 {
        let mut bytes =
            || (0..random.usize(..6)).flat_map(|_| pieces[random.usize(..pieces.len())].to_vec()).collect::<Vec<u8>>();
        let (sid, subject, reply, block, payload) = (bytes(), bytes(), bytes(), bytes(), bytes());
        let agent = &mut agents[random.usize(..2)];
        let (reply, headers) = (random.bool().then_some(&*reply), random.bool().then(|| HeaderBlock::new(&block)));
        let payload_len = payload.len() as u64;
        stage.now = stage.now + Duration::from_millis(random.u64(..200));
        match random.u8(..4) {
            0 => agent.observer.on_subscribe(&sid, &subject, reply, &mut agent.batch),
            1 => agent.observer.on_unsubscribe(&sid, random.bool().then_some(1)),
            2 => {
                let hash = agent.observer.wants_hash_up(&subject).then(|| ContentHash::of(&payload));
                let message =
                    Published { subject: &subject, reply, headers, payload: Some(&payload), size: payload_len, hash };
                let _ = agent.observer.on_publish(&message, random.bool(), stage.now, &mut agent.batch);
            }
            _ => {
                let message = Delivered {
                    sid: &sid,
                    subject: &subject,
                    reply,
                    headers,
                    payload: Some(&payload),
                    size: payload_len,
                };
                agent.observer.on_delivery(&message, stage.now, &mut agent.batch);
            }
        }
        if random.u8(..16) == 0 {
            let [a, b] = &mut agents;
            stage.ship(&mut [a, b]);
            stage.records();
        }
    }
    let [a, b] = &mut agents;
    stage.settle(&mut [a, b]);
    assert_eq!(stage.ledger.open_count(), 0);
}

// ------------------------------------------------------------------------------------------------ bounds

#[test]
fn the_oldest_of_too_many_is_settled_with_what_is_known() {
    let mut stage = Stage::with(|rules| rules.open_handoffs = 10);
    let mut a = stage.agent("a");
    for n in 0..25 {
        stage.publish(&mut a, &Message::to("t", &n.to_string()).reply("_INBOX.x.1"));
    }
    stage.ship(&mut [&mut a]);
    let records = handoffs(stage.records());
    assert_eq!((records.len(), stage.ledger.open_count(), stage.ledger.counts()), (15, 10, (25, 15)));
    assert!(records.iter().all(|record| record.outcome.verdict == "pending"));
}

#[test]
fn a_drain_settles_all_that_is_open() {
    let mut stage = Stage::new();
    let (mut a, mut b) = (stage.agent("a"), stage.agent("b"));
    let sent = stage.publish(&mut a, &Message::to("t", "x").reply("_INBOX.x.1"));
    stage.deliver(&mut b, "1", &sent);
    stage.ship(&mut [&mut a, &mut b]);
    stage.ledger.drain(stage.now);
    let record = handoffs(std::mem::take(stage.ledger.records())).remove(0);
    assert_eq!((record.outcome.verdict, found(&record)), ("pending", vec![]));
    assert_eq!(stage.ledger.open_count(), 0);
}

#[test]
fn under_load_a_handoff_is_recorded_whole_or_not_at_all() {
    let mut stage = Stage::new();
    for _ in 0..3 {
        stage.rules.load.halve();
    }
    let (mut a, mut b) = (stage.agent("a"), stage.agent("b"));
    for n in 0..400 {
        let sent = stage.publish(&mut a, &Message::to("t", &n.to_string()));
        assert!(sent.envelope().id.is_some(), "what goes into messages does not depend on it");
        stage.deliver(&mut b, "1", &sent);
    }
    let shed = a.batch.take_shed().sent;
    assert_eq!(b.batch.take_shed(), Shed { sent: 0, received: shed }, "both sides choose alike");
    let records = stage.handoffs(&mut [&mut a, &mut b]);
    assert!((20..90).contains(&records.len()), "{}", records.len());
    assert_eq!(records.len() as u64 + shed, 400);
    assert!(records.iter().all(|record| to(record) == "b"));
}

#[test]
fn without_telemetry_messages_get_their_headers_and_nothing_is_recorded() {
    let mut stage = Stage::with(|rules| rules.telemetry = Telemetry::off());
    let (mut a, mut b) = (stage.agent("a"), stage.agent("b"));
    let sent = stage.publish(&mut a, &Message::to("t", "x"));
    assert!(sent.envelope().hash.is_some());
    stage.deliver(&mut b, "1", &sent);
    assert_eq!(stage.publish(&mut b, &Message::to("u", "y")).envelope().parent, sent.envelope().id);
    assert!(a.batch.is_empty() && b.batch.is_empty());
}

#[test]
fn a_batch_for_which_there_is_no_room_is_lost_and_counted() {
    let mut stage = Stage::new();
    let mut a = stage.agent("a");
    let (queue, received) = std::sync::mpsc::sync_channel(1);
    let outlet = super::Outlet { queue, shared: Arc::default() };
    for n in 0..3 {
        stage.publish(&mut a, &Message::to("t", &n.to_string()));
        stage.publish(&mut a, &Message::to("t", "again"));
        outlet.ship(&mut a.batch);
        assert!(a.batch.is_empty(), "the worker goes on with an empty one");
    }
    assert_eq!(outlet.shared.counters.get(super::Counted::QueueFull), 4);
    assert_eq!(received.try_iter().count(), 1);
}

#[test]
fn the_thread_joins_what_workers_ship_and_a_drain_settles_it() {
    let mut stage = Stage::new();
    let (mut a, mut b) = (stage.agent("a"), stage.agent("b"));
    let correlator = super::Correlator::start(Arc::clone(&stage.rules)).unwrap();
    let (from_a, from_b) = (correlator.outlet(), correlator.outlet());
    stage.now = Timestamp::now();
    let sent = stage.publish(&mut a, &Message::to("t", "x").reply("_INBOX.x.1"));
    stage.deliver(&mut b, "1", &sent);
    from_b.ship(&mut b.batch);
    from_a.ship(&mut a.batch);
    assert!(correlator.drain(Duration::from_secs(10)));
    let counters = correlator.counters();
    assert_eq!((counters.get(super::Counted::Recorded), correlator.open_handoffs()), (1, 0));
    drop((from_a, from_b));
    correlator.finish();
}

#[test]
fn more_handoffs_than_can_be_recorded_make_it_fewer_and_calm_makes_it_more() {
    let mut stage = Stage::with(|rules| rules.handoffs_per_second = 100);
    let mut a = stage.agent("a");
    let mut run = super::Run {
        ledger: Ledger::new(Arc::clone(&stage.rules)),
        rules: Arc::clone(&stage.rules),
        shared: Arc::default(),
        weighed: std::time::Instant::now(),
        opened: 0,
        calm: 0,
        collector: super::Collector::default(),
    };
    for n in 0..11 {
        stage.publish(&mut a, &Message::to("t", &n.to_string()));
    }
    run.ledger.take(&a.batch, stage.now);
    run.weigh();
    assert_eq!(stage.rules.load.level(), 1, "11 in a tenth of a second, where 10 may be");
    for _ in 0..10 {
        run.weighed -= super::WEIGHED;
        run.weigh();
    }
    assert_eq!(stage.rules.load.level(), 0, "a second of calm");
}

#[test]
fn while_a_collector_is_away_little_is_recorded_until_it_takes_something_again() {
    let mut collector = super::Collector::default();
    let stats = |exported, export_failed| Stats {
        exported,
        dropped: Dropped { export_failed, ..Dropped::default() },
        ..Stats::default()
    };
    for (exported, lost, is_away) in [
        (0, 0, false),
        (5, 0, false),
        (5, 3, true),
        (5, 3, true),
        (6, 3, false),
        (7, 4, false),
        (7, 5, true),
        (8, 9, false),
    ] {
        collector.look(&stats(exported, lost));
        assert_eq!(collector.is_away, is_away, "{exported} exported, {lost} lost");
    }
}
