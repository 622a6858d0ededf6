use super::*;

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
