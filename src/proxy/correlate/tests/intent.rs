use super::*;

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
