use super::*;

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
fn a_connection_with_a_name_of_its_own_keeps_it_under_the_profile_of_faststream() {
    let mut stage = Stage::with(|rules| rules.profiles = [Profile::FastStream].into_iter().collect());
    let (mut planner, mut worker) = (stage.agent("planner"), stage.agent("summarizer"));
    worker.subscribe("1", "summarize", Some("workers"));
    let sent = stage.publish(&mut planner, &Message::to("summarize", "x").reply("_INBOX.x.1"));
    stage.deliver(&mut worker, "1", &sent);
    let next = stage.publish(&mut worker, &Message::to("archive", "y"));
    assert_eq!(next.envelope().from.unwrap(), "summarizer");
    stage.publish(&mut worker, &Message::to("_INBOX.x.1", "z"));
    let records = stage.handoffs(&mut [&mut planner, &mut worker]);
    assert_eq!(records.iter().map(to).collect::<Vec<_>>(), ["summarizer", ""]);
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
