use super::*;

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

#[test]
fn what_comes_from_a_store_is_taken_by_the_agent_that_its_subject_names() {
    let mut stage = Stage::with(|rules| rules.agents = vec![AgentPattern::new("stories.{agent}").unwrap()]);
    let (mut driver, mut worker) = (stage.agent("driver"), stage.agent(""));
    // It pulls: what it subscribes to is an inbox, which names nobody.
    worker.subscribe("1", "_INBOX.x.*", None);
    let sent = stage.publish(&mut driver, &Message::to("stories.writer", "once"));
    assert_eq!(sent.envelope().to.unwrap(), "writer");
    let stored = stage.deliver_stored(&mut worker, 1, &sent);
    let next = stage.publish(&mut worker, &Message::to("stories.editor", "draft"));
    assert_eq!(next.envelope().from.unwrap(), "writer", "its addressee is who took it, and goes on with it");
    stage.publish(&mut worker, &Message::to(stored.reply.as_ref().unwrap(), "+ACK"));
    let records = stage.handoffs(&mut [&mut driver, &mut worker]);
    let taken = records.iter().find(|record| to(record) == "writer").expect("it was addressed to the writer");
    let by: Vec<_> = taken.outcome.climbs.iter().filter_map(|climb| climb.by.as_ref()).map(|by| by.as_str()).collect();
    assert_eq!((by, found(taken)), (vec!["writer"], vec![]));
}

#[test]
fn a_handoff_that_another_instance_takes_over_is_signed_by_no_stranger() {
    let mut stage = Stage::new();
    let (mut planner, mut one, mut other) = (stage.agent("planner"), stage.agent(""), stage.agent(""));
    let sent = stage.publish(&mut planner, &Message::to("orders.new", "7"));
    let first = stage.deliver_stored(&mut one, 1, &sent);
    stage.publish(&mut one, &Message::to(first.reply.as_ref().unwrap(), "+WPI"));
    let second = stage.deliver_stored(&mut other, 2, &sent);
    stage.publish(&mut other, &Message::to(second.reply.as_ref().unwrap(), "+ACK"));
    let record = stage.handoff(&mut [&mut planner, &mut one, &mut other]);
    assert_eq!(to(&record), "conn-3f2a-3");
    let in_progress = record.outcome.climbs.iter().find(|climb| climb.rung == Rung::InProgress).unwrap();
    assert_eq!(in_progress.by, None, "the bus saw it; that the other one did it is no misrouting");
    let completed = record.outcome.climbs.iter().find(|climb| climb.rung == Rung::Completed).unwrap();
    assert_eq!(completed.by.as_ref().unwrap().as_str(), "conn-3f2a-3");
}
