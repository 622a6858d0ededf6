use super::*;

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
