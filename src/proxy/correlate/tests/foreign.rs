use super::*;

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
