use super::*;

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
    assert_eq!(record.outcome.mismatches[0].evidence, "the server said that nobody subscribes to tasks (503)");
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
fn an_answer_after_the_limit_is_told_by_how_much_it_is_late() {
    let mut stage = Stage::with(|rules| rules.reply_within = Duration::from_secs(3));
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    let sent = stage.publish(&mut planner, &Message::to("tasks", "find").reply("_INBOX.x.1"));
    stage.deliver(&mut worker, "1", &sent);
    stage.ship(&mut [&mut worker, &mut planner]);
    stage.pass(Duration::from_millis(3_500));
    let handoff = handoffs(stage.records()).remove(0);
    assert_eq!(found(&handoff), [MismatchKind::TimedOut]);
    assert_eq!(handoff.ended.since(handoff.started).as_millis(), 3_001, "it ends at its limit, not when that was seen");
    stage.pass(Duration::from_millis(500));
    let reply = stage.publish(&mut worker, &Message::to("_INBOX.x.1", "found"));
    stage.deliver(&mut planner, "2", &reply);
    stage.ship(&mut [&mut planner, &mut worker]);
    let process = processes(stage.records()).remove(0);
    assert_eq!(process.outcome.mismatches[0].kind, MismatchKind::TimedOut);
    assert_eq!(process.outcome.mismatches[0].evidence, "completed, 1.0 s after the limit of 3.0 s");
    assert_eq!(process.outcome.climbs.last().unwrap().rung, Rung::Completed);
    assert_eq!(process.result.content.unwrap().hash, ContentHash::of(b"found"));
    assert_eq!((process.facts.id, process.place.parent_span_id), (handoff.facts.id, handoff.place.span_id));
    assert_eq!((process.agent.as_str(), process.facts.from.unwrap().as_str()), ("worker", "planner"));
    stage.publish(&mut worker, &Message::to("_INBOX.x.1", "found"));
    assert!(stage.settle(&mut [&mut planner, &mut worker]).is_empty(), "it is told once");
}

#[test]
fn a_failure_after_the_limit_is_a_late_failure() {
    let mut stage = Stage::with(|rules| rules.reply_within = Duration::from_secs(3));
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    let sent = stage.publish(&mut planner, &Message::to("tasks", "find").reply("_INBOX.x.1"));
    stage.deliver(&mut worker, "1", &sent);
    stage.ship(&mut [&mut worker, &mut planner]);
    stage.pass(Duration::from_secs(4));
    stage.records();
    let error = Message::to("_INBOX.x.1", "").header("Nats-Service-Error", "no number");
    stage.publish(&mut worker, &error);
    stage.ship(&mut [&mut worker]);
    let process = processes(stage.records()).remove(0);
    let kinds: Vec<_> = process.outcome.mismatches.iter().map(|found| found.kind).collect();
    assert_eq!(kinds, [MismatchKind::TimedOut, MismatchKind::Failed]);
    assert_eq!(process.outcome.mismatches[0].evidence, "failed, 1.0 s after the limit of 3.0 s");
}

#[test]
fn an_answer_that_is_in_time_and_heard_of_later_is_in_time() {
    let mut stage = Stage::with(|rules| rules.reply_within = Duration::from_secs(3));
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    let sent = stage.publish(&mut planner, &Message::to("tasks", "find").reply("_INBOX.x.1"));
    stage.deliver(&mut worker, "1", &sent);
    stage.ship(&mut [&mut worker, &mut planner]);
    stage.pass(Duration::from_millis(2_995));
    stage.publish(&mut worker, &Message::to("_INBOX.x.1", "found"));
    stage.ms(50);
    assert!(stage.records().is_empty(), "its worker may not have told of it yet");
    let record = stage.handoff(&mut [&mut planner, &mut worker]);
    assert_eq!((found(&record), *rungs(&record).last().unwrap()), (vec![], Rung::Completed));
}

#[test]
fn of_handoffs_without_their_answer_the_last_are_kept_and_no_more() {
    let mut stage = Stage::with(|rules| rules.reply_within = Duration::from_secs(30));
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    for n in 0..1025 {
        let sent = stage.publish(&mut planner, &Message::to("tasks", "find").reply(&format!("_INBOX.x.{n}")));
        stage.deliver(&mut worker, "1", &sent);
    }
    stage.ship(&mut [&mut planner, &mut worker]);
    stage.pass(Duration::from_secs(31));
    assert_eq!(stage.records().len(), 1025);
    for (n, told) in [(0, 0), (1, 1), (1024, 1)] {
        stage.publish(&mut worker, &Message::to(&format!("_INBOX.x.{n}"), "found"));
        stage.ship(&mut [&mut worker]);
        assert_eq!(processes(stage.records()).len(), told, "{n}");
    }
}

#[test]
fn an_answer_that_is_later_than_anybody_waits_for_is_forgotten() {
    let mut stage = Stage::with(|rules| rules.reply_within = Duration::from_secs(3));
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("worker"));
    let sent = stage.publish(&mut planner, &Message::to("tasks", "find").reply("_INBOX.x.1"));
    stage.deliver(&mut worker, "1", &sent);
    assert_eq!(stage.handoffs(&mut [&mut worker, &mut planner]).len(), 1);
    stage.pass(Duration::from_secs(31));
    assert!(stage.records().is_empty());
    stage.publish(&mut worker, &Message::to("_INBOX.x.1", "found"));
    assert!(stage.settle(&mut [&mut worker]).is_empty());
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
