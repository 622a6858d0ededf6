use super::super::{Collector, Correlator, Counted, Outlet, Run, WEIGHED};
use super::*;

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
fn deadlines_of_what_was_answered_are_forgotten_while_others_wait() {
    let mut stage = Stage::with(|rules| rules.reply_within = Duration::from_secs(86_400));
    let mut planner = stage.agent("planner");
    stage.publish(&mut planner, &Message::to("tasks", "nobody answers this").reply("_INBOX.x.0"));
    stage.ship(&mut [&mut planner]);
    let mut settled = 0;
    for n in 1..2_000 {
        let reply = format!("_INBOX.x.{n}");
        stage.publish(&mut planner, &Message::to("tasks", &n.to_string()).reply(&reply));
        stage.deliver(&mut planner, "2", &Message::to(&reply, "").status(503));
        stage.ship(&mut [&mut planner]);
        stage.pass(GRACE);
        settled += stage.records().len();
    }
    assert_eq!((stage.ledger.open_count(), settled), (1, 1_999));
    assert!(stage.ledger.times() < 500, "{} deadlines of one handoff", stage.ledger.times());
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
        let envelope = sent.envelope();
        assert!(envelope.hash.is_some() && envelope.from.is_some(), "every message gets its header");
        let is_recorded = stage.rules.load.takes(&envelope.id.unwrap());
        assert_eq!(sent.is_sampled(), is_recorded, "of a span that is not made, nobody's is the child");
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
    let outlet = Outlet { queue, shared: Arc::default() };
    for n in 0..3 {
        stage.publish(&mut a, &Message::to("t", &n.to_string()));
        stage.publish(&mut a, &Message::to("t", "again"));
        outlet.ship(&mut a.batch);
        assert!(a.batch.is_empty(), "the worker goes on with an empty one");
    }
    assert_eq!(outlet.shared.counters.get(Counted::QueueFull), 4);
    assert_eq!(received.try_iter().count(), 1);
}

#[test]
fn only_what_is_unanswered_and_owed_an_answer_counts_as_owed() {
    let mut stage = Stage::new();
    let (mut a, mut b) = (stage.agent("a"), stage.agent("b"));
    let owed = |stage: &mut Stage, what: &str, expected: usize, agents: &mut [&mut Agent]| {
        stage.ship(agents);
        assert_eq!(stage.ledger.owed_count(), expected, "{what}");
    };
    stage.publish(&mut a, &Message::to("news", "x"));
    owed(&mut stage, "what nobody receives, and asks nothing", 0, &mut [&mut a]);
    let asked = stage.publish(&mut a, &Message::to("t", "x").reply("_INBOX.x.1"));
    owed(&mut stage, "a request on its way", 1, &mut [&mut a]);
    stage.deliver(&mut b, "1", &asked);
    owed(&mut stage, "a request that arrived", 1, &mut [&mut b]);
    stage.publish(&mut b, &Message::to("_INBOX.x.1", "found"));
    owed(&mut stage, "one that was answered", 0, &mut [&mut b]);
    stage.publish(&mut a, &Message::to("t", "y").reply("_INBOX.x.2"));
    stage.deliver(&mut a, "2", &Message::to("_INBOX.x.2", "").status(503));
    owed(&mut stage, "one that nobody takes", 0, &mut [&mut a]);
    let stored = stage.publish(&mut a, &Message::to("orders.new", "z"));
    stage.deliver_stored(&mut b, 1, &stored);
    owed(&mut stage, "one that is to be acknowledged", 1, &mut [&mut a, &mut b]);
    stage.publish(&mut b, &Message::to(&format!("{ACK}.1.7.1.1772359202000000000.0"), "+ACK"));
    owed(&mut stage, "one that was acknowledged", 0, &mut [&mut b]);
}

#[test]
fn the_thread_joins_what_workers_ship_and_a_drain_settles_it() {
    let mut stage = Stage::new();
    let (mut a, mut b) = (stage.agent("a"), stage.agent("b"));
    let correlator = Correlator::start(Arc::clone(&stage.rules)).unwrap();
    let (from_a, from_b) = (correlator.outlet(), correlator.outlet());
    stage.now = Timestamp::now();
    let sent = stage.publish(&mut a, &Message::to("t", "x").reply("_INBOX.x.1"));
    stage.deliver(&mut b, "1", &sent);
    from_b.ship(&mut b.batch);
    from_a.ship(&mut a.batch);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(correlator.owed_handoffs()), Some(1));
    assert!(correlator.drain(Duration::from_secs(10)));
    let (counters, owed) = (correlator.counters(), runtime.block_on(correlator.owed_handoffs()));
    assert_eq!((counters.get(Counted::Recorded), owed), (1, Some(0)));
    drop((from_a, from_b));
    correlator.finish();
}

#[test]
fn more_handoffs_than_can_be_recorded_make_it_fewer_and_calm_makes_it_more() {
    let mut stage = Stage::with(|rules| rules.handoffs_per_second = 100);
    let mut a = stage.agent("a");
    let mut run = Run {
        ledger: Ledger::new(Arc::clone(&stage.rules)),
        rules: Arc::clone(&stage.rules),
        shared: Arc::default(),
        weighed: std::time::Instant::now(),
        opened: 0,
        calm: 0,
        collector: Collector::default(),
    };
    for n in 0..11 {
        stage.publish(&mut a, &Message::to("t", &n.to_string()));
    }
    run.ledger.take(&a.batch, stage.now);
    run.weigh();
    assert_eq!(stage.rules.load.level(), 1, "11 in a tenth of a second, where 10 may be");
    for _ in 0..10 {
        run.weighed -= WEIGHED;
        run.weigh();
    }
    assert_eq!(stage.rules.load.level(), 0, "a second of calm");
}

#[test]
fn while_a_collector_is_away_little_is_recorded_until_it_takes_something_again() {
    let mut collector = Collector::default();
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
